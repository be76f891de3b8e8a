/**
 * Broadcast: Zab's phase 3, what an ensemble does all day. The leader stamps what arrived in one turn into a batch,
 * appends and proposes it; followers append, and acknowledge once durable; what a quorum holds is committed, in order,
 * and every member applies the same entries (design D2, D4). Commits travel with the next proposal, or alone when
 * there is none. Nothing on this path waits for a timer: `flushLeading` and `flushFollowing` run at the end of a turn.
 *
 * A follower that is a quorum together with its leader, as each one of three is, need not be told of commits: the leader
 * acknowledges to it, too, and what is durable at both is committed. So a follower's write takes one round trip and not
 * two. Such a follower may be ahead of its leader's state, by what the leader has acknowledged to somebody at the most.
 * While a change of the configuration is pending the leader acknowledges nothing: it may have to take that change back.
 *
 * Rounds: each ping carries a number; a quorum's pongs of it prove that, after the ping left, no later leader had been
 * established. Linearizable reads and confirmed session heartbeats wait for a round that began after they came.
 */
import type { TreeRequest } from '../tree/operation.ts'
import {
  type Batch,
  batchEntriesMax,
  countOf,
  type LogRequest,
  type Parcel,
  packed,
  parcelsOf,
  weightOfParcel,
} from './batch.ts'
import type { MemberId } from './configuration.ts'
import { giveUpChange, startEpoch } from './discovery.ts'
import { onReport, replicaOf } from './divergence.ts'
import type { MessageOf } from './message.ts'
import { isQuorum, reachedByQuorum } from './quorum.ts'
import { becomeLooking, type Confirmation, type Following, isEstablished, type Leading } from './roles.ts'
import type { Link, Zab } from './zab.ts'
import { counterMax, counterOf, epochOf, type Zxid, zxidOf, zxidPlus, zxidZero } from './zxid.ts'

/** Here the leader goes to its next epoch: so far from the end of the counter that no batch reaches it. */
const counterLastDefault = counterMax - 0x100_0000

/** Takes requests in, to be proposed at the end of the turn. Only for a leader that is, or is about to be, established. */
export function enqueue(zab: Zab, leading: Leading, requests: readonly LogRequest[]): void {
  leading.pending.push(...parcelsOf(requests, zab.options.batchBytesMax))
}

/** A follower hands requests on, in parcels of about the size of a batch. */
export function forward(zab: Zab, following: Following, requests: readonly TreeRequest[]): void {
  for (const parcel of parcelsOf(requests, zab.options.batchBytesMax)) {
    zab.send(following.leader.id, { type: 'request', parcel })
  }
}

/** An established leader whose counter nears its end goes to its next epoch. Before anything of this turn is proposed. */
export function endEpochInTime(zab: Zab, leading: Leading): void {
  const counterLast = zab.options.counterLast ?? counterLastDefault
  if (counterOf(zab.log.last) <= counterLast || epochOf(zab.log.last) !== leading.epoch) return
  zab.mark('broadcast.counterEnds')
  startEpoch(zab, leading)
}

/** The end of a turn: proposals, then commits that no proposal carried, then a ping if somebody waits for a round. */
export function flushLeading(zab: Zab, leading: Leading): void {
  if (isEstablished(leading)) {
    // While leadership passes on, what comes in waits: for the next leader, or for us. So it does where our state is not
    // known to be sound (divergence.ts).
    const mayPropose = leading.handOver === undefined && zab.standing === 'sound'
    while (mayPropose && leading.pending.length > 0) propose(zab, leading, takeBatch(zab, leading))
    announceCommit(zab, leading)
  }
  if (leading.roundWanted || zab.now >= leading.nextPing) ping(zab, leading)
}

function takeBatch(zab: Zab, leading: Leading): Parcel[] {
  let bytes = 0
  let entries = 0
  let count = 0
  while (count < leading.pending.length) {
    const parcel = leading.pending[count] as Parcel
    bytes += weightOfParcel(parcel)
    entries += parcel.requests.length
    if (count > 0 && (bytes > zab.options.batchBytesMax || entries > batchEntriesMax)) break
    count += 1
  }
  return leading.pending.splice(0, count)
}

function propose(zab: Zab, leading: Leading & { epoch: number }, parcels: readonly Parcel[]): void {
  const batch: Batch = {
    first: nextZxid(zab, leading.epoch),
    previous: zab.log.last,
    timeMs: zab.wallMs,
    clockMs: logClock(zab, leading),
    settled: settledConfiguration(zab),
    acknowledged: acknowledgedByVoters(zab, leading.epoch),
    // Not by `flatMap`, which takes twenty times as long.
    requests: ([] as LogRequest[]).concat(...parcels.map(({ requests }) => requests)),
    parcels: parcels.some(({ encoded }) => encoded !== undefined) ? parcels : undefined,
  }
  zab.append(batch)
  // One message object for all: it is encoded once.
  const message = { type: 'propose', batch, committed: zab.announceable } as const
  for (const learner of leading.learners.values()) {
    if (learner.state === 'syncing' || learner.state === 'synced') zab.send(learner.member.id, message)
  }
  leading.announcedCommit = zab.announceable
}

/** What the next batch header says of the voters' acknowledgements. */
function acknowledgedByVoters(zab: Zab, epoch: number): readonly Zxid[] {
  zab.marks.note(zab.id, { epoch, zxid: zab.log.durable })
  return zab.marks.header(zab.configurations.latest?.configuration, epoch)
}

/** What the next entry will say of the log clock (design D2). */
export function logClock(zab: Zab, { clockBase }: Leading): number {
  return clockBase.clockMs + Math.max(0, Math.floor(zab.now - clockBase.now))
}

function nextZxid(zab: Zab, epoch: number): Zxid {
  const isFirst = epochOf(zab.log.last) <= (zab.belonging.founded?.epoch ?? 0)
  if (zab.log.last === zxidZero || isFirst) {
    // The first entry of an ensemble: later than any entry of one that was founded earlier in the same second (D3). It is
    // the founding's own moment that counts: the epoch is of that second, and this entry may be of a later one.
    return zxidOf(epoch, ((zab.belonging.since % 1000) << 20) + 1)
  }
  return epochOf(zab.log.last) === epoch ? zxidPlus(zab.log.last, 1) : zxidOf(epoch, 1)
}

/** What the next batch header says about the configuration: committed means acknowledged by both quorums. */
function settledConfiguration(zab: Zab): Zxid {
  const { latest, pending } = zab.configurations
  if (pending === undefined) return latest?.zxid ?? zxidZero
  return pending.zxid <= zab.committed ? pending.zxid : zxidZero
}

function announceCommit(zab: Zab, leading: Leading): void {
  const committed = zab.announceable
  if (leading.announcedCommit >= committed) return
  leading.announcedCommit = committed
  const { pending } = zab.configurations
  // Whoever was told what our disk holds knows it as soon as its own does (`vouch`).
  for (const learner of leading.learners.values()) {
    const isKnown = pending === undefined && learner.vouched >= committed
    if (learner.state === 'synced' && !isKnown) zab.send(learner.member.id, { type: 'commit', committed })
  }
}

/** Whether this member and that one are a quorum: nobody else need be heard. */
function isQuorumWith({ id: own, configurations }: Zab, other: MemberId): boolean {
  return isQuorum(configurations.active, (id) => id === own || id === other)
}

/**
 * Tells those that are a quorum with us what our own disk holds and is not committed yet: they conclude that by themselves.
 * Not where we lag behind with what is committed: whoever writes is to wait for us then.
 */
function vouch(zab: Zab, leading: Leading): void {
  const { durable } = zab.log
  const { pending } = zab.configurations
  if (durable <= zab.committed || durable <= leading.vouched || pending !== undefined || !zab.isDelivered) return
  for (const learner of leading.learners.values()) {
    // One that has diverged is to apply nothing more.
    if (learner.state !== 'synced' || learner.repair !== undefined) continue
    if (!isQuorumWith(zab, learner.member.id)) continue
    zab.mark('broadcast.vouched')
    leading.vouched = durable
    learner.vouched = durable
    zab.send(learner.member.id, { type: 'ack', lastZxid: durable })
  }
}

function ping(zab: Zab, leading: Leading): void {
  leading.round += 1
  leading.roundWanted = false
  leading.nextPing = zab.now + zab.options.timing.pingIntervalMs
  for (const id of leading.learners.keys()) {
    zab.send(id, { type: 'ping', round: leading.round, committed: zab.announceable })
  }
}

/** A learner's writes. The host of a session sends what it has not seen applied again when the leader changes. */
export function onRequest(zab: Zab, leading: Leading, from: Link, { parcel }: MessageOf<'request'>): void {
  if (!leading.learners.has(from.peer.id)) return
  const isForSessions = parcel.requests.every(
    ({ type }) => type !== 'reconfigure' && type !== 'noop' && type !== 'expireSession' && type !== 'reap',
  )
  if (!isForSessions) zab.closeLink(from.peer.id, 'asked for what only a leader may propose')
  else if (parcel.requests.length > 0) leading.pending.push(parcel)
}

export function onPropose(zab: Zab, following: Following, from: Link, message: MessageOf<'propose'>): void {
  if (from.peer.id !== following.leader.id || following.phase === 'discovery' || following.wantsSnapshot) return
  if (message.batch.previous !== zab.log.last) {
    zab.mark('broadcast.hole')
    zab.closeLink(from.peer.id, 'sent a proposal that does not follow the last one')
    becomeLooking(zab, `${from.peer.name} sent a proposal that does not follow the last one`)
    return
  }
  if (following.upToDateAt === undefined) {
    // It waits for all the others that this member lacks.
    zab.append(packed(message.batch))
    noteCatchUp(zab, following, message.batch)
  } else {
    zab.append(message.batch)
    zab.advanceCommit(message.committed)
  }
}

function noteCatchUp(zab: Zab, { catchUp }: Following, batch: Batch): void {
  catchUp.done += countOf(batch)
  const { done, total } = catchUp
  if (done <= total) zab.outputs.push({ type: 'progress', phase: 'catch-up', done, total })
}

export function onAck(zab: Zab, leading: Leading, from: Link, message: MessageOf<'ack'>): void {
  const learner = leading.learners.get(from.peer.id)
  if (learner?.state !== 'synced' || message.lastZxid <= learner.acked) return
  learner.acked = message.lastZxid
  zab.marks.note(from.peer.id, { epoch: leading.epoch as number, zxid: message.lastZxid })
}

export function onCommit(zab: Zab, following: Following, from: Link, message: MessageOf<'commit'>): void {
  if (from.peer.id === following.leader.id && following.upToDateAt !== undefined) zab.advanceCommit(message.committed)
}

export function onPing(zab: Zab, following: Following, from: Link, message: MessageOf<'ping'>): void {
  if (from.peer.id !== following.leader.id) return
  if (following.upToDateAt !== undefined) zab.advanceCommit(message.committed)
  const replica = following.phase === 'broadcast' ? replicaOf(zab) : undefined
  zab.send(from.peer.id, { type: 'pong', round: message.round, ...(replica === undefined ? {} : { replica }) })
}

export function onPong(zab: Zab, leading: Leading, from: Link, message: MessageOf<'pong'>): void {
  const learner = leading.learners.get(from.peer.id)
  if (learner !== undefined && message.round > learner.round) learner.round = message.round
  if (learner !== undefined && message.replica !== undefined)
    onReport(zab, leading, learner, message.round, message.replica)
}

/** What the leader's disk holds. */
export function onLeaderAck(zab: Zab, following: Following, from: Link, message: MessageOf<'ack'>): void {
  if (from.peer.id !== following.leader.id || following.upToDateAt === undefined) return
  if (message.lastZxid > following.leaderAcked) following.leaderAcked = message.lastZxid
  zab.marks.note(from.peer.id, { epoch: following.epoch as number, zxid: message.lastZxid })
}

/** What an up-to-date follower concludes after each input: what it holds together with its leader is committed, where those two are a quorum. */
export function progressFollowing(zab: Zab, following: Following): void {
  const { leader, leaderAcked, upToDateAt } = following
  const held = leaderAcked < zab.log.durable ? leaderAcked : zab.log.durable
  if (held <= zab.committed || upToDateAt === undefined) return
  if (!isQuorumWith(zab, leader.id)) return
  zab.mark('broadcast.concluded')
  zab.advanceCommit(held)
}

/** The end of a follower's turn: one acknowledgement for everything that became durable in it. */
export function flushFollowing(zab: Zab, following: Following): void {
  if (!following.acknowledged || following.ackedThrough >= zab.log.durable) return
  following.ackedThrough = zab.log.durable
  zab.send(following.leader.id, { type: 'ack', lastZxid: zab.log.durable })
}

/** What an established leader concludes after each input: commits, confirmed rounds, and whether it still has a quorum. */
export function progressBroadcast(zab: Zab, leading: Leading): void {
  const { active } = zab.configurations
  // A leader commits nothing that its own disk does not hold: it would serve what it might forget.
  if (zab.committed < zab.log.durable) {
    const acked = reachedByQuorum<bigint>(active, (id) => ackedBy(zab, leading, id))
    if (acked !== undefined) zab.advanceCommit((acked < zab.log.durable ? acked : zab.log.durable) as Zxid)
  }
  vouch(zab, leading)
  if (leading.confirmedRound < leading.round) {
    const round = reachedByQuorum<number>(active, (id) => roundOf(zab, leading, id))
    if (round !== undefined && round > leading.confirmedRound) leading.confirmedRound = round
  }
  answerConfirmed(zab, leading)
}

function ackedBy(zab: Zab, leading: Leading, id: MemberId): Zxid | undefined {
  if (id === zab.id) return zab.log.durable
  const learner = leading.learners.get(id)
  return learner?.state === 'synced' ? learner.acked : undefined
}

function roundOf(zab: Zab, leading: Leading, id: MemberId): number | undefined {
  if (id === zab.id) return leading.round
  const learner = leading.learners.get(id)
  return learner?.state === 'synced' ? learner.round : undefined
}

/** Wants a round that begins after now, for something that `from` asked. */
export function awaitRound(leading: Leading, asked: Omit<Confirmation, 'round'>): void {
  leading.confirmations.push({ ...asked, round: leading.round + 1 })
  leading.roundWanted = true
}

/**
 * A synced learner that asks says by that that it followed this term when it asked. Where it is a quorum with the leader,
 * nobody else need be heard: no later term had begun. That holds for its own question alone: others may have asked later
 * than it did.
 */
export function onReadIndex(zab: Zab, leading: Leading, from: Link, message: MessageOf<'readIndex'>): void {
  const { id: asker } = from.peer
  const learner = leading.learners.get(asker)
  if (learner === undefined) return
  const asked = { kind: 'read', from: asker, id: message.id, ended: [] } as const
  const follows = isEstablished(leading) && learner.state === 'synced'
  const isConfirmed = follows && isQuorumWith(zab, asker)
  if (isConfirmed) answer(zab, leading, asked)
  else awaitRound(leading, asked)
}

export function onHeartbeat(zab: Zab, leading: Leading, from: Link, message: MessageOf<'heartbeat'>): void {
  // Whoever follows an earlier term of ours must not take an answer for a sign of its leader's life.
  if (!leading.learners.has(from.peer.id)) return
  const ended = zab.machine.vouchFor(message.sessions)
  awaitRound(leading, { kind: 'heartbeat', from: from.peer.id, id: message.id, ended })
}

/** Answers what a quorum has confirmed by now. What anybody was told of when a read came is in the zxid that it gets. */
function answerConfirmed(zab: Zab, leading: Leading): void {
  const open = leading.confirmations.findIndex(({ round }) => round > leading.confirmedRound)
  const confirmed = leading.confirmations.splice(0, open === -1 ? leading.confirmations.length : open)
  for (const one of confirmed) answer(zab, leading, one)
}

function answer(zab: Zab, leading: Leading, { kind, from, id, ended }: Omit<Confirmation, 'round'>): void {
  const isOwn = from === zab.id
  if (!isOwn && !zab.links.has(from)) return
  if (kind === 'read' && isOwn) zab.outputs.push({ type: 'readReady', id, zxid: visibleThrough(zab, leading) })
  else if (kind === 'read') zab.send(from, { type: 'readIndexReply', id, zxid: visibleThrough(zab, leading) })
  else if (isOwn) zab.outputs.push({ type: 'heartbeatConfirmed', id, ended })
  else zab.send(from, { type: 'heartbeatReply', id, ended })
}

/** Through where somebody may have seen the log applied: here, or at a follower that was told what our disk holds. */
function visibleThrough({ announceable }: Zab, { vouched }: Leading): Zxid {
  return announceable < vouched ? vouched : announceable
}

export function onReadIndexReply(
  zab: Zab,
  following: Following,
  from: Link,
  message: MessageOf<'readIndexReply'>,
): void {
  if (from.peer.id !== following.leader.id) return
  zab.outputs.push({ type: 'readReady', id: message.id, zxid: message.zxid })
}

export function onHeartbeatReply(
  zab: Zab,
  following: Following,
  from: Link,
  message: MessageOf<'heartbeatReply'>,
): void {
  if (from.peer.id !== following.leader.id) return
  zab.outputs.push({ type: 'heartbeatConfirmed', id: message.id, ended: message.ended })
}

/** A leader that has lost its quorum for `syncLimitMs` steps down, in whatever phase it is. */
export function checkQuorumContact(zab: Zab, leading: Leading): void {
  const contact = reachedByQuorum<number>(zab.configurations.active, (id) =>
    id === zab.id ? zab.now : leading.learners.get(id)?.lastContact,
  )
  if (contact !== undefined && contact > leading.quorumContact) leading.quorumContact = contact
  if (zab.now - leading.quorumContact > zab.options.timing.syncLimitMs) {
    if (isEstablished(leading) && giveUpChange(zab, leading)) return
    zab.mark('broadcast.quorumLost')
    becomeLooking(zab, 'lost contact with its quorum')
  }
}

/** A follower that has not heard from its leader for `syncLimitMs` gives it up, and the link with it. */
export function checkLeaderContact(zab: Zab, following: Following): void {
  if (zab.now - following.lastContact <= zab.options.timing.syncLimitMs) return
  zab.mark('broadcast.leaderSilent')
  zab.closeLink(following.leader.id, 'silent for too long')
  becomeLooking(zab, `${following.leader.name} was silent for ${zab.options.timing.syncLimitMs} ms`)
}

/** When the role next needs a tick. */
export function nextContactCheck(zab: Zab, role: Leading | Following): number {
  if (role.name === 'leading') {
    const nextPing = role.learners.size === 0 ? Number.POSITIVE_INFINITY : role.nextPing
    return Math.min(nextPing, role.quorumContact + zab.options.timing.syncLimitMs + 1)
  }
  return role.lastContact + zab.options.timing.syncLimitMs + 1
}
