/**
 * Leadership passes on without an election: before a leader stops or gives its seat up, and where an operator wants it.
 * Also where the leader's own store hangs. The leader proposes nothing more until its successor has acknowledged the whole log and everything is committed; then
 * it tells all learners whom to follow. They go to discovery with the successor at once, which leads as soon as a
 * quorum is there: a few round trips. Where the successor fails, everybody looks for a leader, as ever.
 *
 * This is an oracle like the election: whatever goes wrong with it, discovery and synchronization keep what is committed.
 */
import type { MemberId, MemberRecord } from './configuration.ts'
import type { MessageOf } from './message.ts'
import { isQuorum } from './quorum.ts'
import { becomeFollowing, becomeLeading, becomeLooking, type Following, type Leading, type Learner } from './roles.ts'
import type { Link, Zab } from './zab.ts'

/** Begins, unless it has begun. Returns whether there is somebody to hand over to. */
export function beginHandOver(zab: Zab, leading: Leading, name?: string, among?: readonly MemberRecord[]): boolean {
  if (leading.handOver !== undefined) return true
  const to = findSuccessor(zab, leading, name, among)
  if (to === undefined) return false
  leading.handOver = { to: to.id, name: to.name, until: zab.now + zab.options.timing.syncLimitMs }
  return true
}

/**
 * A leader whose store hangs commits nothing, and nobody notices: its pings go on. It leaves leadership to the others,
 * where they are a quorum, and cannot be elected before the store has answered.
 */
export function checkOwnStore(zab: Zab, leading: Leading): void {
  if (!hangsAlone(zab, leading) || leading.handOver !== undefined) return
  if (leading.phase !== 'broadcast') {
    zab.mark('transfer.storeHangsEarly')
    becomeLooking(zab, 'its own store does not answer')
  } else if (beginHandOver(zab, leading)) {
    zab.mark('transfer.storeHangs')
  }
}

/** Whether there is somebody to hand over to. */
export function hasSuccessor(zab: Zab, leading: Leading): boolean {
  return findSuccessor(zab, leading, undefined, undefined) !== undefined
}

/** The voter that is furthest, of those that are to stay. */
function findSuccessor(
  zab: Zab,
  leading: Leading,
  name: string | undefined,
  among: readonly MemberRecord[] | undefined,
): MemberRecord | undefined {
  const current = zab.configurations.latest?.configuration.voters ?? []
  const voters = current.filter(({ id }) => among === undefined || among.some((one) => one.id === id))
  let best: { readonly record: MemberRecord; readonly acked: bigint } | undefined
  for (const record of voters) {
    const learner = leading.learners.get(record.id)
    if (learner?.state !== 'synced' || learner.wish === 'leaving') continue
    if (learner.comparison?.standing === 'diverged') continue
    if (name !== undefined && record.name !== name) continue
    if (best === undefined || learner.acked > best.acked) best = { record, acked: learner.acked }
  }
  return best?.record
}

/** How it goes with it, at the end of a leader's turn: `ready` once the successor has everything. */
export function handOverState(zab: Zab, leading: Leading): 'none' | 'waiting' | 'ready' | 'failed' {
  const { handOver } = leading
  if (handOver === undefined) return 'none'
  const learner = leading.learners.get(handOver.to)
  if (learner?.state !== 'synced' || zab.now >= handOver.until) return 'failed'
  const { last } = zab.log
  // A leader commits nothing that its own store does not hold: where that hangs, its successor will.
  const isCommitted = (zab.committed === last && leading.announcedCommit === last) || hangsAlone(zab, leading)
  return learner.acked === last && isCommitted ? 'ready' : 'waiting'
}

/** Whether our store hangs, and the others are a quorum without it: if they were none, they would only lose their leader. */
function hangsAlone(zab: Zab, leading: Leading): boolean {
  if (zab.storeSilenceMs <= zab.options.timing.syncLimitMs) return false
  return isQuorum(zab.configurations.active, (id) => id !== zab.id && leading.learners.has(id))
}

export function giveUpHandOver(zab: Zab, leading: Leading): void {
  zab.mark('transfer.failed')
  leading.handOver = undefined
}

/** Everybody follows the successor, we as well. Only when it is `ready`. */
export function completeHandOver(zab: Zab, leading: Leading): void {
  const learner = leading.learners.get(leading.handOver?.to as MemberId) as Learner
  zab.mark('transfer.done')
  const epoch = leading.epoch as number
  for (const id of leading.learners.keys()) zab.send(id, { type: 'handOver', epoch, to: learner.member })
  becomeFollowing(zab, learner.member)
}

/** Whoever is linked to the successor goes with it; whoever is not looks for itself. */
export function onHandOver(zab: Zab, following: Following, from: Link, { to, epoch }: MessageOf<'handOver'>): void {
  const isOurs = from.peer.id === following.leader.id && following.phase === 'broadcast' && epoch === following.epoch
  if (!isOurs) return
  if (to.id === zab.id) takeOver(zab)
  else if (isReachable(zab, to.id)) becomeFollowing(zab, to)
  else becomeLooking(zab, `${from.peer.name} has handed over to ${to.name}`)
}

function takeOver(zab: Zab): void {
  if (zab.isVoter && zab.isDrained && zab.standing !== 'diverged') becomeLeading(zab)
  else becomeLooking(zab, 'was to lead, and cannot yet')
}

function isReachable(zab: Zab, id: MemberId): boolean {
  const link = zab.links.get(id)
  return link !== undefined && zab.isComrade(link)
}
