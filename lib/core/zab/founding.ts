/**
 * Founding and finding an ensemble (design D8). A process that belongs to none either finds one, through any linked
 * member, and joins it; or it is a *founder*, listed in its own static list of peers, and founds one together with all
 * the others, in three steps that survive a crash at each:
 *
 *   query    every founder tells every other its presence; all must be there, blank, and have the same list
 *   prepare  the lowest founder names the ensemble and its members; each founder persists that, and says so
 *   found    valid once all have prepared; whoever knows that all have may say it
 *
 * A prepared founder takes part in nothing: it neither votes nor acknowledges, also not in an ensemble founded before
 * that has nothing in its log and no leader (it counts as blank, and is frozen by preparing anew). A refusal is final for
 * that attempt; whoever learns of it thaws. So a crash at any step neither blocks founding nor founds twice.
 *
 * With a snapshot to restore, one founder founds alone, once all are there and blank: the lowest of those that were given
 * it. The others, who hold nothing, never prepare; they find its ensemble, get everything from it, and take their seats.
 * So no quorum can ever come about that lacks what was restored.
 */
import {
  areSameFounders,
  ConfigurationHistory,
  configurationText,
  type MemberId,
  type MemberRecord,
} from './configuration.ts'
import { isElectable } from './election.ts'
import { Marks } from './marks.ts'
import { isSuperseded, seesMajorityLost } from './memory-loss.ts'
import type { MessageOf, Preparation, PresenceState } from './message.ts'
import { becomeLooking, becomeOutside, type FoundingAttempt, type Outside, type Role } from './roles.ts'
import {
  type Belonging,
  type Epochs,
  foundedConfigurations,
  type Link,
  type PersistPurpose,
  type Restoration,
  type RestoredSnapshot,
  type Zab,
} from './zab.ts'
import { epochMax, epochOf, zxidZero } from './zxid.ts'

/** 2025-01-01 UTC: epochs of a new ensemble begin at the seconds since, so that its tokens rise above its predecessor's. */
const epochOriginMs = 1_735_689_600_000
const seatsDefault = 5

/** Later for every later founding by the same founders, whatever their clocks say. */
function sinceOf({ epoch, wallMs }: Preparation): number {
  return Math.max(wallMs, epochOriginMs + epoch * 1000)
}

/** Tells every linked process what we belong to, when that changes. Runs before anything else is said. */
export function announcePresence(zab: Zab): void {
  const { presence, cluster, since } = zab.belonging
  const acceptedEpoch = presence === 'member' ? 0 : zab.epochs.accepted
  const majorityLost = seesMajorityLost(zab)
  const state = announcedState(zab)
  for (const link of zab.links.values()) {
    const told = link.announcedPresence
    const isTold =
      told !== undefined &&
      told.state === state &&
      told.cluster === cluster &&
      told.acceptedEpoch === acceptedEpoch &&
      told.majorityLost === majorityLost
    if (isTold) continue
    const { founders } = zab.options
    const { features } = zab
    const restores = presence === 'blank' ? zab.restoration?.id : undefined
    const message = {
      type: 'presence',
      state,
      cluster,
      since,
      founders,
      acceptedEpoch,
      features,
      majorityLost,
      restores,
    } as const
    link.announcedPresence = message
    link.announcedNotification = undefined
    zab.send(link.peer.id, message)
  }
}

export function onPresence(zab: Zab, role: Role, from: Link, message: MessageOf<'presence'>): void {
  if (from.presence?.cluster !== message.cluster) {
    forgetSaid(from)
    // Whoever takes part in another founding neither leads us nor follows us any more.
    if (role.name === 'leading') role.learners.delete(from.peer.id)
    if (role.name === 'following' && role.leader.id === from.peer.id) becomeLooking(zab, `${from.peer.name} has left`)
  }
  from.presence = message
  if (isSuperseded(zab, from, message)) giveWay(zab, message)
}

/**
 * One of the two ends changes over to another ensemble, if only for a while: what was said of elections in the one before
 * counts no more, on both ends, and is said anew where both come back to it.
 */
function forgetSaid(link: Link): void {
  link.notification = undefined
  link.heldFollowerInfo = undefined
  link.announcedNotification = undefined
}

/** Our ensemble is dead, and a later one lives. Who holds nothing of it just joins; who does must say so, and lose it. */
function giveWay(zab: Zab, message: MessageOf<'presence'>): void {
  if (zab.configurations.isEmpty) {
    join(zab, message)
    return
  }
  zab.mark('founding.superseded')
  const reason = `all founders came back without their memory, and founded ${message.cluster}: what this member still holds is of ${zab.belonging.cluster}, which no quorum is left of`
  zab.isOver = true
  zab.outputs.push({ type: 'superseded', reason })
}

/** Who has a log or a leader is more than founded. */
export function noteMembership(zab: Zab): void {
  if (zab.belonging.presence !== 'founded') return
  const { role } = zab
  const hasLeader = (role.name === 'following' || role.name === 'leading') && role.phase === 'broadcast'
  if (hasLeader || zab.log.last > zxidZero) remember(zab, { presence: 'member' })
}

function remember(zab: Zab, change: Partial<Belonging>): void {
  zab.belonging = { ...zab.belonging, ...change }
  zab.persist({ belonging: zab.belonging }, { kind: 'remember' })
}

/** What others are told: nobody is to join an ensemble by the word of one who only hopes to. */
function announcedState(zab: Zab): PresenceState {
  const { presence } = zab.belonging
  return presence === 'member' && zab.configurations.isEmpty ? 'joining' : presence
}

/** What a process outside any ensemble concludes from what it sees. */
export function progressOutside(zab: Zab, outside: Outside): void {
  if (zab.isRestoring) return
  if (joinWhatExists(zab)) return
  if (outside.attempt !== undefined) concludeAttempt(zab, outside, outside.attempt)
  else if (isFounder(zab)) query(zab)
}

/** Whether anybody says that no quorum of it is left. */
function isForsaken(zab: Zab, cluster: string): boolean {
  return [...zab.links.values()].some(({ presence }) => presence?.cluster === cluster && presence.majorityLost)
}

function isFounder(zab: Zab): boolean {
  return zab.options.founders.includes(zab.self.address)
}

/** Whether anybody here holds anything of it. */
function isHeld(zab: Zab, cluster: string): boolean {
  const isHolder = (state: PresenceState): boolean => state === 'member' || state === 'founded'
  return [...zab.links.values()].some(({ presence }) => presence?.cluster === cluster && isHolder(presence.state))
}

/**
 * Who has joined an ensemble and holds nothing of it yet is blank again where nobody is here who does: those who did may have
 * forgotten it, and then it is nowhere. So is a founder that joined before it could know that no quorum of it is left.
 */
export function progressForsaken(zab: Zab): void {
  const { presence, cluster } = zab.belonging
  if (!zab.configurations.isEmpty || presence !== 'member') return
  if (isHeld(zab, cluster) && !(isFounder(zab) && isForsaken(zab, cluster))) return
  zab.mark('founding.blankAgain')
  remember(zab, { presence: 'blank', cluster: '', since: 0, founders: zab.options.founders })
  becomeOutside(zab)
}

/** An ensemble that is there is joined, never founded beside. */
function joinWhatExists(zab: Zab): boolean {
  const { preparation } = zab.belonging
  for (const { presence } of zab.links.values()) {
    if (presence === undefined || (presence.state !== 'founded' && presence.state !== 'member')) continue
    if (isNoPlaceToRestore(zab, presence)) return true
    if (preparation?.cluster === presence.cluster) {
      // Somebody has founded what we prepared: so all had prepared, and it is founded.
      found(zab, preparation)
      return true
    }
    // A founder that sees what is left of an ensemble without a quorum had better found, if all founders are blank.
    if (presence.state === 'member' && !(isFounder(zab) && isForsaken(zab, presence.cluster))) {
      join(zab, presence)
      return true
    }
  }
  return false
}

/** An ensemble that does not begin with our snapshot is never taken for one that does. */
function isNoPlaceToRestore(zab: Zab, { state, cluster }: MessageOf<'presence'>): boolean {
  if (zab.restoration === undefined || state !== 'member' || isRestoredFrom(cluster, zab.restoration)) return false
  if (isFounder(zab) && isForsaken(zab, cluster)) return false
  zab.mark('founding.notRestored')
  const reason = `the ensemble ${cluster} lives already, and does not begin with this snapshot: restore with all its members stopped and their stores empty, or leave restoreFrom out to join it`
  zab.outputs.push({ type: 'refused', code: 'COORD_NOT_RESTORED', reason })
  return true
}

/** Whether an ensemble began with this snapshot: its id says so. */
export function isRestoredFrom(cluster: string, { id }: Pick<Restoration, 'id'>): boolean {
  return cluster.endsWith(`-${id}`)
}

function join(zab: Zab, { cluster, since }: MessageOf<'presence'>): void {
  if (zab.belonging.founded?.cluster === cluster) {
    // The ensemble that an attempt had frozen here went on without us.
    remember(zab, { presence: 'member', cluster, since, preparation: undefined })
  } else {
    zab.mark('founding.joined')
    // What was acknowledged in another ensemble says nothing here.
    zab.epochs = { ...zab.epochs, current: 0 }
    zab.persist({ epochs: zab.epochs }, { kind: 'remember' })
    remember(zab, { presence: 'member', cluster, since, preparation: undefined, founded: undefined })
    zab.configurations = new ConfigurationHistory([])
    zab.marks = new Marks()
  }
  becomeLooking(zab, 'joins')
}

/**
 * Founded, but a founder does not know of it (it crashed, and has forgotten), nobody leads, and no quorum can be reached:
 * whoever holds nothing beyond configuration 1 counts as blank, and founds anew with the others.
 */
export function progressFounded(zab: Zab): void {
  if (zab.belonging.presence !== 'founded' || zab.log.last > zxidZero || !zab.isDrained || isElectable(zab)) return
  // Who was started with another list since then may not found by it: founders of the old one may go on without us.
  if (zab.belonging.founders.join() !== zab.options.founders.join()) return
  for (const address of zab.belonging.founders) {
    const presence = address === zab.self.address ? undefined : linkTo(zab, address)?.presence
    if (presence === undefined || presence.cluster === zab.belonging.cluster) continue
    query(zab)
    return
  }
}

/** First step: all founders there, blank, with our list. The lowest one goes on. */
function query(zab: Zab): void {
  const members: MemberRecord[] = []
  const restoring: (readonly [address: string, snapshot: string])[] = []
  let areOthersBlank = true
  let epoch = Math.max(zab.epochs.accepted, Math.floor((zab.wallMs - epochOriginMs) / 1000), 0)
  let { features } = zab
  for (const address of zab.belonging.founders) {
    const link = address === zab.self.address ? undefined : linkTo(zab, address)
    const restores = address === zab.self.address ? zab.restoration?.id : link?.presence?.restores
    if (restores !== undefined) restoring.push([address, restores])
    if (address === zab.self.address) members.push(zab.self)
    if (link?.presence === undefined || !isBlank(link.presence)) continue
    if (!isSameList(zab, link)) return
    members.push(link.peer)
    areOthersBlank &&= link.presence.state === 'blank'
    epoch = Math.max(epoch, link.presence.acceptedEpoch)
    features = Math.min(features, link.presence.features)
  }
  if (members.length < zab.belonging.founders.length) return
  const [restorer] = restoring
  if (restorer !== undefined) {
    if (isSameSnapshot(zab, restoring) && restorer[0] === zab.self.address && areOthersBlank)
      foundRestored(zab, epoch, features)
  } else if (zab.belonging.founders[0] === zab.self.address)
    prepareAll(zab, members, Math.min(epoch, epochMax - 1), features)
}

function isSameSnapshot(zab: Zab, restoring: readonly (readonly [address: string, snapshot: string])[]): boolean {
  if (restoring.every(([, snapshot]) => snapshot === restoring[0]?.[1])) return true
  const given = restoring.map(([address, snapshot]) => `${address} ${snapshot}`).join(', ')
  const reason = `the founders were given different snapshots to restore: ${given}`
  zab.outputs.push({ type: 'refused', code: 'COORD_FOUNDERS_DIFFER', reason })
  return false
}

/**
 * All founders are there and blank: the one that restores founds, with itself as the only voter. Nobody may hear of that
 * ensemble before it is durable here: whoever joined it would wait for ever for a founder that has forgotten it.
 */
function foundRestored(zab: Zab, epoch: number, features: number): void {
  const { restoration } = zab
  if (restoration === undefined || zab.belonging.presence !== 'blank') return
  const above = Math.min(Math.max(epoch, epochOf(restoration.zxid)), epochMax - 1)
  const preparation = preparationOf(zab, [zab.self], above, features)
  const founded = { ...preparation, cluster: [preparation.cluster, restoration.id].join('-') }
  const change = changeOfFounding(zab, founded)
  const snapshot = restoredOf(zab, change.belonging, restoration)
  zab.isRestoring = true
  const install = { ...snapshot.head, state: snapshot.state.freeze() }
  zab.persist({ ...change, install }, { kind: 'restore', founded, snapshot })
}

export function onRestorationPersisted(zab: Zab, purpose: Extract<PersistPurpose, { kind: 'restore' }>): void {
  zab.mark('founding.restored')
  zab.isRestoring = false
  zab.restoration = undefined
  found(zab, purpose.founded, purpose.snapshot)
}

function linkTo(zab: Zab, address: string): Link | undefined {
  for (const link of zab.links.values()) {
    if (link.peer.address === address) return link
  }
  return undefined
}

function isBlank(presence: MessageOf<'presence'>): boolean {
  return presence.state !== 'member' && presence.state !== 'joining'
}

function isSameList(zab: Zab, link: Link): boolean {
  const theirs = link.presence?.founders ?? []
  const { founders } = zab.belonging
  if (areSameFounders(founders, theirs)) return true
  const isChanged = !areSameFounders(founders, zab.options.founders)
  const hint = isChanged
    ? `${zab.self.address} was about to found with its list before it was started with another one: start it with that list, or empty its store`
    : 'start every founder with the same peers'
  const reason = `${zab.self.address} lists [${founders.join(', ')}], ${link.peer.address} lists [${theirs.join(', ')}]: ${hint}`
  zab.outputs.push({ type: 'refused', code: 'COORD_FOUNDERS_DIFFER', reason })
  return false
}

/** Second step, on the lowest founder. */
function prepareAll(zab: Zab, members: readonly MemberRecord[], epoch: number, features: number): void {
  const preparation = preparationOf(zab, members, epoch, features)
  becomeOutside(zab, { ...preparation, prepared: new Set() })
  persistPreparation(zab, preparation)
  for (const { id } of members) {
    if (id !== zab.id) zab.send(id, { type: 'prepare', ...preparation })
  }
}

function preparationOf(zab: Zab, members: readonly MemberRecord[], epoch: number, features: number): Preparation {
  // Joined, not put together in a template: V8 compares those slowly, and this one is compared at every step.
  const cluster = [zab.id.slice(0, 16), zab.wallMs.toString(36), zab.nextAttempt()].join('-')
  const seats = zab.options.seats ?? seatsDefault
  return { cluster, epoch, wallMs: zab.wallMs, members, seats, features }
}

function persistPreparation(zab: Zab, preparation: Preparation): void {
  for (const link of zab.links.values()) forgetSaid(link)
  const { cluster } = preparation
  const since = sinceOf(preparation)
  zab.belonging = { ...zab.belonging, presence: 'prepared', cluster, since, preparation }
  zab.persist({ belonging: zab.belonging }, { kind: 'prepare', cluster })
}

/**
 * Only who has nothing to lose prepares, an election that is not won yet included: whoever asks reaches no quorum in it,
 * and would be refused again and again by a leader that waits for its vote.
 */
export function onPrepare(zab: Zab, role: Role, from: Link, message: MessageOf<'prepare'>): void {
  const { type: _, ...preparation } = message
  const { cluster, members } = preparation
  const reason = reasonToRefuse(zab, members)
  if (reason !== undefined) {
    zab.mark('founding.refused')
    zab.send(from.peer.id, { type: 'refusePrepare', cluster, reason })
    return
  }
  if (role.name !== 'outside') zab.mark('founding.frozen')
  if (role.name !== 'outside' || role.attempt !== undefined) becomeOutside(zab)
  persistPreparation(zab, preparation)
}

function reasonToRefuse(zab: Zab, members: readonly MemberRecord[]): string | undefined {
  if (zab.belonging.presence === 'member') return 'belongs to an ensemble'
  if (zab.isRestoring) return 'founds by itself, with a snapshot'
  if (!members.some(({ id }) => id === zab.id)) return 'is not among the members'
  return undefined
}

/** The preparation is durable: only now may it be said. */
export function onPreparationPersisted(zab: Zab, cluster: string): void {
  const { role } = zab
  if (zab.belonging.preparation?.cluster !== cluster || role.name !== 'outside') return
  if (role.attempt?.cluster === cluster) {
    role.attempt.prepared.add(zab.id)
    return
  }
  for (const { id } of zab.belonging.preparation.members) {
    if (zab.links.has(id)) zab.send(id, { type: 'prepared', cluster })
  }
}

export function onPrepared(_zab: Zab, role: Role, from: Link, message: MessageOf<'prepared'>): void {
  if (role.name === 'outside' && role.attempt?.cluster === message.cluster) role.attempt.prepared.add(from.peer.id)
}

export function onRefusePrepare(zab: Zab, role: Role, _from: Link, message: MessageOf<'refusePrepare'>): void {
  if (role.name === 'outside' && role.attempt?.cluster === message.cluster) abandon(zab, role, role.attempt)
}

export function onAbandonPrepare(zab: Zab, _role: Role, _from: Link, message: MessageOf<'abandonPrepare'>): void {
  if (zab.belonging.preparation?.cluster === message.cluster) thaw(zab)
}

/** Gives an attempt up, and says so. */
function abandon(zab: Zab, outside: Outside, attempt: FoundingAttempt): void {
  zab.mark('founding.abandoned')
  outside.attempt = undefined
  for (const { id } of attempt.members) {
    if (zab.links.has(id)) zab.send(id, { type: 'abandonPrepare', cluster: attempt.cluster })
  }
  thaw(zab)
}

/** Drops a preparation; an ensemble that it froze goes on. */
function thaw(zab: Zab): void {
  const { founded } = zab.belonging
  if (founded === undefined) {
    remember(zab, { presence: 'blank', cluster: '', since: 0, preparation: undefined, founders: zab.options.founders })
    return
  }
  remember(zab, { presence: 'founded', cluster: founded.cluster, since: sinceOf(founded), preparation: undefined })
  becomeLooking(zab, 'thawed')
}

/** Third step, on the coordinator: all have prepared; or one of them is gone, and the attempt with it. */
function concludeAttempt(zab: Zab, outside: Outside, attempt: FoundingAttempt): void {
  const isThere = (id: MemberId): boolean => id === zab.id || zab.links.has(id)
  if (!attempt.members.every(({ id }) => isThere(id))) {
    abandon(zab, outside, attempt)
    return
  }
  if (!attempt.members.every(({ id }) => attempt.prepared.has(id))) return
  for (const { id } of attempt.members) {
    if (id !== zab.id) zab.send(id, { type: 'found', cluster: attempt.cluster })
  }
  found(zab, attempt)
}

export function onFound(zab: Zab, role: Role, _from: Link, message: MessageOf<'found'>): void {
  const { preparation } = zab.belonging
  if (role.name === 'outside' && preparation?.cluster === message.cluster) found(zab, preparation)
}

function found(zab: Zab, founded: Preparation, snapshot?: RestoredSnapshot): void {
  const { belonging, epochs } = changeOfFounding(zab, founded)
  zab.epochs = epochs
  zab.belonging = belonging
  zab.persist({ belonging, epochs }, { kind: 'remember' })
  zab.configurations = new ConfigurationHistory(snapshot?.head.configurations ?? foundedConfigurations(belonging))
  // Ids may be those of an ensemble that was given up for this one: what they acknowledged there is not here.
  zab.marks = new Marks()
  if (snapshot !== undefined) {
    const { head, state } = snapshot
    state.enforce()
    zab.log.reset(head.zxid)
    zab.committed = head.zxid
  }
  becomeLooking(zab, 'founded')
}

function changeOfFounding(
  zab: Zab,
  { cluster, epoch, wallMs, members, seats, features }: Preparation,
): { readonly belonging: Belonging; readonly epochs: Epochs } {
  const founded: Preparation = { cluster, epoch, wallMs, members, seats, features }
  const since = sinceOf(founded)
  // Above every promise of the founders; and what was acknowledged in an ensemble before says nothing here.
  const accepted = Math.max(zab.epochs.accepted, epoch)
  return {
    belonging: { ...zab.belonging, presence: 'founded', cluster, since, preparation: undefined, founded },
    epochs: { accepted, acceptedFrom: undefined, current: 0 },
  }
}

/** The state and the configurations begin at the snapshot's zxid; all that comes is of later epochs. */
function restoredOf(zab: Zab, belonging: Belonging, { zxid, records }: Restoration): RestoredSnapshot {
  const configurations = foundedConfigurations(belonging).map(({ configuration }) => ({
    zxid,
    configuration,
    settledAt: zxid,
  }))
  const text = configurations.map(({ configuration }) => configurationText(configuration, zxid)).join('')
  const installation = zab.machine.receive()
  for (const record of records) installation.add(record)
  return { head: { zxid, configurations, marks: [] }, state: installation.finish(zxid, text) }
}
