/**
 * A session as the application sees it: the znode API over one session link, strict as ZooKeeper's. Once lost it is over:
 * its ephemeral nodes go, its watches are gone, and every call rejects with COORD_SESSION_EXPIRED. (A `Client` opens a
 * new one by itself.)
 */
import type { SessionId } from '../core/tree/session-id.ts'
import { CoordError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type {
  CallResult,
  SessionDoor,
  SessionItem,
  SessionLink,
  SessionState,
  SessionTicket,
  WatchEvent,
} from '../ports/session-link.ts'
import { Dispatcher } from './dispatcher.ts'
import { callListener, emitSafely } from './emit.ts'
import { abortError, withJson } from './results.ts'
import type { ValueCodec } from './values.ts'
import { type CallBody, type CallOptions, type WatchListener, type WatchRequest, Znodes } from './znodes.ts'

export interface SessionEvents {
  state: [next: SessionState, previous: SessionState, reason: string]
}

export interface SessionOptions {
  readonly door: SessionDoor
  readonly clock: Clock
  readonly timeoutMs: number
  readonly requestTimeoutMs: number
  readonly attach?: SessionTicket | undefined
}

interface PendingCall {
  settle(result: CallResult): void
  readonly watch: WatchRequest | undefined
}

/** The listeners of one path. */
type Listeners = { readonly [K in WatchRequest['kind']]: Set<WatchListener> }

export class Session<V = Uint8Array> extends Znodes<V, SessionEvents> implements AsyncDisposable {
  readonly #link: SessionLink
  readonly #clock: Clock
  readonly #pending = new Map<number, PendingCall>()
  readonly #listeners = new Map<string, Listeners>()
  #lastId = 0
  #state: SessionState = 'suspended'
  #closing: Promise<void> | undefined

  constructor(options: SessionOptions, codec: ValueCodec<V>) {
    super('', codec)
    this.#clock = options.clock
    const dispatcher = new Dispatcher(
      (item) => this.#take(item),
      (callback) => this.#clock.afterMicrotasks(callback),
    )
    this.#link = options.door.open(options, (item) => dispatcher.push(item))
  }

  get id(): bigint {
    return this.#link.id satisfies SessionId
  }

  /** What another member wants to see before it takes the session over. Keep it secret. */
  get password(): Uint8Array {
    return this.#link.password.slice()
  }

  get timeoutMs(): number {
    return this.#link.timeoutMs
  }

  /** `connected | suspended | lost | closed`. Suspended from the start, until the session is open. */
  get state(): SessionState {
    return this.#state
  }

  /**
   * Ends the session: its ephemeral nodes are gone when this resolves, or will be within its timeout where no quorum
   * answers. Idempotent.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void> {
    this.#closing ??= this.#close(options?.timeoutMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
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
    return new Promise<T>((resolve, reject) => {
      this.#lastId += 1
      const id = this.#lastId
      const onAbort = (): void => {
        this.#pending.delete(id)
        this.#link.call({ kind: 'cancel', id })
        reject(abortError(signal as AbortSignal))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const onResult = (result: CallResult): void => {
        signal?.removeEventListener('abort', onAbort)
        try {
          resolve(settle(result))
        } catch (error) {
          reject(error)
        }
      }
      this.#pending.set(id, { settle: onResult, watch })
      this.#link.call({ ...body, id })
    })
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    if (this.#state === 'lost' || this.#state === 'closed') return
    const bounded = new AbortController()
    const timer = this.#clock.setTimer(timeoutMs ?? this.#link.timeoutMs, () => bounded.abort())
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
      this.#link.abandon()
      this.#setState('closed', 'closed')
    }
  }

  #take(item: SessionItem): void {
    if (item.kind === 'reply') this.#onReply(item.id, item.result)
    else if (item.kind === 'event') this.#onEvent(item.event)
    else this.#setState(item.state, item.reason)
  }

  #onReply(id: number, result: CallResult): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    // Registered before anything else is delivered: no event of this watch can come earlier.
    if (pending.watch !== undefined && result.type !== 'error') this.#register(pending.watch)
    pending.settle(result)
  }

  #register({ kind, path, listener }: WatchRequest): void {
    let listeners = this.#listeners.get(path)
    if (listeners === undefined) {
      listeners = { data: new Set(), exists: new Set(), children: new Set() }
      this.#listeners.set(path, listeners)
    }
    listeners[kind].add(listener)
  }

  /** The member sends one event per change and path; here it fans out, each listener being called once. */
  #onEvent(event: WatchEvent): void {
    const listeners = this.#listeners.get(event.path)
    if (listeners === undefined) return
    const called = new Set<WatchListener>()
    const kinds: readonly WatchRequest['kind'][] =
      event.type === 'children'
        ? ['children']
        : event.type === 'deleted'
          ? ['data', 'exists', 'children']
          : ['data', 'exists']
    for (const kind of kinds) {
      for (const listener of listeners[kind]) called.add(listener)
      listeners[kind].clear()
    }
    if (listeners.data.size + listeners.exists.size + listeners.children.size === 0) this.#listeners.delete(event.path)
    const view = withJson({ ...event })
    for (const listener of called) callListener(() => listener(view))
  }

  #setState(next: SessionState, reason: string): void {
    const previous = this.#state
    if (previous === next || previous === 'lost' || previous === 'closed') return
    this.#state = next
    if (next === 'lost' || next === 'closed') this.#listeners.clear()
    emitSafely(this, 'state', next, previous, reason)
  }
}
