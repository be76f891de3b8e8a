/**
 * What `joinEnsemble` returns: a client, and the member of the ensemble that lives in this process.
 */
import { EventEmitter } from 'node:events'
import { checkCallOptions, checkSnapshotOptions, isObject, requireSeats } from './api/checks.ts'
import { asListener, emitSafely } from './api/emit.ts'
import { abortError, abortedOr, withJson } from './api/results.ts'
import type { ValueCodec } from './api/values.ts'
import type { CallOptions } from './api/znodes.ts'
import { Client, type LostSession, RenewingSession } from './client.ts'
import type { Zxid } from './core/zab/zxid.ts'
import { CoordError } from './errors.ts'
import type { Clock } from './ports/clock.ts'
import type { Entropy } from './ports/entropy.ts'
import type { Hosting, HostingStanding, TreeSize } from './ports/hosting.ts'
import type { Progress } from './ports/progress.ts'
import type { SessionState } from './ports/session-link.ts'
import { diagnose } from './runtime/diagnostics.ts'
import type { LaggingMember, MissingMember, NoLeader } from './runtime/explanation.ts'
import {
  type Member,
  type MemberInfo,
  type MemberRecord,
  type MembershipRequest,
  majorityLostText,
  type Status,
} from './runtime/member.ts'
import { type SnapshotFileOptions, type SnapshotInfo, writeSnapshotFile } from './runtime/snapshot-file.ts'

/** What an operator wants to know: see `Coord.explain`. */
export interface Explanation {
  readonly state: SessionState
  readonly role: MemberRole
  /** Whether a quorum serves this member. */
  readonly serving: boolean
  /** For people: why no leader serves this member, and who is missing. */
  readonly reason: string
  /** Why no leader serves this member; undefined while one does. */
  readonly noLeader: NoLeader | undefined
  /** Members that this one has no link to, with why, and why the last dial failed. */
  readonly missing: readonly MissingMember[]
  /** Members that are not up to date, the worst first: all as the leader sees them, elsewhere only this one. */
  readonly lagging: readonly LaggingMember[]
  /** The last session of this coord that was lost, and why. */
  readonly lostSession: LostSession | undefined
  /** Each address that is dialled, and how that goes. */
  readonly peers: readonly string[]
  /** Why this member stopped by itself. */
  readonly failure: string | undefined
  /** Why its store is, or was, repaired from the others. */
  readonly damage: string | undefined
}

/** `looking`: this member has no leader that serves it. `unreachable`: this member has no link to that one. */
export type MemberRole = 'leader' | 'follower' | 'observer' | 'looking' | 'unreachable'

/** A member as others see it. */
export interface MemberView {
  /** Of this incarnation: another one after each start without a durable store. */
  readonly id: string
  /** The same after a restart. */
  readonly name: string
  /** As far as this member sees it. */
  readonly role: MemberRole
  /** What others dial. */
  readonly address: string
  /** Whether it has a seat. */
  readonly voter: boolean
}

export interface MemberEvents {
  /** This member's own. */
  role: [next: MemberRole, previous: MemberRole]
  /** Who leads and serves this member is another one; undefined: nobody. */
  leader: [leader: MemberView | undefined]
  /** The committed configuration, or who of it is reachable, has changed. */
  members: [members: readonly MemberView[]]
  /** For operators: two voters, voters in memory alone, soft quotas, stalls, a failing store or discovery. */
  warning: [message: string]
  /** Something that takes long gets on: recovery, a snapshot, catching up. */
  progress: [progress: Progress]
}

/** The member of this process, and what it knows of the ensemble. */
export class EnsembleMember extends EventEmitter<MemberEvents> {
  readonly #member: Member
  #status: Status | undefined
  #infos: readonly MemberInfo[] = []
  /** What was warned of and is still so. */
  #standing: readonly string[] = []
  /** Warnings that nobody heard, since nobody had this yet: the first listener does. */
  #unheard: string[] = []
  #isJoined = false

  constructor(member: Member) {
    super()
    this.#member = member
    ;(this as EventEmitter).on('newListener', (event) => {
      if (event === 'warning') queueMicrotask(() => this.#tellUnheard())
    })
  }

  /** Of this incarnation: another one after each start of a member without a durable store. */
  get id(): string {
    return this.#member.self.id
  }

  /** The same after a restart. */
  get name(): string {
    return this.#member.self.name
  }

  /** What others dial. */
  get address(): string {
    return this.#member.self.address
  }

  /** `looking` while no leader serves it. */
  get role(): MemberRole {
    return roleOf(this.#status)
  }

  /** Of the leader that serves this member; 0 while none does. */
  get epoch(): number {
    return this.#status?.epoch ?? 0
  }

  /** Of the ensemble, for as long as it lives; '' before there is one. */
  get clusterId(): string {
    return this.#status?.cluster ?? ''
  }

  /** Through which zxid this replica has applied the log. */
  get lastZxid(): bigint {
    return this.#member.state.lastZxid
  }

  /**
   * What this process has written to its store since it joined: commits, each of which waited for the disk once, and entries
   * of the log in them. How many entries share a commit says how well writes are grouped. In memory: nothing.
   */
  get written(): { readonly commits: number; readonly entries: number } {
    return this.#member.written
  }

  /** Who leads and serves this member. */
  get leader(): MemberView | undefined {
    const leader = this.#status?.leader
    return leader === undefined ? undefined : { ...viewOf(leader), role: 'leader', voter: this.#isVoter(leader) }
  }

  /** The members of the committed configuration. */
  get members(): readonly MemberView[] {
    return this.#infos.map((info) => ({ ...viewOf(info), role: this.#roleOf(info), voter: info.isVoter }))
  }

  toJSON(): object {
    const { id, name, role, epoch, leader, members, clusterId } = this
    return { id, name, role, epoch, leader, members, clusterId, lastZxid: `${this.lastZxid}` }
  }

  /** @internal */
  onStatus(status: Status): void {
    const previous = this.role
    const previousLeader = this.#status?.leader?.id
    const wasLost = this.#status?.majorityLost === true
    this.#status = status
    if (this.role !== previous) {
      const { role, epoch } = this
      diagnose(
        'embedded-coord:role',
        () => this,
        (member) => ({ member, role, previous, epoch }),
      )
      emitSafely(this, 'role', role, previous)
    }
    if (status.leader?.id !== previousLeader) emitSafely(this, 'leader', this.leader)
    if (status.majorityLost && !wasLost) this.onWarning(majorityLostText)
  }

  /** @internal */
  onMembers(infos: readonly MemberInfo[]): void {
    this.#infos = infos
    emitSafely(this, 'members', this.members)
    if (this.#isJoined) this.#warnOfStanding()
  }

  /** @internal The application has it now, and may listen. */
  onJoined(): void {
    this.#isJoined = true
    this.#warnOfStanding()
  }

  /** @internal */
  onWarning(message: string): void {
    if (this.#isJoined) emitSafely(this, 'warning', message)
    else this.#unheard.push(message)
  }

  #tellUnheard(): void {
    const unheard = this.#unheard
    this.#unheard = []
    for (const message of unheard) emitSafely(this, 'warning', message)
  }

  /** @internal */
  onProgress({ phase, done, total }: Progress): void {
    emitSafely(this, 'progress', { phase, done, total })
  }

  /** Of what stays so until somebody changes it: once when it becomes so. */
  #warnOfStanding(): void {
    const voters = this.#infos.filter(({ isVoter }) => isVoter)
    const isVoter = voters.some(({ id }) => id === this.id)
    const standing = [
      ...(voters.length === 2 ? [twoVotersText] : []),
      // Whoever is alone in memory knows it.
      ...(isVoter && this.#infos.length > 1 && this.#member.isVolatile ? [memoryOnlyText] : []),
    ]
    const told = this.#standing
    this.#standing = standing
    this.#unheard = this.#unheard.filter((text) => !told.includes(text) || standing.includes(text))
    for (const text of standing) {
      if (told.includes(text)) continue
      if (this.listenerCount('warning') > 0) emitSafely(this, 'warning', text)
      else this.#unheard.push(text)
    }
  }

  #isVoter({ id }: MemberRecord): boolean {
    return this.#infos.some((info) => info.id === id && info.isVoter)
  }

  #roleOf({ id, isVoter, isLinked }: MemberInfo): MemberRole {
    if (id === this.id) return this.role
    if (id === this.#status?.leader?.id) return 'leader'
    if (!isLinked) return 'unreachable'
    return isVoter ? 'follower' : 'observer'
  }
}

const twoVotersText =
  'there are two voters: where either stops, nothing is written any more. Have one, or three or five'

const memoryOnlyText =
  'this voter keeps everything in memory alone: where a majority of the voters does and ends at the same time, all is lost. With the option storage nothing is'

const viewOf = ({ id, name, address }: MemberRecord): Omit<MemberView, 'role' | 'voter'> => ({ id, name, address })

function treeSizeOf(places: Iterable<{ readonly path: string; readonly node: NodeSize }>): TreeSize {
  let [ephemerals, bytes] = [0, 0]
  for (const { path, node } of places) {
    bytes += path.length + (node.data?.length ?? 0)
    if (node.mode === 'ephemeral') ephemerals += 1
  }
  return { ephemerals, bytes }
}

interface NodeSize {
  readonly data: Uint8Array | undefined
  readonly mode: string
}

function roleOf(status: Status | undefined): MemberRole {
  if (status === undefined || !status.serving) return 'looking'
  if (status.role === 'leading') return 'leader'
  return status.isVoter ? 'follower' : 'observer'
}

/** What a coord is made of: `lib/index.ts` puts it together. */
export interface CoordParts {
  readonly member: Member
  readonly clock: Clock
  readonly entropy: Entropy
  readonly timeoutMs: number
  readonly requestTimeoutMs: number
  readonly readOnly: boolean
  readonly root: string
}

export class Coord<V = Uint8Array> extends Client<V> {
  /** The member of this process, and what it knows of the others. */
  readonly member: EnsembleMember
  readonly #parts: CoordParts
  readonly #renewing: RenewingSession
  #failure: CoordError | undefined
  #isLeaving = false

  constructor(parts: CoordParts, view: EnsembleMember, codec: ValueCodec<V>) {
    const { member, clock, entropy, timeoutMs, requestTimeoutMs, readOnly, root } = parts
    const renewing = new RenewingSession({
      door: member.sessions,
      clock,
      entropy,
      memberName: () => view.name,
      timeoutMs,
      requestTimeoutMs,
      readOnly,
    })
    super(renewing, root, codec)
    this.#parts = parts
    this.#renewing = renewing
    this.member = view
  }

  /** Resolves once a quorum serves this member. */
  async ready(options: CallOptions = {}): Promise<void> {
    checkCallOptions(options)
    const { signal } = options
    if (signal?.aborted === true) throw abortError(signal)
    if (this.#failure !== undefined) throw this.#failure
    if (this.state === 'connected') return
    if (this.state === 'closed') throw new CoordError('COORD_CLOSED')
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        stop()
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        done()
        reject(abortError(signal as AbortSignal))
      }
      const stop = this.#renewing.onState((next) => {
        if (next !== 'connected' && next !== 'closed') return
        done()
        if (next === 'connected') resolve()
        else reject(this.#failure ?? new CoordError('COORD_CLOSED'))
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** @internal For adapters that let other clients in. */
  get hosting(): Hosting {
    const { member, clock, requestTimeoutMs } = this.#parts
    const view = this.member
    return {
      door: member.sessions,
      clock,
      requestTimeoutMs,
      get serving(): boolean {
        return member.status?.serving ?? false
      },
      get lastZxid(): Zxid {
        return member.state.lastZxid
      },
      get standing(): HostingStanding {
        const { role, epoch, leader, members } = view
        return { role, epoch, leader: leader?.address, members }
      },
      get nodeCount(): number {
        return member.state.tree.nodeCount
      },
      treeSize: () => treeSizeOf(member.state.tree.walk('/')),
      sessions: () => {
        const { sessions, tree } = member.state
        return sessions.list().map(({ id, timeoutMs }) => ({ id, timeoutMs, ephemerals: tree.getEphemerals(id) }))
      },
      watches: () => member.sessions.watches(),
    }
  }

  /** Lets the process end although this coord is open. */
  unref(): this {
    this.#parts.member.setRef(false)
    return this
  }

  /** An open coord holds the process: the default. */
  ref(): this {
    this.#parts.member.setRef(true)
    return this
  }

  /**
   * What an operator wants to see, as of now: why nobody leads, who is missing, who lags, why the last session was lost. It
   * asks nobody; a member that is cut off tells what it sees.
   */
  explain(): Explanation {
    const { member } = this.#parts
    const { noLeader, reason, missing, lagging } = member.explain()
    return {
      state: this.state,
      role: this.member.role,
      serving: member.status?.serving ?? false,
      reason,
      noLeader,
      missing,
      lagging,
      lostSession: this.#renewing.lost,
      peers: member.linkFailures(),
      failure: this.#failure?.message,
      damage: member.damage?.message,
    }
  }

  /** @internal The member stopped by itself. */
  onFailed(error: CoordError): void {
    this.#failure = error
    this.member.onWarning(error.message)
    void this.close({ timeoutMs: 0 })
  }

  /**
   * Changes who the members are. `add` gives members seats, or makes them observers; `remove` takes members out for good;
   * `voters` is how many seats are wanted, odd. One change at a time; resolves once it is committed and in force.
   * Rejects with COORD_BAD_ARGUMENTS where a member of that name is not here, with COORD_NEW_CONFIG_NO_QUORUM where those
   * who would vote could not commit anything, with COORD_TIMEOUT without an answer in `requestTimeoutMs`.
   */
  async reconfigure(change: ReconfigureOptions, options: CallOptions = {}): Promise<void> {
    const request = changeRequestOf(change)
    checkCallOptions(options)
    await this.#request(request, options.signal)
  }

  /**
   * Passes leadership on: to the voter of this name, or to the one that is furthest. Without an election, in a few round
   * trips. Rejects with COORD_BAD_ARGUMENTS where no such voter is up to date.
   */
  async transferLeadership(name?: string, options: CallOptions = {}): Promise<void> {
    if (name !== undefined && typeof name !== 'string') throw new TypeError('name must be the name of a member')
    checkCallOptions(options)
    await this.#request({ kind: 'transfer', name }, options.signal)
  }

  /**
   * Whether those who stay would be a quorum, if this member stopped now: what an orchestrator should know before it
   * stops the process. False also where no quorum serves this member.
   */
  async canStop(options: CallOptions = {}): Promise<boolean> {
    checkCallOptions(options)
    if (this.#parts.member.status?.serving !== true) return false
    try {
      await this.#request({ kind: 'mayStop' }, options.signal)
      return true
    } catch (error) {
      if (error instanceof CoordError) return false
      throw error
    }
  }

  /**
   * Writes the tree, with its sessions, as this member has applied it, to a file: a backup. `sync` first, if what others
   * were told last must be in it. Everything keeps running meanwhile; the file is there whole, or not at all. It is what
   * `restoreFrom` founds an ensemble with, and `verifySnapshot` reads. It holds all data, and hashes of passwords.
   * Rejects with COORD_SNAPSHOT_FAILED where it cannot be written, COORD_NO_QUORUM where there is nothing here yet.
   */
  async exportSnapshot(file: string, options: SnapshotFileOptions = {}): Promise<SnapshotInfo> {
    checkSnapshotOptions(file, options)
    const { signal } = options
    if (signal?.aborted === true) throw abortError(signal)
    if (this.state === 'closed') throw new CoordError('COORD_CLOSED')
    if (this.member.lastZxid === 0n) throw new CoordError('COORD_NO_QUORUM', 'this member has no tree yet')
    try {
      const shielded = { signal, onProgress: asListener(options.onProgress) }
      return withJson(await writeSnapshotFile(file, await this.#parts.member.snapshotSource(signal), shielded))
    } catch (error) {
      throw abortedOr(error, signal)
    }
  }

  /**
   * Closes, and gives the membership up: a seat passes on to an observer, or the voters become fewer. For good, as when a
   * service is scaled down; a process that will be back uses `close`. Bounded by `timeoutMs` (default 2,000), and never
   * rejects: where the seat could not be given up, `member` says so in a `warning`.
   */
  leave(options: CloseOptions = {}): Promise<void> {
    this.#isLeaving = true
    return this.close(options)
  }

  async #request(request: MembershipRequest, signal: AbortSignal | undefined): Promise<void> {
    const { member, clock, requestTimeoutMs } = this.#parts
    if (this.state === 'closed') throw new CoordError('COORD_CLOSED')
    if (signal?.aborted === true) throw abortError(signal)
    const bound = new AbortController()
    const onAbort = (): void => bound.abort(abortError(signal as AbortSignal))
    signal?.addEventListener('abort', onAbort, { once: true })
    const text = `no answer about the configuration within ${requestTimeoutMs} ms`
    const timer = clock.setTimer(requestTimeoutMs, () => bound.abort(new CoordError('COORD_TIMEOUT', text)))
    try {
      await member.request(request, bound.signal)
    } finally {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /**
   * @internal In this order, all of it bounded, and cut short where enough others have taken leave that nobody can answer:
   * the sessions, while there is a quorum, so that their ephemeral nodes go now and not by a timeout; the seat; leadership.
   */
  protected override async closeOpened(options?: CloseOptions): Promise<void> {
    const { member, clock } = this.#parts
    const bound = new AbortController()
    const timeoutMs = options?.timeoutMs ?? 2000
    const timer = clock.setTimer(timeoutMs, () => bound.abort())
    const forsaken = member.forsaken(bound.signal)
    const closing = this.#renewing.close({ timeoutMs })
    const closed = closing.then(() => super.closeOpened({ timeoutMs }))
    await Promise.race([closed, forsaken, aborted(bound.signal)])
    await Promise.race([this.#giveUpSeat(bound.signal), forsaken])
    await Promise.race([member.handOver(bound.signal), forsaken])
    timer.cancel()
    bound.abort()
    // Whatever still waits is answered by this, with nothing.
    await member.close()
    await closed
  }

  async #giveUpSeat(signal: AbortSignal): Promise<void> {
    const { member } = this.#parts
    if (!this.#isLeaving && !member.isVolatile) return
    if (member.status?.serving !== true || this.member.members.length === 1) return
    try {
      await member.request({ kind: this.#isLeaving ? 'leave' : 'close' }, signal)
    } catch (error) {
      const why = error instanceof CoordError ? error.message : String(error)
      if (this.#isLeaving) this.member.onWarning(`this member stops, but keeps its seat: ${why}`)
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

export interface CloseOptions {
  /** How long it may take at most, also where callbacks of the application never settle. Milliseconds, default 2,000. */
  readonly timeoutMs?: number | undefined
}

export interface ReconfigureOptions {
  /** Names of members that are to vote; or `{ name, role }`, also to make an observer of a voter. */
  readonly add?: readonly (string | { readonly name: string; readonly role: 'voter' | 'observer' })[] | undefined
  /** Names of members that are to be members no more. */
  readonly remove?: readonly string[] | undefined
  /** How many seats there are. Odd. */
  readonly voters?: number | undefined
}

const changeNames = new Set(['add', 'remove', 'voters'])

function changeRequestOf(change: ReconfigureOptions): MembershipRequest {
  if (!isObject(change)) throw new TypeError('reconfigure takes { add?, remove?, voters? }')
  for (const name of Object.keys(change)) {
    if (!changeNames.has(name)) throw new TypeError(`unknown option '${name}' of reconfigure`)
  }
  const { add = [], remove = [], voters } = change as ReconfigureOptions
  if (!Array.isArray(add) || !Array.isArray(remove)) throw new TypeError('add and remove must be arrays of names')
  const choices = add.map((choice) => (typeof choice === 'string' ? { name: choice, role: 'voter' as const } : choice))
  for (const choice of choices) {
    const isChoice = isObject(choice) && typeof choice['name'] === 'string'
    if (!isChoice || (choice['role'] !== 'voter' && choice['role'] !== 'observer'))
      throw new TypeError("each of add must be a name, or { name, role: 'voter' | 'observer' }")
  }
  for (const name of remove) if (typeof name !== 'string') throw new TypeError('each of remove must be a name')
  requireSeats('voters', voters)
  return { kind: 'change', add: choices.map(({ name, role }) => ({ name, role })), remove: [...remove], seats: voters }
}
