/**
 * Election: one of many candidates is the leader, the others stand in line. When the leader goes, the next in line is
 * elected; nobody else is woken. A term ends when it is lost, resigned, or the candidate closes.
 *
 * In one process, a term never begins before the callback of the last one has settled: code that is slow to stop does not
 * run twice here. That it does not run elsewhere at the same time is what `term.held`, `term.signal` and `term.token` are for.
 */
import { EventEmitter } from 'node:events'
import { callListener, emitFailure, emitSafely } from '../api/emit.ts'
import { withJson } from '../api/results.ts'
import { type Held, Lock } from './held.ts'
import {
  absolutePath,
  below,
  fromJson,
  type HandleOptions,
  hasCode,
  isOver,
  lookUntil,
  pause,
  type RecipeHost,
  throwIfAborted,
  toJson,
  untilAborted,
} from './host.ts'
import { inSequence, type Manner, standInLine } from './line.ts'

/** The leader as everybody sees it. */
export interface LeaderView<V> {
  /** Of its term. */
  readonly token: bigint
  /** The name of the member that it is on, where it is in a member's process. */
  readonly name: string | undefined
  /** What the candidate gave as `data`; undefined also where that does not decode. */
  readonly data: V | undefined
}

export interface ElectionOptions<V> {
  /**
   * Called when elected. The term goes on after it has resolved, until it is lost, resigned or closed; if it rejects, the
   * term ends, `failed` is emitted, and the candidate stands in line again, each time after a longer pause: 1 s, 2 s … 60 s.
   * It must not await the election's `close()`, which waits for it: `void election.close()`.
   */
  readonly onElected: (term: Held) => unknown
  /** Called with each new leader, and with `undefined` when there is none. What it throws is rethrown, as a listener's is. */
  readonly onLeader?: ((leader: LeaderView<V> | undefined) => void) | undefined
  /** Others see it while this candidate leads. A TypeError where the encoding does not take it. */
  readonly data?: V | undefined
}

export interface ElectionEvents {
  elected: [term: Held]
  /** A term is over, for whatever reason; its callback may still be running. */
  ended: []
  /** The callback of a term has rejected. Where nobody listens, the process prints a warning. */
  failed: [error: unknown]
}

const retryFirstMs = 1000
const retryMaxMs = 60_000

/** A candidate. `close()` takes it out of the line; if it leads, the next one is elected at once. */
export class Election<V = Uint8Array> extends EventEmitter<ElectionEvents> implements AsyncDisposable {
  readonly #host: RecipeHost<V>
  readonly #folder: string
  readonly #onElected: ElectionOptions<V>['onElected']
  /** Of this candidate, as the others see it; undefined: none. */
  readonly #data: string | undefined
  readonly #closing = new AbortController()
  readonly #disown: () => void
  readonly #campaign: Promise<void>
  readonly #observation: Promise<void> | undefined
  #term: Lock | undefined
  #leader: LeaderView<V> | undefined

  /** @internal */
  constructor(host: RecipeHost<V>, path: string, options: ElectionOptions<V>) {
    super()
    if (typeof options?.onElected !== 'function') throw new TypeError('onElected must be a function')
    const { onElected, onLeader, data } = options
    if (onLeader !== undefined && typeof onLeader !== 'function') throw new TypeError('onLeader must be a function')
    this.#host = host
    this.#folder = absolutePath(host, path)
    this.#onElected = onElected
    // Once, and here: what the encoding does not take is misuse.
    this.#data = data === undefined ? undefined : Buffer.from(host.codec.encode(data)).toString('base64')
    this.#disown = host.own(this)
    this.#campaign = this.#stand()
    if (onLeader !== undefined) this.#observation = this.#observe(onLeader)
  }

  /** Whether this candidate certainly leads now. */
  get isLeader(): boolean {
    return this.#term?.held === true
  }

  /** The term of this candidate, while it leads. */
  get term(): Held | undefined {
    return this.isLeader ? this.#term : undefined
  }

  /** Who leads, as far as this process knows; kept up to date where `onLeader` was given. */
  get leader(): LeaderView<V> | undefined {
    return this.#leader
  }

  /**
   * Ends the term, if there is one, and goes to the end of the line. Resolves when the next one can lead. Aborted before it
   * began, the term goes on; later, it ends all the same.
   */
  async resign({ signal }: HandleOptions = {}): Promise<void> {
    throwIfAborted(signal)
    if (this.#term !== undefined) await untilAborted(this.#term.release(), signal)
  }

  /** Leaves the line. Resolves when the callback of the last term has settled. Idempotent. */
  async close(): Promise<void> {
    this.#disown()
    this.#closing.abort()
    await this.#term?.release()
    await this.#campaign
    await this.#observation
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted || isOver(this.#host)
  }

  async #stand(): Promise<void> {
    for (let retryMs = retryFirstMs; !this.#isClosed; ) {
      try {
        await this.#leadOnce()
        retryMs = retryFirstMs
      } catch (error) {
        if (this.#isClosed) return
        this.#tellFailure(error)
        await pause(this.#host, retryMs, this.#closing.signal)
        retryMs = Math.min(retryMs * 2, retryMaxMs)
      }
    }
  }

  /** Stands in line, leads, and waits until the term is over and its callback settled. Rejects with what the callback does. */
  async #leadOnce(): Promise<void> {
    const candidate = toJson({ name: this.#host.memberName, data: this.#data })
    const manner: Manner = { suffix: '__lock__', data: candidate, waitsFor: () => true }
    const { session, path, token, leave } = await standInLine(this.#host, this.#folder, this.#closing.signal, manner)
    const term = new Lock(this.#host, session, path, token, leave)
    if (!term.held) return
    this.#term = term
    const over = new Promise<void>((resolve) => {
      term.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    try {
      emitSafely(this, 'elected', term)
      await this.#onElected(term)
      await over
    } finally {
      await term.release()
      this.#term = undefined
      emitSafely(this, 'ended')
    }
  }

  async #observe(onLeader: (leader: LeaderView<V> | undefined) => void): Promise<void> {
    let last: string | undefined
    const isNews = (path: string | undefined): boolean => path !== last
    let isFirst = true
    while (!this.#isClosed) {
      try {
        const found = await lookUntil(
          this.#host,
          async (session, watch) => {
            const path = await this.#firstInLine(session, watch)
            return isFirst || isNews(path) ? { path } : undefined
          },
          this.#closing.signal,
        )
        const leader = found.path === undefined ? undefined : await this.#view(found.path)
        // Only now: who could not be looked at is still to be told.
        isFirst = false
        last = found.path
        this.#leader = leader
        if (!this.#isClosed) callListener(() => onLeader(leader))
      } catch {
        // Such as a missing permission: it is asked again.
        await pause(this.#host, retryFirstMs, this.#closing.signal)
      }
    }
  }

  async #firstInLine(session: RecipeHost['session'], watch: () => void): Promise<string | undefined> {
    for (;;) {
      const stat = await session.exists(this.#folder, { watch })
      if (stat === undefined) return undefined
      try {
        const { children } = await session.getChildren(this.#folder, { watch })
        const [first] = inSequence(children)
        return first === undefined ? undefined : below(this.#folder, first)
      } catch (error) {
        if (!hasCode(error, 'COORD_NO_NODE')) throw error
      }
    }
  }

  async #view(path: string): Promise<LeaderView<V> | undefined> {
    try {
      const { data, stat } = await this.#host.session.getData(path)
      const { name, data: given } = (fromJson(data) ?? {}) as { readonly name?: string; readonly data?: string }
      return withJson({ token: stat.czxid, name, data: given === undefined ? undefined : this.#decoded(given) })
    } catch (error) {
      if (hasCode(error, 'COORD_NO_NODE')) return undefined
      throw error
    }
  }

  /** Somebody with another encoding leads all the same. */
  #decoded(text: string): V | undefined {
    try {
      return this.#host.codec.decode(new Uint8Array(Buffer.from(text, 'base64')))
    } catch {
      return undefined
    }
  }

  #tellFailure(error: unknown): void {
    emitFailure(this, `the election at ${this.#folder}`, error)
  }
}

/** Runs something on exactly one process of all that ask for it: an election that nobody watches. */
export type Singleton = Election<unknown>

/** Under `/singleton/<name>`. `run` is called with the term when this process is the one. */
export function singleton(host: RecipeHost<unknown>, name: string, run: (term: Held) => unknown): Singleton {
  if (typeof run !== 'function') throw new TypeError('run must be a function')
  return new Election<unknown>(host, `/singleton/${requireName(name)}`, { onElected: run })
}

/** A name that may stand in a path. */
export function requireName(name: unknown): string {
  if (typeof name === 'string' && name !== '' && !name.includes('/')) return name
  throw new TypeError(`a name is a text without slashes that is not empty, not ${JSON.stringify(name)}`)
}
