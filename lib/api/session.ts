/**
 * A session as the application sees it: the znode API over one session link, strict as ZooKeeper's. Once lost it is over:
 * its ephemeral nodes go, its watches are gone, and every call rejects with COORD_SESSION_EXPIRED. (A `Client` opens a
 * new one by itself.)
 */
import type { SessionId } from '../core/tree/session-id.ts'
import { type Zxid, zxidZero } from '../core/zab/zxid.ts'
import { CoordError } from '../errors.ts'
import { Numbered } from '../numbered.ts'
import type { Clock } from '../ports/clock.ts'
import type { Entropy } from '../ports/entropy.ts'
import type {
  CallResult,
  NodeRead,
  NodeReadResult,
  SessionDoor,
  SessionItem,
  SessionLink,
  SessionLoss,
  SessionState,
  SessionTicket,
  StreamRequest,
  WatchEvent,
  WatchKind,
  WatchRegistrations,
} from '../ports/session-link.ts'
import { atMost } from './at-most.ts'
import { Dispatcher } from './dispatcher.ts'
import { callListener, emitSafely } from './emit.ts'
import { abortError, withJson } from './results.ts'
import { SessionBytes } from './session-bytes.ts'
import type { ValueCodec } from './values.ts'
import { WaitingReads } from './waiting-reads.ts'
import type { StreamHandle, StreamSession, StreamSink } from './watch.ts'
import { WatchListeners } from './watch-listeners.ts'
import { type CallBody, type CallOptions, numbered, type WatchListener, type WatchRequest, Znodes } from './znodes.ts'

export interface SessionEvents {
  /** `lost` and `closed` are final. */
  state: [next: SessionState, previous: SessionState, reason: string]
}

export interface SessionOptions {
  readonly door: SessionDoor
  readonly clock: Clock
  readonly timeoutMs: number
  readonly requestTimeoutMs: number
  readonly attach?: SessionTicket | undefined
  readonly address?: string | undefined
  readonly readOnly?: boolean | undefined
  readonly superDigest?: string | undefined
  /** For recipes. */
  readonly entropy: Entropy
  /** Tells the name of the member in this process, if there is one. */
  readonly memberName?: (() => string | undefined) | undefined
  /** Its paths are under this one. Default '': all. */
  readonly root?: string | undefined
}

/** Of the library's own parts: the application neither sees nor removes them, and there may be many. */
export type StateListener = (next: SessionState, previous: SessionState, reason: string) => void

interface PendingCall {
  readonly watch: WatchRequest | undefined
  readonly settle: (result: CallResult) => unknown
  readonly resolve: (value: never) => void
  readonly reject: (reason: unknown) => void
  /** Stops listening to the signal that may abort it, where there is one. */
  readonly release: (() => void) | undefined
}

/** What a session leaves to the one that takes its place: who listens to what, and what they have heard of. */
export interface SessionLegacy {
  readonly listeners: WatchListeners
  readonly seen: Zxid
}

/** Of a node that is there, `exists` watches the data: it must not hear of its creation when it is resumed elsewhere. */
function asRegistered(watch: WatchRequest, result: CallResult): WatchRequest {
  const isThere = result.type === 'stat' && result.stat !== undefined
  return watch.kind === 'exists' && isThere ? { ...watch, kind: 'data' } : watch
}

const watchKinds: readonly WatchKind[] = ['data', 'exists', 'children', 'persistent', 'persistent-recursive']

/** The member has one watch for data and existence. */
function sharesWatch(one: WatchKind, other: WatchKind): boolean {
  const listOf = (kind: WatchKind): WatchKind => (kind === 'exists' ? 'data' : kind)
  return listOf(one) === listOf(other)
}

export class Session<V = Uint8Array> extends Znodes<V, SessionEvents> implements AsyncDisposable, StreamSession {
  readonly #options: SessionOptions
  readonly #codec: ValueCodec<V>
  readonly #link: SessionLink
  readonly #clock: Clock
  readonly #dispatcher: Dispatcher
  readonly #pending = new Numbered<PendingCall>()
  readonly #streams = new Map<number, StreamSink>()
  readonly #stateListeners = new Set<StateListener>()
  /** What ends with the certainty that this session lives: locks, terms. */
  readonly #held = new Set<() => void>()
  #listeners = new WatchListeners()
  #seen: Zxid = zxidZero
  /** Through which zxid the listeners of a session before this one have heard of everything, until they go on here. */
  #inherited: Zxid | undefined
  /** Reads whose turn has not come, and which have not been sent. */
  #waiting: WaitingReads | undefined
  /** Of recipes: they end with the session. */
  readonly #handles = new Set<AsyncDisposable>()
  readonly #bytes = new SessionBytes(this)
  #lastId = 0
  #state: SessionState = 'suspended'
  #closing: Promise<void> | undefined
  #loss: SessionLoss | undefined

  constructor(options: SessionOptions, codec: ValueCodec<V>) {
    super(options.root ?? '', codec)
    this.#options = options
    this.#codec = codec
    this.#clock = options.clock
    this.#dispatcher = new Dispatcher(
      (item) => this.#take(item),
      (callback) => this.#clock.afterMicrotasks(callback),
    )
    this.#link = options.door.open(options, (item) => this.#dispatcher.push(item))
  }

  /** A random positive number of 63 bits; with `password`, what `openSession({ attach: session })` takes it over by. */
  get id(): bigint {
    return this.#link.id satisfies SessionId
  }

  /** What another member wants to see before it takes the session over. Keep it secret. */
  get password(): Uint8Array {
    return this.#link.password.slice()
  }

  /** Without contact for so long it is lost: what was asked for, brought between the member's limits. */
  get timeoutMs(): number {
    return this.#link.timeoutMs
  }

  /** `connected | suspended | lost | closed`. Suspended from the start, until the session is open. */
  get state(): SessionState {
    return this.#state
  }

  /** Why it was lost, once it is. */
  get loss(): SessionLoss | undefined {
    return this.#loss
  }

  /**
   * Ends the session: its ephemeral nodes are gone when this resolves, or will be within its timeout where no quorum
   * answers. Idempotent.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void> {
    this.#endHeld()
    this.#closing ??= this.#close(options?.timeoutMs ?? this.#link.timeoutMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal What recipes need of this session, which is theirs as long as it lives. */
  recipeHost() {
    if (this.#closing !== undefined) throw new CoordError('COORD_CLOSED')
    const { clock, entropy, memberName } = this.#options
    const state = (): SessionState => (this.#closing === undefined ? this.#state : 'closed')
    return {
      session: this.#bytes,
      get state(): SessionState {
        return state()
      },
      root: this.root,
      codec: this.#codec,
      clock,
      get memberName(): string | undefined {
        return memberName?.()
      },
      random: (): number => entropy.random(),
      uniqueName: (): string => uniqueName(entropy),
      onState: (listener: StateListener): (() => void) => this.onState(listener),
      own: (handle: AsyncDisposable): (() => void) => {
        // What was under way when this was closed: it goes as soon as it has come.
        if (this.#closing === undefined) this.#handles.add(handle)
        else queueMicrotask(() => void handle[Symbol.asyncDispose]())
        return () => this.#handles.delete(handle)
      },
    }
  }

  /** @internal Called before the listeners of the event `state`. Returns how to let go of it. */
  onState(listener: StateListener): () => void {
    this.#stateListeners.add(listener)
    return () => this.#stateListeners.delete(listener)
  }

  /** @internal A call on behalf of a client that shares this session. */
  perform<T>(
    body: CallBody,
    settle: (result: CallResult) => T,
    options: CallOptions | undefined,
    watch?: WatchRequest,
  ): Promise<T> {
    return this.submit(body, settle, options, watch)
  }

  /**
   * @internal Whether the ensemble certainly has not given this session up, by the local clock alone: what it holds cannot
   * be anybody else's yet.
   */
  get isCertain(): boolean {
    if (this.#closing !== undefined || (this.#state !== 'connected' && this.#state !== 'suspended')) return false
    return this.#clock.now() < (this.#link.confirmedUntil ?? Number.POSITIVE_INFINITY)
  }

  /** @internal Calls back, once, when that ends: before anything else that is delivered then. Returns how to let go of it. */
  hold(onEnd: () => void): () => void {
    this.#held.add(onEnd)
    return () => this.#held.delete(onEnd)
  }

  /** What `watch()` is made of, which is easier to use: opens a stream of events, some at each pull. */
  async openStream(request: StreamRequest, sink: StreamSink, options?: CallOptions): Promise<StreamHandle> {
    this.#lastId += 1
    const stream = this.#lastId
    this.#streams.set(stream, sink)
    try {
      await this.perform(
        { kind: 'read', read: { type: 'openStream', stream, ...request }, consistency: 'session' },
        throwIfFailed,
        options,
      )
    } catch (error) {
      this.#streams.delete(stream)
      this.#link.call({ kind: 'closeStream', id: stream })
      throw error
    }
    return {
      pull: () => this.#link.call({ kind: 'pull', id: stream }),
      close: () => {
        if (this.#streams.delete(stream)) this.#link.call({ kind: 'closeStream', id: stream })
      },
    }
  }

  /** @internal The paths at which a function listens, as the session names them. */
  watchedBy(listener: WatchListener): readonly string[] {
    return this.#listeners.pathsOf(listener)
  }

  /** @internal Removes listeners; what nobody listens to any more, the member forgets. */
  async unwatch(
    path: string,
    kinds: readonly WatchKind[],
    listener: WatchListener | undefined,
    options: CallOptions | undefined,
  ): Promise<void> {
    const { found, unheard } = this.#listeners.remove(path, kinds, listener)
    if (!found) throw new CoordError('COORD_NO_WATCHER', undefined, { path })
    // One that is being set just now is behind the same watch of the member.
    const isAwaited = (kind: WatchKind): boolean =>
      this.#pending.values().some(({ watch }) => watch?.path === path && sharesWatch(watch.kind, kind))
    const kindsGone = unheard.filter((kind) => !isAwaited(kind))
    if (kindsGone.length === 0) return
    const read = { type: 'removeWatches', path, kinds: kindsGone } as const
    // Whether the member still had it does not matter: it may have fired meanwhile.
    await this.perform({ kind: 'read', read, consistency: 'session' }, () => undefined, options)
  }

  /** @internal Removes the listeners of which that is said. What cannot be told to the member goes with the session. */
  unwatchAll(concerns: (listener: WatchListener) => boolean): void {
    for (const listener of this.#listeners.all()) {
      if (!concerns(listener)) continue
      for (const path of this.#listeners.pathsOf(listener))
        this.unwatch(path, watchKinds, listener, undefined).catch(() => {})
    }
  }

  /** @internal What this session, which is over, leaves behind. */
  get legacy(): SessionLegacy {
    return { listeners: this.#listeners, seen: this.#inherited ?? this.#seen }
  }

  /** @internal Takes the place of a session that was lost: listeners hear what they missed, and go on. */
  inherit({ listeners, seen }: SessionLegacy): void {
    const watched: WatchRegistrations = listeners.registrations()
    if (Object.values(watched).every((paths) => paths.length === 0)) return
    this.#listeners = listeners
    this.#inherited = seen
    const read = { type: 'resumeWatches', seen, watched } as const
    const resumed = (result: CallResult): void => {
      if (result.type !== 'error') this.#inherited = undefined
    }
    this.perform({ kind: 'read', read, consistency: 'session', patient: true }, resumed, undefined).catch(() => {
      // Lost again before that: then the next session inherits.
    })
  }

  protected watchSource(): StreamSession | undefined {
    return this.#state === 'lost' ? this : this.#closing === undefined ? this : undefined
  }

  protected removeListeners(
    path: string,
    kinds: readonly WatchKind[],
    listener: WatchListener | undefined,
    options: CallOptions | undefined,
  ): Promise<void> {
    return this.unwatch(path, kinds, listener, options)
  }

  /** @internal */
  readNow(read: NodeRead): NodeReadResult | undefined {
    if (this.#closing !== undefined || this.#waiting !== undefined || !this.#dispatcher.isIdle) return undefined
    const result = this.#link.readNow?.(read)
    if (result !== undefined) this.#dispatcher.noteReply()
    return result
  }

  /** @internal They are sent with the next call, or when the code that makes them has run. */
  readInTurn(read: NodeRead): WaitingReads | undefined {
    if (this.#closing !== undefined || this.#link.readNow === undefined) return undefined
    if (this.#waiting === undefined) {
      const waiting = new WaitingReads()
      this.#waiting = waiting
      queueMicrotask(() => {
        if (this.#waiting === waiting) this.#sendWaiting()
      })
    }
    const waiting = this.#waiting
    waiting.add(read)
    if (waiting.isFull) this.#sendWaiting()
    return waiting
  }

  #sendWaiting(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    const settle = (result: CallResult): void => waiting.settle(result)
    this.#lastId += 1
    const id = this.#lastId
    this.#pending.add(id, { watch: undefined, settle, resolve: nothing, reject: nothing, release: undefined })
    const read = { type: 'reads', reads: waiting.reads } as const
    this.#link.call({ kind: 'read', id, read, consistency: 'session' })
  }

  protected submit<T>(
    body: CallBody,
    settle: (result: CallResult) => T,
    options: CallOptions | undefined,
    watch?: WatchRequest,
  ): Promise<T> {
    const signal = options?.signal
    if (signal?.aborted === true) return Promise.reject(abortError(signal))
    if (this.#closing !== undefined) return Promise.reject(new CoordError('COORD_CLOSED'))
    return this.#call(body, settle, signal, watch)
  }

  #call<T>(
    body: CallBody,
    settle: (result: CallResult) => T,
    signal: AbortSignal | undefined,
    watch: WatchRequest | undefined,
  ): Promise<T> {
    this.#sendWaiting()
    return new Promise<T>((resolve, reject) => {
      this.#lastId += 1
      const id = this.#lastId
      const release = signal === undefined ? undefined : this.#abortable(id, signal, reject)
      this.#pending.add(id, { watch, settle, resolve, reject, release })
      this.#link.call(numbered(body, id))
    })
  }

  #abortable(id: number, signal: AbortSignal, reject: (reason: unknown) => void): () => void {
    const onAbort = (): void => {
      this.#pending.take(id)
      this.#link.call({ kind: 'cancel', id })
      reject(abortError(signal))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    return () => signal.removeEventListener('abort', onAbort)
  }

  async #close(timeoutMs: number): Promise<void> {
    if (!this.#isOver) await this.#closeInTree(timeoutMs)
    const handles = [...this.#handles]
    if (handles.length === 0) return
    await atMost(this.#clock, timeoutMs, Promise.all(handles.map((handle) => handle[Symbol.asyncDispose]())))
  }

  async #closeInTree(timeoutMs: number): Promise<void> {
    const bounded = new AbortController()
    const timer = this.#clock.setTimer(timeoutMs, () => bounded.abort())
    try {
      await this.#call(
        { kind: 'write', operation: { type: 'closeSession' } },
        () => undefined,
        bounded.signal,
        undefined,
      )
    } catch {
      // Nobody answered, or the session was over already: it ends by its timeout.
    } finally {
      timer.cancel()
      // Its owner has closed it, whatever the member is told of it.
      this.#setState('closed', 'closed')
      this.#link.abandon()
    }
  }

  #take(item: SessionItem): void {
    // After a stall, the clock may say more than any item: nobody acts on a lock that may be gone.
    if (this.#held.size > 0 && !this.isCertain) this.#endHeld()
    if (item.kind === 'reply') this.#onReply(item.id, item.result)
    else if (item.kind === 'event') this.#onEvent(item.event)
    else if (item.kind === 'stream') this.#streams.get(item.stream)?.onEvents(item.events, item.through)
    else {
      // A member that begins again from its store or its peers has seen nothing yet, and its sessions have.
      if (item.seen > this.#seen) this.#seen = item.seen
      if (!this.#isOver) this.#loss = item.loss
      this.#setState(item.state, item.reason)
    }
  }

  #onReply(id: number, result: CallResult): void {
    const pending = this.#pending.take(id)
    if (pending === undefined) return
    // Registered before anything else is delivered: no event of this watch can come earlier.
    if (pending.watch !== undefined && result.type !== 'error') this.#listeners.add(asRegistered(pending.watch, result))
    pending.release?.()
    try {
      pending.resolve(pending.settle(result) as never)
    } catch (error) {
      pending.reject(error)
    }
  }

  /** The member sends one event per change and path; here it fans out, each listener being called once. */
  #onEvent(event: WatchEvent): void {
    const seen = withJson({ ...event })
    for (const listener of this.#listeners.take(event)) callListener(listener, seen)
  }

  #setState(next: SessionState, reason: string): void {
    const previous = this.#state
    if (previous === next || this.#isOver) return
    this.#state = next
    if (next === 'lost' || next === 'closed') {
      this.#endHeld()
      this.#endStreams(next)
    }
    for (const listener of [...this.#stateListeners]) callListener(() => listener(next, previous, reason))
    emitSafely(this, 'state', next, previous, reason)
  }

  get #isOver(): boolean {
    return this.#state === 'lost' || this.#state === 'closed'
  }

  #endHeld(): void {
    const held = [...this.#held]
    this.#held.clear()
    for (const onEnd of held) onEnd()
  }

  #endStreams(state: 'lost' | 'closed'): void {
    const sinks = [...this.#streams.values()]
    this.#streams.clear()
    for (const sink of sinks) sink.onEnded(state)
  }
}

function nothing(): void {}

function throwIfFailed(result: CallResult): void {
  if (result.type !== 'error') return
  throw new CoordError(result.code, undefined, { path: result.path })
}

/** 32 hexadecimal digits that nobody else has. */
export function uniqueName(entropy: Entropy): string {
  return Array.from(entropy.bytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
