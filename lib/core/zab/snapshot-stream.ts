/**
 * SNAP: the leader's applied state on its way to learners whose log it cannot complete. The state is frozen at one zxid
 * and read in slices, one a turn, while entries go on being applied (design D6); all learners that want it at the same
 * time read the same stream, at the pace of the slowest. A learner acknowledges each chunk, and only so many are on
 * their way (`windowChunks`): neither side holds more of them. While others write, the stream rests between two chunks
 * (`Slice.pauseMs`): to send a state and to take it in costs both sides as much as thousands of writes do.
 *
 * Meanwhile the leader keeps the log from that zxid on. When a learner was sent the last chunk, the rest of the log and
 * NEWLEADER follow as after a DIFF. The learner builds the state beside its own, and puts it in force when it is whole.
 *
 * A link that breaks loses nothing of it: a learner that comes back in time says in ACKEPOCH what it has of which stream
 * of which leader, and is sent the rest.
 */
import { CoordError } from '../../errors.ts'
import { ConfigurationHistory, type LoggedConfiguration, type MemberId } from './configuration.ts'
import { noteReplaced } from './divergence.ts'
import type { MarkOf } from './marks.ts'
import type { MessageOf, StreamId } from './message.ts'
import { becomeLooking, type Following, type Leading, type Learner } from './roles.ts'
import type { BuiltState, FrozenMachine, Installation, Link, Zab } from './zab.ts'
import type { Zxid } from './zxid.ts'

/** So many chunks may be on their way to a learner. */
const windowChunks = 16

/** The log behind a stream may grow to so many times what is kept otherwise, or than this; then the learners begin again. */
const heldTailFactor = 16
const heldBytesMin = 0x100_0000

/** A snapshot on its way out. */
export interface SnapshotStream {
  readonly id: StreamId
  /** The role that it belongs to: a stream ends with it. */
  readonly leading: Leading
  readonly state: FrozenMachine
  readonly configurations: readonly LoggedConfiguration[]
  readonly marks: readonly MarkOf[]
  /** Those that some learner may still need; so many before them are gone. */
  readonly chunks: MessageOf<'snapshotChunk'>[]
  dropped: number
  /** When the last one was read, and where the log ended then. */
  readAt: number
  logAt: Zxid
  readonly readers: Map<MemberId, Reader>
}

interface Reader {
  sent: number
  acked: number
  /** When it last got on. */
  movedAt: number
}

/** A snapshot on its way in: the old state stays whole until the last chunk is here. */
export interface SnapshotReception {
  readonly leader: MemberId
  readonly id: StreamId
  readonly zxid: Zxid
  readonly configurations: readonly LoggedConfiguration[]
  readonly marks: readonly MarkOf[]
  readonly installation: Installation
  /** How many records there are in all. */
  readonly total: number
  records: number
  chunks: number
  /** It takes the place of a state that has diverged, and the log stays (divergence.ts). */
  readonly isRepair: boolean
  /** All of it is here. */
  isWhole: boolean
}

// The leader

/** Puts a learner on the stream, or on the waiting list for the next one. */
export function beginSnapshot(zab: Zab, learner: Learner): void {
  zab.mark('sync.snapshot')
  learner.state = 'loading'
  const { stream } = zab
  if (stream === undefined) return
  const received = resumable(stream, learner)
  if (received !== undefined) {
    zab.mark('sync.snapshotResumed')
    addReader(zab, stream, learner, received)
  } else if (stream.dropped === 0) {
    addReader(zab, stream, learner, 0)
  } else {
    zab.mark('sync.snapshotAwaited')
    stream.readers.delete(learner.member.id)
  }
}

/** From which chunk on a learner that came back can be sent the rest. */
function resumable({ id, dropped, chunks }: SnapshotStream, { received }: Learner): number | undefined {
  const isSame = received !== undefined && received.id.epoch === id.epoch && received.id.number === id.number
  if (!isSame || received.chunks === 0) return undefined
  return received.chunks >= dropped && received.chunks <= dropped + chunks.length ? received.chunks : undefined
}

function addReader(zab: Zab, stream: SnapshotStream, learner: Learner, from: number): void {
  const { id, configurations, marks, state } = stream
  stream.readers.set(learner.member.id, { sent: from, acked: from, movedAt: zab.now })
  const { zxid, total } = state
  zab.send(learner.member.id, { type: 'snapshot', id, zxid, configurations, marks, total, from })
}

/** A learner that was sent the last chunk: the log after that zxid is what it lacks. */
interface Complete {
  readonly learner: Learner
  readonly zxid: Zxid
}

/** At the end of a turn: begins a stream, and sends each learner its next chunk. */
export function streamSnapshots(zab: Zab, leading: Leading): readonly Complete[] {
  if (zab.stream === undefined) beginStream(zab, leading)
  const { stream } = zab
  if (stream === undefined) return []
  dropIdleReaders(zab, stream, leading)
  dropAcknowledgedChunks(stream)
  if (mayRead(stream)) {
    if (isResting(zab, stream)) zab.mark('sync.snapshotRests')
    else readChunk(zab, stream)
  }
  const complete: Complete[] = []
  for (const { learner, reader } of presentReaders(stream)) {
    if (!sendNext(zab, stream, learner, reader)) continue
    if (learner.state === 'loading') complete.push({ learner, zxid: stream.state.zxid })
    else learner.repair = 'sent'
  }
  if (stream.readers.size === 0) endStream(zab)
  return complete
}

/** Whether there is more to send as soon as what waits outside has had its turn. */
export function wantsTurn(zab: Zab): boolean {
  const { stream } = zab
  if (stream === undefined) return false
  if (mayRead(stream) && !isResting(zab, stream)) return true
  return presentReaders(stream).some(({ reader }) => reader.sent < produced(stream))
}

/** When the stream goes on after a rest; infinite where it does not rest. */
export function restsUntil(zab: Zab): number {
  const { stream } = zab
  return stream !== undefined && isResting(zab, stream) ? goesOnAt(zab, stream) : Number.POSITIVE_INFINITY
}

/** Puts a learner that turns out to need no snapshot off the stream: nobody waits for it. */
export function leaveStream(zab: Zab, learner: Learner): void {
  zab.stream?.readers.delete(learner.member.id)
}

/** A stream ends with the leadership that it belongs to. */
export function endOrphanedStream(zab: Zab): void {
  if (zab.stream !== undefined && zab.stream.leading !== zab.role) endStream(zab)
}

function endStream(zab: Zab): void {
  zab.stream?.state.release()
  zab.stream = undefined
}

function beginStream(zab: Zab, leading: Leading): void {
  const waiting = [...leading.learners.values()].filter(
    (learner) => learner.state === 'loading' || mayRepair(zab, learner),
  )
  // A state that may be wrong is not handed on.
  if (waiting.length === 0 || leading.epoch === undefined || zab.standing !== 'sound') return
  const state = zab.machine.freeze()
  // Somebody else reads it out: a checkpoint is being made.
  if (state === undefined) return
  zab.stream = {
    id: { epoch: leading.epoch, number: zab.nextAttempt() },
    leading,
    state,
    configurations: zab.configurations.at(state.zxid),
    marks: zab.memberMarks(),
    chunks: [],
    dropped: 0,
    readAt: Number.NEGATIVE_INFINITY,
    logAt: zab.log.last,
    readers: new Map(),
  }
  for (const learner of waiting) {
    if (learner.state === 'synced') learner.repair = 'streaming'
    addReader(zab, zab.stream, learner, 0)
  }
}

/** Nobody is sent back behind what it has applied, or may have since it reported that. */
function mayRepair({ machine: { lastZxid } }: Zab, { state, repair, comparison, vouched }: Learner): boolean {
  if (state !== 'synced' || repair !== 'wanted' || comparison === undefined) return false
  return comparison.zxid <= lastZxid && vouched <= lastZxid
}

const produced = ({ dropped, chunks }: SnapshotStream): number => dropped + chunks.length

function isReading({ state, repair }: Learner): boolean {
  return state === 'loading' || (state === 'synced' && repair === 'streaming')
}

/** Those to which a link is up, and that want more of it. */
function presentReaders({
  leading,
  readers,
}: SnapshotStream): { readonly learner: Learner; readonly reader: Reader }[] {
  return [...readers].flatMap(([id, reader]) => {
    const learner = leading.learners.get(id)
    return learner !== undefined && isReading(learner) ? [{ learner, reader }] : []
  })
}

/** Whoever is there has all that was read; and of those that may come back, too, none is too far behind. */
function mayRead(stream: SnapshotStream): boolean {
  if (stream.state.isDone) return false
  const present = presentReaders(stream)
  if (present.length === 0 || present.some(({ reader }) => reader.sent < produced(stream))) return false
  return [...stream.readers.values()].every(({ acked }) => produced(stream) - acked < windowChunks)
}

const goesOnAt = ({ options }: Zab, { readAt }: SnapshotStream): number => readAt + options.slice.pauseMs

/** Something was written since the last chunk, and that was a moment ago. Not where the log behind it has grown long. */
function isResting(zab: Zab, stream: SnapshotStream): boolean {
  const isLate = zab.log.bytes > heldBytesMax(zab) / 2
  return zab.log.last !== stream.logAt && zab.now < goesOnAt(zab, stream) && !isLate
}

const heldBytesMax = ({ options }: Zab): number => Math.max(options.tail.bytes * heldTailFactor, heldBytesMin)

function readChunk(zab: Zab, stream: SnapshotStream): void {
  const index = produced(stream)
  stream.readAt = zab.now
  stream.logAt = zab.log.last
  stream.chunks.push({ type: 'snapshotChunk', index, records: stream.state.take(zab.options.chunkBytesMax) })
}

function dropAcknowledgedChunks(stream: SnapshotStream): void {
  const needed = Math.min(...[...stream.readers.values()].map(({ acked }) => acked))
  if (needed > stream.dropped && needed < Number.POSITIVE_INFINITY) {
    stream.chunks.splice(0, needed - stream.dropped)
    stream.dropped = needed
  }
}

/** Who does not get on holds up all others: it may begin again later. Nor is the log kept for it without limit. */
function dropIdleReaders(zab: Zab, stream: SnapshotStream, leading: Leading): void {
  const { timing } = zab.options
  const isOvertaken = zab.log.bytes > heldBytesMax(zab)
  for (const [id, reader] of stream.readers) {
    if (zab.now - reader.movedAt <= timing.syncLimitMs && !isOvertaken) continue
    zab.mark('sync.snapshotDropped')
    stream.readers.delete(id)
    const learner = leading.learners.get(id)
    if (learner !== undefined && isReading(learner)) zab.closeLink(id, 'does not get on with the snapshot')
  }
}

/** Returns whether that was all. */
function sendNext(zab: Zab, stream: SnapshotStream, learner: Learner, reader: Reader): boolean {
  const chunk = stream.chunks[reader.sent - stream.dropped]
  if (chunk !== undefined) {
    zab.send(learner.member.id, chunk)
    reader.sent += 1
  }
  if (!stream.state.isDone || reader.sent < produced(stream)) return false
  const entries = zab.log.entriesAfter(stream.state.zxid)
  const { records } = stream.state
  zab.send(learner.member.id, { type: 'snapshotEnd', chunks: produced(stream), records, entries })
  return true
}

export function onSnapshotAck(zab: Zab, leading: Leading, from: Link, message: MessageOf<'snapshotAck'>): void {
  const reader = zab.stream?.leading === leading ? zab.stream.readers.get(from.peer.id) : undefined
  if (reader === undefined || message.chunks <= reader.acked || message.chunks > reader.sent) return
  reader.acked = message.chunks
  reader.movedAt = zab.now
  // Until it has acknowledged all, it may come back for the rest.
  const { stream } = zab
  if (stream?.state.isDone === true && reader.acked === produced(stream)) stream.readers.delete(from.peer.id)
}

// The learner

/** What this member has of a stream of that leader, for when it is sent the rest. */
export function receivedFrom(zab: Zab, leader: MemberId): { id: StreamId; chunks: number } | undefined {
  const { reception } = zab
  if (reception?.leader === leader && !reception.isRepair) return { id: reception.id, chunks: reception.chunks }
  zab.reception = undefined
  return undefined
}

export function beginReception(
  zab: Zab,
  following: Following,
  message: MessageOf<'snapshot'>,
  isRepair: boolean,
): void {
  const { id, zxid, configurations, marks, total, from } = message
  const { reception } = zab
  if (from === 0) {
    const installation = zab.machine.receive()
    const { id: leader } = following.leader
    const received = { records: 0, chunks: 0, isRepair, isWhole: false }
    zab.reception = { leader, id, zxid, configurations, marks, installation, total, ...received }
  } else if (reception?.leader !== following.leader.id || reception.chunks !== from || reception.zxid !== zxid) {
    giveUp(zab, following, 'goes on with a snapshot that this member has not got')
    return
  }
  following.isLoading = true
}

/** It came over a link whose frames are in order, but a leader may be wrong: whatever does not fit is refused. */
export function onSnapshotChunk(zab: Zab, following: Following, from: Link, message: MessageOf<'snapshotChunk'>): void {
  const { reception } = zab
  if (!following.isLoading || from.peer.id !== following.leader.id || reception === undefined) return
  if (message.index !== reception.chunks) {
    giveUp(zab, following, 'sent a snapshot with a hole')
    return
  }
  try {
    for (const record of message.records) reception.installation.add(record)
  } catch (error) {
    refuse(zab, following, error)
    return
  }
  reception.chunks += 1
  reception.records += message.records.length
  zab.send(following.leader.id, { type: 'snapshotAck', chunks: reception.chunks })
  zab.outputs.push({ type: 'progress', phase: 'snapshot', done: reception.records, total: reception.total })
}

/** The whole snapshot is here: only now does anything of it count. */
export function onSnapshotEnd(zab: Zab, following: Following, from: Link, message: MessageOf<'snapshotEnd'>): void {
  const { reception } = zab
  if (!following.isLoading || from.peer.id !== following.leader.id || reception === undefined) return
  following.isLoading = false
  if (message.chunks !== reception.chunks || message.records !== reception.records) {
    giveUp(zab, following, 'sent a snapshot with a hole')
    return
  }
  reception.isWhole = true
  if (reception.isRepair) return
  zab.reception = undefined
  const { zxid, configurations, marks } = reception
  let state: BuiltState
  try {
    state = reception.installation.finish(zxid)
  } catch (error) {
    refuse(zab, following, error)
    return
  }
  zab.mark('sync.installed')
  following.catchUp = { done: 0, total: message.entries }
  zab.log.reset(zxid)
  zab.configurations = new ConfigurationHistory(configurations)
  for (const { id, ...mark } of marks) zab.marks.note(id, mark)
  zab.committed = zxid
  state.enforce()
  noteReplaced(zab)
  zab.persist({ install: { zxid, configurations, marks, state: state.freeze() } }, { kind: 'remember' })
}

/**
 * The end of a diverged member's turn: once its log is durable through the zxid of the state that it was sent, it goes on from
 * there. The log stays as it is: what was acknowledged is never taken back. The runtime makes a checkpoint of it at once.
 */
export function repairReplica(zab: Zab, following: Following): void {
  const { reception } = zab
  if (reception?.isRepair !== true || !reception.isWhole || zab.log.durable < reception.zxid) return
  zab.reception = undefined
  let state: BuiltState
  try {
    state = reception.installation.finish(reception.zxid)
  } catch (error) {
    refuse(zab, following, error)
    return
  }
  zab.mark('divergence.repaired')
  if (reception.zxid > zab.committed) zab.committed = reception.zxid
  state.enforce()
  noteReplaced(zab)
}

function refuse(zab: Zab, following: Following, error: unknown): void {
  if (!(error instanceof CoordError)) throw error
  giveUp(zab, following, `sent a snapshot that is none: ${error.message}`)
}

function giveUp(zab: Zab, following: Following, reason: string): void {
  zab.reception = undefined
  zab.closeLink(following.leader.id, reason)
  becomeLooking(zab, `${following.leader.name} ${reason}`)
}
