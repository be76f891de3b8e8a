/**
 * The test world: machines on a virtual network, each with a disk, a clock and at most one process that runs the whole
 * library. `TestEnsemble` is the part of it that applications see; the library's own chaos (test/world) uses all of it.
 *
 * One seed drives everything. Each concern (a direction of the network, a start of a machine) draws from a stream of its
 * own, so that without one fault all others stay as they were.
 */
import { levelStorage } from '../../adapters/storage-level/index.ts'
import type { JoinOptions } from '../api/join-options.ts'
import type { Coord } from '../coord.ts'
import { type JoinSurroundings, joinWith } from '../index.ts'
import type { Member } from '../runtime/member.ts'
import { VirtualProcess } from './process.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { VirtualDisk } from './virtual-disk.ts'
import { type NetworkOptions, VirtualNetwork } from './virtual-network.ts'

export interface WorldOptions {
  readonly seed: number
  readonly network: NetworkOptions
  /** How long a sync of a disk takes, milliseconds. */
  readonly syncMs: number
  /** How far apart clocks run: 0.001 is up to 1 ms in a second, either way. */
  readonly clockDrift: number
  /** Of every member. */
  readonly join: JoinOptions
  /** What applications cannot set: limits, coverage marks. */
  readonly inner?: Pick<JoinSurroundings, 'limits' | 'counterLast' | 'mark' | 'restoration'> | undefined
  /** Called with each member before it starts. */
  readonly onMember?: ((machine: Machine, member: Member) => void) | undefined
}

/** A machine with a disk. What runs on it is another process after each start. */
export class Machine {
  readonly name: string
  readonly disk: VirtualDisk
  process: VirtualProcess
  member: Member | undefined
  coord: Coord<unknown> | undefined
  starts = 0

  constructor(name: string, disk: VirtualDisk, process: VirtualProcess) {
    this.name = name
    this.disk = disk
    this.process = process
  }

  get address(): string {
    return `mem://${this.name}`
  }

  /** Whether a process runs on it, paused or not. */
  get isUp(): boolean {
    return !this.process.isDead
  }
}

export class World {
  readonly seed: number
  readonly scheduler: Scheduler = new Scheduler()
  readonly network: VirtualNetwork
  readonly machines: Machine[] = []
  readonly #options: WorldOptions

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.#options = options
    this.network = new VirtualNetwork(this.scheduler, options.seed, options.network)
  }

  /** Virtual milliseconds since the world began. */
  get now(): number {
    return this.scheduler.now
  }

  addMachine(name: string, durable: boolean): Machine {
    const { syncMs } = this.#options
    const process = new VirtualProcess(name, this.scheduler, { offsetMs: 0, rate: 1, timersFirst: false })
    process.kill()
    const machine = new Machine(name, new VirtualDisk(durable, () => syncMs), process)
    this.machines.push(machine)
    return machine
  }

  /** Starts a member on a machine where none runs. Resolves with its coord as `joinEnsemble` does. */
  async start(machine: Machine, peers: readonly string[], join: JoinOptions = {}): Promise<Coord<unknown>> {
    const { clockDrift, inner, onMember } = this.#options
    machine.starts += 1
    const random = new Random(this.seed, `start ${machine.starts} of ${machine.name}`)
    const process = new VirtualProcess(machine.name, this.scheduler, {
      offsetMs: random.between(0, 1_000_000),
      rate: 1 + (random.random() * 2 - 1) * clockDrift,
      timersFirst: random.chance(0.5),
    })
    machine.process = process
    machine.member = undefined
    machine.coord = undefined
    const options: JoinOptions = {
      ...this.#options.join,
      ...join,
      name: machine.name,
      advertise: machine.address,
      transport: this.network.transport(process, machine.address),
      storage: levelStorage(machine.disk.level(process)),
      peers,
    }
    const coord = await joinWith(options, {
      ...inner,
      clock: process.clock,
      entropy: new Random(this.seed, `entropy ${machine.starts} of ${machine.name}`),
      onMember: (member) => {
        machine.member = member
        onMember?.(machine, member)
      },
    })
    if (machine.process === process) machine.coord = coord
    return coord
  }

  /** The process dies at once. `kept`: the machine, too, when so many of its un-synced batches were on the disk. */
  crash(
    machine: Machine,
    { kept, torn, silently = false }: { kept?: number | undefined; torn?: boolean; silently?: boolean } = {},
  ): void {
    const { process, disk } = machine
    process.kill()
    disk.crash(kept, torn)
    this.network.abandon(process, silently)
    machine.coord = undefined
  }

  /** The leader declares a session expired. Returns whether there was a leader that knew it. */
  expireSession(session: bigint): boolean {
    for (const { member, isUp } of this.machines) {
      if (!isUp || member?.status?.role !== 'leading' || !member.status.serving) continue
      const known = member.state.sessions.list().find(({ id }) => id === session)
      if (known === undefined) continue
      const { id, generation } = known
      member.step({ type: 'request', requests: [{ type: 'expireSession', session: id, generation }] })
      return true
    }
    return false
  }

  /** Lets time pass until a promise settles. */
  async until<T>(promise: Promise<T>, what: string, limitMs: number): Promise<T> {
    let isSettled = false
    const settled = promise.finally(() => {
      isSettled = true
    })
    settled.catch(() => {})
    const limit = this.now + limitMs
    await this.scheduler.settle()
    while (!isSettled) {
      const step = Math.min(this.scheduler.next, limit) - this.now
      if (this.now >= limit) throw new Error(`seed ${this.seed}: ${what} took more than ${limitMs} virtual ms`)
      await this.scheduler.advance(Math.max(0, step))
    }
    return settled
  }

  /** Ends the world: every process in it is gone. */
  async end(): Promise<void> {
    for (const { process } of this.machines) process.kill()
    await this.scheduler.settle()
  }
}
