/**
 * A client: the znode API over sessions that renew themselves. When its session is lost it opens another one by itself;
 * the ephemeral nodes of the lost one are gone; watches and proofs of identity are made anew (a one-shot watch fires at
 * once for what it missed), and calls made from then on go to the new one.
 *
 * A namespace is a client under a path that shares the session; closing it closes only what it opened.
 */

import { atMost } from './api/at-most.ts'
import { checkCallOptions, requireMs } from './api/checks.ts'
import { emitSafely } from './api/emit.ts'
import { withJson } from './api/results.ts'
import { Session, type SessionOptions, type StateListener, uniqueName } from './api/session.ts'
import { codecOf, type ValueCodec, type ValueEncoding, type ValueOf } from './api/values.ts'
import type { WaitingReads } from './api/waiting-reads.ts'
import type { StreamSession } from './api/watch.ts'
import {
  type CallBody,
  type CallOptions,
  rootUnder,
  type WatchListener,
  type WatchRequest,
  Znodes,
} from './api/znodes.ts'
import { CoordError } from './errors.ts'
import type {
  CallResult,
  NodeRead,
  NodeReadResult,
  SessionLoss,
  SessionState,
  SessionTicket,
  WatchKind,
} from './ports/session-link.ts'
import { Barrier } from './recipes/barrier.ts'
import { Cache, type CacheOptions, TreeCache } from './recipes/cache.ts'
import { type ClaimOptions, claim } from './recipes/claim.ts'
import { Counter } from './recipes/counter.ts'
import { DoubleBarrier } from './recipes/double-barrier.ts'
import { Election, type ElectionOptions, type Singleton, singleton } from './recipes/election.ts'
import { type Group, group } from './recipes/group.ts'
import type { Held, Lock } from './recipes/held.ts'
import type { RecipeHost } from './recipes/host.ts'
import { type LockOptions, lock, lockAll, type MultiLock, tryLock, withLock } from './recipes/lock.ts'
import { Names } from './recipes/names.ts'
import { Queue } from './recipes/queue.ts'
import { type Firing, Schedule, type ScheduleOptions, type ScheduleTimes } from './recipes/schedule.ts'
import { Semaphore } from './recipes/semaphore.ts'
import { type Services, services } from './recipes/services.ts'
import { SynchronousQueue } from './recipes/synchronous-queue.ts'
import { Workers, type WorkersOptions } from './recipes/workers.ts'

export interface ClientEvents {
  /** `suspended`: calls wait. `lost`: locks and terms have ended, and the next session is being opened. `closed`: final. */
  state: [next: SessionState, previous: SessionState, reason: string]
}

/** A session that is over, and why. */
export interface LostSession extends SessionLoss {
  readonly id: bigint
  /** By the wall clock, milliseconds since 1970. */
  readonly atMs: number
  /** The same for people. */
  readonly reason: string
}

/** The session of a client and all its namespaces, whichever it is now. */
export class RenewingSession {
  readonly #options: SessionOptions
  readonly #listeners = new Set<StateListener>()
  #session: Session
  /** What the application proved, to be proven again for each session. */
  readonly #proofs: Extract<CallBody, { kind: 'auth' }>[] = []
  #state: SessionState = 'suspended'
  #closed = false
  #lost: LostSession | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#session = this.#open()
  }

  get current(): Session {
    return this.#session
  }

  get state(): SessionState {
    return this.#state
  }

  /** The last session that was lost. */
  get lost(): LostSession | undefined {
    return this.#lost
  }

  get options(): SessionOptions {
    return this.#options
  }

  onState(listener: StateListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get isClosed(): boolean {
    return this.#closed
  }

  noteProof(proof: Extract<CallBody, { kind: 'auth' }>): void {
    const isSame = ({ scheme, credentials }: typeof proof): boolean =>
      scheme === proof.scheme && Buffer.compare(credentials, proof.credentials) === 0
    if (!this.#proofs.some(isSame)) this.#proofs.push({ ...proof, patient: true })
  }

  async close(options?: { readonly timeoutMs?: number | undefined }): Promise<void> {
    this.#closed = true
    await this.#session.close(options)
    this.#become('closed', 'closed')
  }

  #open(): Session {
    const session = new Session(this.#options, codecOf('view') as ValueCodec<Uint8Array>)
    session.onState((next, _previous, reason) => this.#onState(session, next, reason))
    return session
  }

  #onState(session: Session, next: SessionState, reason: string): void {
    if (session !== this.#session) return
    const isOver = next === 'lost' || next === 'closed'
    if (isOver && this.#closed) return
    // The next session is there before anybody hears that the last one is lost: calls made then go to it.
    if (next === 'lost' && session.loss !== undefined) {
      const { id, loss } = session
      this.#lost = withJson({ ...loss, id, atMs: this.#options.clock.wallNow(), reason })
    }
    if (isOver) {
      this.#session = this.#open()
      for (const proof of this.#proofs) this.#session.perform(proof, () => undefined, undefined).catch(() => {})
      this.#session.inherit(session.legacy)
    }
    this.#become(isOver ? 'lost' : next, reason)
  }

  #become(next: SessionState, reason: string): void {
    const previous = this.#state
    if (previous === next || previous === 'closed') return
    this.#state = next
    for (const listener of [...this.#listeners]) listener(next, previous, reason)
  }
}

function checkTicket({ id, password }: SessionTicket): void {
  if (typeof id !== 'bigint' || id <= 0n || id >> 63n !== 0n)
    throw new TypeError(`attach.id must be the id of a session, not ${String(id)}`)
  if (!(password instanceof Uint8Array))
    throw new TypeError("attach.password must be the session's password, a Uint8Array")
}

export interface NamespaceOptions<E extends ValueEncoding = ValueEncoding> {
  /** Default: that of the client it is made from. */
  readonly valueEncoding?: E | undefined
}

export interface OpenSessionOptions {
  /** Default: the client's. */
  readonly timeoutMs?: number | undefined
  /** Take over this session, wherever it is attached now: it goes on here, and is lost there. */
  readonly attach?: SessionTicket | undefined
}

export class Client<V = Uint8Array> extends Znodes<V, ClientEvents> implements AsyncDisposable {
  readonly #renewing: RenewingSession
  readonly #codec: ValueCodec<V>
  readonly #opened = new Set<AsyncDisposable>()
  readonly #unsubscribe: () => void
  /** Recipes that want to know when this client is closed, though its session may live on. */
  readonly #closeListeners = new Set<() => void>()
  readonly #sharesSession: boolean
  #isClosed = false
  #closing: Promise<void> | undefined

  /** `sharesSession`: whether the session goes on when this is closed. */
  constructor(renewing: RenewingSession, root: string, codec: ValueCodec<V>, sharesSession = false) {
    super(root, codec)
    this.#renewing = renewing
    this.#codec = codec
    this.#sharesSession = sharesSession
    this.#unsubscribe = renewing.onState((next, previous, reason) => emitSafely(this, 'state', next, previous, reason))
  }

  /** `connected | suspended | lost | closed`. */
  get state(): SessionState {
    return this.#isClosed ? 'closed' : this.#renewing.state
  }

  /** The session as of now: another one after each loss. */
  get session(): Session<Uint8Array> {
    return this.#renewing.current
  }

  /**
   * Opens a session of its own, which does not renew itself. Resolves once it is open. Its paths and values are those of
   * this client; it has proven nothing yet, whatever this client has. Closed with this client.
   */
  async openSession(options: OpenSessionOptions & CallOptions = {}): Promise<Session<V>> {
    this.#requireOpen()
    checkCallOptions(options)
    requireMs('timeoutMs', options.timeoutMs)
    const timeoutMs = options.timeoutMs ?? this.#renewing.options.timeoutMs
    const { attach } = options
    if (attach !== undefined) checkTicket(attach)
    const session = new Session<V>({ ...this.#renewing.options, timeoutMs, attach, root: this.root }, this.#codec)
    this.#opened.add(session)
    session.onState((next) => {
      if (next === 'lost' || next === 'closed') this.#opened.delete(session)
    })
    try {
      await session.exists('/', { signal: options.signal })
    } catch (error) {
      // It is open, and may not read this node: there may be proofs to come.
      if (error instanceof CoordError && error.code === 'COORD_NO_AUTH') return session
      this.#opened.delete(session)
      await session.close({ timeoutMs: 0 })
      throw error
    }
    return session
  }

  /**
   * A client under a path: '/' is that path. The node need not exist. It shares the session; closing it closes what it
   * opened: its recipes, what is held by them, its watches and sessions.
   */
  namespace<const E extends ValueEncoding>(path: string, options: { readonly valueEncoding: E }): Client<ValueOf<E>>
  namespace<T = V>(path: string, options?: NamespaceOptions): Client<T>
  namespace(path: string, options: NamespaceOptions = {}): Client<unknown> {
    this.#requireOpen()
    const root = rootUnder(this.root, path)
    const codec = options.valueEncoding === undefined ? this.#codec : codecOf(options.valueEncoding)
    const client = new Client<unknown>(this.#renewing, root, codec as ValueCodec<unknown>, true)
    this.#opened.add(client)
    client.#closeListeners.add(() => this.#opened.delete(client))
    return client
  }

  /** First in, first out; an item of a consumer that dies is given to another one. */
  queue(path: string): Queue<V> {
    return new Queue(this.recipeHost(), path)
  }

  /** The same by priority: the least number first. */
  priorityQueue(path: string): Queue<V> {
    return new Queue(this.recipeHost(), path, { hasPriorities: true })
  }

  /** A queue whose `put` waits until a consumer has the value. */
  synchronousQueue(path: string): SynchronousQueue<V> {
    return new SynchronousQueue(this.recipeHost(), path)
  }

  /** A gate for all members: closed by `set`, opened by `remove`. */
  barrier(path: string): Barrier {
    return new Barrier(this.recipeHost(), path)
  }

  /** `count` participants begin together and end together. */
  doubleBarrier(path: string, count: number): DoubleBarrier {
    return new DoubleBarrier(this.recipeHost(), path, count)
  }

  /** A number that all members share. */
  counter(path: string): Counter {
    return new Counter(this.recipeHost(), path)
  }

  /** Live configuration: the value of a node, always at hand. */
  cache<T = V>(path: string, options: CacheOptions<T, V> & { readonly default: NoInfer<T> }): Promise<Cache<T, V>>
  cache<T = V>(path: string, options?: CacheOptions<T, V>): Promise<Cache<T | undefined, V>>
  async cache<T>(
    path: string,
    options: CacheOptions<T, V> & { readonly default?: T | undefined } = {},
  ): Promise<Cache<T | undefined, V>> {
    const cache = new Cache<T | undefined, V>(this.recipeHost(), path, options)
    await cache.start(options.signal)
    return cache
  }

  /** Live configuration: all values at and below a node. */
  async treeCache<T = V>(path: string, options: CacheOptions<T, V> = {}): Promise<TreeCache<T, V>> {
    const cache = new TreeCache<T, V>(this.recipeHost(), path, options)
    await cache.start(options.signal)
    return cache
  }

  /** Naming: names that are bound to one target each, and unique ids. */
  names(path: string): Names {
    return new Names(this.recipeHost(), path)
  }

  /** The service registry, under `/services`. */
  get services(): Services {
    return services(this.recipeHost())
  }

  /** A group of members that see each other. */
  group(path: string): Group<V> {
    return group(this.recipeHost(), path)
  }

  /** Tasks that are shared out among those who work. */
  workers(path: string, options?: WorkersOptions): Workers<V> {
    return new Workers(this.recipeHost(), path, options)
  }

  /** Waits for a lock, fairly. `shared`: with others who share it; else alone. */
  async lock(path: string, options?: LockOptions): Promise<Lock> {
    return lock(this.recipeHost(), path, options)
  }

  /** The lock if it is free now, else undefined. */
  async tryLock(path: string, options?: Omit<LockOptions, 'timeoutMs'>): Promise<Lock | undefined> {
    return tryLock(this.recipeHost(), path, options)
  }

  /** Runs `action` while the lock is held, and gives it back. Resolves with what `action` does. */
  async withLock<T>(path: string, action: (lock: Lock) => T | Promise<T>, options?: LockOptions): Promise<T> {
    return withLock(this.recipeHost(), path, action, options)
  }

  /** Several locks at once, taken in one order by everybody. */
  async lockAll(paths: readonly string[], options?: LockOptions): Promise<MultiLock> {
    return lockAll(this.recipeHost(), paths, options)
  }

  /** Up to so many leases at a time. */
  semaphore(path: string, permits: number): Semaphore {
    return new Semaphore(this.recipeHost(), path, permits)
  }

  /** Stands for election: one candidate leads, the others wait in line. */
  elect(path: string, options: ElectionOptions<V>): Election<V> {
    return new Election(this.recipeHost(), path, options)
  }

  /** Runs something on exactly one process of all that ask for it; elsewhere when that one goes. */
  singleton(name: string, run: (term: Held) => unknown): Singleton {
    return singleton(this.recipeHost(), name, run)
  }

  /** Runs a job at set times, each firing at most once in the whole ensemble. */
  schedule(name: string, times: ScheduleTimes, job: (firing: Firing) => unknown, options?: ScheduleOptions): Schedule {
    return new Schedule(this.recipeHost(), name, times, job, options)
  }

  /** Whether this process is the one that got a key, once and for all: for schedulers of one's own. */
  async claim(key: string, options?: ClaimOptions): Promise<boolean> {
    return claim(this.recipeHost(), key, options)
  }

  /**
   * Closes what this client opened: resolves when the callbacks of its terms, jobs and tasks have settled, or after
   * `timeoutMs`, if that is given. Idempotent.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void> {
    // Before anybody is told of it: who is, finds it closed.
    this.#isClosed = true
    this.#closing ??= this.closeOpened(options)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal */
  protected async closeOpened(options?: { readonly timeoutMs?: number | undefined }): Promise<void> {
    const opened = [...this.#opened]
    this.#opened.clear()
    // First: whoever waits for something is told, whatever the callbacks of others still do.
    for (const listener of [...this.#closeListeners]) listener()
    if (this.#sharesSession) this.#renewing.current.unwatchAll(this.deafen())
    this.#unsubscribe()
    const previous = this.#renewing.state
    if (previous !== 'closed') emitSafely(this, 'state', 'closed', previous, 'closed')
    // Its callbacks are the application's: one that never settles must not keep a process from ending.
    const { clock } = this.#renewing.options
    await atMost(clock, options?.timeoutMs, Promise.all(opened.map((handle) => handle[Symbol.asyncDispose]())))
  }

  /** @internal */
  readNow(read: NodeRead): NodeReadResult | undefined {
    return this.#isClosed ? undefined : this.#renewing.current.readNow(read)
  }

  /** @internal */
  readInTurn(read: NodeRead): WaitingReads | undefined {
    return this.#isClosed ? undefined : this.#renewing.current.readInTurn(read)
  }

  protected submit<T>(
    body: CallBody,
    settle: (result: CallResult) => T,
    options: CallOptions | undefined,
    watch?: WatchRequest,
  ): Promise<T> {
    if (this.#isClosed) return Promise.reject(new CoordError('COORD_CLOSED'))
    if (body.kind !== 'auth') return this.#renewing.current.perform(body, settle, options, watch)
    const proven = (result: CallResult): T => {
      const settled = settle(result)
      this.#renewing.noteProof(body)
      return settled
    }
    return this.#renewing.current.perform(body, proven, options, watch)
  }

  protected override get renews(): boolean {
    return true
  }

  protected override get sharesSession(): boolean {
    return this.#sharesSession
  }

  protected override ownWatch(watch: AsyncDisposable): () => void {
    this.#opened.add(watch)
    return () => this.#opened.delete(watch)
  }

  protected watchSource(): StreamSession | undefined {
    return !this.#isClosed && !this.#renewing.isClosed ? this.#renewing.current : undefined
  }

  protected removeListeners(
    path: string,
    kinds: readonly WatchKind[],
    listener: WatchListener | undefined,
    options: CallOptions | undefined,
  ): Promise<void> {
    if (this.#isClosed) return Promise.reject(new CoordError('COORD_CLOSED'))
    return this.#renewing.current.unwatch(path, kinds, listener, options)
  }

  /** @internal What recipes need of this client. */
  recipeHost(): RecipeHost<V> {
    this.#requireOpen()
    const renewing = this.#renewing
    const { clock, entropy, memberName } = renewing.options
    const state = (): SessionState => this.state
    return {
      get session(): Session {
        return renewing.current
      },
      get state(): SessionState {
        return state()
      },
      root: this.root,
      codec: this.#codec,
      clock,
      get memberName(): string | undefined {
        return memberName?.()
      },
      random: () => entropy.random(),
      uniqueName: () => uniqueName(entropy),
      onState: (listener) => {
        const stop = renewing.onState(listener)
        const onClosed = (): void => listener('closed')
        this.#closeListeners.add(onClosed)
        return () => {
          stop()
          this.#closeListeners.delete(onClosed)
        }
      },
      own: (handle) => {
        // What was under way when this was closed: it goes as soon as it has come.
        if (this.#isClosed) queueMicrotask(() => void handle[Symbol.asyncDispose]())
        else this.#opened.add(handle)
        return () => this.#opened.delete(handle)
      },
    }
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new CoordError('COORD_CLOSED')
  }
}
