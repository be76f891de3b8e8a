/**
 * A whole ensemble in one thread and in virtual time, at the level of the core: many `Peer`s, a virtual network, virtual
 * disks and clocks, hosted sessions, and the invariants, checked after every step. One seed decides everything.
 */
import type { Input } from '../../lib/core/input.ts'
import type { Output } from '../../lib/core/output.ts'
import type { MemberId } from '../../lib/core/zab/configuration.ts'
import type { LogTail } from '../../lib/core/zab/log.ts'
import { isEstablished } from '../../lib/core/zab/roles.ts'
import type { Slice, Timing, ZabOptions } from '../../lib/core/zab/zab.ts'
import { EventQueue } from '../../lib/testing/event-queue.ts'
import { History } from './history.ts'
import { Clients } from './invariants/clients.ts'
import { allInvariants } from './invariants/index.ts'
import { hooks, type Invariant } from './invariants/invariant.ts'
import { Network } from './network.ts'
import { Prng } from './prng.ts'
import { type MemberSpec, SimMember } from './sim-member.ts'
import { describeInput, describeOutput } from './timeline.ts'
import type { SimSession } from './workload.ts'

/** All of it is JSON: a schedule is written to a file and read back. */
export interface WorldOptions {
  readonly seed: number
  readonly members: readonly MemberSpec[]
  readonly timing: Timing
  readonly tail: LogTail
  readonly batchBytesMax: number
  readonly chunkBytesMax: number
  /** Default: that of `defaultSlice`. */
  readonly slice?: Slice | undefined
  /** Leaders go to their next epoch at this counter. */
  readonly counterLast?: number | undefined
  /** Mean delay of a message, and the chance of a long one. */
  readonly latencyMs: number
  readonly spikeChance: number
  readonly diskMs: number
  /** Bound of the drift of clocks: 0.01 is 1 %. */
  readonly drift: number
  /** Whether each message gets a turn of its own. */
  readonly isChoppy: boolean
  /** Whether everything handed from one member to another is frozen: aliasing would throw. */
  readonly isFrozen: boolean
  /** How many voters the founders want. */
  readonly seats: number
  readonly sessionsPerMember: number
  readonly sessionTimeoutsMs: readonly number[]
  /** Mean time between two actions of a host. */
  readonly actionMs: number
  /** How many changes become durable between two checkpoints; 0 for none at all. */
  readonly checkpointEvery: number
}

/** How a run is looked at. Nothing in it changes what happens. */
export interface Watching {
  /** Invariants that are not checked, by class name: to see what else finds a bug. */
  readonly without?: readonly string[] | undefined
  readonly onTrace?: ((line: string) => void) | undefined
}

export const defaultOptions: Omit<WorldOptions, 'seed' | 'members'> = {
  timing: {
    pingIntervalMs: 250,
    syncLimitMs: 2000,
    electionSettleMs: 200,
    seatStableMs: 500,
    seatFailedMs: 3000,
    forgetMs: 8000,
  },
  tail: { entries: 1000, bytes: 1 << 20 },
  batchBytesMax: 1 << 16,
  chunkBytesMax: 1 << 14,
  latencyMs: 2,
  spikeChance: 0,
  diskMs: 1,
  drift: 0.001,
  isChoppy: false,
  isFrozen: false,
  seats: 5,
  sessionsPerMember: 2,
  sessionTimeoutsMs: [4000],
  actionMs: 100,
  checkpointEvery: 0,
}

export const defaultSlice: Slice = { entries: 500, bytes: 1 << 16, pauseMs: 2 }

const wallBegin = 1_790_000_000_000

export class CoreWorld {
  readonly options: WorldOptions
  readonly members: SimMember[] = []
  readonly network: Network
  readonly history: History = new History()
  readonly clients: Clients = new Clients()
  /** Rare situations that were reached, by name. */
  readonly marks: Map<string, number> = new Map()
  /** The network and the disks are at their best. */
  isCalm = false
  now = 0
  steps = 0
  traceHash = 0x811c9dc5
  /** Every session that any client ever opened. */
  readonly sessions: SimSession[] = []
  /** The session that last went to another member. */
  lastMoved: SimSession | undefined
  readonly #queue = new EventQueue()
  /** By hook, those that listen to it. */
  readonly #hooks = new Map<keyof Invariant, readonly Invariant[]>()
  readonly #watching: Watching
  readonly #streams = new Map<string, Prng>()
  readonly #wallSkew = new Map<string, number>()
  #durableChanges = 0

  constructor(options: WorldOptions, watching: Watching = {}) {
    this.options = options
    this.#watching = watching
    this.network = new Network(this)
    const isChecked = (invariant: Invariant): boolean => !watching.without?.includes(invariant.constructor.name)
    const invariants: readonly Invariant[] = [...allInvariants(), this.clients].filter(isChecked)
    for (const hook of hooks) {
      this.#hooks.set(
        hook,
        invariants.filter((invariant) => invariant[hook] !== undefined),
      )
    }
    for (const spec of options.members) this.members.push(new SimMember(this, spec))
  }

  /** Random numbers for one concern. What is drawn for one member, or one direction, leaves all the others as they were. */
  random(concern: 'network' | 'disk' | 'clock', whose: string): Prng {
    const name = `${concern} ${whose}`
    let stream = this.#streams.get(name)
    if (stream === undefined) {
      stream = new Prng(this.options.seed, name)
      this.#streams.set(name, stream)
    }
    return stream
  }

  mark(name: string): void {
    this.marks.set(name, (this.marks.get(name) ?? 0) + 1)
  }

  // Time

  at(time: number, action: () => void): void {
    this.#queue.add(Math.max(time, this.now), action)
  }

  after(delay: number, action: () => void): void {
    this.at(this.now + delay, action)
  }

  /** Runs until a time, or until `done` says so. Returns whether it did. */
  run(until: number, done?: () => boolean): boolean {
    while (this.#queue.nextTime <= until) {
      if (done?.()) return true
      const event = this.#queue.take()
      if (event === undefined) break
      this.now = event.time
      event.action()
    }
    if (done?.()) return true
    this.now = Math.max(this.now, until)
    return false
  }

  runFor(duration: number, done?: () => boolean): boolean {
    return this.run(this.now + duration, done)
  }

  wallOf(member: SimMember): number {
    let skew = this.#wallSkew.get(member.name)
    if (skew === undefined) {
      skew = this.random('clock', member.name).between(-5000, 5000)
      this.#wallSkew.set(member.name, skew)
    }
    return Math.floor(wallBegin + this.now + skew)
  }

  jumpWall(member: SimMember, byMs: number): void {
    this.wallOf(member)
    this.#wallSkew.set(member.name, (this.#wallSkew.get(member.name) ?? 0) + byMs)
  }

  // Delays

  latency(random: Prng): number {
    const { latencyMs, spikeChance } = this.options
    if (!this.isCalm && random.chance(spikeChance)) return random.real(50, 800)
    return 0.05 + random.exponential(latencyMs)
  }

  /** Between two messages of one direction. */
  gap(random: Prng): number {
    return this.options.isChoppy ? random.real(0.001, 0.5) : 0
  }

  turnDelay(member: SimMember): number {
    return this.options.isChoppy ? 0 : this.random('clock', member.name).real(0, 0.3)
  }

  diskDelay(member: SimMember): number {
    const disk = this.random('disk', member.name)
    if (this.isCalm) return Math.max(disk.real(0, 1), member.diskStalledUntil - this.now)
    const delay = disk.chance(0.02) ? disk.real(0, 40 * this.options.diskMs) : disk.exponential(this.options.diskMs)
    return Math.max(delay, member.diskStalledUntil - this.now)
  }

  lateness(member: SimMember): number {
    const clock = this.random('clock', member.name)
    return clock.chance(0.01) ? clock.real(0, 100) : clock.real(0, 2)
  }

  // Members

  member(name: string): SimMember {
    const member = this.members.find((one) => one.name === name)
    if (member === undefined) throw new RangeError(`no member ${name}`)
    return member
  }

  memberById(id: MemberId): SimMember | undefined {
    return this.members.find((member) => member.id === id)
  }

  zabOptions(spec: MemberSpec): ZabOptions {
    const { timing, tail, batchBytesMax, chunkBytesMax, slice = defaultSlice, counterLast, seats } = this.options
    const mark = (name: string): void => this.mark(name)
    const { founders, wish, features } = spec
    return { timing, tail, batchBytesMax, chunkBytesMax, slice, founders, wish, features, seats, mark, counterLast }
  }

  nextSessionNumber(): number {
    return this.sessions.length + 1
  }

  startAll(): void {
    for (const member of this.members) member.start()
  }

  /** The established leader of the highest epoch, if any. */
  get leader(): SimMember | undefined {
    let best: SimMember | undefined
    for (const member of this.members) {
      const role = member.peer?.zab.role
      if (role === undefined || !isEstablished(role)) continue
      if (best === undefined || role.epoch > (best.peer?.status.epoch ?? 0)) best = member
    }
    return best
  }

  get running(): readonly SimMember[] {
    return this.members.filter(({ isUp }) => isUp)
  }

  isServing(members: readonly SimMember[] = this.running): boolean {
    const leader = this.leader
    if (leader === undefined) return false
    return members.every(({ peer }) => peer?.status.serving && peer.status.leader?.id === leader.id)
  }

  probe(from: SimMember, id: MemberId, address: string): void {
    const isReached = (): boolean => {
      const other = this.members.find((one) => one.spec.address === address && one.id === id)
      return other?.isUp === true && !other.isPaused && !this.network.isCut(from, other)
    }
    from.later(this.random('network', from.name).real(1, 50), () =>
      from.receive({ type: 'probed', id, reached: isReached() }),
    )
  }

  /** A member's disk completed a change: now and then it is time for a checkpoint. */
  noteDurable(member: SimMember): void {
    this.#durableChanges += 1
    const { checkpointEvery } = this.options
    if (checkpointEvery > 0 && this.#durableChanges % checkpointEvery === 0) member.checkpoint()
  }

  // Checks and traces

  check<K extends keyof Invariant>(hook: K, ...args: CheckArguments<K>): void {
    for (const invariant of this.#hooks.get(hook) ?? []) {
      const handler = invariant[hook] as (world: CoreWorld, ...rest: unknown[]) => void
      handler.call(invariant, this, ...args)
    }
  }

  frozen<T>(value: T): T {
    return this.options.isFrozen ? deepFreeze(value) : value
  }

  trace(member: SimMember, text: string): void {
    this.#hash(text.length + member.name.charCodeAt(0) * 256)
    this.#watching.onTrace?.(`${this.now.toFixed(2).padStart(10)} ${member.name.padEnd(3)} ${text}`)
  }

  traceInput(member: SimMember, input: Input): void {
    this.steps += 1
    this.#hash(Math.floor(this.now * 1000))
    this.#hash(input.type.length + (input.type === 'message' ? input.message.type.charCodeAt(2) * 64 : 0))
    if (this.#watching.onTrace === undefined) return
    const text = describeInput(input)
    if (text !== undefined) this.trace(member, `  < ${text}`)
  }

  traceOutput(member: SimMember, output: Output): void {
    this.#hash(output.type.length + (output.type === 'send' ? output.message.type.charCodeAt(3) * 64 : 0))
    if (this.#watching.onTrace === undefined) return
    const text = describeOutput(output, (id) => this.memberById(id)?.name ?? id)
    if (text !== undefined) this.trace(member, `  > ${text}`)
  }

  #hash(value: number): void {
    this.traceHash = Math.imul(this.traceHash ^ (value | 0), 0x01000193) >>> 0
  }
}

type CheckArguments<K extends keyof Invariant> =
  NonNullable<Invariant[K]> extends (world: CoreWorld, ...rest: infer R) => void ? R : never

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}
