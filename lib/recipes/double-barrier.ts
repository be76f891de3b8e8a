/**
 * A double barrier: so many processes begin together, and end together. The round that they are in is a node, each of
 * them an ephemeral child of it:
 *
 *     <path>/round            its data is set when enough have come: from then on it is open
 *     <path>/round/<member>   as long as that member has not left
 *
 * A round cannot be deleted while anybody is in it; the last to leave deletes it. Whoever waits to begin watches the round
 * alone, whoever waits to end watches one of those who are still in it: nobody is woken for each that comes or goes.
 */
import { CoordError } from '../errors.ts'
import {
  absolutePath,
  below,
  deleteOwn,
  type HandleOptions,
  type HostSession,
  hasCode,
  lookUntil,
  type RecipeHost,
  untilAborted,
} from './host.ts'
import { rendezvous } from './rendezvous.ts'

const open = new Uint8Array([1])

/** One participant. Each object enters for itself, also within a process. */
export class DoubleBarrier implements AsyncDisposable {
  readonly #host: RecipeHost
  readonly #count: number
  readonly #round: string
  /** Another one each time: what an earlier one leaves behind is deleted however late. */
  #member = ''
  #disown: () => void = () => {}
  /** The session in which our node stands, or may stand. */
  #session: HostSession | undefined
  /** The round we are in: its czxid. */
  #entered: bigint | undefined
  /** While it enters: aborts when it is closed. */
  #entering: AbortController | undefined

  constructor(host: RecipeHost, path: string, count: number) {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError(`count must be a whole number above 0, not ${count}`)
    this.#host = host
    this.#count = count
    this.#round = below(absolutePath(host, path), 'round')
  }

  /**
   * Resolves when `count` participants have come. `count` is a threshold: who comes while the round is open goes right
   * through. Aborted or failed, it has not come.
   */
  async enter({ signal }: HandleOptions = {}): Promise<void> {
    if (this.#entering !== undefined || this.#entered !== undefined)
      throw new TypeError('it has entered already: leave first')
    const closing = new AbortController()
    this.#entering = closing
    this.#member = this.#host.uniqueName()
    this.#disown = this.#host.own(this)
    const onAbort = (): void => closing.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    const ending = closing.signal
    try {
      this.#entered = await lookUntil(this.#host, (session, watch) => this.#look(session, watch, ending), ending)
    } catch (error) {
      void this.#withdraw()
      throw closing.signal.aborted && signal?.aborted !== true ? new CoordError('COORD_CLOSED') : error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#entering = undefined
    }
  }

  /** Resolves when all who entered have left, or died. Nothing happens where it has not entered. */
  async leave({ signal }: HandleOptions = {}): Promise<void> {
    const entered = this.#entered
    if (entered === undefined) return
    this.#entered = undefined
    await untilAborted(this.#withdraw(), signal)
    await lookUntil(this.#host, (session, watch) => this.#lookWhetherOver(session, watch, entered, signal), signal)
  }

  /** Leaves without waiting for the others; an `enter` under way is rejected with COORD_CLOSED. Idempotent. */
  async close(): Promise<void> {
    this.#entering?.abort()
    this.#entered = undefined
    await this.#withdraw()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #path(): string {
    return below(this.#round, this.#member)
  }

  /** The czxid of the round once it is open and we are in it. */
  async #look(session: HostSession, watch: () => void, signal?: AbortSignal): Promise<bigint | undefined> {
    if (this.#session !== session || (await session.exists(this.#path, { signal })) === undefined) {
      if (!(await this.#join(session, signal))) {
        watch()
        return undefined
      }
    }
    const { children } = await session.getChildren(this.#round, { signal })
    const { stat } = await session.getData(this.#round, { watch, signal })
    if (stat.version > 0) return stat.czxid
    // Whoever completes the number sees that it is complete: its own node was created after all others.
    if (children.length >= this.#count) {
      await session.setData(this.#round, open, { version: 0, signal }).catch((error: unknown) => {
        if (!hasCode(error, 'COORD_BAD_VERSION')) throw error
      })
    }
    return undefined
  }

  /** Resolves with whether our node stands; else it has to be looked at anew. */
  async #join(session: HostSession, signal?: AbortSignal): Promise<boolean> {
    const round = await session.exists(this.#round, { signal })
    const enter = { type: 'create', path: this.#path, mode: 'ephemeral' } as const
    try {
      // From here on, something of ours may stand in this session, whatever the answer says.
      this.#session = session
      if (round === undefined) {
        await session.create(this.#path, undefined, { mode: 'ephemeral', parents: true, signal })
      } else if (round.version > 0 && round.numChildren === 0) {
        // All who were in it died. It is over, and must not let anybody through.
        await session.delete(this.#round, { version: round.version, signal })
        return false
      } else {
        await session.multi([{ type: 'check', path: this.#round, version: round.version }, enter], { signal })
      }
      return true
    } catch (error) {
      if (hasCode(error, 'COORD_NODE_EXISTS')) {
        const own = await session.exists(this.#path, { signal })
        if (own?.ephemeralOwner === session.id) return true
        // Of an earlier session of ours.
        await session.delete(this.#path, { signal }).catch(() => {})
        return false
      }
      if (hasCode(error, 'COORD_BAD_VERSION', 'COORD_NO_NODE', 'COORD_NOT_EMPTY')) return false
      throw error
    }
  }

  async #withdraw(): Promise<void> {
    this.#disown()
    const session = this.#session
    if (session === undefined) return
    this.#session = undefined
    const path = this.#path
    await deleteOwn(this.#host, session, path)
    // A round that nobody is in must not stay. Where somebody is, this does nothing.
    await session.delete(this.#round).catch(() => {})
  }

  async #lookWhetherOver(
    session: HostSession,
    watch: () => void,
    entered: bigint,
    signal: AbortSignal | undefined,
  ): Promise<true | undefined> {
    try {
      const { children, stat } = await session.getChildren(this.#round, { signal })
      if (stat.czxid !== entered) return true
      // Each waits for another one: who goes wakes few.
      const other = rendezvous(this.#member, children, String)
      if (other === undefined) {
        await session.delete(this.#round, { signal })
        return true
      }
      await session.exists(this.#round, { watch, signal })
      if ((await session.exists(below(this.#round, other), { watch, signal })) === undefined) watch()
      return undefined
    } catch (error) {
      if (hasCode(error, 'COORD_NO_NODE')) return true
      if (!(error instanceof CoordError) || error.code !== 'COORD_NOT_EMPTY') throw error
      watch()
      return undefined
    }
  }
}
