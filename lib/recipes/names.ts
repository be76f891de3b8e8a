/**
 * Naming: names that belong to one thing each, and ids that nobody else gets.
 *
 * A bound name is a node `<path>/<name>` that holds its target. Ids come from one counter, `<path>/.ids`, of which each
 * process reserves a block at a time: most ids cost no message.
 */
import { EventEmitter } from 'node:events'
import { emitSafely } from '../api/emit.ts'
import { CoordError } from '../errors.ts'
import { Counter } from './counter.ts'
import {
  absolutePath,
  below,
  fromJson,
  type HandleOptions,
  hasCode,
  inSomeSession,
  nodeName,
  type RecipeHost,
  throwIfAborted,
  toJson,
  untilAborted,
} from './host.ts'
import { IdBlock } from './id-block.ts'
import { isConflict } from './line.ts'
import { Mirror } from './mirror.ts'

export interface ResolveOptions extends HandleOptions {
  /** Default `'session'`: a local read. */
  readonly consistency?: 'session' | 'linearizable' | undefined
}

export interface NameEvents {
  change: [target: string | undefined, previous: string | undefined]
}

export class Names {
  readonly #host: RecipeHost
  /** As given, in the host's namespace. */
  readonly #given: string
  readonly #path: string

  constructor(host: RecipeHost, path: string) {
    this.#host = host
    this.#given = path
    this.#path = absolutePath(host, path)
  }

  /**
   * Gives a name to a target, a path for example. One name, one target: where it has another one, COORD_NODE_EXISTS.
   * Binding it to what it is bound to already does nothing.
   */
  async bind(name: string, target: string, { signal }: HandleOptions = {}): Promise<void> {
    requireTarget(target)
    const path = this.#pathOf(name)
    try {
      await inSomeSession(this.#host, (session) => session.create(path, toJson(target), { parents: true, signal }))
    } catch (error) {
      if (!hasCode(error, 'COORD_NODE_EXISTS') || (await this.resolve(name, { signal })) !== target) throw error
    }
  }

  /** Gives a bound name to another target. COORD_NO_NODE where it is not bound; `from`: only if it has that target, else COORD_BAD_VERSION. */
  async rebind(
    name: string,
    target: string,
    options: HandleOptions & { readonly from?: string | undefined } = {},
  ): Promise<void> {
    requireTarget(target)
    const { signal, from } = options
    const path = this.#pathOf(name)
    await inSomeSession(this.#host, async (session) => {
      if (from === undefined) {
        await session.setData(path, toJson(target), { signal })
        return
      }
      for (;;) {
        const { data, stat } = await session.getData(path, { signal })
        if (fromJson(data) !== from)
          throw new CoordError('COORD_BAD_VERSION', `${name} is not bound to ${from}`, { path })
        const write = { type: 'setData', path, data: toJson(target), version: stat.version } as const
        try {
          await session.multi([write], { ifHeld: { path, token: stat.czxid }, signal })
          return
        } catch (error) {
          // Somebody was faster: look at what it is bound to now.
          if (!isConflict(error)) throw error
        }
      }
    })
  }

  /** Frees a name. Nothing happens where it is free. */
  async unbind(name: string, { signal }: HandleOptions = {}): Promise<void> {
    try {
      await inSomeSession(this.#host, (session) => session.delete(this.#pathOf(name), { signal }))
    } catch (error) {
      if (!hasCode(error, 'COORD_NO_NODE')) throw error
    }
  }

  /** What a name is bound to; undefined where it is free. */
  async resolve(name: string, options: ResolveOptions = {}): Promise<string | undefined> {
    try {
      const { data } = await inSomeSession(this.#host, (session) => session.getData(this.#pathOf(name), options))
      return targetOf(data)
    } catch (error) {
      if (hasCode(error, 'COORD_NO_NODE')) return undefined
      throw error
    }
  }

  /** Follows what a name is bound to. */
  async watch(name: string, { signal }: HandleOptions = {}): Promise<WatchedName> {
    const watched = new WatchedName(this.#host, this.#pathOf(name))
    await watched.start(signal)
    return watched
  }

  /** A source of unique whole numbers for this process. `block`: how many are reserved at a time; default 100. */
  ids({ block = 100 }: { readonly block?: number | undefined } = {}): Ids {
    if (!Number.isSafeInteger(block) || block < 1)
      throw new RangeError(`block must be a whole number above 0, not ${block}`)
    return new Ids(new Counter(this.#host, below(this.#given, '.ids')), block)
  }

  #pathOf(name: string): string {
    nodeName('name', name)
    if (name.startsWith('.')) throw new TypeError(`a name must not begin with a dot: ${name}`)
    return below(this.#path, name)
  }
}

/**
 * Unique whole numbers, from 1 on: no two calls ever get the same, in any process. Those of one `Ids` grow; between
 * processes they do not come in the order of the calls, and those that a process has not used when it ends are left out.
 */
export class Ids {
  readonly #counter: Counter
  readonly #block: number
  #current = new IdBlock(0, 0)
  #reserving: Promise<void> | undefined

  constructor(counter: Counter, block: number) {
    this.#counter = counter
    this.#block = block
  }

  /** The next one; most come at once. Rejects as a write does where it has to reserve a block and cannot. */
  async next(options: HandleOptions = {}): Promise<number> {
    for (;;) {
      throwIfAborted(options.signal)
      const id = this.#current.take()
      if (id !== undefined) return id
      this.#reserving ??= this.#reserve().finally(() => {
        this.#reserving = undefined
      })
      await untilAborted(this.#reserving, options.signal)
    }
  }

  async #reserve(): Promise<void> {
    // Whether an attempt without an answer has reserved a block does not matter: nobody uses it.
    const end = await this.#counter.add(this.#block)
    this.#current = new IdBlock(end - this.#block + 1, this.#block)
  }
}

/** A name and what it is bound to, always at hand. */
export class WatchedName extends EventEmitter<NameEvents> implements AsyncDisposable {
  readonly #mirror: Mirror
  readonly #disown: () => void
  #target: string | undefined
  #isClosed = false

  constructor(host: RecipeHost, path: string) {
    super()
    this.#mirror = new Mirror(host, {
      path,
      depth: 0,
      onChange: () => this.#onTarget(targetOf(this.#mirror.nodes.get(path)?.data)),
    })
    this.#disown = host.own(this)
  }

  /** Undefined where it is free. */
  get target(): string | undefined {
    return this.#target
  }

  /** @internal */
  async start(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#mirror.start(signal)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#mirror.close()
    this.#disown()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #onTarget(target: string | undefined): void {
    const previous = this.#target
    this.#target = target
    if (target !== previous) emitSafely(this, 'change', target, previous)
  }
}

function targetOf(data: Uint8Array | undefined): string | undefined {
  const target = fromJson(data)
  return typeof target === 'string' ? target : undefined
}

function requireTarget(target: unknown): void {
  if (typeof target !== 'string') throw new TypeError(`a target must be a text, not a ${typeof target}`)
}
