/**
 * An ensemble in one process, for tests: the whole library on a virtual clock, network and disk. The same seed gives the
 * same run. Network and disk take no time unless told to; only timers need `advance`.
 */
import type { JoinOptions } from '../api/join-options.ts'
import type { ValueEncoding, ValueOf } from '../api/values.ts'
import type { Coord } from '../coord.ts'
import { joinWith } from '../index.ts'
import type { Member } from '../runtime/member.ts'
import { VirtualProcess } from './process.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { VirtualDisk } from './virtual-disk.ts'
import { VirtualNetwork } from './virtual-network.ts'

type Passed = 'sessionTimeoutMs' | 'requestTimeoutMs' | 'joinTimeoutMs' | 'namespace' | 'timing'

export interface TestEnsembleOptions<S extends number = number, E extends ValueEncoding = 'view'>
  extends Pick<JoinOptions, Passed> {
  /** How many founders. Default 3. */
  readonly size?: S | undefined
  /** Default 1. */
  readonly seed?: number | undefined
  /** The one there is; said so that a reader knows that no real time passes. */
  readonly clock?: 'virtual' | undefined
  /** Whether members keep their store over a restart. Default false: memory only. */
  readonly durable?: boolean | undefined
  readonly valueEncoding?: E | undefined
  /** One way, in milliseconds. Default 0. */
  readonly networkDelayMs?: { readonly min: number; readonly max: number } | undefined
  /** Default 0. */
  readonly syncMs?: number | undefined
  /** How far apart the members' clocks run: 0.001 is up to 1 ms in a second. Default 0. */
  readonly clockDrift?: number | undefined
}

/** A tuple where the size is a literal. */
export type Coords<S extends number, V> = number extends S ? Coord<V>[] : TupleOf<S, Coord<V>>
type TupleOf<S extends number, T, R extends T[] = []> = R['length'] extends S ? R : TupleOf<S, T, [...R, T]>

interface Host {
  readonly name: string
  readonly address: string
  readonly disk: VirtualDisk
  process: VirtualProcess
  member: Member | undefined
  starts: number
}

const hostNames = 'abcdefghijklmnopqrstuvwxyz'

export class TestEnsemble<S extends number, V> implements AsyncDisposable {
  readonly seed: number
  /** The founders' coords, in order. A restarted member is another coord: see `restart`. */
  readonly coords: Coords<S, V>
  readonly #options: TestEnsembleOptions<S, ValueEncoding>
  readonly #scheduler = new Scheduler()
  readonly #network: VirtualNetwork
  readonly #random: Random
  readonly #hosts: Host[] = []
  readonly #hostOf = new Map<Coord<V>, Host>()
  readonly #founders: readonly string[]

  private constructor(options: TestEnsembleOptions<S, ValueEncoding>) {
    const { size = 3, seed = 1, networkDelayMs = { min: 0, max: 0 } } = options
    this.seed = seed
    this.#options = options
    this.#random = new Random(seed, 'world')
    this.#network = new VirtualNetwork(this.#scheduler, new Random(seed, 'network'), { delayMs: networkDelayMs })
    this.#founders = Array.from({ length: size }, (_, index) => `mem://${hostNames[index] ?? index}`)
    this.coords = [] as unknown as Coords<S, V>
  }

  /** @internal */
  static async create<S extends number, V>(
    options: TestEnsembleOptions<S, ValueEncoding>,
  ): Promise<TestEnsemble<S, V>> {
    const ensemble = new TestEnsemble<S, V>(options)
    const joining = ensemble.#founders.map((address) => ensemble.#start(ensemble.#newHost(address), true))
    const coords = await ensemble.#until(Promise.all(joining), 'the founders')
    ;(ensemble.coords as Coord<V>[]).push(...coords)
    return ensemble
  }

  /** Virtual milliseconds since the world began. */
  get now(): number {
    return this.#scheduler.now
  }

  /** Lets time pass, and everything that happens in it. */
  async advance(ms: number): Promise<void> {
    await this.#scheduler.advance(ms)
  }

  /** Resolves once `ms` have passed: for whatever runs while the test advances time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#scheduler.schedule(ms, resolve))
  }

  /** Lets time pass until a promise settles, at most `limitMs`. */
  async until<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    return this.#until(promise, 'what was waited for', limitMs)
  }

  /** Cuts the links between two groups, in both directions. */
  partition(one: readonly Coord<V>[], other: readonly Coord<V>[]): void {
    for (const a of one) {
      for (const b of other) {
        this.cut(a, b)
        this.cut(b, a)
      }
    }
  }

  /** Nothing gets from one member to the other any more; the other way is not touched. */
  cut(from: Coord<V>, to: Coord<V>): void {
    this.#network.block(this.#host(from).process, this.#host(to).process)
  }

  /** Ends every partition. */
  heal(): void {
    this.#network.heal()
  }

  /** Breaks the connections between two members; they connect anew. */
  reset(a: Coord<V>, b: Coord<V>): void {
    this.#network.reset(this.#host(a).process, this.#host(b).process)
  }

  /** Kills a member's process. `loseUnsynced`: what its disk had not synced is lost, too. */
  crash(coord: Coord<V>, { loseUnsynced = false }: { readonly loseUnsynced?: boolean } = {}): void {
    const host = this.#host(coord)
    host.process.kill()
    host.disk.crash(loseUnsynced)
    this.#network.abandon(host.process)
  }

  /** Starts a crashed or closed member again, under its name and address. Resolves with its new coord. */
  async restart(coord: Coord<V>): Promise<Coord<V>> {
    const host = this.#host(coord)
    if (!host.process.isDead) this.crash(coord)
    const isFounder = this.#founders.includes(host.address)
    return this.#until(this.#start(host, isFounder), host.name)
  }

  /** One more member. */
  async join(options: { readonly name?: string } = {}): Promise<Coord<V>> {
    const name = options.name ?? hostNames[this.#hosts.length] ?? `${this.#hosts.length}`
    return this.#until(this.#start(this.#newHost(`mem://${name}`), false), name)
  }

  /** A member's process does nothing for `ms`: SIGSTOP, a long collection, a blocked event loop. */
  pause(coord: Coord<V>, ms: number): void {
    this.#host(coord).process.pause(ms)
  }

  /** A member's wall clock jumps. */
  jumpWallClock(coord: Coord<V>, ms: number): void {
    this.#host(coord).process.jumpWallClock(ms)
  }

  /** Its disk fails at the next commit. */
  failNextCommit(coord: Coord<V>): void {
    this.#host(coord).disk.failNextCommit()
  }

  /** The leader declares the session of this coord expired. */
  expireSession(coord: Coord<V>): void {
    const session = coord.session.id
    for (const { member, process } of this.#hosts) {
      if (process.isDead || member?.status?.role !== 'leading' || !member.status.serving) continue
      const known = member.state.sessions.list().find(({ id }) => id === session)
      if (known === undefined) continue
      member.step({
        type: 'request',
        requests: [{ type: 'expireSession', session: known.id, generation: known.generation }],
      })
    }
  }

  /** @internal For the library's own checks. */
  members(): readonly Member[] {
    return this.#hosts.flatMap(({ member, process }) => (member === undefined || process.isDead ? [] : [member]))
  }

  /** Ends the world: every process in it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts) host.process.kill()
    await this.#scheduler.settle()
  }

  async #until<T>(promise: Promise<T>, what: string, limitMs = 120_000): Promise<T> {
    let isSettled = false
    const settled = promise.finally(() => {
      isSettled = true
    })
    settled.catch(() => {})
    const limit = this.now + limitMs
    await this.#scheduler.settle()
    while (!isSettled) {
      const step = Math.min(this.#scheduler.next, limit) - this.now
      if (this.now >= limit) throw new Error(`seed ${this.seed}: ${what} took more than ${limitMs} virtual ms`)
      await this.advance(Math.max(0, step))
    }
    return settled
  }

  #host(coord: Coord<V>): Host {
    const host = this.#hostOf.get(coord)
    if (host === undefined) throw new TypeError('this coord is not of this ensemble')
    return host
  }

  #newHost(address: string): Host {
    const { durable = false, syncMs = 0 } = this.#options
    const name = address.slice('mem://'.length)
    const process = new VirtualProcess(name, this.#scheduler, { offsetMs: 0, rate: 1, timersFirst: false })
    process.kill()
    const host: Host = {
      name,
      address,
      disk: new VirtualDisk(durable, () => syncMs),
      process,
      member: undefined,
      starts: 0,
    }
    this.#hosts.push(host)
    return host
  }

  async #start(host: Host, isFounder: boolean): Promise<Coord<V>> {
    const { valueEncoding, sessionTimeoutMs, requestTimeoutMs, joinTimeoutMs, namespace, timing } = this.#options
    const { clockDrift = 0 } = this.#options
    host.starts += 1
    const process = new VirtualProcess(host.name, this.#scheduler, {
      offsetMs: this.#random.between(0, 1_000_000),
      rate: 1 + (this.#random.random() * 2 - 1) * clockDrift,
      timersFirst: this.#random.chance(0.5),
    })
    host.process = process
    const given = { sessionTimeoutMs, requestTimeoutMs, joinTimeoutMs, namespace, timing, valueEncoding }
    const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    const join: JoinOptions = {
      ...options,
      name: host.name,
      advertise: host.address,
      transport: this.#network.transport(process, host.address),
      storage: host.disk.storage(process),
      peers: isFounder || this.#founders.length > 0 ? this.#founders : [host.address],
    }
    const entropy = new Random(this.seed, `${host.name} ${host.starts}`)
    const coord = (await joinWith(join, {
      clock: process.clock,
      entropy,
      onMember: (member) => {
        host.member = member
      },
    })) as Coord<V>
    this.#hostOf.set(coord, host)
    return coord
  }
}

/** Founds an ensemble in this process. Resolves once every member serves. */
export async function createTestEnsemble<const S extends number = 3, const E extends ValueEncoding = 'view'>(
  options: TestEnsembleOptions<S, E> = {},
): Promise<TestEnsemble<S, ValueOf<E>>> {
  return TestEnsemble.create<S, ValueOf<E>>(options)
}
