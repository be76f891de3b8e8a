/**
 * A session whose values are bytes, whatever the session itself makes of them: what recipes work with, because their own
 * nodes ignore the application's encoding. It is the same session: one link, one order of calls, the same watches.
 */
import type { CallResult, NodeRead, NodeReadResult, SessionState, WatchKind } from '../ports/session-link.ts'
import { codecOf, type ValueCodec } from './values.ts'
import type { WaitingReads } from './waiting-reads.ts'
import { type CallBody, type CallOptions, type WatchListener, type WatchRequest, Znodes } from './znodes.ts'

/** What it needs of the session. */
export interface SessionBehind {
  readonly id: bigint
  readonly state: SessionState
  readonly isCertain: boolean
  hold(onEnd: () => void): () => void
  perform<T>(
    body: CallBody,
    settle: (result: CallResult) => T,
    options: CallOptions | undefined,
    watch?: WatchRequest,
  ): Promise<T>
  readNow(read: NodeRead): NodeReadResult | undefined
  readInTurn(read: NodeRead): WaitingReads | undefined
  watchedBy(listener: WatchListener): readonly string[]
  unwatch(
    path: string,
    kinds: readonly WatchKind[],
    listener: WatchListener | undefined,
    options: CallOptions | undefined,
  ): Promise<void>
}

export class SessionBytes extends Znodes<Uint8Array, Record<never, never>> {
  readonly #behind: SessionBehind

  constructor(behind: SessionBehind) {
    super('', codecOf('view') as ValueCodec<Uint8Array>)
    this.#behind = behind
  }

  get id(): bigint {
    return this.#behind.id
  }

  get state(): SessionState {
    return this.#behind.state
  }

  get isCertain(): boolean {
    return this.#behind.isCertain
  }

  hold(onEnd: () => void): () => void {
    return this.#behind.hold(onEnd)
  }

  watchedBy(listener: WatchListener): readonly string[] {
    return this.#behind.watchedBy(listener)
  }

  readNow(read: NodeRead): NodeReadResult | undefined {
    return this.#behind.readNow(read)
  }

  readInTurn(read: NodeRead): WaitingReads | undefined {
    return this.#behind.readInTurn(read)
  }

  protected submit<T>(
    body: CallBody,
    settle: (result: CallResult) => T,
    options: CallOptions | undefined,
    watch?: WatchRequest,
  ): Promise<T> {
    return this.#behind.perform(body, settle, options, watch)
  }

  /** Recipes have no streams. */
  protected watchSource(): undefined {
    return undefined
  }

  protected removeListeners(
    path: string,
    kinds: readonly WatchKind[],
    listener: WatchListener | undefined,
    options: CallOptions | undefined,
  ): Promise<void> {
    return this.#behind.unwatch(path, kinds, listener, options)
  }
}
