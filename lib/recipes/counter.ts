/**
 * A counter that all members share: a number in a znode, changed by compare-and-set. What changes it names the version
 * that it read and the incarnation of the node, so no change is ever made on top of one that was not seen.
 */
import { CoordError } from '../errors.ts'
import {
  absolutePath,
  fromJson,
  type HandleOptions,
  type HostSession,
  hasCode,
  inSomeSession,
  openSession,
  type RecipeHost,
  throwIfAborted,
  toJson,
  untilAborted,
} from './host.ts'

interface Reading {
  readonly value: number
  /** Undefined: there is no node, which counts as 0. */
  readonly at: { readonly version: number; readonly czxid: bigint } | undefined
}

export interface CounterGetOptions extends HandleOptions {
  /** Default `'session'`: a local read, which may be a little old. */
  readonly consistency?: 'session' | 'linearizable' | undefined
}

/**
 * Whole numbers within ±2⁵³. A change that rejects with COORD_CONNECTION_LOSS may or may not have happened; with any
 * other error it did not.
 */
export class Counter {
  readonly #host: RecipeHost
  readonly #path: string
  /** Changes of this object go one after the other: they would only make each other try again. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(host: RecipeHost, path: string) {
    this.#host = host
    this.#path = absolutePath(host, path)
  }

  /** The value now; 0 where nobody has counted yet. */
  async get(options: CounterGetOptions = {}): Promise<number> {
    return (await this.#read(openSession(this.#host), options)).value
  }

  /** Adds a whole number, which may be negative. Resolves with the sum. */
  async add(amount = 1, options: HandleOptions = {}): Promise<number> {
    requireCount('amount', amount)
    return this.#change((value) => value + amount, options)
  }

  /** Sets the value if it is `expected`. Resolves with whether it was. */
  async compareAndSet(expected: number, value: number, options: HandleOptions = {}): Promise<boolean> {
    requireCount('expected', expected)
    requireCount('value', value)
    let isSet = false
    await this.#change((current) => {
      isSet = current === expected
      return isSet ? value : undefined
    }, options)
    return isSet
  }

  /** Until nobody else has changed it in between. `step` gives undefined to leave it as it is. */
  #change(step: (value: number) => number | undefined, options: HandleOptions): Promise<number> {
    const changed = this.#last.then(() => this.#changeNow(step, options))
    this.#last = changed.catch(() => {})
    // Also while it waits for its turn: then nothing is changed.
    return untilAborted(changed, options.signal)
  }

  async #changeNow(step: (value: number) => number | undefined, { signal }: HandleOptions): Promise<number> {
    for (;;) {
      throwIfAborted(signal)
      const { value, at } = await inSomeSession(this.#host, (session) => this.#read(session, { signal }))
      const wanted = step(value)
      if (wanted === undefined) {
        // What was read may be old: only what a quorum confirms says no.
        const { value: confirmed } = await inSomeSession(this.#host, async (session) => {
          await session.sync(this.#path, { signal })
          return this.#read(session, { signal })
        })
        if (step(confirmed) === undefined) return confirmed
        continue
      }
      requireCount('the sum', wanted)
      const changed = await inSomeSession(this.#host, (session) => this.#write(session, wanted, at, signal))
      if (changed) return wanted
    }
  }

  async #read(session: HostSession, options: CounterGetOptions): Promise<Reading> {
    try {
      const { data, stat } = await session.getData(this.#path, options)
      const value = data === undefined ? 0 : fromJson(data)
      if (!Number.isSafeInteger(value))
        throw new CoordError('COORD_BAD_DATA', `the data of ${this.#path} is no whole number`, { path: this.#path })
      return { value: value as number, at: { version: stat.version, czxid: stat.czxid } }
    } catch (error) {
      if (hasCode(error, 'COORD_NO_NODE')) return { value: 0, at: undefined }
      throw error
    }
  }

  /** Resolves with false if somebody else was first. */
  async #write(session: HostSession, value: number, at: Reading['at'], signal?: AbortSignal): Promise<boolean> {
    const path = this.#path
    const data = toJson(value)
    try {
      if (at === undefined) await session.create(path, data, { parents: true, signal })
      else {
        const ifHeld = { path, token: at.czxid }
        await session.multi([{ type: 'setData', path, data, version: at.version }], { ifHeld, signal })
      }
      return true
    } catch (error) {
      if (hasCode(error, 'COORD_NODE_EXISTS', 'COORD_BAD_VERSION', 'COORD_LOCK_LOST', 'COORD_NO_NODE')) return false
      throw error
    }
  }
}

function requireCount(name: string, value: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not a ${typeof value}`)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${name} must be a whole number within ±2^53, not ${value}`)
}
