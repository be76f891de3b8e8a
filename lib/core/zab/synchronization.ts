/**
 * Synchronization: Zab's phase 2. The leader makes a learner's log a prefix of its own: by DIFF where it is one already,
 * by TRUNC where it is too long, by SNAP where the leader no longer holds what lies between; then come the batches that
 * are missing, NEWLEADER, and from then on every proposal. A learner answers NEWLEADER only when, in this order,
 *
 *     everything received is durable  →  the current epoch is durable  →  the acknowledgement leaves
 *
 * (ZooKeeper lost data by each other order: ZOOKEEPER-4643, -4646, -3911.) The order needs no care here: writes become
 * durable in the order in which they leave, and the acknowledgement is an output of the last one's `persisted`.
 * With a quorum's acknowledgement the leader is established, and its whole log is committed.
 */
import { lastOf, weightOf } from './batch.ts'
import type { MemberId } from './configuration.ts'
import type { MessageOf } from './message.ts'
import { isQuorum } from './quorum.ts'
import { becomeLooking, type Following, type Leading, type Learner } from './roles.ts'
import { beginReception, beginSnapshot, leaveStream, streamSnapshots } from './snapshot-stream.ts'
import type { Link, PersistPurpose, Zab } from './zab.ts'
import { type Zxid, zxidZero } from './zxid.ts'

/** Sends a learner what it lacks, and NEWLEADER; or sees to it that it gets a snapshot first. */
export function syncLearner(zab: Zab, learner: Learner, wantsSnapshot = false): void {
  const { role, log } = zab
  if (role.name !== 'leading' || role.epoch === undefined) return
  const to = learner.member.id
  // Zab keeps logs of one history: whatever a learner has beyond the last batch end that we share was never committed.
  // Who has no log may lack the founding configuration, too, which no entry holds.
  const knowsNothing = learner.lastZxid === zxidZero
  const common = wantsSnapshot || knowsNothing ? undefined : log.lastBatchEndUpTo(learner.lastZxid)
  if (common === undefined) {
    beginSnapshot(zab, learner)
    return
  }
  leaveStream(zab, learner)
  const isPrefix = common === learner.lastZxid
  zab.mark(isPrefix ? 'sync.diff' : 'sync.trunc')
  zab.send(to, { type: isPrefix ? 'diff' : 'trunc', after: common, entries: log.entriesAfter(common) })
  beginCatchingUp(learner, common)
}

/** The end of a leader's turn: the next chunks of a snapshot, and the next slice of the log for those that lack it. */
export function flushLearners(zab: Zab, leading: Leading): void {
  for (const { learner, zxid } of streamSnapshots(zab, leading)) beginCatchingUp(learner, zxid)
  let bytes = zab.options.slice.bytes
  for (const learner of leading.learners.values()) {
    if (learner.state === 'catchingUp' && bytes > 0) bytes -= sendLog(zab, leading, learner, bytes)
  }
}

/** Whether there is more to send as soon as what waits outside has had its turn. */
export function wantsTurn({ role }: Zab): boolean {
  return role.name === 'leading' && [...role.learners.values()].some(({ state }) => state === 'catchingUp')
}

function beginCatchingUp(learner: Learner, after: Zxid): void {
  learner.state = 'catchingUp'
  learner.sentThrough = after
}

/**
 * The log from where the learner is, about so many bytes of it; behind the last batch NEWLEADER, and from then on every
 * proposal. Returns how many bytes that was.
 */
function sendLog(zab: Zab, leading: Leading, learner: Learner, bytesMax: number): number {
  const { log, announceable: committed } = zab
  const to = learner.member.id
  let bytes = 0
  for (const batch of log.after(learner.sentThrough)) {
    if (bytes >= bytesMax) {
      zab.mark('sync.sliced')
      return bytes
    }
    zab.send(to, { type: 'propose', batch, committed })
    learner.sentThrough = lastOf(batch)
    bytes += weightOf(batch)
  }
  zab.send(to, { type: 'newLeader', epoch: leading.epoch as number, lastZxid: log.last })
  learner.state = 'syncing'
  return bytes
}

export function onDiff(zab: Zab, following: Following, from: Link, message: MessageOf<'diff'>): void {
  if (!isSynchronizing(following, from)) return
  beginCatchUp(following, message.entries)
  if (zab.log.last !== message.after) askForSnapshot(zab, following)
}

export function onTrunc(zab: Zab, following: Following, from: Link, message: MessageOf<'trunc'>): void {
  if (!isSynchronizing(following, from)) return
  beginCatchUp(following, message.entries)
  const { after } = message
  if (after < zab.committed) {
    // A leader that lacks what is committed is no leader of ours.
    giveUpLeader(zab, following, 'would truncate what is committed')
  } else if (!zab.log.isBatchEnd(after)) {
    askForSnapshot(zab, following)
  } else if (after !== zab.log.last) {
    zab.mark('sync.truncated')
    zab.log.truncateAfter(after)
    zab.configurations.truncateAfter(after)
    // Appends that were on their way are of the log before: once the cut is durable, so are those that it left.
    zab.persist({ truncateAfter: after }, { kind: 'append', through: after, fence: zab.log.fence })
  }
}

function beginCatchUp(following: Following, total: number): void {
  following.phase = 'synchronization'
  following.catchUp = { done: 0, total }
}

/** Whether these are answers to our promise, and not what is left of an earlier attempt. */
function isSynchronizing(following: Following, from: Link): boolean {
  return from.peer.id === following.leader.id && following.epoch !== undefined && !following.acknowledged
}

function askForSnapshot(zab: Zab, following: Following): void {
  zab.mark('sync.wantSnapshot')
  following.wantsSnapshot = true
  zab.send(following.leader.id, { type: 'wantSnapshot', epoch: following.epoch ?? 0 })
}

function giveUpLeader(zab: Zab, following: Following, reason: string): void {
  zab.closeLink(following.leader.id, reason)
  becomeLooking(zab, `${following.leader.name} ${reason}`)
}

export function onWantSnapshot(zab: Zab, leading: Leading, from: Link, message: MessageOf<'wantSnapshot'>): void {
  const learner = leading.learners.get(from.peer.id)
  const wasSent = learner?.state === 'catchingUp' || learner?.state === 'syncing'
  if (wasSent && message.epoch === leading.epoch) syncLearner(zab, learner, true)
}

export function onSnapshot(zab: Zab, following: Following, from: Link, message: MessageOf<'snapshot'>): void {
  const repairs = isRepair(zab, following, from)
  if (!repairs && !isSynchronizing(following, from)) return
  if (message.zxid < zab.machine.lastZxid) {
    giveUpLeader(zab, following, 'would take back what is committed')
    return
  }
  if (repairs) {
    beginReception(zab, following, message, true)
    return
  }
  following.phase = 'synchronization'
  following.wantsSnapshot = false
  beginReception(zab, following, message, false)
}

/** A diverged member is up to date but for its state. */
function isRepair(zab: Zab, following: Following, from: Link): boolean {
  return from.peer.id === following.leader.id && following.phase === 'broadcast' && zab.standing === 'diverged'
}

export function onNewLeader(zab: Zab, following: Following, from: Link, message: MessageOf<'newLeader'>): void {
  if (!isSynchronizing(following, from) || message.epoch !== following.epoch) return
  // A snapshot that we asked for comes with a NEWLEADER of its own.
  if (following.wantsSnapshot) return
  if (zab.log.last !== message.lastZxid) {
    giveUpLeader(zab, following, 'sent NEWLEADER without the log that it speaks of')
    return
  }
  zab.epochs = { ...zab.epochs, current: message.epoch }
  const { epoch, lastZxid } = message
  zab.persist({ epochs: zab.epochs }, { kind: 'currentEpoch', role: following, epoch, lastZxid })
}

/** The current epoch is durable, and everything received before it. */
export function onCurrentEpochPersisted(zab: Zab, purpose: Extract<PersistPurpose, { kind: 'currentEpoch' }>): void {
  const { role, epoch, lastZxid } = purpose
  if (zab.role !== role || role.epoch !== epoch) return
  if (role.name === 'leading') {
    role.epochCurrent = true
    zab.isProven = true
  } else {
    role.acknowledged = true
    zab.isProven = true
    role.ackedThrough = lastZxid
    zab.send(role.leader.id, { type: 'ackNewLeader', epoch, lastZxid })
  }
}

export function onAckNewLeader(zab: Zab, leading: Leading, from: Link, message: MessageOf<'ackNewLeader'>): void {
  const learner = leading.learners.get(from.peer.id)
  if (learner?.state !== 'syncing' || message.epoch !== leading.epoch) return
  learner.state = 'synced'
  learner.syncedSince ??= zab.now
  learner.acked = message.lastZxid
  zab.marks.note(from.peer.id, { epoch: message.epoch, zxid: message.lastZxid })
  if (leading.phase === 'broadcast') sendUpToDate(zab, learner, message.epoch)
}

function sendUpToDate(zab: Zab, learner: Learner, epoch: number): void {
  zab.send(learner.member.id, { type: 'upToDate', epoch, committed: zab.announceable })
}

/**
 * With a quorum's NEWLEADER acknowledged the leader is established and its log committed; and with its own, whatever the
 * others say: it delivers all of its log now, and it could not stand by an epoch that it may forget.
 */
export function progressSynchronization(zab: Zab, leading: Leading): void {
  const { active } = zab.configurations
  if (!leading.epochCurrent || zab.log.durable !== zab.log.last) return
  const hasAcknowledged = (id: MemberId): boolean => id === zab.id || leading.learners.get(id)?.state === 'synced'
  if (!isQuorum(active, hasAcknowledged)) return
  zab.advanceCommit(zab.log.last)
  // A long log takes more than one turn; a leader speaks for all of it.
  if (!zab.isDelivered) return
  leading.phase = 'broadcast'
  leading.givenUpEpoch = undefined
  // One that has diverged has not applied its own log.
  leading.clockBase = { now: zab.now, clockMs: Math.max(zab.machine.clockMs, zab.log.clockMs) }
  leading.announcedCommit = zab.announceable
  for (const learner of leading.learners.values()) {
    if (learner.state === 'synced') sendUpToDate(zab, learner, leading.epoch as number)
  }
}

export function onUpToDate(zab: Zab, following: Following, from: Link, message: MessageOf<'upToDate'>): void {
  const isOurs = from.peer.id === following.leader.id && following.acknowledged && message.epoch === following.epoch
  if (!isOurs) return
  following.upToDateAt = message.committed
  zab.advanceCommit(message.committed)
}

/** A follower serves once it has delivered what was committed when it was told that it is up to date. */
export function progressUpToDate(zab: Zab, following: Following): void {
  const { phase, upToDateAt } = following
  if (phase !== 'synchronization' || upToDateAt === undefined) return
  // One that has diverged delivers nothing, and is repaired as a follower that serves nobody.
  if (zab.standing !== 'diverged' && zab.machine.lastZxid < upToDateAt) return
  following.phase = 'broadcast'
}
