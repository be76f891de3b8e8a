/**
 * An ensemble in one process, for tests: the whole library on a virtual clock, network and disk. The same seed gives the
 * same run. Network and disk take no time unless told to; only timers need `advance`.
 */
import { isObject, textOf } from '../api/checks.ts'
import type { JoinOptions } from '../api/join-options.ts'
import type { ValueEncoding, ValueOf } from '../api/values.ts'
import type { Coord } from '../coord.ts'
import type { Member } from '../runtime/member.ts'
import type { DiskImage, SyncError } from './virtual-disk.ts'
import type { DelayRange } from './virtual-network.ts'
import { type Machine, World } from './world.ts'

type Passed =
  | 'voters'
  | 'sessionTimeoutMs'
  | 'requestTimeoutMs'
  | 'joinTimeoutMs'
  | 'namespace'
  | 'timing'
  | 'readOnly'
  | 'authSchemes'
  | 'superDigest'

export interface TestEnsembleOptions<S extends number = number, E extends ValueEncoding = 'view'>
  extends Pick<JoinOptions, Passed> {
  /** How many founders: 1 or more. Default 3. */
  readonly size?: S | undefined
  /** A whole number. Default 1. */
  readonly seed?: number | undefined
  /** The one there is; said so that a reader knows that no real time passes. */
  readonly clock?: 'virtual' | undefined
  /** Whether members keep their store over a restart: all, or one by one in the order of `coords`. Default false. */
  readonly durable?: boolean | readonly boolean[] | undefined
  readonly valueEncoding?: E | undefined
  /** One way, in milliseconds. Default 0. */
  readonly networkDelayMs?: DelayRange | undefined
  /** Default 0. */
  readonly syncMs?: number | undefined
  /** How far apart the members' clocks run: 0.001 is up to 1 ms in a second. Default 0. */
  readonly clockDrift?: number | undefined
}

/** A tuple where the size is a literal. */
export type Coords<S extends number, V> = number extends S ? Coord<V>[] : TupleOf<S, Coord<V>>
type TupleOf<S extends number, T, R extends T[] = []> = R['length'] extends S ? R : TupleOf<S, T, [...R, T]>

const hostNames = 'abcdefghijklmnopqrstuvwxyz'

export class TestEnsemble<S extends number, V> implements AsyncDisposable {
  readonly seed: number
  /** The founders' coords, in order. A restarted member is another coord: see `restart`. */
  readonly coords: Coords<S, V>
  readonly #options: TestEnsembleOptions<S, ValueEncoding>
  readonly #world: World
  readonly #machineOf = new Map<Coord<V>, Machine>()
  readonly #roleOf = new Map<Machine, JoinOptions['role']>()
  readonly #founders: readonly string[]

  private constructor(options: TestEnsembleOptions<S, ValueEncoding>) {
    const { size = 3, seed = 1, networkDelayMs = { min: 0, max: 0 }, syncMs = 0, clockDrift = 0 } = options
    const { valueEncoding, voters, sessionTimeoutMs, requestTimeoutMs, joinTimeoutMs, namespace, timing } = options
    const { readOnly, authSchemes, superDigest } = options
    const timeouts = { sessionTimeoutMs, requestTimeoutMs, joinTimeoutMs, timing }
    const given = { ...timeouts, voters, namespace, valueEncoding, readOnly, authSchemes, superDigest }
    const join: JoinOptions = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    this.seed = seed
    this.#options = options
    this.#world = new World({ seed, network: { delayMs: networkDelayMs }, syncMs, clockDrift, join })
    const machines = Array.from({ length: size }, (_, index) =>
      this.#world.addMachine(nameOf(index), isDurable(options, index)),
    )
    this.#founders = machines.map(({ address }) => address)
    this.coords = [] as unknown as Coords<S, V>
  }

  /** @internal */
  static async create<S extends number, V>(
    options: TestEnsembleOptions<S, ValueEncoding>,
  ): Promise<TestEnsemble<S, V>> {
    const ensemble = new TestEnsemble<S, V>(options)
    const joining = ensemble.#world.machines.map((machine) => ensemble.#start(machine))
    const coords = await ensemble.#until(Promise.all(joining), 'the founders')
    ;(ensemble.coords as Coord<V>[]).push(...coords)
    return ensemble
  }

  /** Virtual milliseconds since the world began. */
  get now(): number {
    return this.#world.now
  }

  /** Lets time pass, and everything that happens in it. */
  async advance(ms: number): Promise<void> {
    requireMs(ms)
    await this.#world.scheduler.advance(ms)
  }

  /** Resolves once `ms` have passed: for whatever runs while the test advances time. */
  async sleep(ms: number): Promise<void> {
    requireMs(ms)
    await new Promise<void>((resolve) => this.#world.scheduler.schedule(ms, resolve))
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
    this.#world.network.block(this.#machine(from).name, this.#machine(to).name)
  }

  /** What one member sends to the other takes so long from now on: a slow network. The other way is not touched. */
  delay(from: Coord<V>, to: Coord<V>, delayMs: DelayRange): void {
    this.#world.network.delay(this.#machine(from).name, this.#machine(to).name, delayMs)
  }

  /** Ends every partition and every `delay`. */
  heal(): void {
    this.#world.network.heal()
  }

  /**
   * Breaks the connections between two members; they connect anew. `unnoticed`: the second one is not told, as when a
   * firewall forgets a connection.
   */
  reset(a: Coord<V>, b: Coord<V>, { unnoticed = false }: { readonly unnoticed?: boolean } = {}): void {
    const { network } = this.#world
    if (unnoticed) network.resetHalf(this.#machine(a).process, this.#machine(b).process)
    else network.reset(this.#machine(a).process, this.#machine(b).process)
  }

  /**
   * Kills a member's process. `loseUnsynced`: what its disk had not synced is lost, too. `silently`: the machine has lost
   * its power, and the others are not told that their connections are gone.
   */
  crash(coord: Coord<V>, options: { readonly loseUnsynced?: boolean; readonly silently?: boolean } = {}): void {
    const { loseUnsynced = false, silently = false } = options
    this.#world.crash(this.#machine(coord), { kept: loseUnsynced ? 0 : undefined, silently })
  }

  /** Starts a crashed or closed member again, under its name and address. Resolves with its new coord. */
  async restart(coord: Coord<V>): Promise<Coord<V>> {
    const machine = this.#machine(coord)
    if (machine.isUp) this.crash(coord)
    return this.#until(this.#start(machine), machine.name)
  }

  /** One more member. It takes a seat where one is free, unless its role is another. */
  async join(options: { readonly name?: string } & Pick<JoinOptions, 'role'> = {}): Promise<Coord<V>> {
    const index = this.#world.machines.length
    const machine = this.#world.addMachine(options.name ?? nameOf(index), isDurable(this.#options, index))
    this.#roleOf.set(machine, options.role)
    return this.#until(this.#start(machine), machine.name)
  }

  /** A member's process does nothing for `ms`: SIGSTOP, a long collection, a blocked event loop. */
  pause(coord: Coord<V>, ms: number): void {
    requireMs(ms)
    this.#machine(coord).process.pause(ms)
  }

  /** A member's wall clock jumps. */
  jumpWallClock(coord: Coord<V>, ms: number): void {
    this.#machine(coord).process.jumpWallClock(ms)
  }

  /**
   * A member's disk fails at the next commit. What was being written is on it, or is not. The member reads back what is
   * there, and comes back by itself.
   */
  failNextCommit(coord: Coord<V>, error: SyncError = 'lost'): void {
    this.#machine(coord).disk.failNextCommit(error)
  }

  /** A member's disk is full, or has space again. A member that cannot write takes part in nothing until it can. */
  fillDisk(coord: Coord<V>, isFull = true): void {
    this.#machine(coord).disk.isFull = isFull
  }

  /** Flips one bit on a member's disk, somewhere; `at` in [0, 1) says where. It is found at the next start. */
  damageStore(coord: Coord<V>, at = 0.5): void {
    this.#machine(coord).disk.flipBit(at)
  }

  /** An image of a member's disk as it is now: for `restoreDisk`. */
  imageOfDisk(coord: Coord<V>): DiskImage {
    return this.#machine(coord).disk.image()
  }

  /** A crashed member's disk is as it was in the image: an older backup, a disk that lost its last writes. */
  restoreDisk(coord: Coord<V>, image: DiskImage): void {
    this.#machine(coord).disk.restore(image)
  }

  /** Each sync of a member's disk takes so long from now on. */
  slowDisk(coord: Coord<V>, syncMs: number): void {
    this.#machine(coord).disk.syncMs = () => syncMs
  }

  /** The leader declares the session of this coord expired. */
  expireSession(coord: Coord<V>): void {
    this.#world.expireSession(coord.session.id)
  }

  /** @internal For the library's own checks. */
  members(): readonly Member[] {
    return this.#world.machines.flatMap(({ member, isUp }) => (member === undefined || !isUp ? [] : [member]))
  }

  /** Ends the world: every process in it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world.end()
  }

  async #until<T>(promise: Promise<T>, what: string, limitMs = 120_000): Promise<T> {
    return this.#world.until(promise, what, limitMs)
  }

  #machine(coord: Coord<V>): Machine {
    const machine = this.#machineOf.get(coord)
    if (machine === undefined) throw new TypeError('this coord is not of this ensemble')
    return machine
  }

  async #start(machine: Machine): Promise<Coord<V>> {
    const coord = (await this.#world.start(machine, this.#founders, { role: this.#roleOf.get(machine) })) as Coord<V>
    this.#machineOf.set(coord, machine)
    return coord
  }
}

const optionNames: ReadonlySet<string> = new Set<keyof TestEnsembleOptions>([
  'size',
  'seed',
  'clock',
  'durable',
  'valueEncoding',
  'networkDelayMs',
  'syncMs',
  'clockDrift',
  'voters',
  'sessionTimeoutMs',
  'requestTimeoutMs',
  'joinTimeoutMs',
  'namespace',
  'timing',
  'readOnly',
  'authSchemes',
  'superDigest',
])

/** Throws for options that cannot be meant; those of joining are checked there. */
function checkOptions(options: TestEnsembleOptions<number, ValueEncoding>): void {
  if (!isObject(options)) throw new TypeError('createTestEnsemble takes an object of options')
  for (const name of Object.keys(options))
    if (!optionNames.has(name)) throw new TypeError(`unknown option '${name}' of createTestEnsemble`)
  const { size = 3, seed = 1, clock = 'virtual' } = options as TestEnsembleOptions
  if (!Number.isInteger(size)) throw new TypeError(`size must be a whole number, not ${textOf(size)}`)
  if (size < 1) throw new RangeError(`size must be 1 or more, not ${size}`)
  if (!Number.isSafeInteger(seed)) throw new TypeError(`seed must be a whole number, not ${textOf(seed)}`)
  if (clock !== 'virtual') throw new TypeError(`clock must be 'virtual', not ${textOf(clock)}`)
}

function requireMs(ms: unknown): void {
  if (typeof ms !== 'number' || !Number.isFinite(ms)) throw new TypeError(`ms must be milliseconds, not ${textOf(ms)}`)
  if (ms < 0) throw new RangeError(`ms must be 0 or more, not ${ms}`)
}

const nameOf = (index: number): string => hostNames[index] ?? `${index}`

function isDurable({ durable = false }: Pick<TestEnsembleOptions, 'durable'>, index: number): boolean {
  return typeof durable === 'boolean' ? durable : (durable[index] ?? false)
}

/** Founds an ensemble in this process. Resolves once every member serves. */
export async function createTestEnsemble<const S extends number = 3, const E extends ValueEncoding = 'view'>(
  options: TestEnsembleOptions<S, E> = {},
): Promise<TestEnsemble<S, ValueOf<E>>> {
  checkOptions(options)
  return TestEnsemble.create<S, ValueOf<E>>(options)
}
