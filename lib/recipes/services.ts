/**
 * The service registry and client-side load balancing. A provider registers an instance: an ephemeral node below
 * `/services/<name>`, made anew after a lost session. A consumer watches the name and picks instances from a local copy:
 * a pick costs no message.
 */
import { EventEmitter } from 'node:events'
import { isObject } from '../api/checks.ts'
import { callListener, emitSafely } from '../api/emit.ts'
import { CoordError } from '../errors.ts'
import { type Candidate, type Strategy, type StrategyName, strategyOf } from './balancing.ts'
import {
  absolutePath,
  below,
  fromJson,
  type HandleOptions,
  isOutage,
  isOver,
  nodeName,
  overError,
  type RecipeHost,
  toJson,
  WaitLine,
} from './host.ts'
import { Mirror } from './mirror.ts'
import { Presence } from './presence.ts'

/** What a provider says about itself. */
export interface ServiceDescription {
  /** A host name or address. */
  readonly address: string
  readonly port: number
  /** Whatever consumers should know: a zone, a version. */
  readonly meta?: Readonly<Record<string, unknown>> | undefined
  /** Its share under the strategy `'weighted'`, relative to the others'. Default 1. */
  readonly weight?: number | undefined
}

/** An instance as consumers see it. */
export interface ServiceInstance extends ServiceDescription, Candidate {
  /** Unique; the same over the sessions of one registration. */
  readonly id: string
  /** It asks for no new requests. */
  readonly draining: boolean
}

/** A picked instance. Release it (or dispose of it) when the request is done: `'least-used'` counts. */
export interface PickedInstance extends ServiceInstance, Disposable {
  release(): void
  /** The same as `view.report(instance)`, and releases it. */
  report(): void
}

export interface ServiceEvents {
  added: [instance: ServiceInstance]
  removed: [instance: ServiceInstance]
  updated: [instance: ServiceInstance, previous: ServiceInstance]
}

export interface WatchServiceOptions extends HandleOptions {
  /** Default `'round-robin'`. */
  readonly strategy?: StrategyName | undefined
  /** Only these are picked, and listed. Where it throws, the instance is not, and the error is rethrown as a listener's is. */
  readonly filter?: ((instance: ServiceInstance) => boolean) | undefined
  /** How long an instance that was reported is left out. Milliseconds, default 30,000. */
  readonly reportedMs?: number | undefined
}

export interface PickOptions extends HandleOptions {
  /** What sticks together under the strategy `'sticky'`: a user, an order. Default: this view, as a whole. */
  readonly key?: string | undefined
}

export interface Services {
  /** Registers an instance until the registration is closed. Resolves when consumers can see it. */
  register(name: string, description: ServiceDescription, options?: HandleOptions): Promise<Registration>
  /** A live list of the instances of a service, to pick from. */
  watch(name: string, options?: WatchServiceOptions): Promise<ServiceView>
}

export function services(host: RecipeHost): Services {
  const pathOf = (name: string): string => absolutePath(host, `/services/${nodeName('name', name)}`)
  return {
    async register(name, description, options = {}) {
      checkDescription(description)
      const registration = new Registration(host, pathOf(name), description)
      await registration.start(options.signal)
      return registration
    },
    async watch(name, options = {}) {
      const view = new ServiceView(host, pathOf(name), options)
      await view.start(options.signal)
      return view
    },
  }
}

/** A registered instance. Closing it deregisters it. */
export class Registration implements AsyncDisposable {
  /** As consumers see it. */
  readonly id: string
  readonly #presence: Presence
  readonly #disown: () => void
  #description: ServiceDescription
  #draining = false
  #closing: Promise<void> | undefined

  constructor(host: RecipeHost, path: string, description: ServiceDescription) {
    this.id = host.uniqueName()
    this.#description = description
    this.#presence = new Presence(host, { path: below(path, this.id), data: this.#encoded() })
    this.#disown = host.own(this)
  }

  /** @internal */
  async start(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#presence.start(signal)
    } catch (error) {
      void this.close()
      throw error
    }
  }

  /** Changes what is given of the description. Resolves once consumers can see it; refused (COORD_TOO_LARGE, say), nothing changes. */
  async update(changes: Partial<ServiceDescription>, options: HandleOptions = {}): Promise<void> {
    const description = { ...this.#description, ...changes }
    checkDescription(description)
    const before = this.#description
    this.#description = description
    try {
      await this.#presence.update(this.#encoded(), options.signal)
    } catch (error) {
      // Refused: it stays what it was.
      const isRefused = error instanceof CoordError && !isOutage(error)
      if (isRefused && this.#description === description) this.#description = before
      throw error
    }
  }

  /** Asks for no new requests, so that those under way can end before `close()`. Resolves once consumers can see it. */
  async drain(options: HandleOptions = {}): Promise<void> {
    this.#draining = true
    await this.#presence.update(this.#encoded(), options.signal)
  }

  /** Deregisters. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#presence.close().then(() => this.#disown())
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #encoded(): Uint8Array {
    return toJson({ ...this.#description, draining: this.#draining })
  }
}

/** A consumer's copy of the instances of a service, with its strategy and what it knows of bad ones. */
export class ServiceView extends EventEmitter<ServiceEvents> implements AsyncDisposable {
  readonly #host: RecipeHost
  readonly #path: string
  readonly #mirror: Mirror
  readonly #strategy: Strategy
  readonly #filter: (instance: ServiceInstance) => boolean
  readonly #reportedMs: number
  readonly #disown: () => void
  readonly #unsubscribe: () => void
  readonly #waiting = new WaitLine()
  /** By id: until when it is left out, by the local monotonic clock. */
  readonly #reported = new Map<string, number>()
  readonly #stickyKey: string
  #instances: readonly ServiceInstance[] = []
  #closing: Promise<void> | undefined

  constructor(host: RecipeHost, path: string, options: WatchServiceOptions) {
    super()
    const { strategy = 'round-robin', filter = () => true, reportedMs = 30_000 } = options
    if (typeof filter !== 'function') throw new TypeError('filter must be a function')
    if (!Number.isFinite(reportedMs) || reportedMs < 0)
      throw new RangeError('reportedMs must be milliseconds, 0 or more')
    this.#host = host
    this.#path = path
    this.#strategy = strategyOf(strategy, () => host.random())
    this.#filter = filter
    this.#reportedMs = reportedMs
    this.#stickyKey = host.uniqueName()
    this.#mirror = new Mirror(host, { path, depth: 1, onChange: () => this.#onChange() })
    this.#disown = host.own(this)
    this.#unsubscribe = host.onState(() => {
      // Nobody comes any more.
      if (isOver(host)) this.#waiting.resolveAll()
    })
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

  /** All that are registered (and pass the filter), those that drain or were reported included, sorted by id. */
  get instances(): readonly ServiceInstance[] {
    return this.#instances
  }

  /** The list is what the registry was at this zxid. */
  get zxid(): bigint {
    return this.#mirror.zxid
  }

  /** Whether the list may be old, because no quorum serves this process. */
  get stale(): boolean {
    return this.#host.state !== 'connected'
  }

  /**
   * Picks an instance; waits for the first one where there is none. Instances that drain are not picked, nor those that
   * were reported lately, unless there are no others: then the reported ones are tried after all.
   */
  async pick(options: PickOptions = {}): Promise<PickedInstance> {
    for (;;) {
      if (this.#closing !== undefined) throw new CoordError('COORD_CLOSED')
      const picked = this.pickNow(options)
      if (picked !== undefined) return picked
      if (isOver(this.#host)) throw overError(this.#host)
      await this.#waiting.wait(options.signal)
    }
  }

  /** The same at once: undefined where there is none. */
  pickNow({ key = this.#stickyKey }: Pick<PickOptions, 'key'> = {}): PickedInstance | undefined {
    const now = this.#host.clock.now()
    const live = this.#instances.filter(({ draining }) => !draining)
    const good = live.filter(({ id }) => (this.#reported.get(id) ?? 0) <= now)
    const candidates = good.length > 0 ? good : live
    return candidates.length === 0 ? undefined : this.#picked(this.#strategy.pick(candidates, key))
  }

  /** Leaves an instance out of this view's picks for a while: it did not answer, say. Others decide for themselves. */
  report({ id }: Pick<ServiceInstance, 'id'>): void {
    if (this.#instances.some((instance) => instance.id === id))
      this.#reported.set(id, this.#host.clock.now() + this.#reportedMs)
  }

  /** Stops watching; whoever waits in `pick` is rejected with COORD_CLOSED. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#mirror.close()
    this.#unsubscribe()
    this.#disown()
    this.#waiting.rejectAll(new CoordError('COORD_CLOSED'))
  }

  #picked(instance: ServiceInstance): PickedInstance {
    let isReleased = false
    const release = (): void => {
      if (isReleased) return
      isReleased = true
      this.#strategy.release(instance.id)
    }
    const report = (): void => {
      this.report(instance)
      release()
    }
    return { ...instance, release, report, [Symbol.dispose]: release }
  }

  /** What the application throws must not keep the other instances from being listed. */
  #passes(instance: ServiceInstance): boolean {
    let passes = false
    callListener(() => {
      passes = this.#filter(instance)
    })
    return passes
  }

  #onChange(): void {
    const before = new Map(this.#instances.map((instance) => [instance.id, instance]))
    const after = new Map<string, ServiceInstance>()
    for (const [path, { data }] of this.#mirror.nodes) {
      const instance = path === this.#path ? undefined : instanceOf(path, data)
      if (instance !== undefined && this.#passes(instance)) after.set(instance.id, instance)
    }
    this.#instances = [...after.values()].sort((one, other) => (one.id < other.id ? -1 : 1))
    for (const id of this.#reported.keys()) if (!after.has(id)) this.#reported.delete(id)
    for (const [id, instance] of before) if (!after.has(id)) emitSafely(this, 'removed', instance)
    for (const [id, instance] of after) {
      const previous = before.get(id)
      if (previous === undefined) emitSafely(this, 'added', instance)
      else if (JSON.stringify(previous) !== JSON.stringify(instance)) emitSafely(this, 'updated', instance, previous)
    }
    this.#waiting.resolveAll()
  }
}

/** What somebody else wrote: undefined where it is no instance. */
function instanceOf(path: string, data: Uint8Array | undefined): ServiceInstance | undefined {
  const { address, port, meta, weight, draining } = (fromJson(data) ?? {}) as Partial<ServiceInstance>
  try {
    const description = { address, port, meta, weight } as ServiceDescription
    checkDescription(description)
    return { ...description, id: path.slice(path.lastIndexOf('/') + 1), draining: draining === true }
  } catch {
    return undefined
  }
}

function checkDescription(description: ServiceDescription): void {
  if (!isObject(description)) throw new TypeError('an instance is { address, port, meta?, weight? }')
  const { address, port, meta, weight } = description
  if (typeof address !== 'string' || address === '') throw new TypeError('address must be a text that is not empty')
  if (!Number.isInteger(port)) throw new TypeError(`port must be a whole number, not ${String(port)}`)
  if (port < 0 || port > 65_535) throw new RangeError(`port must be from 0 to 65535, not ${port}`)
  if (meta !== undefined && (typeof meta !== 'object' || meta === null)) throw new TypeError('meta must be an object')
  if (weight !== undefined && (typeof weight !== 'number' || !Number.isFinite(weight) || weight < 0))
    throw new RangeError(`weight must be a number of 0 or more, not ${String(weight)}`)
}
