/**
 * One end of a connection between two processes of the test world. Frames arrive whole and in order, after a delay and
 * as fast as the bandwidth lets them. What is sent into a partition waits, as in TCP, and goes on when it heals, if the
 * connection is still there at both ends; an end that closes meanwhile is noticed by the other only then.
 *
 * Hostile mode breaks the promises of TCP: see `FrameFate`.
 */
import type { Connection, ConnectionHandlers } from '../ports/transport.ts'
import type { VirtualProcess } from './process.ts'

/** What happens to a frame inside a connection: all but `kept` are the deeds of a broken transport. */
export type FrameFate =
  | { readonly type: 'kept' | 'lost' | 'repeated' }
  /** It is overtaken by what is sent within this time. */
  | { readonly type: 'late'; readonly byMs: number }

/** What an end needs of the network around it. */
export interface ConnectionSurroundings {
  readonly self: VirtualProcess
  readonly other: VirtualProcess
  readonly frameBytesMax: number
  now(): number
  schedule(delayMs: number, run: () => void): void
  /** One way, milliseconds. */
  delayMs(): number
  /** Bytes in a millisecond; infinite by default. */
  bandwidth(): number
  isBlocked(): boolean
  fateOf(frame: Uint8Array): FrameFate
  gone(connection: VirtualConnection): void
}

type Parcel = { readonly frame: Uint8Array } | { readonly closing: string }

const sizeOf = (parcel: Parcel | undefined): number =>
  parcel !== undefined && 'frame' in parcel ? parcel.frame.length : 0

export class VirtualConnection implements Connection {
  readonly remoteAddress: string
  readonly #around: ConnectionSurroundings
  #peer: VirtualConnection | undefined
  #handlers: ConnectionHandlers | undefined
  /** Sent, and waiting for a partition to heal, or for its turn on a narrow link. */
  #waiting: Parcel[] = []
  /** On its way out through a narrow link. */
  #departing: Parcel | undefined
  /** Arrived before `open`. */
  #early: Parcel[] = []
  #lastArrival = 0
  #isClosed = false
  #isOver = false
  /** The other end, or the way to it, is gone, and nobody says so. */
  #isUnheard = false
  #epoch = 0

  constructor(around: ConnectionSurroundings, remoteAddress: string) {
    this.#around = around
    this.remoteAddress = remoteAddress
  }

  get bufferedBytes(): number {
    return this.#waiting.reduce((sum, parcel) => sum + sizeOf(parcel), sizeOf(this.#departing))
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
    if (this.#isClosed) return
    // A copy: what is shared by accident must show.
    const parcel = { frame: frame.slice() }
    const fate = this.#around.fateOf(parcel.frame)
    if (fate.type === 'lost') return
    if (fate.type === 'late') this.#carry(parcel, this.#around.delayMs() + fate.byMs)
    else this.#post(parcel)
    if (fate.type === 'repeated') this.#post({ frame: parcel.frame.slice() })
  }

  close(reason = 'closed'): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#post({ closing: 'closed by the other side' })
    this.#around.schedule(0, () => this.#end(reason))
  }

  /** Both ends lose it at once, with everything under way. */
  breakOff(reason: string): void {
    for (const end of [this, this.#peer]) if (end !== undefined) end.#breakEnd(reason)
  }

  /** This end loses it; the other one is not told, and what it sends goes nowhere. */
  breakHalf(reason: string): void {
    if (this.#peer !== undefined) this.#peer.#isUnheard = true
    this.#isUnheard = true
    this.#breakEnd(reason)
  }

  /** The machine at this end has vanished without a word. */
  vanish(): void {
    this.#isOver = true
    this.#isClosed = true
    this.#waiting = []
    if (this.#peer !== undefined) this.#peer.#isUnheard = true
    this.#around.gone(this)
  }

  /** Bytes that belong to another connection come out of this one. */
  intrude(frame: Uint8Array): void {
    this.#arrive({ frame })
  }

  /** What has waited goes on its way: there is no partition any more, or the link is wider. */
  flow(): void {
    const departing = this.#departing
    if (departing !== undefined && this.#around.bandwidth() === Number.POSITIVE_INFINITY) {
      this.#departing = undefined
      this.#carry(departing, this.#travelMs())
    }
    this.#pump()
  }

  #breakEnd(reason: string): void {
    this.#epoch += 1
    this.#isClosed = true
    this.#waiting = []
    this.#departing = undefined
    this.#around.schedule(0, () => this.#end(reason))
  }

  #post(parcel: Parcel): void {
    if (this.#isUnheard) return
    this.#waiting.push(parcel)
    this.#pump()
  }

  #pump(): void {
    while (this.#departing === undefined && this.#waiting.length > 0 && !this.#around.isBlocked()) {
      const parcel = this.#waiting.shift() as Parcel
      const transmissionMs = sizeOf(parcel) / this.#around.bandwidth()
      if (transmissionMs > 0) this.#depart(parcel, transmissionMs)
      else this.#carry(parcel, this.#travelMs())
    }
  }

  #depart(parcel: Parcel, transmissionMs: number): void {
    this.#departing = parcel
    this.#around.schedule(transmissionMs, () => {
      if (this.#departing !== parcel) return
      this.#departing = undefined
      this.#carry(parcel, this.#travelMs())
      this.#pump()
    })
  }

  /** Nothing arrives before what was sent earlier. */
  #travelMs(): number {
    const now = this.#around.now()
    this.#lastArrival = Math.max(this.#lastArrival, now + this.#around.delayMs())
    return this.#lastArrival - now
  }

  #carry(parcel: Parcel, delayMs: number): void {
    const epoch = this.#epoch
    this.#around.schedule(delayMs, () => {
      if (epoch === this.#epoch && !this.#isUnheard && this.#peer !== undefined) this.#peer.#arrive(parcel)
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
    } else if (parcel.frame.length > this.#around.frameBytesMax) {
      this.close(`a frame of ${parcel.frame.length} bytes, more than ${this.#around.frameBytesMax}`)
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
