/**
 * A stream of events as the application consumes it: `for await (const event of session.watch('/config'))`. It asks for
 * the next events when the loop wants them, so a slow loop costs nothing; what it missed too much of comes as `gap`,
 * followed by what exists (`created` for each) and `synced`: whatever was not stated is gone.
 */
import type { Zxid } from '../core/zab/zxid.ts'
import { CoordError } from '../errors.ts'
import type { WatchEvent as NodeEvent, StreamEvent, StreamRequest } from '../ports/session-link.ts'
import { abortError, withJson } from './results.ts'
import type { CallOptions } from './znodes.ts'

/** What a stream tells. `data` where `includeData` was asked for; `error` in its place where it does not decode. */
export type StreamedEvent<V = Uint8Array> =
  | {
      readonly type: NodeEvent['type']
      readonly path: string
      readonly zxid: bigint
      readonly data?: V | undefined
      readonly error?: CoordError | undefined
    }
  // Each by itself: TypeScript narrows by one literal at a time.
  | { readonly type: 'gap'; readonly zxid: bigint }
  | { readonly type: 'synced'; readonly zxid: bigint }

export interface WatchOptions extends CallOptions {
  /** The nodes below, too, however deep. Default: the node alone, with `children` events when one comes or goes. */
  readonly recursive?: boolean | undefined
  /** Go on behind this zxid (exclusive). Default: begin with what exists. */
  readonly from?: bigint | undefined
  /** Events carry the data that the change wrote. */
  readonly includeData?: boolean | undefined
}

/** Where the events of a stream go. Of the library's own parts: use `watch()`. */
export interface StreamSink {
  onEvents(events: readonly StreamEvent[], through: Zxid): void
  onEnded(state: 'lost' | 'closed'): void
}

/** An open stream, for whoever consumes it. Of the library's own parts: use `watch()`. */
export interface StreamHandle {
  pull(): void
  close(): void
}

/** What can be streamed from. Of the library's own parts: use `watch()`. */
export interface StreamSession {
  openStream(request: StreamRequest, sink: StreamSink, options?: CallOptions): Promise<StreamHandle>
}

/** @internal What a watch needs of the session or client that it is of. */
export interface WatchParts<V> {
  readonly request: StreamRequest
  readonly signal: AbortSignal | undefined
  /** The session as of now; `undefined` once its owner was closed, which ends the iteration. */
  session(): StreamSession | undefined
  /** Whether another session takes the place of one that is lost. */
  readonly renews: boolean
  decode(event: StreamEvent): StreamedEvent<V>
  /** Closes the watch when its owner is closed; returns how to let go of it. */
  own(watch: AsyncDisposable): () => void
}

export class Watch<V = Uint8Array> implements AsyncIterableIterator<StreamedEvent<V>>, AsyncDisposable {
  readonly #parts: WatchParts<V>
  #buffer: StreamEvent[] = []
  #stream: StreamHandle | undefined
  /** Everything through here is in the buffer or was handed out; `undefined` while what exists is being stated. */
  #buffered: Zxid | undefined
  /** Where another session goes on. */
  #resumeFrom: Zxid | undefined
  #zxid: bigint
  /** Some of what exists was handed out, and not yet all. */
  #hasStated = false
  #isStating: boolean
  #isClosed = false
  #failure: Error | undefined
  #wake: (() => void) | undefined
  /** Ends an opening that waits. */
  readonly #ending = new AbortController()
  #disown: (() => void) | undefined
  #turn: Promise<unknown> = Promise.resolve()

  /** @internal */
  constructor(parts: WatchParts<V>) {
    this.#parts = parts
    const { from } = parts.request
    this.#zxid = from ?? 0n
    this.#resumeFrom = from
    this.#buffered = from
    this.#isStating = from === undefined
    parts.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (parts.signal?.aborted === true) this.#onAbort()
  }

  /**
   * Through which zxid everything was consumed, save perhaps for more events of that one: a multi's share theirs. What to
   * give as `from` to go on; 0 until the first `synced`.
   */
  get zxid(): bigint {
    return this.#zxid
  }

  /** The next event; waits for it. Rejects with COORD_SESSION_EXPIRED when the session is lost, unless a client renews it. */
  next(): Promise<IteratorResult<StreamedEvent<V>, undefined>> {
    const result = this.#turn.then(() => this.#next())
    this.#turn = result.catch(() => undefined)
    return result
  }

  async return(): Promise<IteratorResult<StreamedEvent<V>, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  /** Ends the iteration, also one that waits. Idempotent. */
  async close(): Promise<void> {
    this.#end(undefined)
    await Promise.resolve()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #next(): Promise<IteratorResult<StreamedEvent<V>, undefined>> {
    while (this.#buffer.length === 0 && !this.#isClosed) await this.#fetch()
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    const event = this.#isClosed ? undefined : this.#buffer.shift()
    if (event === undefined) return { done: true, value: undefined }
    this.#onHandedOut(event)
    return { done: false, value: this.#parts.decode(event) }
  }

  async #fetch(): Promise<void> {
    const stream = this.#stream ?? (await this.#open())
    if (stream === undefined || this.#isClosed || this.#buffer.length > 0) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      stream.pull()
    })
  }

  async #open(): Promise<StreamHandle | undefined> {
    const { request, renews } = this.#parts
    const session = this.#parts.session()
    if (session === undefined) {
      this.#end(undefined)
      return undefined
    }
    // Not before it is used: one that nobody iterates over holds nothing.
    this.#disown ??= this.#parts.own(this)
    const from = this.#resumeFrom
    // The statement of another session was interrupted: it begins anew.
    if (this.#hasStated && from === undefined) this.#buffer.push({ type: 'gap', zxid: this.#zxid as Zxid })
    try {
      this.#stream = await session.openStream({ ...request, from }, this.#sink, { signal: this.#ending.signal })
      if (this.#isClosed) this.#stream.close()
      return this.#stream
    } catch (error) {
      const code = error instanceof CoordError ? error.code : undefined
      const isOver = code === 'COORD_SESSION_EXPIRED' || code === 'COORD_CLOSED' || code === 'COORD_CONNECTION_LOSS'
      // Without a quorum it waits, however long that takes.
      if (code === 'COORD_NO_QUORUM' && this.#parts.session() === session) return undefined
      if (isOver && (renews || this.#parts.session() === undefined)) return undefined
      if (code === 'COORD_NO_QUORUM' && renews) return undefined
      this.#end(error as Error)
      return undefined
    }
  }

  readonly #sink: StreamSink = {
    onEvents: (events, through) => {
      for (const event of events) this.#buffer.push(event)
      this.#buffered = through
      this.#awaken()
    },
    onEnded: (state) => {
      this.#stream = undefined
      if (state === 'lost' && !this.#parts.renews) this.#end(new CoordError('COORD_SESSION_EXPIRED'))
      this.#awaken()
    },
  }

  #onHandedOut(event: StreamEvent): void {
    this.#hasStated = this.#isStating && event.type === 'created'
    if (event.type === 'gap') {
      this.#isStating = true
      this.#resumeFrom = undefined
      return
    }
    if (event.type === 'synced') this.#isStating = false
    if (this.#isStating) return
    this.#zxid = event.zxid
    const next = this.#buffer[0]
    // Of a multi that is not consumed to its end, another session begins again: rather twice than never.
    if (event.type === 'synced' || (next !== undefined && next.zxid !== event.zxid)) this.#resumeFrom = event.zxid
    else if (next === undefined && this.#buffered !== undefined) this.#resumeFrom = this.#buffered
  }

  readonly #onAbort = (): void => this.#end(abortError(this.#parts.signal as AbortSignal))

  #end(failure: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#failure = failure
    this.#buffer = []
    this.#parts.signal?.removeEventListener('abort', this.#onAbort)
    this.#disown?.()
    this.#ending.abort()
    this.#stream?.close()
    this.#stream = undefined
    this.#awaken()
  }

  #awaken(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

/** @internal What the application sees of an event. */
export function streamedEvent<V>(
  event: StreamEvent,
  strip: (path: string) => string,
  decode: ((data: Uint8Array | undefined, path: string) => V | undefined) | undefined,
): StreamedEvent<V> {
  if (event.type === 'gap' || event.type === 'synced') return withJson({ type: event.type, zxid: event.zxid })
  const { type, zxid } = event
  const path = strip(event.path)
  if (decode === undefined || (type !== 'created' && type !== 'changed')) return withJson({ type, path, zxid })
  try {
    return withJson({ type, path, zxid, data: decode(event.data, path) })
  } catch (error) {
    return withJson({ type, path, zxid, error: error as CoordError })
  }
}
