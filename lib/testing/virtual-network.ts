/**
 * The network of the test world: FIFO connections between processes, with a delay, with partitions in either direction,
 * and with resets. What is sent into a partition waits, as in TCP, and arrives when it heals, if the connection is still
 * there at both ends; an end that closes meanwhile is noticed by the other only then.
 */
import { CoordError } from '../errors.ts'
import type { Connection, ConnectionHandlers, Listener, Transport, TransportLimits } from '../ports/transport.ts'
import type { VirtualProcess } from './process.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

export interface NetworkOptions {
  /** One way, milliseconds. */
  readonly delayMs: { readonly min: number; readonly max: number }
}

interface Listening {
  readonly process: VirtualProcess
  readonly accept: (connection: Connection) => void
}

export class VirtualNetwork {
  readonly #scheduler: Scheduler
  readonly #random: Random
  readonly #listening = new Map<string, Listening>()
  readonly #connections = new Set<VirtualConnection>()
  readonly #blocked = new Set<string>()
  delayMs: NetworkOptions['delayMs']

  constructor(scheduler: Scheduler, random: Random, options: NetworkOptions) {
    this.#scheduler = scheduler
    this.#random = random
    this.delayMs = options.delayMs
  }

  /** The network as one process sees it, listening at an address. */
  transport(process: VirtualProcess, address: string): Transport {
    return {
      exposed: false,
      listen: async (accept) => this.#listen(process, address, accept),
      dial: (to, limits, signal) => this.#dial(process, to, limits, signal),
      normalize: (text) => text,
      setRef: () => {},
      close: async () => {
        if (this.#listening.get(address)?.process === process) this.#listening.delete(address)
      },
    }
  }

  /** Nothing gets from one to the other; the other way is not touched. */
  block(from: VirtualProcess, to: VirtualProcess): void {
    this.#blocked.add(keyOf(from, to))
  }

  /** Everything gets everywhere again: also what has waited. */
  heal(): void {
    this.#blocked.clear()
    for (const connection of this.#connections) connection.flow()
  }

  isBlocked(from: VirtualProcess, to: VirtualProcess): boolean {
    return this.#blocked.has(keyOf(from, to))
  }

  /** Cuts every connection between two processes; what was under way is lost. */
  reset(a: VirtualProcess, b: VirtualProcess): void {
    for (const connection of [...this.#connections]) {
      if (connection.isBetween(a, b)) connection.breakOff('reset')
    }
  }

  /** A process is gone: its kernel closes what it had. */
  abandon(process: VirtualProcess): void {
    for (const [address, listening] of this.#listening) {
      if (listening.process === process) this.#listening.delete(address)
    }
    for (const connection of [...this.#connections]) {
      if (connection.isOf(process)) connection.close('the process is gone')
    }
  }

  #listen(process: VirtualProcess, address: string, accept: (connection: Connection) => void): Listener {
    if (this.#listening.has(address)) throw new CoordError('COORD_ADDRESS_IN_USE', `${address} is taken`)
    this.#listening.set(address, { process, accept })
    return {
      address,
      close: async () => {
        if (this.#listening.get(address)?.process === process) this.#listening.delete(address)
      },
    }
  }

  #dial(process: VirtualProcess, to: string, limits: TransportLimits, signal: AbortSignal): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => process.enter('input', () => reject(new Error(reason)))
      const timeout = (): void => fail(`no answer from ${to} within ${limits.dialTimeoutMs} ms`)
      signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
      this.#scheduler.schedule(this.#delay() * 2, () => {
        const target = this.#listening.get(to)
        const isCut =
          target !== undefined && (this.isBlocked(process, target.process) || this.isBlocked(target.process, process))
        if (isCut) this.#scheduler.schedule(limits.dialTimeoutMs, timeout)
        else if (target === undefined || target.process.isDead) fail(`nothing listens at ${to}`)
        else this.#connect(process, target, resolve)
      })
    })
  }

  #connect(process: VirtualProcess, target: Listening, resolve: (connection: Connection) => void): void {
    const near = new VirtualConnection(this.#surroundings(process, target.process), `to ${target.process.name}`)
    const far = new VirtualConnection(this.#surroundings(target.process, process), `of ${process.name}`)
    near.join(far)
    this.#connections.add(near).add(far)
    target.process.enter('input', () => target.accept(far))
    process.enter('input', () => resolve(near))
  }

  #surroundings(self: VirtualProcess, other: VirtualProcess): ConnectionSurroundings {
    return {
      self,
      other,
      schedule: (delayMs, run) => this.#scheduler.schedule(delayMs, run),
      delay: () => this.#delay(),
      now: () => this.#scheduler.now,
      isBlocked: () => this.isBlocked(self, other),
      gone: (connection) => this.#connections.delete(connection),
    }
  }

  #delay(): number {
    const { min, max } = this.delayMs
    return max === 0 ? 0 : min + this.#random.random() * (max - min)
  }
}

const keyOf = (from: VirtualProcess, to: VirtualProcess): string => `${from.name} ${to.name}`

interface ConnectionSurroundings {
  readonly self: VirtualProcess
  readonly other: VirtualProcess
  schedule(delayMs: number, run: () => void): void
  delay(): number
  now(): number
  /** Whether what this end sends waits. */
  isBlocked(): boolean
  gone(connection: VirtualConnection): void
}

type Parcel = { readonly frame: Uint8Array } | { readonly closing: string }

class VirtualConnection implements Connection {
  readonly remoteAddress: string
  readonly #around: ConnectionSurroundings
  #peer: VirtualConnection | undefined
  #handlers: ConnectionHandlers | undefined
  /** Sent, and waiting for a partition to heal. */
  #waiting: Parcel[] = []
  /** Arrived before `open`. */
  #early: Parcel[] = []
  #lastArrival = 0
  #isClosed = false
  #isOver = false
  #epoch = 0

  constructor(around: ConnectionSurroundings, remoteAddress: string) {
    this.#around = around
    this.remoteAddress = remoteAddress
  }

  get bufferedBytes(): number {
    return this.#waiting.reduce((sum, parcel) => sum + ('frame' in parcel ? parcel.frame.length : 0), 0)
  }

  join(peer: VirtualConnection): void {
    this.#peer = peer
    peer.#peer = this
  }

  isOf(process: VirtualProcess): boolean {
    return this.#around.self === process
  }

  isBetween(a: VirtualProcess, b: VirtualProcess): boolean {
    const { self, other } = this.#around
    return (self === a && other === b) || (self === b && other === a)
  }

  open(handlers: ConnectionHandlers): void {
    this.#handlers = handlers
    const early = this.#early
    this.#early = []
    for (const parcel of early) this.#around.schedule(0, () => this.#arrive(parcel))
  }

  send(frame: Uint8Array): void {
    // A copy: what is shared by accident must show.
    if (!this.#isClosed) this.#post({ frame: frame.slice() })
  }

  close(reason = 'closed'): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#post({ closing: 'closed by the other side' })
    this.#around.schedule(0, () => this.#end(reason))
  }

  /** Both ends lose it at once, with everything under way. */
  breakOff(reason: string): void {
    for (const end of [this, this.#peer]) {
      if (end === undefined) continue
      end.#epoch += 1
      end.#isClosed = true
      end.#waiting = []
      end.#around.schedule(0, () => end.#end(reason))
    }
  }

  /** What has waited goes on its way. */
  flow(): void {
    if (this.#around.isBlocked()) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const parcel of waiting) this.#post(parcel)
  }

  #post(parcel: Parcel): void {
    if (this.#around.isBlocked() || this.#waiting.length > 0) {
      this.#waiting.push(parcel)
      return
    }
    const now = this.#around.now()
    this.#lastArrival = Math.max(this.#lastArrival, now + this.#around.delay())
    const epoch = this.#epoch
    this.#around.schedule(this.#lastArrival - now, () => {
      if (epoch === this.#epoch && this.#peer !== undefined) this.#peer.#arrive(parcel)
    })
  }

  #arrive(parcel: Parcel): void {
    if (this.#isOver) return
    if (this.#handlers === undefined) {
      this.#early.push(parcel)
      return
    }
    if ('closing' in parcel) {
      this.#isClosed = true
      this.#end(parcel.closing)
    } else if (!this.#isClosed) {
      const handlers = this.#handlers
      this.#around.self.enter('input', () => {
        if (!this.#isOver) handlers.frame(parcel.frame)
      })
    }
  }

  #end(reason: string): void {
    if (this.#isOver) return
    this.#around.gone(this)
    this.#around.self.enter('input', () => {
      if (this.#isOver) return
      this.#isOver = true
      this.#handlers?.closed(reason)
    })
  }
}
