/**
 * Live configuration: one value (`Cache`) or a tree of them (`TreeCache`), always at hand, read without a message. A new
 * value that does not parse changes nothing: the last good one stays, and `invalid` tells.
 */
import { EventEmitter } from 'node:events'
import { emitSafely } from '../api/emit.ts'
import { decodeValue, encodeValue } from '../api/values.ts'
import { absolutePath, below, type HandleOptions, type RecipeHost } from './host.ts'
import { Mirror, type MirrorChange } from './mirror.ts'
import { historyName, type Revision, Revisions, type RollOut, rollOutName, rollOutOf } from './revisions.ts'
import { type Audience, isInAudience } from './rollout.ts'

export interface CacheOptions<T, V> extends HandleOptions {
  /** Makes of what is stored what the application uses; throws for what is not valid. Default: takes it as it is. */
  readonly parse?: ((value: V) => T) | undefined
  /** The name by which this process is picked in a gradual roll-out. Default: the member's. */
  readonly member?: string | undefined
}

/** What became of one key. */
export interface CacheChange<T> {
  readonly key: string
  readonly next: T | undefined
  readonly previous: T | undefined
}

export interface CacheEvents<T> {
  change: [next: T, previous: T]
  /** A new value does not parse; the last good one stays. */
  invalid: [error: unknown]
}

export interface TreeCacheEvents<T> {
  /** All that changed at once. */
  update: [changes: readonly CacheChange<T>[], zxid: bigint]
  /** Once for each of them, after `update`. */
  change: [key: string, next: T | undefined, previous: T | undefined]
  invalid: [key: string, error: unknown]
}

/** What both have: which value each key has for this member. */
class Configuration<T, V> {
  readonly revisions: Revisions
  readonly #host: RecipeHost<V>
  readonly #root: string
  readonly #mirror: Mirror
  readonly #parse: (value: V) => T
  readonly #member: string | undefined
  readonly #onChange: (changes: readonly CacheChange<T>[], invalid: readonly (readonly [string, unknown])[]) => void
  readonly #values = new Map<string, T>()
  /** What each value was made of. */
  readonly #sources = new Map<string, Uint8Array>()
  /** Of the keys whose source does not parse: why. */
  readonly #errors = new Map<string, unknown>()
  #rollOut: RollOut | undefined

  constructor(
    host: RecipeHost<V>,
    path: string,
    depth: number,
    options: CacheOptions<T, V>,
    onChange: (changes: readonly CacheChange<T>[], invalid: readonly (readonly [string, unknown])[]) => void,
  ) {
    const { parse = (value) => value as unknown as T, member = host.memberName } = options
    if (typeof parse !== 'function') throw new TypeError('parse must be a function')
    this.#host = host
    this.#root = absolutePath(host, path)
    this.#parse = parse
    this.#member = member
    this.#onChange = onChange
    this.revisions = new Revisions(host, this.#root)
    const history = below(this.#root, historyName)
    const rollOut = below(this.#root, rollOutName)
    this.#mirror = new Mirror(host, {
      path: this.#root,
      depth: Math.max(1, depth),
      includes: (node) => node === rollOut || (depth > 0 && node !== history),
      onChange: (changes) => this.#onMirror(changes, rollOut),
    })
  }

  get values(): ReadonlyMap<string, T> {
    return this.#values
  }

  get errors(): ReadonlyMap<string, unknown> {
    return this.#errors
  }

  get zxid(): bigint {
    return this.#mirror.zxid
  }

  start(signal: AbortSignal | undefined): Promise<void> {
    return this.#mirror.start(signal)
  }

  close(): void {
    this.#mirror.close()
  }

  encoded(values: Readonly<Record<string, V | undefined>>): Map<string, Uint8Array | undefined> {
    return new Map(
      Object.entries(values).map(([key, value]) => {
        if (key !== '') absolutePath(this.#host, `/${key}`)
        if (key.startsWith('.')) throw new TypeError(`a key must not begin with a dot: ${key}`)
        return [key, encodeValue(this.#host.codec, value)]
      }),
    )
  }

  #keyOf(path: string): string {
    return path === this.#root ? '' : path.slice(this.#root === '/' ? 1 : this.#root.length + 1)
  }

  /** What a key is for this member; undefined: nothing. */
  #sourceOf(key: string): Uint8Array | undefined {
    const candidate = this.#rollOut?.values
    if (candidate?.has(key) === true) return candidate.get(key)
    return this.#mirror.nodes.get(key === '' ? this.#root : below(this.#root, key))?.data
  }

  #onMirror(changed: readonly MirrorChange[], rollOut: string): void {
    const keys = new Set<string>()
    for (const { path } of changed) if (path !== rollOut) keys.add(this.#keyOf(path))
    if (changed.some(({ path }) => path === rollOut)) {
      for (const key of this.#rollOut?.values.keys() ?? []) keys.add(key)
      const candidate = rollOutOf(this.#mirror.nodes.get(rollOut)?.data)
      const isIn =
        candidate !== undefined &&
        this.#member !== undefined &&
        isInAudience(this.#member, candidate.audience, candidate.salt)
      this.#rollOut = isIn ? candidate : undefined
      for (const key of this.#rollOut?.values.keys() ?? []) keys.add(key)
    }
    const changes: CacheChange<T>[] = []
    const invalid: (readonly [string, unknown])[] = []
    for (const key of keys) this.#take(key, changes, invalid)
    this.#onChange(changes, invalid)
  }

  #take(key: string, changes: CacheChange<T>[], invalid: (readonly [string, unknown])[]): void {
    const source = this.#sourceOf(key)
    const before = this.#sources.get(key)
    if (source === before || (source !== undefined && before !== undefined && areEqual(source, before))) return
    const previous = this.#values.get(key)
    this.#errors.delete(key)
    if (source === undefined) {
      this.#sources.delete(key)
      if (this.#values.delete(key)) changes.push({ key, next: undefined, previous })
      return
    }
    this.#sources.set(key, source)
    try {
      const next = this.#parse(decodeValue(this.#host.codec, source, key) as V)
      this.#values.set(key, next)
      changes.push({ key, next, previous })
    } catch (error) {
      this.#errors.set(key, error)
      invalid.push([key, error])
    }
  }
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index])
}

/** What both kinds of cache can do, whatever their keys are. */
abstract class Configured<E extends Record<keyof E, unknown[]>, T, V>
  extends EventEmitter<E>
  implements AsyncDisposable
{
  readonly #host: RecipeHost<V>
  readonly #configuration: Configuration<T, V>
  readonly #disown: () => void

  /** `depth`: how many levels below the node belong to it. */
  constructor(host: RecipeHost<V>, path: string, depth: number, options: CacheOptions<T, V>) {
    super()
    this.#host = host
    this.#configuration = new Configuration(host, path, depth, options, (changes, invalid) =>
      this.tell(changes, invalid),
    )
    this.#disown = host.own(this)
  }

  protected get configuration(): Configuration<T, V> {
    return this.#configuration
  }

  /** Emits what has changed. */
  protected abstract tell(
    changes: readonly CacheChange<T>[],
    invalid: readonly (readonly [key: string, error: unknown])[],
  ): void

  /** @internal */
  async start(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#configuration.start(signal)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** What it has is what the tree had at this zxid. */
  get zxid(): bigint {
    return this.#configuration.zxid
  }

  /** Whether it may be old, because no quorum serves this process. */
  get stale(): boolean {
    return this.#host.state !== 'connected'
  }

  /** The revisions that can be taken back, oldest first. Only what was published through a cache has one. */
  async revisions(options?: HandleOptions): Promise<Revision[]> {
    return this.#configuration.revisions.list(options)
  }

  /** Makes everything what it was right after a revision (0: before the first), as a new revision, whose number it resolves with. */
  async rollback(revision: number, options?: HandleOptions): Promise<number> {
    return this.#configuration.revisions.rollback(revision, options)
  }

  /** Shows the candidate to another audience. Who was in a smaller percentage is in a greater one. */
  async widenRollOut(audience: Audience, options?: HandleOptions): Promise<void> {
    return this.#configuration.revisions.widen(audience, options)
  }

  /** Publishes the candidate for everybody. Resolves with the number of the revision. */
  async completeRollOut(options?: HandleOptions): Promise<number> {
    return this.#configuration.revisions.complete(options)
  }

  /** Takes the candidate back. */
  async cancelRollOut(options?: HandleOptions): Promise<void> {
    return this.#configuration.revisions.cancel(options)
  }

  /** Stops following; what it has stays what it is. Idempotent. */
  async close(): Promise<void> {
    this.#configuration.close()
    this.#disown()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** One value that follows a node. `T` has undefined in it where no `default` was given. */
export class Cache<T, V = T> extends Configured<CacheEvents<T>, T, V> {
  readonly #default: T

  constructor(host: RecipeHost<V>, path: string, options: CacheOptions<T, V> & { readonly default?: T | undefined }) {
    super(host, path, 0, options)
    this.#default = options.default as T
  }

  /** The last good value; the default where there is none. A synchronous read of this process's memory. */
  get value(): T {
    return this.#orDefault(this.configuration.values.get(''))
  }

  /** Why the value in the tree is not taken; undefined where `value` is what is there. */
  get error(): unknown {
    return this.configuration.errors.get('')
  }

  /** Publishes a value for everybody. Resolves with the number of the revision. */
  async set(value: V | undefined, options?: HandleOptions): Promise<number> {
    const { configuration } = this
    return configuration.revisions.publish(configuration.encoded({ '': value }), options)
  }

  /** Shows a value to some members alone, by name or percentage. */
  async rollOut(value: V | undefined, audience: Audience, options?: HandleOptions): Promise<void> {
    const { configuration } = this
    return configuration.revisions.rollOut(configuration.encoded({ '': value }), audience, options)
  }

  protected tell(
    changes: readonly CacheChange<T>[],
    invalid: readonly (readonly [key: string, error: unknown])[],
  ): void {
    for (const { next, previous } of changes) {
      emitSafely(this, 'change', this.#orDefault(next), this.#orDefault(previous))
    }
    for (const [, error] of invalid) emitSafely(this, 'invalid', error)
  }

  /** Null is a value. */
  #orDefault(value: T | undefined): T {
    return value === undefined ? this.#default : value
  }
}

/** All values at and below a node. Keys are paths below it, without a slash in front; '' is the node itself. */
export class TreeCache<T, V = T> extends Configured<TreeCacheEvents<T>, T, V> {
  constructor(host: RecipeHost<V>, path: string, options: CacheOptions<T, V>) {
    super(host, path, Number.POSITIVE_INFINITY, options)
  }

  /** The last good value of a key. A synchronous read of this process's memory. */
  get(key: string): T | undefined {
    return this.configuration.values.get(key)
  }

  has(key: string): boolean {
    return this.configuration.values.has(key)
  }

  /** Sorted. A node without data is no key. */
  keys(): string[] {
    return [...this.configuration.values.keys()].sort()
  }

  /** Sorted by key. All are of one moment: two keys of one publication are both old or both new. */
  entries(): [key: string, value: T][] {
    return [...this.configuration.values].sort(([one], [other]) => (one < other ? -1 : 1))
  }

  get size(): number {
    return this.configuration.values.size
  }

  /** Publishes several keys at once; undefined removes one. Resolves with the number of the revision. */
  async publish(values: Readonly<Record<string, V | undefined>>, options?: HandleOptions): Promise<number> {
    const { configuration } = this
    return configuration.revisions.publish(configuration.encoded(values), options)
  }

  /** Shows values to some members alone, by name or percentage. */
  async rollOut(
    values: Readonly<Record<string, V | undefined>>,
    audience: Audience,
    options?: HandleOptions,
  ): Promise<void> {
    const { configuration } = this
    return configuration.revisions.rollOut(configuration.encoded(values), audience, options)
  }

  protected tell(
    changes: readonly CacheChange<T>[],
    invalid: readonly (readonly [key: string, error: unknown])[],
  ): void {
    if (changes.length > 0) emitSafely(this, 'update', changes, this.zxid)
    for (const { key, next, previous } of changes) emitSafely(this, 'change', key, next, previous)
    for (const [key, error] of invalid) emitSafely(this, 'invalid', key, error)
  }
}
