/**
 * The network of the test world: FIFO connections between processes, with delays, narrow links, partitions in either
 * direction, resets, and connections of which one end has gone without a word. The processes of one machine share its
 * name, and what is said of a direction (blocked, slow, hostile) is said of machines: it outlives a restart.
 */
import { CoordError } from '../errors.ts'
import type { Connection, Listener, Transport, TransportLimits } from '../ports/transport.ts'
import type { VirtualProcess } from './process.ts'
import { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import { type FrameFate, VirtualConnection } from './virtual-connection.ts'

/** Milliseconds. */
export interface DelayRange {
  readonly min: number
  readonly max: number
}

/** How often each misdeed happens to a frame, and to a new connection (`intrude`): probabilities. */
export interface Hostility {
  readonly lose: number
  readonly repeat: number
  readonly reorder: number
  /** A frame of an earlier connection comes out of a new one. */
  readonly intrude: number
}

export interface NetworkOptions {
  /** One way. */
  readonly delayMs: DelayRange
  /** Told of each misdeed of a hostile network. */
  readonly onMisdeed?: ((what: Misdeed) => void) | undefined
}

export type Misdeed = 'lost' | 'repeated' | 'reordered' | 'intruded'

interface Listening {
  readonly process: VirtualProcess
  readonly accept: (connection: Connection) => void
  readonly frameBytesMax: number
}

/** One direction between two machines. */
interface Direction {
  readonly random: Random
  readonly misdeeds: Random
  blocks: number
  delayMs: DelayRange | undefined
  bytesPerMs: number
  hostility: Hostility | undefined
  /** Of earlier connections, while the network is hostile. */
  remembered: Uint8Array | undefined
}

const kept: FrameFate = { type: 'kept' }

export class VirtualNetwork {
  readonly #scheduler: Scheduler
  readonly #seed: number
  readonly #options: NetworkOptions
  readonly #listening = new Map<string, Listening>()
  readonly #connections = new Set<VirtualConnection>()
  readonly #directions = new Map<string, Direction>()

  constructor(scheduler: Scheduler, seed: number, options: NetworkOptions) {
    this.#scheduler = scheduler
    this.#seed = seed
    this.#options = options
  }

  /** Connections that at least one end still has. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  /** The network as one process sees it, listening at an address. */
  transport(process: VirtualProcess, address: string): Transport {
    return {
      exposed: false,
      listen: async (accept, { frameBytesMax }) => this.#listen(address, { process, accept, frameBytesMax }),
      dial: (to, limits, signal) => this.#dial(process, to, limits, signal),
      normalize: (text) => text,
      setRef: () => {},
      close: async () => this.#unlisten(process, address),
    }
  }

  /** Nothing gets from one machine to the other; the other way is not touched. Blocked twice, it wants unblocking twice. */
  block(from: string, to: string): void {
    this.#direction(from, to).blocks += 1
  }

  unblock(from: string, to: string): void {
    const direction = this.#direction(from, to)
    direction.blocks = Math.max(0, direction.blocks - 1)
    if (direction.blocks === 0) this.#flow()
  }

  isBlocked(from: string, to: string): boolean {
    return this.#direction(from, to).blocks > 0
  }

  /** Everything gets everywhere again, also what has waited; nothing is slow or hostile any more. */
  heal(): void {
    for (const direction of this.#directions.values()) {
      direction.blocks = 0
      direction.delayMs = undefined
      direction.bytesPerMs = Number.POSITIVE_INFINITY
      direction.hostility = undefined
      direction.remembered = undefined
    }
    this.#flow()
  }

  /** From now on one direction takes so long; `undefined` is as everywhere. */
  delay(from: string, to: string, delayMs: DelayRange | undefined): void {
    this.#direction(from, to).delayMs = delayMs
  }

  /** From now on one direction is so narrow; infinite is the default. */
  narrow(from: string, to: string, bytesPerMs: number): void {
    this.#direction(from, to).bytesPerMs = bytesPerMs
    this.#flow()
  }

  /** From now on one direction is no TCP: it loses, repeats and reorders. */
  antagonize(from: string, to: string, hostility: Hostility | undefined): void {
    this.#direction(from, to).hostility = hostility
  }

  /** Cuts every connection between two processes; what was under way is lost. */
  reset(a: VirtualProcess, b: VirtualProcess): void {
    for (const connection of this.#between(a, b)) connection.breakOff('reset')
  }

  /** Cuts every connection between two processes, but only the first one learns of it. */
  resetHalf(noticing: VirtualProcess, other: VirtualProcess): void {
    for (const connection of this.#between(noticing, other)) {
      if (connection.isOf(noticing)) connection.breakHalf('reset')
    }
  }

  /** A process is gone: its kernel closes what it had. `silently`: the machine, too, and nobody says a word. */
  abandon(process: VirtualProcess, silently = false): void {
    for (const [address, listening] of this.#listening) {
      if (listening.process === process) this.#listening.delete(address)
    }
    for (const connection of [...this.#connections]) {
      if (!connection.isOf(process)) continue
      if (silently) connection.vanish()
      else connection.close('the process is gone')
    }
  }

  #between(a: VirtualProcess, b: VirtualProcess): VirtualConnection[] {
    return [...this.#connections].filter((connection) => connection.isBetween(a, b))
  }

  #direction(from: string, to: string): Direction {
    const key = `${from} ${to}`
    let direction = this.#directions.get(key)
    if (direction === undefined) {
      direction = {
        random: new Random(this.#seed, `network ${key}`),
        misdeeds: new Random(this.#seed, `misdeeds ${key}`),
        blocks: 0,
        delayMs: undefined,
        bytesPerMs: Number.POSITIVE_INFINITY,
        hostility: undefined,
        remembered: undefined,
      }
      this.#directions.set(key, direction)
    }
    return direction
  }

  #flow(): void {
    for (const connection of this.#connections) connection.flow()
  }

  #listen(address: string, listening: Listening): Listener {
    if (this.#listening.has(address)) throw new CoordError('COORD_ADDRESS_IN_USE', `${address} is taken`)
    this.#listening.set(address, listening)
    return { address, close: async () => this.#unlisten(listening.process, address) }
  }

  #unlisten(process: VirtualProcess, address: string): void {
    if (this.#listening.get(address)?.process === process) this.#listening.delete(address)
  }

  #dial(process: VirtualProcess, to: string, limits: TransportLimits, signal: AbortSignal): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(new Error('aborted'))
      const settle = (end: () => void): void => {
        signal.removeEventListener('abort', onAbort)
        end()
      }
      const fail = (reason: string): void => process.enter('input', () => settle(() => reject(new Error(reason))))
      const timeout = (): void => fail(`no answer from ${to} within ${limits.dialTimeoutMs} ms`)
      signal.addEventListener('abort', onAbort, { once: true })
      const target = this.#listening.get(to)?.process.name ?? ''
      const roundTripMs = this.#delayMs(process.name, target) + this.#delayMs(target, process.name)
      this.#scheduler.schedule(roundTripMs, () => {
        if (signal.aborted) return
        const listening = this.#listening.get(to)
        const other = listening?.process
        if (other !== undefined && (this.#isCut(process, other) || this.#isCut(other, process)))
          this.#scheduler.schedule(limits.dialTimeoutMs, timeout)
        else if (listening === undefined || listening.process.isDead) fail(`nothing listens at ${to}`)
        else this.#connect(process, limits.frameBytesMax, listening, (near) => settle(() => resolve(near)))
      })
    })
  }

  #isCut(from: VirtualProcess, to: VirtualProcess): boolean {
    return this.isBlocked(from.name, to.name)
  }

  #connect(
    process: VirtualProcess,
    frameBytesMax: number,
    target: Listening,
    resolve: (connection: Connection) => void,
  ): void {
    const other = target.process
    const near = new VirtualConnection(this.#surroundings(process, other, frameBytesMax), `to ${other.name}`)
    const far = new VirtualConnection(this.#surroundings(other, process, target.frameBytesMax), `of ${process.name}`)
    near.join(far)
    this.#connections.add(near).add(far)
    other.enter('input', () => target.accept(far))
    process.enter('input', () => resolve(near))
    this.#perhapsIntrude(process.name, other.name, far)
    this.#perhapsIntrude(other.name, process.name, near)
  }

  #surroundings(
    self: VirtualProcess,
    other: VirtualProcess,
    frameBytesMax: number,
  ): ConstructorParameters<typeof VirtualConnection>[0] {
    const direction = this.#direction(self.name, other.name)
    return {
      self,
      other,
      frameBytesMax,
      schedule: (delayMs, run) => this.#scheduler.schedule(delayMs, run),
      delayMs: () => this.#delayMs(self.name, other.name),
      bandwidth: () => direction.bytesPerMs,
      now: () => this.#scheduler.now,
      isBlocked: () => direction.blocks > 0,
      fateOf: (frame) => this.#fateOf(direction, frame),
      gone: (connection) => this.#connections.delete(connection),
    }
  }

  #delayMs(from: string, to: string): number {
    const direction = this.#direction(from, to)
    const { min, max } = direction.delayMs ?? this.#options.delayMs
    return max === 0 ? 0 : min + direction.random.random() * (max - min)
  }

  #fateOf(direction: Direction, frame: Uint8Array): FrameFate {
    const { hostility, misdeeds } = direction
    if (hostility === undefined) return kept
    direction.remembered = frame
    const drawn = misdeeds.random()
    if (drawn < hostility.lose) return this.#misdeed('lost', { type: 'lost' })
    if (drawn < hostility.lose + hostility.repeat) return this.#misdeed('repeated', { type: 'repeated' })
    if (drawn < hostility.lose + hostility.repeat + hostility.reorder)
      return this.#misdeed('reordered', { type: 'late', byMs: misdeeds.between(1, 300) })
    return kept
  }

  #misdeed(what: Misdeed, fate: FrameFate): FrameFate {
    this.#options.onMisdeed?.(what)
    return fate
  }

  #perhapsIntrude(from: string, to: string, receiving: VirtualConnection): void {
    const { hostility, misdeeds, remembered } = this.#direction(from, to)
    if (hostility === undefined || remembered === undefined || !misdeeds.chance(hostility.intrude)) return
    this.#scheduler.schedule(misdeeds.between(0, 500), () => {
      this.#options.onMisdeed?.('intruded')
      receiving.intrude(remembered)
    })
  }
}
