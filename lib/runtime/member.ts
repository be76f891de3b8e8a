/**
 * A running member: the loop around the pure core. Whatever happens becomes an input of `peer.step`, its outputs are
 * performed in order, and at the end of each turn of the event loop what gathered is flushed: requests into a batch,
 * messages into frames, changes into one commit of the store.
 *
 * A member that finds an invariant broken stops by itself: it says why, ends its sessions, closes its links, and does
 * nothing more. It never throws into the application.
 *
 * A member whose store fails begins again (design D5): it closes its links, so that nobody counts on it, and reads back what
 * is on the disk, until that can be read and written again; its sessions wait meanwhile. Where the store is damaged, or
 * lacks what this member once acknowledged, it begins under a fresh id and is repaired from its peers.
 */

import type { Input } from '../core/input.ts'
import type { MemberInfo, Output, Status } from '../core/output.ts'
import { Peer, type PeerOptions, type PeerStart } from '../core/peer.ts'
import type { ReplicatedState } from '../core/tree/apply.ts'
import type { FrozenState } from '../core/tree/frozen-state.ts'
import type { Applied } from '../core/tree/operation.ts'
import type { SessionId } from '../core/tree/session-id.ts'
import { weightOf } from '../core/zab/batch.ts'
import { type MemberId, type MemberRecord, memberIdFrom } from '../core/zab/configuration.ts'
import { featureLevel } from '../core/zab/features.ts'
import { isRestoredFrom } from '../core/zab/founding.ts'
import type { MembershipRequest } from '../core/zab/membership-request.ts'
import type { Message, Standing, Wish } from '../core/zab/message.ts'
import type { CoreSnapshot, Restoration, Timing, ZabOptions } from '../core/zab/zab.ts'
import { type Zxid, zxidZero } from '../core/zab/zxid.ts'
import { CoordError, type ErrorCode } from '../errors.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { Discovery } from '../ports/discovery.ts'
import type { Entropy } from '../ports/entropy.ts'
import type { Progress } from '../ports/progress.ts'
import type { Storage, StoredState } from '../ports/storage.ts'
import type { Transport } from '../ports/transport.ts'
import { type EncodedMessage, encodeMessage } from '../wire/messages.ts'
import { decodeBelonging } from '../wire/stored.ts'
import type { Authentication } from './authentication.ts'
import { type CheckpointLimits, CheckpointPolicy, type StoredBytes } from './checkpoint-policy.ts'
import { type DiagnosticSource, diagnose } from './diagnostics.ts'
import { explanationOf, type MemberExplanation } from './explanation.ts'
import type { Secret } from './handshake.ts'
import { Journal, type StoreWrites } from './journal.ts'
import { LagAwareTimer } from './lag-aware-timer.ts'
import { MembershipCalls } from './membership-calls.ts'
import { type Pace, Pacer } from './pacer.ts'
import { type DiscoveryLimits, PeerDiscovery } from './peer-discovery.ts'
import type { LinkLimits } from './peer-link.ts'
import { PeerLinks } from './peer-links.ts'
import { type RecoveryHandlers, recoverStart } from './recovery.ts'
import { SessionHost, type SessionLimits } from './session-host.ts'
import type { SnapshotSource } from './snapshot-file.ts'
import { StallWatch } from './stall-watch.ts'

/** Every limit of the runtime: docs/LIMITS.md has the defaults. */
export interface MemberLimits extends CheckpointLimits {
  readonly timing: Timing
  readonly link: LinkLimits
  readonly dialTimeoutMs: number
  readonly redialMs: { readonly first: number; readonly max: number }
  readonly discovery: DiscoveryLimits
  /** Between two attempts at a store that failed. */
  readonly reopenMs: { readonly first: number; readonly max: number }
  readonly tail: ZabOptions['tail']
  readonly batchBytesMax: number
  readonly chunkBytesMax: number
  readonly slice: ZabOptions['slice']
  /** How a checkpoint is written beside everything else. */
  readonly checkpointPace: Pace
  /** How often a leader looks for containers and nodes past their time to live. */
  readonly reapIntervalMs: number
  readonly session: SessionLimits
  readonly clockDriftMax: number
  /** A process that stood still for so long is told of it. */
  readonly stallWarningMs: number
}

export interface MemberOptions {
  readonly name: string
  /** Where it was not given a name, the address that it turns out to have is a better one. */
  readonly isNamed: boolean
  /** The name that the application gave it: a store keeps it, and is refused to another one. */
  readonly givenName: string | undefined
  /** What others dial; where it is not known before listening, undefined. */
  readonly address: string | undefined
  /** Addresses to dial, and whether they are a static list that may found. */
  readonly peers: readonly string[]
  readonly founds: boolean
  /** Where addresses to dial come from besides: such a member does not found. */
  readonly discovery?: Discovery | undefined
  /** What it wants to be, and how many voters the ensemble wants that it founds. */
  readonly role: Exclude<Wish, 'leaving'>
  readonly seats: number
  readonly transport: Transport | undefined
  readonly storage: Storage
  /** Reads what a new ensemble is to begin with. */
  readonly restoration?: ((signal: AbortSignal | undefined) => Promise<Restoration>) | undefined
  readonly clock: Clock
  readonly entropy: Entropy
  readonly secret: Secret
  readonly authentication: Authentication
  readonly limits: MemberLimits
  /** At this counter a leader goes to its next epoch. Default: near the end of the counter. */
  readonly counterLast?: number | undefined
  readonly mark?: ((name: string) => void) | undefined
}

export interface MemberHandlers {
  status(status: Status): void
  members(members: readonly MemberInfo[]): void
  /** Joining cannot succeed. */
  refused(code: ErrorCode, reason: string): void
  /** Something an operator should know. */
  warning(message: string): void
  /** Something that takes long gets on. */
  progress(progress: Progress): void
  /** The member has stopped by itself. */
  failed(error: CoordError): void
}

export type { MemberInfo, MemberRecord, MembershipRequest, Status }

const idBytes = 16
/** How often it is looked whether the state can be read out. */
const freezeRetryMs = 10

/** What there is to do about it. */
export const majorityLostText: string =
  'a majority of the voters came back without its memory, so no quorum is left. Wait, if the processes of before may still be there; or stop all members: those that start then found an empty ensemble'

const standingTexts: Readonly<Record<Exclude<Standing, 'sound'>, string>> = {
  diverged:
    'the state of this member is not that of the others: nothing of it is served, and it is replaced by that of the leader',
  doubtful:
    'the states of the voters differ and nobody knows whose is right: nobody serves until another voter is here',
}

/** What opening the store gave. */
interface Opened {
  readonly stored: StoredState
  /** Nothing of it may be used, and the peers are to repair it. */
  readonly damage: CoordError | undefined
}

const nothingStored: StoredBytes = { checkpoint: 0, log: 0 }

const blank: StoredState = { values: new Map(), checkpoint: undefined, records: [] }

export class Member {
  readonly sessions: SessionHost
  readonly #options: MemberOptions
  readonly #handlers: MemberHandlers
  #journal: Journal
  readonly #links: PeerLinks | undefined
  readonly #timer: LagAwareTimer
  readonly #calls = new MembershipCalls((id, request) => this.step({ type: 'membership', id, request }))
  /** Called when something changed that an orderly end may wait for. */
  readonly #watchers = new Set<() => void>()
  #peer: Peer | undefined
  #self: MemberRecord | undefined
  #inputs: Input[] = []
  #isStepping = false
  #turnScheduled = false
  #closed = false
  /** Who asked us for something last. */
  #asker: MemberId | undefined
  /** What was sent last, and may be sent to others in this turn. */
  #encoded: { readonly message: Message; readonly parts: EncodedMessage } | undefined
  #peers: readonly string[]
  readonly #discovery: PeerDiscovery | undefined
  readonly #stalls: StallWatch
  /** Since when no leader serves it. */
  #lookingSince: number
  #isStarted = false
  #wasServing = false
  /** Whom diagnostics are about. */
  readonly #source = (): DiagnosticSource => this.#self ?? { id: '', name: this.#options.name }
  #checkpoints: CheckpointPolicy
  /** Whether the state is that of the others, as far as is known (core/zab/divergence.ts). */
  #standing: Standing = 'sound'
  #deadline = Number.POSITIVE_INFINITY
  #contactsChanged = false
  /** Between two lives: the store failed, or is about to be repaired. */
  #outage: Status | undefined
  /** What the sessions had seen before an outage, until the new life has applied as much. */
  #seen: ReplicatedState | undefined
  #reopenTimer: Timer | undefined
  #damage: CoordError | undefined
  #restoration: Restoration | undefined
  /** The last that was told. */
  #progress: Progress | undefined

  constructor(given: MemberOptions, handlers: MemberHandlers) {
    this.#stalls = new StallWatch(given.clock, (ms) => this.#onStall(ms))
    const options = { ...given, clock: this.#stalls.clock }
    this.#options = options
    this.#lookingSince = options.clock.now()
    this.#handlers = handlers
    this.#peers = options.peers
    this.#timer = new LagAwareTimer(options.clock, (lateMs) => this.step({ type: 'tick', lateMs }))
    this.#checkpoints = new CheckpointPolicy(options.limits, options.name)
    this.#journal = this.#newJournal(false)
    this.#links = options.transport === undefined ? undefined : this.#newLinks(options.transport)
    this.sessions = new SessionHost(this.#hostSurroundings())
    this.#discovery = this.#newDiscovery()
  }

  get self(): MemberRecord {
    return this.#self as MemberRecord
  }

  get status(): Status | undefined {
    return this.#outage ?? this.#peer?.status
  }

  /** Why the store is, or was, repaired from the peers. */
  get damage(): CoordError | undefined {
    return this.#damage
  }

  get state(): ReplicatedState {
    return (this.#peer as Peer).state
  }

  /** For tests and diagnostics. */
  get peer(): Peer | undefined {
    return this.#peer
  }

  /** Why nobody leads, who is missing, who lags: as of now. */
  explain(): MemberExplanation {
    return explanationOf({
      isStarted: this.#isStarted,
      isClosed: this.#closed,
      outage: this.#outage,
      peer: this.#peer,
      failureOf: (address) => this.#links?.failureOf(address),
    })
  }

  /** Whether it asks a discovery where the others are. */
  get discovers(): boolean {
    return this.#discovery !== undefined
  }

  /** Why each peer is not linked. */
  linkFailures(): readonly string[] {
    const discovery = this.#discovery?.failure
    return [...(discovery === undefined ? [] : [discovery]), ...(this.#links?.failures() ?? [])]
  }

  /** What keeps this member from joining, as far as that is known to be more than a matter of time. */
  get joinObstacle(): { readonly code: ErrorCode; readonly reason: string } | undefined {
    if (this.#links?.isDenied === true) return { code: 'COORD_ACCESS_DENIED', reason: 'no peer has the same secret' }
    if (this.#peer?.status.majorityLost === true) return { code: 'COORD_MAJORITY_LOST', reason: majorityLostText }
    const others = this.#peer?.otherClusters() ?? []
    if (others.length === 0) return undefined
    const own = this.#peer?.status.cluster ?? ''
    const reason = `this member belongs to the ensemble ${own}, those it reaches belong to ${others.join(', ')}`
    return { code: 'COORD_CLUSTER_DIFFERS', reason }
  }

  /** What this member has applied, to be written to a file. Waits until nobody else reads the state out, and while it is known to be wrong. */
  async snapshotSource(signal: AbortSignal | undefined): Promise<SnapshotSource> {
    for (let frozen = this.#tryFreeze(); ; frozen = this.#tryFreeze()) {
      if (frozen !== undefined) {
        const isSound = (): boolean => this.#standing !== 'diverged'
        return { cluster: this.status?.cluster ?? '', wallMs: this.#options.clock.wallNow(), state: frozen, isSound }
      }
      await new Promise((resolve) => this.#options.clock.setTimer(freezeRetryMs, () => resolve(undefined)))
      signal?.throwIfAborted()
      if (this.#closed) throw new CoordError('COORD_CLOSED')
    }
  }

  #tryFreeze(): FrozenState | undefined {
    return this.#standing === 'diverged' ? undefined : this.state.tryFreeze()
  }

  /** Opens the store, listens, and begins. Rejects with what went wrong; then nothing is left behind. */
  async start(signal?: AbortSignal): Promise<void> {
    // Proved before anything is opened, let alone founded.
    this.#restoration = await this.#options.restoration?.(signal)
    const opened = await this.#openStore()
    try {
      this.#assertRestorable(opened)
      const listening = await this.#links?.listen()
      signal?.throwIfAborted()
      const self = this.#identify(opened, this.#options.address ?? listening ?? '')
      const listed = await this.#findOwnEntry(self)
      signal?.throwIfAborted()
      await this.#begin(opened, { ...self, address: listed ?? self.address })
      signal?.throwIfAborted()
      this.#isStarted = true
      this.#discovery?.ask()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Hands an input to the core; inputs that come up meanwhile wait for their turn. */
  step(input: Input): void {
    if (this.#closed || this.#peer === undefined || this.#outage !== undefined) return
    this.#inputs.push(input)
    if (this.#isStepping) return
    this.#isStepping = true
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
        this.#stepOnce(this.#peer, next)
    } catch (error) {
      this.#fail(
        new CoordError('COORD_SYSTEM_ERROR', `an invariant of this member is broken: ${messageOf(error)}`, {
          cause: error,
        }),
      )
    } finally {
      this.#isStepping = false
    }
    this.#scheduleTurn()
  }

  /** Asks for a change of the configuration, or about it. Resolves once it is so. */
  request(request: MembershipRequest, signal: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.reject(new CoordError('COORD_CLOSED'))
    return this.#calls.call(request, signal)
  }

  /** What this process has written to the store. */
  get written(): StoreWrites {
    return { ...this.#journal.written }
  }

  /** Whether it forgets everything when it stops. */
  get isVolatile(): boolean {
    return !this.#options.storage.durable
  }

  /** Hands leadership over, so that the others need not wait for a timeout. Resolves when it leads no more, or is aborted. */
  async handOver(signal: AbortSignal): Promise<void> {
    if (this.#peer?.canHandOver !== true) return
    this.step({ type: 'stepDown' })
    await this.#until(() => this.status?.role !== 'leading', signal)
  }

  /** Resolves when no quorum can serve this member any more, because others took leave. Once aborted, it never does. */
  async forsaken(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#peer?.isForsaken === true, signal)
    if (this.#peer?.isForsaken !== true) await new Promise(() => {})
  }

  #until(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isDone() && !signal.aborted && !this.#closed) return
        this.#watchers.delete(check)
        signal.removeEventListener('abort', check)
        resolve()
      }
      this.#watchers.add(check)
      signal.addEventListener('abort', check, { once: true })
      check()
    })
  }

  #tellWatchers(): void {
    for (const check of [...this.#watchers]) check()
  }

  setRef(held: boolean): void {
    this.#options.clock.setRef(held)
    this.#options.transport?.setRef(held)
  }

  /** Stops: links, timers, store. Idempotent. */
  async close(): Promise<void> {
    this.step({ type: 'farewell' })
    this.#links?.flush()
    this.#stop('closed')
    await this.#links?.close()
    await this.#options.transport?.close()
    await this.#journal.drain()
    await this.#options.storage.close()
  }

  #about(): { readonly cluster: string; readonly features: number } {
    return { cluster: this.#peer?.status.cluster ?? '', features: featureLevel }
  }

  #identify({ stored }: Opened, address: string): MemberRecord {
    const { storage, name, isNamed, givenName, transport } = this.#options
    const owner = storage.durable ? storedText(stored, 'name') : undefined
    if (givenName !== undefined && owner !== undefined && owner !== givenName) {
      throw new CoordError('COORD_STORE_FOREIGN', `the store is that of the member '${owner}', not of '${givenName}'`)
    }
    const id = storage.durable ? storedText(stored, 'id') : undefined
    return {
      id: id === undefined ? this.#freshId() : memberIdFrom(id),
      name: isNamed || transport === undefined ? name : address || name,
      address,
    }
  }

  /** Only who belongs to nothing can found. Who was founded with this very snapshot has it already. */
  #assertRestorable({ stored }: Opened): void {
    const restoration = this.#restoration
    const bytes = this.#options.storage.durable ? stored.values.get('belonging') : undefined
    if (restoration === undefined || bytes === undefined) return
    const { presence, cluster } = decodeBelonging(bytes)
    if (presence === 'blank' || isRestoredFrom(cluster, restoration)) return
    const reason = `the store belongs to the ensemble ${cluster}: restore into an empty one, or leave restoreFrom out`
    throw new CoordError('COORD_NOT_RESTORED', reason)
  }

  #freshId(): MemberId {
    return memberIdFrom(hex(this.#options.entropy.bytes(idBytes)))
  }

  async #openStore(): Promise<Opened> {
    try {
      return { stored: await this.#options.storage.open(), damage: undefined }
    } catch (error) {
      if (!(error instanceof CoordError) || !this.#canBeRepaired(error)) throw error
      return { stored: blank, damage: error }
    }
  }

  /** Whoever is alone has nobody to repair it: then the damage is for the operator. */
  #canBeRepaired({ code }: CoordError): boolean {
    if (code !== 'COORD_STORE_DAMAGED') return false
    const { peers, address } = this.#options
    const hasOthers = this.#discovery !== undefined || peers.some((peer) => peer !== (this.#self?.address ?? address))
    return this.#links !== undefined && hasOthers
  }

  /** A founder is listed by its address, or by another spelling of it that leads back here. */
  async #findOwnEntry(self: MemberRecord): Promise<string | undefined> {
    const { peers, founds } = this.#options
    if (!founds || this.#links === undefined || peers.includes(self.address)) return undefined
    return this.#links.findSelf(peers, self)
  }

  /** What a store that forgets holds is nobody's: a member of it is another one at each start (design D7). */
  async #begin({ stored, damage }: Opened, self: MemberRecord): Promise<void> {
    if (damage !== undefined) {
      this.#repair(self, damage)
      return
    }
    let peer: Peer
    try {
      const start = this.#options.storage.durable ? await recoverStart(stored, this.#recoveryHandlers()) : {}
      if (this.#closed) return
      peer = this.#newPeer({ ...start, self }, true)
    } catch (error) {
      // Each entry is sound, and together they make no sense.
      const found = asDamage(error)
      if (!this.#canBeRepaired(found)) throw found
      this.#repair(self, found)
      return
    }
    if (peer.unknownLevel !== undefined) {
      const reason = `the store is at level ${peer.unknownLevel} of the state machine, this version knows ${featureLevel}`
      throw new CoordError('COORD_PROTOCOL', `${reason}: deploy a newer version`)
    }
    this.#beginLife(peer, self, undefined, bytesOf(stored))
  }

  /** Begins with nothing, under a fresh id. */
  #repair(self: MemberRecord, damage: CoordError): void {
    const fresh = { ...self, id: this.#freshId() }
    this.#beginLife(this.#newPeer({ self: fresh }, false), fresh, damage)
  }

  /** Whoever repairs its store belongs to an ensemble already, even if it no longer knows to which: it founds none. */
  #newPeer(start: PeerStart, mayFound: boolean): Peer {
    const { peers, founds, role: wish, seats, limits, counterLast, mark } = this.#options
    const lists = peers.length === 0 ? [start.self.address] : peers
    const founders = mayFound && founds ? [...new Set(lists)].sort() : []
    const { timing, tail, batchBytesMax, chunkBytesMax, slice, reapIntervalMs } = limits
    const sizes = { tail, batchBytesMax, chunkBytesMax, slice }
    const also = { restoration: this.#restoration, counterLast, reapIntervalMs, mark }
    const options: PeerOptions = { timing, ...sizes, founders, wish, seats, ...also }
    return new Peer(start, options, (applied) => this.#onApplied(applied))
  }

  #beginLife(peer: Peer, self: MemberRecord, damage?: CoordError, stored: StoredBytes = nothingStored): void {
    const { storage, givenName, limits, mark } = this.#options
    this.#self = self
    this.#peer = peer
    this.#outage = undefined
    this.#damage = damage ?? this.#damage
    this.#standing = 'sound'
    this.#checkpoints = new CheckpointPolicy(limits, self.id, stored.log)
    this.#deadline = Number.POSITIVE_INFINITY
    this.#journal = this.#newJournal(damage !== undefined, this.#journal.written)
    this.#journal.checkpointBytes = stored.checkpoint
    if (storage.durable) {
      this.#journal.remember('id', new TextEncoder().encode(self.id))
      if (givenName !== undefined) this.#journal.remember('name', new TextEncoder().encode(givenName))
    }
    if (damage !== undefined) {
      mark?.('store.repairing')
      this.#diagnoseStorage((member) => ({ member, type: 'repairing', reason: damage.message }))
      this.#handlers.warning(`${damage.message}; it is repaired from the other members, under a fresh id`)
    }
    if (storage.durable) this.#diagnoseStorage((member) => ({ member, type: 'opened' }))
    this.#links?.start(self)
    this.#redial()
    this.step({ type: 'tick', lateMs: 0 })
  }

  #recoveryHandlers(): RecoveryHandlers {
    return {
      nextTurn: () => this.#nextTurn(),
      progress: (done, total) => this.#noteProgress({ phase: 'recovery', done, total }),
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.defer(resolve))
  }

  /** Each hundredth, the end, and where another phase begins: a bar needs no more. */
  #noteProgress(progress: Progress): void {
    const { phase, done, total } = progress
    const told = this.#progress
    const isNews = told?.phase !== phase || done < told.done || done === total || done - told.done >= total / 100
    if (!isNews) return
    this.#progress = progress
    this.#handlers.progress(progress)
  }

  #newJournal(repairs: boolean, written?: StoreWrites): Journal {
    const ofThisLife = (): boolean => this.#journal === journal
    const journal: Journal = new Journal(
      this.#options.storage,
      {
        persisted: (tokens) => {
          if (ofThisLife()) this.#onPersisted(tokens)
        },
        failed: (error) => {
          if (ofThisLife()) this.#onStoreFailed(asStoreError(error))
        },
        nextTurn: () => this.#nextTurn(),
        pacing: new Pacer(this.#options.clock, this.#options.limits.checkpointPace),
      },
      repairs,
      written,
    )
    return journal
  }

  #onStoreFailed(failure: CoordError): void {
    if (this.#closed) return
    this.#options.mark?.('store.failed')
    this.#diagnoseStorage((member) => ({ member, type: 'failed', reason: failure.message }))
    const wasRepairing = this.#damage !== undefined && this.#journal.isRepairing
    this.#beginOutage(failure)
    this.#reopenLater(this.#options.limits.reopenMs.first, wasRepairing ? this.#damage : undefined)
  }

  /** The store is sound, and yet not what it was: a life under another id begins. */
  #onForgotten(reason: string): void {
    const damage = new CoordError('COORD_STORE_DAMAGED', `the store is damaged: ${reason}`)
    this.#options.mark?.('store.forgotten')
    this.#beginOutage(damage)
    this.#reopenLater(0, damage)
  }

  /**
   * What this member holds is of an ensemble that is dead, and a later one lives. Where that was memory alone it is dropped,
   * and a life in the other one begins (design D8); a store on a disk is for people to decide about.
   */
  #onSuperseded(reason: string): void {
    if (!this.isVolatile) {
      this.#handlers.refused('COORD_MAJORITY_LOST', reason)
      return
    }
    this.#beginOutage(new CoordError('COORD_MAJORITY_LOST', reason))
    this.sessions.loseAll(reason)
    this.#seen = undefined
    this.#reopenTimer = this.#options.clock.setTimer(0, () => {
      if (this.#closed) return
      const fresh = { ...this.self, id: this.#freshId() }
      this.#beginLife(this.#newPeer({ self: fresh }, true), fresh)
    })
  }

  /** Nobody may count on this member any more: it is as if the process were gone, but for the sessions, which wait. */
  #beginOutage({ message }: CoordError): void {
    const { status } = this.#peer as Peer
    this.#seen ??= this.state
    this.#outage = { ...status, role: 'looking', serving: false, leader: undefined, epoch: 0, reason: message }
    this.#inputs = []
    this.#journal.stop()
    this.#timer.cancel()
    this.#links?.stop(message)
    this.sessions.suspend(message)
    this.#handlers.warning(message)
    this.#diagnoseElection(this.#outage)
    this.#handlers.status(this.#outage)
    this.#tellWatchers()
  }

  #reopenLater(delayMs: number, damage: CoordError | undefined): void {
    this.#reopenTimer = this.#options.clock.setTimer(delayMs, () => {
      this.#reopen(damage).catch((error: unknown) => {
        if (this.#closed) return
        const failure = asStoreError(error)
        if (failure.code !== 'COORD_STORE_FAILED') this.#fail(failure)
        else this.#reopenLater(Math.min(this.#options.limits.reopenMs.max, 2 * Math.max(delayMs, 1)), damage)
      })
    })
  }

  async #reopen(damage: CoordError | undefined): Promise<void> {
    const { storage } = this.#options
    await this.#journal.drain()
    const opened = damage === undefined ? await this.#openStore() : { stored: blank, damage }
    // A store that cannot be written would only fail again, at the expense of those who counted on us meanwhile.
    if (opened.damage === undefined) await storage.commit({})
    if (!this.#closed) await this.#begin(opened, this.self)
  }

  #onApplied(applied: Applied): void {
    this.#checkpoints.noteApplied()
    // What the sessions saw before an outage is applied again now: they were told.
    if (this.#seen !== undefined && applied.stamp.zxid <= this.#seen.lastZxid) return
    this.#seen = undefined
    this.sessions.onApplied(applied)
  }

  #onInstalled(before: ReplicatedState): void {
    // It is in the store, or about to be.
    this.#checkpoints.begin()
    const seen = this.#seen
    if (seen !== undefined && this.state.lastZxid < seen.lastZxid) return
    this.#seen = undefined
    this.sessions.onInstalled(seen ?? before)
  }

  #stepOnce(peer: Peer, input: Input): void {
    const { clock } = this.#options
    const outputs = peer.step(input, { now: clock.now(), wallMs: clock.wallNow() })
    for (const output of outputs) this.#perform(output)
    if (this.#outage !== undefined) return
    if (this.#seen !== undefined && peer.state.lastZxid >= this.#seen.lastZxid) this.#seen = undefined
    this.sessions.onStepped()
    if (input.type === 'linkUp' || input.type === 'linkDown') this.#contactsChanged = true
    if (input.type === 'message' && input.message.type === 'notification') this.#contactsChanged = true
    const { deadline } = peer
    if (deadline !== this.#deadline) {
      this.#deadline = deadline
      this.#timer.set(deadline)
    }
  }

  #perform(output: Output): void {
    switch (output.type) {
      case 'persist':
        this.#journal.persist(output.token, output.change)
        if (output.change.append !== undefined) this.#checkpoints.noteAppended(weightOf(output.change.append))
        return
      case 'send':
        this.#links?.send(output.to, this.#encode(output.message))
        return
      case 'closeLink':
        this.#links?.closeLink(output.to, output.reason)
        return
      case 'probe':
        this.#probe(output.id, output.address)
        return
      case 'installed':
        this.#onInstalled(output.before)
        return
      case 'readReady':
        this.sessions.onReadReady(output.id, output.zxid)
        return
      case 'heartbeatConfirmed':
        this.sessions.onHeartbeatConfirmed(output.id, output.ended)
        return
      case 'status':
        this.#onStatus(output.status)
        return
      case 'members':
        this.#contactsChanged = true
        this.#diagnoseMembers(output.members)
        this.#handlers.members(output.members)
        this.#tellWatchers()
        return
      case 'progress':
        this.#noteProgress(output)
        return
      case 'membershipReply':
        this.#calls.onReply(output.id, output.outcome)
        return
      case 'forgotten':
        this.#onForgotten(output.reason)
        return
      case 'superseded':
        this.#onSuperseded(output.reason)
        return
      case 'refused':
        this.#handlers.refused(output.code, output.reason)
        return
      case 'applied':
        this.sessions.onApplied(output.applied)
    }
  }

  #encode(message: Message): EncodedMessage {
    if (this.#encoded?.message !== message) this.#encoded = { message, parts: encodeMessage(message) }
    return this.#encoded.parts
  }

  #onStatus(status: Status): void {
    this.#noteStanding(status)
    this.#diagnoseElection(status)
    if (status.serving) this.sessions.resume()
    else {
      this.sessions.suspend(status.reason)
      this.#discovery?.ask()
    }
    this.#handlers.status(status)
    // Whoever serves has it, or something else: it is not needed in memory twice.
    if (status.serving) this.#restoration = undefined
    if (status.serving) this.#calls.resume()
    this.#tellWatchers()
  }

  #noteStanding({ standing, reason }: Status): void {
    const before = this.#standing
    if (standing === before) return
    this.#standing = standing
    // A checkpoint of the state that was wrong is not to be found there; one of the state that took its place is.
    if (standing === 'diverged') this.#journal.abandonCheckpoint()
    if (before === 'diverged') this.#checkpoints.demand()
    diagnose('embedded-coord:member', this.#source, (member) => ({ member, type: standing, reason }))
    if (standing !== 'sound') this.#handlers.warning(`${standingTexts[standing]}: ${reason}`)
  }

  #onPersisted(tokens: readonly number[]): void {
    for (const token of tokens) this.step({ type: 'persisted', token })
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled || this.#closed || this.#outage !== undefined) return
    this.#turnScheduled = true
    this.#options.clock.defer(() => this.#endTurn())
  }

  #endTurn(): void {
    if (this.#closed) return
    if (this.#outage !== undefined) {
      this.#turnScheduled = false
      return
    }
    const requests = this.sessions.takeRequests()
    if (requests.length > 0) this.step({ type: 'request', requests })
    this.sessions.askForReads()
    this.step({ type: 'flush' })
    this.#encoded = undefined
    this.#journal.begin()
    this.#links?.flush(this.#asker)
    if (this.#contactsChanged) this.#redial()
    this.#keepHouse()
    // What these steps brought up is of this turn; only what listeners submitted meanwhile needs another one.
    this.#turnScheduled = false
    if (this.sessions.hasRequests || this.#peer?.wantsTurn === true) this.#scheduleTurn()
  }

  /** A durable store gets a checkpoint now and then (checkpoint-policy.ts). */
  #keepHouse(): void {
    if (this.#peer === undefined || !this.#options.storage.durable) return
    const { zab, state, status } = this.#peer
    // Who does not serve may hold a state that is not sound, or be in the midst of a long log: that comes first.
    if (!status.serving) return
    if (!this.#checkpoints.isDue(state.tree.nodeCount + state.sessions.size, this.#journal.checkpointBytes)) return
    // While the state is read out for another one, or for the checkpoint before, this one waits.
    if (this.#journal.isCheckpointing || state.isFrozen) return
    this.#checkpoints.begin()
    const { lastZxid: zxid } = state
    const configurations = zab.configurations.at(zxid)
    this.#checkpoint({ zxid, configurations, marks: zab.memberMarks(), state: state.freeze() })
  }

  #checkpoint(snapshot: CoreSnapshot): void {
    this.#diagnoseStorage((member) => ({ member, type: 'checkpoint' }))
    const tell = (isMade: boolean): void => {
      if (isMade) this.#diagnoseStorage((member) => ({ member, type: 'checkpointed' }))
    }
    this.#journal.checkpoint(snapshot).then(tell, (error: unknown) => this.#fail(asStoreError(error)))
  }

  #redial(): void {
    this.#contactsChanged = false
    if (this.#links === undefined || this.#peer === undefined) return
    const contacts = this.#peer.contacts()
    this.#links.want([...new Set([...this.#peers, ...contacts])].filter((address) => address !== this.self.address))
  }

  #probe(id: MemberId, address: string): void {
    const answer = (reached: boolean): void => this.step({ type: 'probed', id, reached })
    if (this.#links === undefined) answer(false)
    else this.#links.probe(id, address).then(answer, () => answer(false))
  }

  #newDiscovery(): PeerDiscovery | undefined {
    const { discovery, transport, clock, limits } = this.#options
    if (discovery === undefined || transport === undefined) return undefined
    return new PeerDiscovery(discovery, clock, limits.discovery, (address) => transport.normalize(address), {
      found: (addresses) => {
        this.#peers = addresses
        if (!this.#closed && this.#outage === undefined) this.#redial()
      },
      warning: (message) => this.#handlers.warning(message),
      isServing: () => this.status?.serving === true,
    })
  }

  #newLinks(transport: Transport): PeerLinks {
    const { clock, entropy, secret, limits } = this.#options
    const { link, dialTimeoutMs, redialMs } = limits
    return new PeerLinks(
      { transport, clock, entropy, secret, about: () => this.#about(), limits: link, dialTimeoutMs, redialMs },
      {
        up: ({ id, name, address }) => {
          diagnose('embedded-coord:member', this.#source, (member) => ({ member, type: 'linked', peer: { id, name } }))
          this.step({ type: 'linkUp', peer: { id, name, address } })
        },
        down: (id, reason) => {
          diagnose('embedded-coord:member', this.#source, (member) => ({ member, type: 'unlinked', peer: id, reason }))
          this.step({ type: 'linkDown', id })
        },
        messages: (from, messages) => {
          for (const message of messages) {
            if (message.type === 'request' || message.type === 'readIndex') this.#asker = from
            this.step({ type: 'message', from, message })
          }
        },
      },
    )
  }

  #hostSurroundings(): ConstructorParameters<typeof SessionHost>[0] {
    const { clock, entropy, limits, authentication } = this.#options
    const state = (): ReplicatedState => this.state
    const lastZxid = (): Zxid => this.#peer?.state.lastZxid ?? zxidZero
    const isSound = (): boolean => this.#standing === 'sound'
    return {
      clock,
      entropy,
      clockDriftMax: limits.clockDriftMax,
      limits: limits.session,
      authentication,
      warn: (message) => this.#handlers.warning(message),
      longestStall: (withinMs) => this.#stalls.longest(withinMs),
      source: this.#source,
      get state(): ReplicatedState {
        return state()
      },
      get lastZxid(): Zxid {
        return lastZxid()
      },
      get isSound(): boolean {
        return isSound()
      },
      requestsWaiting: () => this.#scheduleTurn(),
      readIndex: (id) => this.step({ type: 'readIndex', id }),
      heartbeat: (id: number, sessions: readonly SessionId[]) => this.step({ type: 'heartbeat', id, sessions }),
    }
  }

  /** Status changes are few: an election begins with the first one that says that nobody serves us. */
  #diagnoseElection(status: Status): void {
    const { clock } = this.#options
    const wasServing = this.#wasServing
    this.#wasServing = status.serving
    if (!status.serving && wasServing) {
      this.#lookingSince = clock.now()
      diagnose('embedded-coord:election', this.#source, (member) => ({ member, type: 'began', reason: status.reason }))
    }
    const { leader, epoch } = status
    if (!status.serving || wasServing || leader === undefined) return
    diagnose('embedded-coord:election', this.#source, (member) => ({
      member,
      type: 'ended',
      leader: { id: leader.id, name: leader.name },
      epoch,
      tookMs: clock.now() - this.#lookingSince,
    }))
  }

  #diagnoseMembers(members: readonly MemberInfo[]): void {
    diagnose('embedded-coord:member', this.#source, (member) => {
      const view = (isVoter: boolean): DiagnosticSource[] =>
        members.filter((one) => one.isVoter === isVoter).map(({ id, name }) => ({ id, name }))
      return { member, type: 'members', voters: view(true), observers: view(false) }
    })
  }

  #diagnoseStorage(message: Parameters<typeof diagnose<'embedded-coord:storage'>>[2]): void {
    diagnose('embedded-coord:storage', this.#source, message)
  }

  #onStall(ms: number): void {
    if (this.#closed || ms < this.#options.limits.stallWarningMs) return
    this.#handlers.warning(`this process stood still for ${(ms / 1000).toFixed(1)} s: others may take it for dead`)
  }

  #stop(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer.cancel()
    this.#calls.close()
    this.#reopenTimer?.cancel()
    this.#discovery?.close()
    this.sessions.close(reason)
    this.#tellWatchers()
  }

  #fail(error: CoordError): void {
    if (this.#closed) return
    this.#stop(error.message)
    this.#links?.close().catch(() => {})
    this.#handlers.failed(error)
  }
}

function bytesOf({ checkpoint, records }: StoredState): StoredBytes {
  const sum = (parts: readonly Uint8Array[]): number => parts.reduce((total, { length }) => total + length, 0)
  return { checkpoint: sum(checkpoint?.chunks ?? []), log: sum(records.map(({ bytes }) => bytes)) }
}

function storedText(stored: StoredState, name: string): string | undefined {
  const bytes = stored.values.get(name)
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function asStoreError(error: unknown): CoordError {
  if (error instanceof CoordError) return error
  return new CoordError('COORD_STORE_FAILED', `the store failed: ${messageOf(error)}`, { cause: error })
}

function asDamage(error: unknown): CoordError {
  if (error instanceof CoordError && error.code === 'COORD_STORE_DAMAGED') return error
  return new CoordError('COORD_STORE_DAMAGED', `the store is damaged: ${messageOf(error)}`, { cause: error })
}
