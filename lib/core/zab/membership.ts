/**
 * Membership: what a leader does about the configuration (design D7, D8). One change at a time, each an entry in the
 * log, joint from its entry until a later batch header says that both quorums hold it; and only after an entry of the
 * leader's own epoch is committed.
 *
 * Here: a member that lost its memory comes back. Its id is new, its name is not. Once it is synchronised it takes its
 * predecessor's seat, as soon as the predecessor is certainly gone: its link is down, and a fresh dial of its address
 * does not reach that id. Where the predecessor lives on, the newcomer is told that its name is taken.
 */
import { enqueue } from './broadcast.ts'
import type { Configuration, MemberRecord } from './configuration.ts'
import type { MessageOf } from './message.ts'
import type { Following, Leading, Learner } from './roles.ts'
import type { Link, Zab } from './zab.ts'
import { epochOf } from './zxid.ts'

/** Runs at the end of a turn, before the flush. */
export function progressMembership(zab: Zab, leading: Leading & { epoch: number }): void {
  const { pending } = zab.configurations
  if (pending !== undefined) {
    // Committed by both quorums: the next header says so. Where nobody writes, that takes an empty entry.
    if (pending.zxid <= zab.committed && leading.pending.length === 0) enqueue(leading, [{ type: 'noop' }])
    return
  }
  const change = nextChange(zab, leading)
  if (change === undefined) return
  const hasOwnEntry = epochOf(zab.committed) === leading.epoch
  if (hasOwnEntry) enqueue(leading, [{ type: 'reconfigure', configuration: change }])
  else if (epochOf(zab.log.last) !== leading.epoch && leading.pending.length === 0) enqueue(leading, [{ type: 'noop' }])
}

function nextChange(zab: Zab, leading: Leading): Configuration | undefined {
  const configuration = zab.configurations.latest?.configuration
  if (configuration === undefined) return undefined
  for (const learner of leading.learners.values()) {
    if (learner.state !== 'synced') continue
    const moved = configuration.voters.find((voter) => voter.id === learner.member.id)
    if (moved !== undefined) {
      if (moved.address !== learner.member.address && !configuration.founders.includes(moved.address)) {
        return replaceVoter(configuration, moved, learner.member)
      }
      continue
    }
    const predecessor = configuration.voters.find((voter) => voter.name === learner.member.name)
    if (predecessor === undefined) continue
    const change = replaceVoter(configuration, predecessor, learner.member)
    // The last founder's seat is for a founder: without one there is no quorum.
    if (hasFounder(change) && isGone(zab, leading, learner, predecessor)) {
      zab.mark('membership.replaced')
      leading.probes.delete(predecessor.id)
      return change
    }
  }
  return undefined
}

function hasFounder({ voters, founders }: Configuration): boolean {
  return voters.some(({ address }) => founders.includes(address))
}

function replaceVoter(configuration: Configuration, before: MemberRecord, after: MemberRecord): Configuration {
  return { ...configuration, voters: configuration.voters.map((voter) => (voter.id === before.id ? after : voter)) }
}

/** Whether the predecessor is gone; asks for a probe where that is not known, and refuses the newcomer where it lives. */
function isGone(zab: Zab, leading: Leading, newcomer: Learner, predecessor: MemberRecord): boolean {
  if (predecessor.id === zab.id || zab.links.has(predecessor.id)) {
    leading.probes.delete(predecessor.id)
    newcomer.nameTakenSince ??= zab.now
    // A link may outlive its process for a while: only after `syncLimitMs` is the other one known to answer.
    if (zab.now - newcomer.nameTakenSince > zab.options.timing.syncLimitMs) refuse(zab, leading, newcomer, predecessor)
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

function refuse(zab: Zab, leading: Leading, newcomer: Learner, predecessor: MemberRecord): void {
  zab.mark('membership.nameInUse')
  const reason = `a live member at ${predecessor.address} has the name '${predecessor.name}'`
  leading.learners.delete(newcomer.member.id)
  zab.send(newcomer.member.id, { type: 'refuse', code: 'COORD_NAME_IN_USE', reason })
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
