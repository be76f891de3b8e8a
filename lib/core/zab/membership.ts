/**
 * Membership: what a leader does about the configuration (design D7, D8). One change at a time, each an entry in the
 * log, joint from its entry until a later batch header says that both quorums hold it; and only after an entry of the
 * leader's own epoch is committed. A change is proposed only where those who are here are a quorum of what it leads to.
 *
 * What is asked for comes first (requests.ts), in the order of asking. Then what an ensemble does by itself:
 * - a member that lost its memory, or moved, takes its predecessor's place: its id or address is new, its name is not. It
 *   does so as soon as the predecessor is certainly gone: its link is down, and a fresh dial of its address does not
 *   reach that id. Where the predecessor lives on, the newcomer is told that its name is taken;
 * - whoever is new becomes an observer; whoever was removed, or does not know the level in force, is refused;
 * - the list of founders changes once everybody on the new one is here and was started with it;
 * - seats fill, and pass on from those who failed (seats.ts);
 * - observers that are gone for long are forgotten;
 * - the level of the state machine rises once every voter knows a higher one (features.ts).
 */
import { enqueue } from './broadcast.ts'
import {
  areSameFounders,
  type Configuration,
  hasFounder,
  type MemberId,
  type MemberRecord,
  membersOf,
} from './configuration.ts'
import { beginHandOver, completeHandOver, giveUpHandOver, handOverState } from './hand-over.ts'
import type { MessageOf, RefusalCode } from './message.ts'
import { isQuorum } from './quorum.ts'
import { answerTransfers, progressRequests } from './requests.ts'
import type { Following, Leading, Learner } from './roles.ts'
import { type Attendance, nextSeating, replaceMember, withoutMembers } from './seats.ts'
import type { Link, Zab } from './zab.ts'
import { epochOf, type Zxid } from './zxid.ts'

/** Runs at the end of a turn, before the flush. */
export function progressMembership(zab: Zab, leading: Leading & { epoch: number }): void {
  noteAbsence(zab, leading)
  const { latest, pending } = zab.configurations
  if (isHandingOver(zab, leading) || latest === undefined) return
  const attendance = attendanceOf(zab, leading)
  const asked = progressRequests(zab, leading, attendance)
  if (pending !== undefined) {
    if (pending.zxid > zab.committed || passesOn(zab, leading, latest.configuration)) return
    // Committed by both quorums: the next header says so. Where nobody writes, that takes an empty entry.
    if (leading.pending.length === 0) enqueue(zab, leading, [{ type: 'noop' }])
    return
  }
  // The voters of before are needed until those who come after them have committed the header that settled the change.
  if ((latest.settledAt as Zxid) > zab.committed || passesOn(zab, leading, latest.configuration)) return
  refuseUnwanted(zab, leading, latest.configuration)
  const change = asked ?? nextChange(zab, leading, latest.configuration, attendance)
  if (change === undefined) return
  const hasOwnEntry = epochOf(zab.committed) === leading.epoch
  if (hasOwnEntry) enqueue(zab, leading, [{ type: 'reconfigure', configuration: change }])
  else if (epochOf(zab.log.last) !== leading.epoch && leading.pending.length === 0)
    enqueue(zab, leading, [{ type: 'noop' }])
}

/** Whether leadership is on its way to another one, or has got there: then that one changes the configuration. */
function isHandingOver(zab: Zab, leading: Leading): boolean {
  const state = handOverState(zab, leading)
  if (state === 'failed') {
    answerTransfers(zab, leading, { code: 'COORD_TIMEOUT', reason: 'the next leader did not catch up in time' })
    giveUpHandOver(zab, leading)
  } else if (state === 'ready') {
    answerTransfers(zab, leading)
    completeHandOver(zab, leading)
  }
  return state === 'waiting' || state === 'ready'
}

/** A leader that has no vote any more, by a change that it took over from another one, lets one lead who has. */
function passesOn(zab: Zab, leading: Leading, { voters }: Configuration): boolean {
  return !voters.some(({ id }) => id === zab.id) && beginHandOver(zab, leading, undefined, voters)
}

function noteAbsence(zab: Zab, leading: Leading): void {
  const { absentSince } = leading
  const members = zab.configurations.members()
  for (const { id } of members) {
    if (isPresent(zab, leading, id)) absentSince.delete(id)
    else if (!absentSince.has(id)) absentSince.set(id, zab.now)
  }
  if (absentSince.size === 0) return
  const known = new Set(members.map(({ id }) => id))
  for (const id of absentSince.keys()) if (!known.has(id)) absentSince.delete(id)
}

function isPresent(zab: Zab, leading: Leading, id: MemberId): boolean {
  return id === zab.id || leading.learners.get(id)?.state === 'synced'
}

function attendanceOf(zab: Zab, leading: Leading): Attendance {
  const { seatStableMs, seatFailedMs, syncLimitMs } = zab.options.timing
  const isStable = ({ state, syncedSince, lastContact }: Learner): boolean =>
    state === 'synced' && zab.now - (syncedSince ?? zab.now) >= seatStableMs && zab.now - lastContact < syncLimitMs / 2
  return {
    leader: zab.id,
    isPresent: (id) => isPresent(zab, leading, id),
    isStable: (id) => {
      const learner = leading.learners.get(id)
      return id === zab.id || (learner !== undefined && isStable(learner))
    },
    hasFailed: (id) => {
      const since = leading.absentSince.get(id)
      return since !== undefined && zab.now - since >= seatFailedMs
    },
    wishOf: (id) => (id === zab.id ? zab.wish : leading.learners.get(id)?.wish),
  }
}

function nextChange(
  zab: Zab,
  leading: Leading,
  configuration: Configuration,
  attendance: Attendance,
): Configuration | undefined {
  const isPossible = (change: Configuration | undefined): change is Configuration =>
    change !== undefined &&
    hasFounder(change) &&
    (change.voters.some(({ id }) => id === zab.id) || !configuration.voters.some(({ id }) => id === zab.id)) &&
    isQuorum([change], (id) => attendance.isPresent(id))
  const steps = [takeOverPlace, admitNewcomers, changeFounders, fillSeats, forgetObservers, raiseFeatures]
  for (const step of steps) {
    const change = step(zab, leading, configuration, attendance)
    if (isPossible(change)) return change
  }
  return undefined
}

/** A member that moved, or whose predecessor is gone. */
function takeOverPlace(zab: Zab, leading: Leading, configuration: Configuration): Configuration | undefined {
  const members = membersOf(configuration)
  for (const learner of leading.learners.values()) {
    const { member, state } = learner
    if (state !== 'synced' || configuration.removed.includes(member.id)) continue
    const known = members.find(({ id }) => id === member.id)
    if (known !== undefined) {
      if (known.address === member.address || configuration.founders.includes(known.address)) continue
      return replaceMember(configuration, known, member)
    }
    const predecessor = members.find(({ name }) => name === member.name)
    if (predecessor === undefined) continue
    const change = replaceMember(configuration, predecessor, member)
    // The last founder's seat is for a founder, without one there is no quorum; whoever has its name is told so all the same.
    if (isGone(zab, leading, learner, predecessor) && hasFounder(change)) {
      zab.mark('membership.replaced')
      leading.probes.delete(predecessor.id)
      return change
    }
  }
  return undefined
}

/** Whoever is up to date, and was not a member. */
function admitNewcomers(zab: Zab, leading: Leading, configuration: Configuration): Configuration | undefined {
  const names = new Set(membersOf(configuration).map(({ name }) => name))
  const ids = new Set(membersOf(configuration).map(({ id }) => id))
  const newcomers: MemberRecord[] = []
  for (const { state, member, wish } of leading.learners.values()) {
    if (state !== 'synced' || wish === 'leaving' || configuration.removed.includes(member.id)) continue
    if (ids.has(member.id) || names.has(member.name)) continue
    names.add(member.name)
    newcomers.push(member)
  }
  if (newcomers.length === 0) return undefined
  zab.mark('membership.admitted')
  return { ...configuration, observers: [...configuration.observers, ...newcomers] }
}

/** Everybody on the new list is here, and reports it from its own options. */
function changeFounders(
  zab: Zab,
  _leading: Leading,
  configuration: Configuration,
  attendance: Attendance,
): Configuration | undefined {
  const reports = new Map<string, readonly string[]>([[zab.self.address, zab.options.founders]])
  for (const { peer, presence } of zab.comrades()) {
    if (presence !== undefined && attendance.isPresent(peer.id)) reports.set(peer.address, presence.founders)
  }
  for (const founders of reports.values()) {
    if (founders.length === 0 || areSameFounders(founders, configuration.founders)) continue
    if (!founders.every((address) => areSameFounders(reports.get(address), founders))) continue
    zab.mark('membership.founders')
    return { ...withCurrentAddresses(zab, configuration), founders }
  }
  return undefined
}

/** A founder that moved is recorded where it is now together with the list that says so. */
function withCurrentAddresses(zab: Zab, configuration: Configuration): Configuration {
  const now = (member: MemberRecord): MemberRecord =>
    member.id === zab.id ? zab.self : (zab.links.get(member.id)?.peer ?? member)
  return { ...configuration, voters: configuration.voters.map(now), observers: configuration.observers.map(now) }
}

function fillSeats(
  zab: Zab,
  _leading: Leading,
  configuration: Configuration,
  attendance: Attendance,
): Configuration | undefined {
  const change = nextSeating(configuration, attendance)
  if (change !== undefined)
    zab.mark(change.voters.length > configuration.voters.length ? 'seats.filled' : 'seats.passed')
  return change
}

function forgetObservers(zab: Zab, leading: Leading, configuration: Configuration): Configuration | undefined {
  const { forgetMs } = zab.options.timing
  const isGoneForLong = (id: MemberId): boolean => {
    const since = leading.absentSince.get(id)
    return since !== undefined && zab.now - since >= forgetMs
  }
  const gone = configuration.observers.filter(({ id }) => isGoneForLong(id))
  if (gone.length === 0) return undefined
  zab.mark('membership.forgotten')
  return withoutMembers(configuration, (id) => gone.some((observer) => observer.id === id))
}

function raiseFeatures(zab: Zab, leading: Leading, configuration: Configuration): Configuration | undefined {
  let features = zab.features
  for (const { id } of configuration.voters) {
    if (id === zab.id) continue
    features = Math.min(features, leading.learners.get(id)?.features ?? configuration.features)
  }
  // Who is here and would have to go waits for its next version, too.
  for (const learner of leading.learners.values()) features = Math.min(features, learner.features)
  return features > configuration.features ? { ...configuration, features } : undefined
}

/** Whether the predecessor is gone; asks for a probe where that is not known, and refuses the newcomer where it lives. */
function isGone(zab: Zab, leading: Leading, newcomer: Learner, predecessor: MemberRecord): boolean {
  if (predecessor.id === zab.id || zab.links.has(predecessor.id)) {
    leading.probes.delete(predecessor.id)
    newcomer.nameTakenSince ??= zab.now
    // A link may outlive its process for a while: only after `syncLimitMs` is the other one known to answer.
    if (zab.now - newcomer.nameTakenSince > zab.options.timing.syncLimitMs) {
      zab.mark('membership.nameInUse')
      const reason = `a live member at ${predecessor.address} has the name '${predecessor.name}'`
      refuse(zab, leading, newcomer, 'COORD_NAME_IN_USE', reason)
    }
    return false
  }
  newcomer.nameTakenSince = undefined
  const probe = leading.probes.get(predecessor.id)
  if (probe === undefined) {
    leading.probes.set(predecessor.id, 'asked')
    zab.outputs.push({ type: 'probe', id: predecessor.id, address: predecessor.address })
  }
  return probe === 'gone'
}

function refuseUnwanted(zab: Zab, leading: Leading, { removed, features }: Configuration): void {
  for (const learner of leading.learners.values()) {
    if (removed.includes(learner.member.id)) {
      zab.mark('membership.removed')
      refuse(zab, leading, learner, 'COORD_REMOVED', 'an operator removed this member')
    } else if (learner.features < features) {
      const reason = `the ensemble is at level ${features} of the state machine, this member knows ${learner.features}: deploy a newer version`
      refuse(zab, leading, learner, 'COORD_PROTOCOL', reason)
    }
  }
}

function refuse(zab: Zab, leading: Leading, { member }: Learner, code: RefusalCode, reason: string): void {
  leading.learners.delete(member.id)
  zab.send(member.id, { type: 'refuse', code, reason })
}

/** The answer to a probe. A predecessor that was reached has its link back soon; else it is asked again. */
export function onProbed(leading: Leading, id: MemberRecord['id'], reached: boolean): void {
  if (reached) leading.probes.delete(id)
  else if (leading.probes.has(id)) leading.probes.set(id, 'gone')
}

/** The leader will not have us: joining has failed, and the application must know why. */
export function onRefuse(zab: Zab, following: Following, from: Link, message: MessageOf<'refuse'>): void {
  if (from.peer.id !== following.leader.id) return
  zab.outputs.push({ type: 'refused', code: message.code, reason: message.reason })
}
