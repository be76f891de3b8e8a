/**
 * What a member knows while it takes part in Zab, and the small verbs that all phases use: send, persist, close a link.
 * The phases are in the files named after them; each reads and changes this state, and none calls another: a phase
 * changes the role (roles.ts), and `progress` of the new role runs in the same step.
 *
 * Purity: no clock, no randomness, no I/O. Time comes with each input (`now`); everything that must happen outside
 * leaves through `outputs`. A write leaves as `persist` and comes back as `persisted` with the same token; only then
 * may anything be said that relies on it. Writes become durable in the order in which they left.
 */
import { assert, type ErrorCode } from '../../errors.ts'
import { Numbered } from '../../numbered.ts'
import type { HistoryDigest, SnapshotRecord } from '../tree/operation.ts'
import type { SessionId } from '../tree/session-id.ts'
import { type Batch, countOf } from './batch.ts'
import { ConfigurationHistory, type LoggedConfiguration, type MemberId, type MemberRecord } from './configuration.ts'
import { Digests } from './divergence.ts'
import { featureLevel } from './features.ts'
import { Log, type LogTail } from './log.ts'
import { type MarkOf, Marks } from './marks.ts'
import type { MembershipOutcome } from './membership-request.ts'
import type { Message, MessageOf, Preparation, PresenceState, Standing, Wish } from './message.ts'
import type { Following, Leading, Role } from './roles.ts'
import type { SnapshotReception, SnapshotStream } from './snapshot-stream.ts'
import { formatZxid, type Zxid, zxidZero } from './zxid.ts'

/** How long things may take. Milliseconds; the defaults are in docs/LIMITS.md. */
export interface Timing {
  /** Between two heartbeats of the leader. */
  readonly pingIntervalMs: number
  /** Without contact for so long, a follower gives its leader up, and a leader that has lost its quorum steps down. */
  readonly syncLimitMs: number
  /** How long an election waits for voters that are linked but have not answered. */
  readonly electionSettleMs: number
  /** Up to date for so long, an observer may take a seat. */
  readonly seatStableMs: number
  /** Gone for so long, a voter loses its seat to an observer, where there is one. */
  readonly seatFailedMs: number
  /** Gone for so long, an observer is no longer a member. */
  readonly forgetMs: number
}

/** What may be done in one turn, so that whatever waits outside has its turn, too (design D6). Batches are not cut. */
export interface Slice {
  /** Committed entries that are delivered. */
  readonly entries: number
  /** Of the log, to those that lack it. */
  readonly bytes: number
  /** Between two chunks of a snapshot, where somebody writes meanwhile. */
  readonly pauseMs: number
}

export interface ZabOptions {
  readonly timing: Timing
  readonly tail: LogTail
  /** A batch closes at about this size. */
  readonly batchBytesMax: number
  /** A snapshot chunk closes at about this size. */
  readonly chunkBytesMax: number
  readonly slice: Slice
  /** The founders' addresses, sorted; empty for a member that never founds. */
  readonly founders: readonly string[]
  /** Default `auto`. */
  readonly wish?: Exclude<Wish, 'leaving'> | undefined
  /** How many voters an ensemble wants that this member founds. Odd, default 5. */
  readonly seats?: number | undefined
  /** What a new ensemble is to begin with, where this member founds it. */
  readonly restoration?: Restoration | undefined
  /** The highest level of the state machine that this member knows. Lower or higher in tests. */
  readonly features?: number | undefined
  /** At this counter a leader goes to its next epoch; by default near the end of the counter. Lower in tests. */
  readonly counterLast?: number | undefined
  /** Called with the name of a rare situation that was reached: for coverage of tests. */
  readonly mark?: ((name: string) => void) | undefined
}

export interface Epochs {
  /** The highest epoch promised, and to whom: the promise binds both (design D8). */
  readonly accepted: number
  readonly acceptedFrom: MemberId | undefined
  /** The epoch of the last NEWLEADER acknowledged. */
  readonly current: number
}

/** What must not be forgotten about belonging to an ensemble. */
export interface Belonging {
  readonly presence: PresenceState
  readonly cluster: string
  /** When it was founded: by the wall clock, or by the epochs of before where those are later. Milliseconds. */
  readonly since: number
  /** While prepared. */
  readonly preparation: Preparation | undefined
  /** Of the founding configuration, until a checkpoint holds the history. */
  readonly founded: Preparation | undefined
  /** The list of those who prepared or founded; while blank, our own. */
  readonly founders: readonly string[]
}

/** The replicated state at one zxid, read in slices while it goes on. Read to its end, or released. */
export interface FrozenMachine {
  readonly zxid: Zxid
  /** How many records were read, and how many there are in all. */
  readonly records: number
  readonly total: number
  readonly isDone: boolean
  /** Whether somebody waits for this to be released. */
  readonly isAwaited: boolean
  /** The next records, of about so many bytes in all. */
  take(weightMax: number): SnapshotRecord[]
  release(): void
}

/** What belongs to the replicated state at one zxid, beside it. */
export interface SnapshotHead {
  readonly zxid: Zxid
  readonly configurations: readonly LoggedConfiguration[]
  readonly marks: readonly MarkOf[]
}

/** The replicated state at one zxid, on its way to the store: whoever gets it reads it to its end, or releases it. */
export interface CoreSnapshot extends SnapshotHead {
  readonly state: FrozenMachine
}

/** A state that is being built from a snapshot's records. */
export interface Installation {
  /** Throws a CoordError where the record does not fit those before it. */
  add(record: SnapshotRecord): void
  /**
   * Throws a CoordError where the state is not whole, or of another zxid. With the text of a configuration, the state
   * shows that one instead of the one that it was saved with.
   */
  finish(zxid: Zxid, configuration?: string): BuiltState
}

/** A state that could take the place of the one in force. */
export interface BuiltState {
  freeze(): FrozenMachine
  enforce(): void
}

/** What an ensemble is founded with, once it is durable. */
export interface RestoredSnapshot {
  readonly head: SnapshotHead
  readonly state: BuiltState
}

/** A snapshot to found an ensemble with: without sessions and what they owned. */
export interface Restoration {
  /** Names it: a digest of its file. Ends the id of the ensemble that begins with it. */
  readonly id: string
  readonly zxid: Zxid
  readonly records: readonly SnapshotRecord[]
}

/** One atomic change of the store. */
export interface PersistChange {
  readonly epochs?: Epochs | undefined
  readonly belonging?: Belonging | undefined
  readonly truncateAfter?: Zxid | undefined
  readonly append?: Batch | undefined
  /** Replaces checkpoint and log alike. */
  readonly install?: CoreSnapshot | undefined
  readonly purgeThrough?: Zxid | undefined
}

/** What a completed write allows. */
export type PersistPurpose =
  | { readonly kind: 'append'; readonly through: Zxid; readonly fence: number }
  /** For the role that asked, in that epoch: in another attempt, even at the same leader, they allow nothing. */
  | { readonly kind: 'acceptEpoch'; readonly role: Leading | Following; readonly epoch: number }
  | {
      readonly kind: 'currentEpoch'
      readonly role: Leading | Following
      readonly epoch: number
      readonly lastZxid: Zxid
    }
  | { readonly kind: 'prepare'; readonly cluster: string }
  | { readonly kind: 'restore'; readonly founded: Preparation; readonly snapshot: RestoredSnapshot }
  | { readonly kind: 'remember' }

export type ZabOutput =
  | { readonly type: 'persist'; readonly token: number; readonly change: PersistChange }
  | { readonly type: 'send'; readonly to: MemberId; readonly message: Message }
  | { readonly type: 'closeLink'; readonly to: MemberId; readonly reason: string }
  /** Synchronization gets on: records of a snapshot, or entries of the log. */
  | {
      readonly type: 'progress'
      readonly phase: 'snapshot' | 'catch-up'
      readonly done: number
      readonly total: number
    }
  /** Find out whether this id still answers at this address; the answer is the input `probed`. */
  | { readonly type: 'probe'; readonly id: MemberId; readonly address: string }
  | { readonly type: 'readReady'; readonly id: number; readonly zxid: Zxid }
  | { readonly type: 'heartbeatConfirmed'; readonly id: number; readonly ended: readonly SessionId[] }
  | { readonly type: 'membershipReply'; readonly id: number; readonly outcome: MembershipOutcome }
  /** This member has forgotten what it acknowledged: it must not take part as who it was. Nothing comes after it. */
  | { readonly type: 'forgotten'; readonly reason: string }
  /** The ensemble of this member is dead, and a later one lives: it must not go on as who it is. Nothing comes after it. */
  | { readonly type: 'superseded'; readonly reason: string }
  /** The member cannot go on joining: for the application. */
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly reason: string }

/** The replicated state, as far as Zab needs it. Implemented by `peer.ts` over `core/tree`. */
export interface StateMachine {
  /** Everything through here has been delivered. */
  readonly lastZxid: Zxid
  readonly clockMs: number
  /** What everything that was delivered came to; undefined where that is not known. */
  readonly history: HistoryDigest | undefined
  /** Applies a committed batch. */
  deliver(batch: Batch): void
  /** These sessions are alive: arms their timeouts. Returns those whose end is in the log already. For leaders. */
  vouchFor(sessions: readonly SessionId[]): readonly SessionId[]
  /** The state as it is now, to be read in slices; undefined while somebody else does. */
  freeze(): FrozenMachine | undefined
  /** Begins a state that will replace this one. */
  receive(): Installation
}

/** Another member to which a link is up. */
export interface Link {
  readonly peer: MemberRecord
  presence?: MessageOf<'presence'> | undefined
  notification?: MessageOf<'notification'> | undefined
  /** It takes us for the leader, and we are not leading yet. */
  heldFollowerInfo?: MessageOf<'followerInfo'> | undefined
  /** What we last told it, so that nothing is said twice. */
  announcedPresence?: MessageOf<'presence'> | undefined
  announcedNotification?: MessageOf<'notification'> | undefined
}

/** What a member starts from: nothing, or what its store held. */
export interface ZabStart {
  readonly self: MemberRecord
  readonly epochs?: Epochs | undefined
  readonly belonging?: Belonging | undefined
  readonly configurations?: readonly LoggedConfiguration[] | undefined
  readonly marks?: readonly MarkOf[] | undefined
  readonly batches?: readonly Batch[] | undefined
}

export const noEpochs: Epochs = { accepted: 0, acceptedFrom: undefined, current: 0 }

export class Zab {
  readonly self: MemberRecord
  readonly options: ZabOptions
  readonly machine: StateMachine
  readonly log: Log
  readonly links: Map<MemberId, Link> = new Map()
  /** Who took leave, and has not come back. */
  readonly departed: Set<MemberId> = new Set()
  epochs: Epochs
  belonging: Belonging
  configurations: ConfigurationHistory
  marks: Marks
  /** Whether a leader has taken this member's log for one that it may build on, in this life: it has lost nothing since. */
  isProven = false
  /** What this life began with: it is compared with what others remember of the last one. */
  readonly begun: { readonly epochs: Epochs; readonly lastZxid: Zxid }
  /** Set once this member must not go on as who it is: it has forgotten, or its ensemble is dead. */
  isOver = false
  /** The last zxid known to be committed. */
  committed: Zxid
  role: Role = { name: 'outside', attempt: undefined }
  /** What we want to be. */
  wish: Wish
  /** Until it has been founded with. */
  restoration: Restoration | undefined
  /** On its way to the disk: until it is there, nothing has been founded. */
  isRestoring = false
  /** Monotonic milliseconds and the wall clock, as of this input. */
  now = 0
  wallMs = 0
  outputs: ZabOutput[] = []
  /** Whether the state may be served, why not, and where that was in doubt (divergence.ts). */
  standing: Standing = 'sound'
  standingReason = ''
  doubtedAt: Zxid | undefined
  readonly digests: Digests = new Digests()
  /** A snapshot on its way to learners, and one on its way here. */
  stream: SnapshotStream | undefined
  reception: SnapshotReception | undefined
  readonly #awaited = new Numbered<PersistPurpose>()
  /** When a write last came back, or left while none was on its way. */
  #storeHeardAt = 0
  #deliveriesLeft: number
  #lastToken = 0
  #attempts = 0

  constructor(start: ZabStart, options: ZabOptions, machine: StateMachine) {
    this.self = start.self
    this.options = options
    this.#deliveriesLeft = options.slice.entries
    this.machine = machine
    this.epochs = start.epochs ?? noEpochs
    this.wish = options.wish ?? 'auto'
    this.restoration = options.restoration
    this.belonging = belongingOf(start.belonging, options)
    this.configurations = new ConfigurationHistory(start.configurations ?? foundedConfigurations(this.belonging))
    this.marks = new Marks(start.marks)
    this.committed = machine.lastZxid
    this.log = new Log(machine.lastZxid, options.tail)
    for (const batch of start.batches ?? []) this.appendToLog(batch)
    this.log.markDurable(this.log.last)
    this.digests.note(machine.lastZxid, machine.history)
    this.begun = { epochs: this.epochs, lastZxid: this.log.last }
  }

  get id(): MemberId {
    return this.self.id
  }

  /** The highest level of the state machine that we know. */
  get features(): number {
    return this.options.features ?? featureLevel
  }

  get isVoter(): boolean {
    return this.configurations.isVoter(this.id)
  }

  /** Writes that left and have not come back. */
  get isDrained(): boolean {
    return this.#awaited.isEmpty
  }

  /** For how long the store has owed us an answer, and given none. */
  get storeSilenceMs(): number {
    return this.isDrained ? 0 : this.now - this.#storeHeardAt
  }

  mark(name: string): void {
    this.options.mark?.(name)
  }

  send(to: MemberId, message: Message): void {
    this.outputs.push({ type: 'send', to, message })
  }

  /** Ends a link on purpose; the runtime dials anew. The core forgets it with the `linkDown` that follows. */
  closeLink(to: MemberId, reason: string): void {
    this.outputs.push({ type: 'closeLink', to, reason })
  }

  persist(change: PersistChange, purpose: PersistPurpose): void {
    if (this.isDrained) this.#storeHeardAt = this.now
    const token = ++this.#lastToken
    this.#awaited.add(token, purpose)
    this.outputs.push({ type: 'persist', token, change })
  }

  /** What the write with this token was for. Marks the log durable by itself. */
  completePersist(token: number): PersistPurpose | undefined {
    const purpose = this.#awaited.take(token)
    this.#storeHeardAt = this.now
    if (purpose?.kind === 'append' && purpose.fence === this.log.fence) this.log.markDurable(purpose.through)
    return purpose
  }

  /** Appends and begins to persist: the one way into the log of a running member. */
  append(batch: Batch): void {
    this.appendToLog(batch)
    this.persist({ append: batch }, { kind: 'append', through: this.log.last, fence: this.log.fence })
  }

  private appendToLog(batch: Batch): void {
    this.log.append(batch)
    this.marks.noteHeader(batch, this.configurations.latest?.configuration)
    this.configurations.append(batch)
  }

  /** Takes note of what the leader has committed, and delivers what is committed *and* durable here. */
  advanceCommit(committed: Zxid): void {
    if (committed > this.committed) this.committed = committed
    this.deliver()
  }

  /** Whether everything is delivered that may be: one that has diverged delivers nothing. */
  get isDelivered(): boolean {
    return this.standing === 'diverged' || this.machine.lastZxid >= this.#deliverable
  }

  /**
   * Through where a leader says that the log is committed: as far as it has delivered it. So nobody is ahead of the state by
   * which it judges who is alive; but for a follower that concluded something by itself (broadcast.ts), whose ack is on its
   * way. One that has diverged judges nobody, and holds nobody up.
   */
  get announceable(): Zxid {
    const { lastZxid } = this.machine
    return this.standing === 'diverged' || this.committed < lastZxid ? this.committed : lastZxid
  }

  get #deliverable(): Zxid {
    return this.committed < this.log.durable ? this.committed : this.log.durable
  }

  /** A turn ends, and the next one's deliveries begin with what this one left. Returns whether there was any. */
  endDeliveries(): boolean {
    this.#deliveriesLeft = this.options.slice.entries
    if (this.isDelivered) return false
    this.deliver()
    return true
  }

  deliver(): void {
    if (this.isDelivered || this.#deliveriesLeft <= 0) return
    const limit = this.#deliverable
    for (const batch of this.log.after(this.machine.lastZxid)) {
      if (batch.first > limit) break
      if (this.#deliveriesLeft <= 0) {
        this.mark('deliver.sliced')
        break
      }
      const { lastZxid } = this.machine
      assert(
        batch.previous === lastZxid,
        () => `${formatZxid(lastZxid)} is applied, next comes ${formatZxid(batch.first)}`,
      )
      this.machine.deliver(batch)
      this.#deliveriesLeft -= countOf(batch)
      this.digests.note(this.machine.lastZxid, this.machine.history)
    }
    this.log.pack(this.machine.lastZxid)
    this.configurations.prune(this.machine.lastZxid)
    if (this.log.trim(this.#neededFrom())) this.mark('log.trimmed')
  }

  /** The log after this zxid is needed: by ourselves, behind a snapshot on its way, or by a learner that catches up. */
  #neededFrom(): Zxid {
    let from = this.machine.lastZxid
    if (this.stream !== undefined && this.stream.state.zxid < from) from = this.stream.state.zxid
    if (this.role.name !== 'leading') return from
    for (const { state, sentThrough } of this.role.learners.values()) {
      if (state === 'catchingUp' && sentThrough < from) from = sentThrough
    }
    return from
  }

  /** The marks of those who belong here still. */
  memberMarks(): readonly MarkOf[] {
    const ids = new Set(this.configurations.members().map(({ id }) => id))
    return this.marks.list((id) => ids.has(id))
  }

  nextAttempt(): number {
    this.#attempts += 1
    return this.#attempts
  }

  /** The links to members of the same ensemble. */
  *comrades(): Iterable<Link> {
    for (const link of this.links.values()) {
      if (this.isComrade(link)) yield link
    }
  }

  isComrade(link: Link): boolean {
    return this.belonging.cluster !== '' && link.presence?.cluster === this.belonging.cluster
  }
}

/** As remembered. Who is blank goes by the list that it was started with this time. */
function belongingOf(stored: Belonging | undefined, { founders }: ZabOptions): Belonging {
  const blank = { presence: 'blank', cluster: '', since: 0, preparation: undefined, founded: undefined } as const
  return stored === undefined || stored.presence === 'blank' ? { ...blank, founders } : stored
}

/** Configuration 1: the founders are the voters. */
export function foundedConfigurations({ founded, founders }: Belonging): readonly LoggedConfiguration[] {
  if (founded === undefined) return []
  const { members, seats, features } = founded
  const configuration = { voters: members, observers: [], founders, seats, features, pinned: [], removed: [] }
  return [{ zxid: zxidZero, configuration, settledAt: zxidZero }]
}

/** Whether a log that ends with these credentials may be ahead of another: current epoch first, then zxid, then id. */
export interface Credentials {
  readonly currentEpoch: number
  readonly lastZxid: Zxid
  readonly id: MemberId
}

/** Orders candidates: positive if `a` is the better leader. */
export function compareCredentials(a: Credentials, b: Credentials): number {
  if (a.currentEpoch !== b.currentEpoch) return a.currentEpoch - b.currentEpoch
  if (a.lastZxid !== b.lastZxid) return a.lastZxid > b.lastZxid ? 1 : -1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

export function credentialsOf(zab: Zab): Credentials {
  return { currentEpoch: zab.epochs.current, lastZxid: zab.log.last, id: zab.id }
}
