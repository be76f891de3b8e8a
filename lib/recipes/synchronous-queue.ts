/**
 * A synchronous queue: a put is over when a consumer has the value. Nothing is stored for later: an offer is an ephemeral
 * node, and goes with the process that made it.
 *
 *     <path>/offers/<place>   ephemeral: a value whose producer waits
 *     <path>/line/<place>     consumers that wait; only the first one watches the offers
 */
import { decodeValue, encodeValue } from '../api/values.ts'
import { CoordError } from '../errors.ts'
import {
  abortError,
  absolutePath,
  below,
  type HandleOptions,
  type HostSession,
  hasCode,
  inSomeSession,
  isOutage,
  isOver,
  lookUntil,
  type RecipeHost,
} from './host.ts'
import { deleteByPrefix, inSequence, isConflict, lineLength, type Place, standInLine } from './line.ts'

type Taken<V> = { readonly value: V } | { readonly error: CoordError }

function takenValue<V>(taken: Taken<V>): V {
  if ('error' in taken) throw taken.error
  return taken.value
}

export class SynchronousQueue<V> {
  readonly #host: RecipeHost<V>
  readonly #offers: string
  readonly #line: string

  constructor(host: RecipeHost<V>, path: string) {
    this.#host = host
    const root = absolutePath(host, path)
    this.#offers = below(root, 'offers')
    this.#line = below(root, 'line')
  }

  /**
   * Resolves when a consumer has taken the value. Rejected with COORD_CONNECTION_LOSS, or aborted, one may have; with any
   * other error, nobody has.
   */
  async put(value: V, { signal }: HandleOptions = {}): Promise<void> {
    const { session, path, id } = await this.#offer(encodeValue(this.#host.codec, value), signal)
    try {
      const end = await lookUntil(
        this.#host,
        async (current, watch) => {
          if (current !== session) return 'lost'
          return (await session.exists(path, { watch, signal })) === undefined ? 'taken' : undefined
        },
        signal,
      )
      // An offer of a session that is over has gone with it, or was taken before: nobody can tell.
      if (end === 'lost') throw new CoordError('COORD_CONNECTION_LOSS', 'the session ended while the offer stood')
    } catch (error) {
      void deleteByPrefix(this.#host, session, this.#offers, id)
      throw error
    }
  }

  /**
   * Takes the offer that has waited longest; waits for one. At most once: where the answer is lost, the value may be lost
   * with it, and this rejects with COORD_CONNECTION_LOSS.
   */
  async take({ signal }: HandleOptions = {}): Promise<V> {
    const atOnce = await inSomeSession(this.#host, async (session) =>
      (await lineLength(session, this.#line, signal)) > 0 ? undefined : this.#takeNext(session, undefined, signal),
    ).catch((error: unknown) => {
      // Nothing was taken: it waits as the others do.
      if (!isOutage(error) || signal?.aborted === true || isOver(this.#host)) throw error
      return undefined
    })
    if (atOnce !== undefined && atOnce !== 'lost') return takenValue(atOnce)
    for (;;) {
      const place = await standInLine(this.#host, this.#line, signal)
      try {
        const taken = await lookUntil(
          this.#host,
          async (session, watch) =>
            session === place.session ? this.#takeNext(session, { place, watch }, signal) : 'lost',
          signal,
        )
        if (taken !== 'lost') return takenValue(taken)
      } finally {
        void place.leave()
      }
    }
  }

  async #offer(data: Uint8Array | undefined, signal: AbortSignal | undefined) {
    const id = this.#host.uniqueName()
    return inSomeSession(this.#host, async (session) => {
      if (signal?.aborted === true) throw abortError(signal)
      try {
        const options = { mode: 'ephemeral-sequential', parents: true, signal } as const
        return { session, id, path: await session.create(below(this.#offers, `${id}-`), data, options) }
      } catch (error) {
        void deleteByPrefix(this.#host, session, this.#offers, id)
        throw error
      }
    })
  }

  async #takeNext(
    session: HostSession,
    head: { readonly place: Place; readonly watch: () => void } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Taken<V> | 'lost' | undefined> {
    for (const name of await this.#names(session, head?.watch, signal)) {
      const path = below(this.#offers, name)
      const leave = head === undefined ? [] : [{ type: 'delete', path: head.place.path } as const]
      try {
        const { data, stat } = await session.getData(path, { signal })
        await session.multi([{ type: 'delete', path }, ...leave], { ifHeld: { path, token: stat.czxid }, signal })
        return { value: decodeValue(this.#host.codec, data, path) as V }
      } catch (error) {
        if (isConflict(error)) {
          // Our place has gone: an earlier attempt, whose outcome is unknown, has used it up.
          if (head !== undefined && error.index === 1) return 'lost'
          continue
        }
        // Whether it was taken is unknown: trying again would take another one on top of it.
        if (isOutage(error) && !error.retryable) return { error }
        throw error
      }
    }
    return undefined
  }

  /** The offers, oldest first. */
  async #names(session: HostSession, watch: (() => void) | undefined, signal: AbortSignal | undefined) {
    for (;;) {
      try {
        const { children } = await session.getChildren(this.#offers, { watch, signal })
        return inSequence(children)
      } catch (error) {
        if (!hasCode(error, 'COORD_NO_NODE')) throw error
        await session.create(this.#offers, undefined, { parents: true, signal }).catch((failure: unknown) => {
          if (!isConflict(failure)) throw failure
        })
      }
    }
  }
}
