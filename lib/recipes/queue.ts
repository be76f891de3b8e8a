/**
 * Queues. An item is a node; a consumer that takes it puts an ephemeral node below it, and deletes both when it is done.
 * So an item is given to one consumer at a time, and again to another one when its consumer dies: at least once.
 *
 *     <path>/items/<order>          the item: a sequence number, in a priority queue behind its priority
 *     <path>/items/<order>/taken    ephemeral: who has it. How often such a node was created is the attempt
 *     <path>/taken/<order>          ephemeral, comes and goes with it: so that one watch tells of all
 *     <path>/line/<place>           consumers that wait; only the first one watches the queue
 *
 * A put wakes one consumer, however many wait.
 */
import { decodeValue, encodeValue } from '../api/values.ts'
import { CoordError } from '../errors.ts'
import { Held } from './held.ts'
import {
  absolutePath,
  below,
  fromJson,
  type HandleOptions,
  type HostSession,
  inSomeSession,
  isOutage,
  lookUntil,
  pause,
  type RecipeHost,
  throwIfAborted,
  toJson,
  untilAborted,
} from './host.ts'
import { afterEarlierWrites, inSequence, isConflict, lineLength, type Place, standInLine } from './line.ts'

export interface PutOptions extends HandleOptions {
  /** Of a priority queue: a whole number from 0 to 999,999,999; the least comes first. Default 0. */
  readonly priority?: number | undefined
}

const priorityDigits = 9

/** So many names of one listing are worked through before the items are listed again. */
const pageSize = 1000

interface Paths {
  readonly items: string
  readonly taken: string
  readonly line: string
}

/** What a consumer has claimed, before it is read. */
interface Claim {
  readonly name: string
  readonly session: HostSession
  readonly path: string
  readonly token: bigint
}

export class Queue<V> {
  readonly #host: RecipeHost<V>
  readonly #paths: Paths
  readonly #hasPriorities: boolean
  /** Names from the last listing that have not been tried yet. */
  #page: string[] = []
  /** What a take of this object is claiming right now. */
  readonly #claiming = new Set<string>()

  constructor(host: RecipeHost<V>, path: string, { hasPriorities = false }: { readonly hasPriorities?: boolean } = {}) {
    this.#host = host
    const root = absolutePath(host, path)
    this.#paths = { items: below(root, 'items'), taken: below(root, 'taken'), line: below(root, 'line') }
    this.#hasPriorities = hasPriorities
  }

  /**
   * Puts a value into the queue, where it stays until a consumer is done with it. One message.
   * Rejected with COORD_CONNECTION_LOSS, or aborted, it may be in the queue or not.
   */
  async put(value: V, { priority = 0, signal }: PutOptions = {}): Promise<void> {
    if (!Number.isInteger(priority)) throw new TypeError(`priority must be a whole number, not ${String(priority)}`)
    if (priority < 0 || priority >= 10 ** priorityDigits)
      throw new RangeError(`priority must be from 0 to 999999999, not ${priority}`)
    if (priority !== 0 && !this.#hasPriorities) throw new TypeError('priority is for a priorityQueue')
    const name = this.#hasPriorities ? `${String(priority).padStart(priorityDigits, '0')}-` : 'i-'
    const data = encodeValue(this.#host.codec, value)
    const options = { mode: 'persistent-sequential', parents: true, signal } as const
    await inSomeSession(this.#host, (session) => session.create(below(this.#paths.items, name), data, options))
  }

  /**
   * Takes the first item that nobody has; waits for one. It is the caller's until it calls `done` or `release`, or its
   * session is lost. Waits through lost connections and sessions; a signal ends it, and then nothing stays taken.
   */
  async take({ signal }: HandleOptions = {}): Promise<QueueItem<V>> {
    for (;;) {
      const claim = (await this.#takeAtOnce(signal)) ?? (await this.#takeInLine(signal))
      const item = await this.#read(claim, signal)
      if (item !== undefined) return item
    }
  }

  /** The same without waiting: undefined where there is nothing to take. */
  async tryTake({ signal }: HandleOptions = {}): Promise<QueueItem<V> | undefined> {
    for (;;) {
      const claim = await inSomeSession(this.#host, (session) => this.#claimWithoutPlace(session, 0, signal))
      const item = claim && (await this.#read(claim, signal))
      if (item !== undefined || claim === undefined) return item
    }
  }

  /** How many items there are, those that are taken included. A local read. */
  async size({ signal }: HandleOptions = {}): Promise<number> {
    const stat = await inSomeSession(this.#host, (session) => session.exists(this.#paths.items, { signal }))
    return stat?.numChildren ?? 0
  }

  /** Where there is enough for all who wait, no place in line is needed. */
  async #takeAtOnce(signal: AbortSignal | undefined): Promise<Claim | undefined> {
    try {
      return await inSomeSession(this.#host, async (session) => {
        return this.#claimWithoutPlace(session, await lineLength(session, this.#paths.line, signal), signal)
      })
    } catch (error) {
      if (isOutage(error) && signal?.aborted !== true) return undefined
      throw error
    }
  }

  async #takeInLine(signal: AbortSignal | undefined): Promise<Claim> {
    for (;;) {
      const place = await standInLine(this.#host, this.#paths.line, signal)
      try {
        const claim = await lookUntil(
          this.#host,
          async (session, watch) => {
            if (session !== place.session) return 'lost'
            return this.#claimNext(session, { place, watch }, signal)
          },
          signal,
        )
        if (claim !== 'lost') return claim
      } finally {
        void place.leave()
      }
    }
  }

  /** Claims the first free item if there are more than so many, which are for those who wait in line. */
  async #claimWithoutPlace(
    session: HostSession,
    spare: number,
    signal: AbortSignal | undefined,
  ): Promise<Claim | undefined> {
    const claim = await this.#claimNext(session, undefined, signal, spare)
    return claim === 'lost' ? undefined : claim
  }

  /**
   * Claims the first free item. At the head of the line it watches for more before it looks, so that nothing comes unseen;
   * elsewhere it works through a page of an earlier listing first.
   */
  async #claimNext(
    session: HostSession,
    head: { readonly place: Place; readonly watch: () => void } | undefined,
    signal: AbortSignal | undefined,
    spare = 0,
  ): Promise<Claim | 'lost' | undefined> {
    if (head === undefined && !this.#hasPriorities && this.#page.length > spare) {
      const claim = await this.#claimOf(session, this.#page, undefined, signal)
      if (claim !== undefined) return claim
    }
    await this.#prepare(session, signal)
    const { children: items } = await session.getChildren(this.#paths.items, { watch: head?.watch, signal })
    const { children } = await session.getChildren(this.#paths.taken, { watch: head?.watch, signal })
    const taken = new Set(children)
    const others = items.filter((name) => !taken.has(name))
    const free = inSequence(others, this.#hasPriorities ? byPriority : undefined)
    this.#page = free.slice(0, pageSize)
    if (head === undefined && free.length <= spare) return undefined
    return this.#claimOf(session, this.#page, head?.place, signal)
  }

  /** Claims one of these names, which are used up on the way. */
  async #claimOf(
    session: HostSession,
    names: string[],
    place: Place | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Claim | 'lost' | undefined> {
    while (names.length > 0) {
      const name = names.shift() as string
      const stat = await session.exists(below(this.#paths.items, name), { signal })
      if (stat === undefined || stat.numChildren > 0) continue
      // Two takes of one process need not race for it. The first in line looks at all: it would not hear of one that fails.
      if (place === undefined && this.#claiming.has(name)) continue
      this.#claiming.add(name)
      try {
        const claim = await this.#claim(session, name, place, signal)
        if (claim !== undefined) return claim
      } finally {
        this.#claiming.delete(name)
      }
    }
    return undefined
  }

  /** Undefined: somebody else has it. `lost`: our place in the line is. */
  async #claim(
    session: HostSession,
    name: string,
    place: Place | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Claim | 'lost' | undefined> {
    const path = below(below(this.#paths.items, name), 'taken')
    const nonce = this.#host.uniqueName()
    const leave = place === undefined ? [] : [{ type: 'delete', path: place.path } as const]
    try {
      const [own] = await session.multi(
        [
          { type: 'create', path, data: toJson(nonce), mode: 'ephemeral' },
          { type: 'create', path: below(this.#paths.taken, name), mode: 'ephemeral' },
          ...leave,
        ] as const,
        { signal },
      )
      return { name, session, path, token: own.stat.czxid }
    } catch (error) {
      if (isConflict(error)) {
        // Our place has gone: an earlier attempt, whose outcome is unknown, has used it up.
        if (place !== undefined && error.index === 2) return 'lost'
        return undefined
      }
      // It may be ours without our knowing: then nobody would ever be done with it.
      void this.#giveBackUnknown(session, name, path, nonce)
      throw error
    }
  }

  async #giveBackUnknown(session: HostSession, name: string, path: string, nonce: string): Promise<void> {
    while (session.state !== 'lost' && session.state !== 'closed') {
      try {
        await afterEarlierWrites(session)
        const { data, stat } = await session.getData(path)
        if (fromJson(data) === nonce)
          await giveBack(this.#host, this.#paths, { name, session, path, token: stat.czxid })
        return
      } catch (error) {
        if (!isOutage(error)) return
        await pause(this.#host, 100)
      }
    }
  }

  /** Undefined: the claim was lost while it was read. */
  async #read(claim: Claim, signal: AbortSignal | undefined): Promise<QueueItem<V> | undefined> {
    const { session, name } = claim
    const path = below(this.#paths.items, name)
    try {
      const { data, stat } = await session.getData(path, { signal })
      // Of every child that ever came or went, all but the one that is there count twice.
      const attempt = (stat.cversion + 1) / 2
      return new QueueItem(
        this.#host,
        this.#paths,
        claim,
        attempt,
        () => decodeValue(this.#host.codec, data, path) as V,
      )
    } catch (error) {
      void giveBack(this.#host, this.#paths, claim)
      if (isOutage(error) && signal?.aborted !== true) return undefined
      throw error
    }
  }

  async #prepare(session: HostSession, signal: AbortSignal | undefined): Promise<void> {
    for (const path of [this.#paths.items, this.#paths.taken]) {
      if ((await session.exists(path, { signal })) !== undefined) continue
      await session.create(path, undefined, { parents: true, signal }).catch((error: unknown) => {
        if (!isConflict(error)) throw error
      })
    }
  }
}

/** An item that this process has, until it is done with it or gives it back. */
export class QueueItem<V> extends Held {
  /** How often the item was given to a consumer, this time included: 1 unless an earlier one died or gave it back. */
  readonly attempt: number
  readonly #host: RecipeHost
  readonly #paths: Paths
  readonly #claim: Claim
  readonly #decode: () => V
  readonly #disown: () => void
  #finished: Promise<void> | undefined
  #released: Promise<void> | undefined

  /** @internal */
  constructor(host: RecipeHost, paths: Paths, claim: Claim, attempt: number, decode: () => V) {
    super(host, claim.session, claim.path, claim.token)
    this.#host = host
    this.#paths = paths
    this.#claim = claim
    this.attempt = attempt
    this.#decode = decode
    this.#disown = host.own(this)
    // Lost while its session goes on (a late heartbeat): it would be kept from everybody for nothing.
    this.signal.addEventListener('abort', () => void this.release(), { once: true })
    if (this.signal.aborted) void this.release()
  }

  /** What was put. Throws COORD_BAD_DATA where it does not decode: `done()` then drops it. */
  get value(): V {
    return this.#decode()
  }

  /**
   * Removes the item: it is not given to anybody any more. COORD_LOCK_LOST where this process has lost it: then another
   * one has it, or will have. COORD_CONNECTION_LOSS where the session ended before the answer came: it is one or the other.
   * Aborted before it began, nothing is removed; later, it goes on all the same.
   */
  async done({ signal }: HandleOptions = {}): Promise<void> {
    throwIfAborted(signal)
    if (this.#released !== undefined) throw new CoordError('COORD_LOCK_LOST', undefined, { path: this.path })
    this.#finished ??= this.#finish()
    await untilAborted(this.#finished, signal)
  }

  /** Gives the item back: the next consumer gets it, as a further attempt. Does nothing after `done`. Idempotent. */
  release(): Promise<void> {
    if (this.#finished !== undefined) return this.#finished.catch(() => {})
    if (this.#released === undefined) {
      // It may be called again while it ends.
      this.#released = Promise.resolve()
      this.#disown()
      this.end()
      this.#released = giveBack(this.#host, this.#paths, this.#claim)
    }
    return this.#released
  }

  override toJSON(): object {
    return { ...super.toJSON(), attempt: this.attempt }
  }

  /** The same as `release()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  async #finish(): Promise<void> {
    const { session, path, name, token } = this.#claim
    let isUnknown = false
    try {
      for (;;) {
        try {
          await session.multi(
            [...untake(this.#paths, this.#claim), { type: 'delete', path: below(this.#paths.items, name) }],
            { ifHeld: { path, token } },
          )
          return
        } catch (error) {
          // Nobody else takes it from a session that lives: an earlier attempt of ours has succeeded.
          if (isUnknown && isConflict(error) && session.state === 'connected') return
          if (isConflict(error)) throw new CoordError('COORD_LOCK_LOST', undefined, { path: this.path, cause: error })
          if (!isOutage(error)) throw error
          isUnknown ||= !error.retryable
          if (session.state === 'lost' || session.state === 'closed')
            throw new CoordError(isUnknown ? 'COORD_CONNECTION_LOSS' : 'COORD_LOCK_LOST', undefined, {
              path: this.path,
              cause: error,
            })
          await pause(this.#host, 100)
        }
      }
    } finally {
      this.#disown()
      this.end()
    }
  }
}

/** The operations that make an item free. */
function untake({ taken }: Paths, { path, name }: Claim) {
  return [
    { type: 'delete', path },
    { type: 'delete', path: below(taken, name) },
  ] as const
}

/** However often it takes; where the session ends, the claim goes with it. Never rejects. */
async function giveBack(host: RecipeHost, paths: Paths, claim: Claim): Promise<void> {
  const { session, path, token } = claim
  while (session.state !== 'lost' && session.state !== 'closed') {
    try {
      await session.multi(untake(paths, claim), { ifHeld: { path, token } })
      return
    } catch (error) {
      if (!isOutage(error)) return
      await pause(host, 100)
    }
  }
}

function byPriority(one: string, other: string): number {
  const [left, right] = [one.slice(0, priorityDigits), other.slice(0, priorityDigits)]
  return left < right ? -1 : left > right ? 1 : 0
}
