/**
 * Two ends of one connection. What an end is to hear (frames, and at last that it is closed) waits in its inbox; each
 * arrival schedules one delivery of whatever is first then, so the order holds whatever the scheduler does.
 *
 * Closing is like that of a socket: what this end sent before still arrives over there, followed by the news; what was on
 * its way to this end is dropped.
 */
import { assert } from '../../lib/errors.ts'
import type { Connection, ConnectionHandlers } from '../../lib/ports/index.ts'

/** Runs a callback in a later turn. It need not keep the order: each connection keeps its own. */
export type Schedule = (callback: () => void) => void

export interface EndOptions {
  readonly remoteAddress: string
  /** The largest frame that this end takes. */
  readonly frameBytesMax: number
}

type Arrival = { readonly frame: Uint8Array } | { readonly closed: string }

export function connectionPair(
  schedule: Schedule,
  [near, far]: readonly [EndOptions, EndOptions],
): [MemoryConnection, MemoryConnection] {
  const ends: [MemoryConnection, MemoryConnection] = [
    new MemoryConnection(schedule, near),
    new MemoryConnection(schedule, far),
  ]
  ends[0].peer = ends[1]
  ends[1].peer = ends[0]
  return ends
}

export class MemoryConnection implements Connection {
  readonly remoteAddress: string
  peer!: MemoryConnection
  onEnded: () => void = () => {}
  readonly #schedule: Schedule
  readonly #frameBytesMax: number
  readonly #inbox: Arrival[] = []
  #handlers: ConnectionHandlers | undefined
  /** Closed from here: it sends no more, and takes nothing but the notice that it has ended. */
  #isClosing = false
  #hasEnded = false
  #bufferedBytes = 0

  constructor(schedule: Schedule, options: EndOptions) {
    this.#schedule = schedule
    this.remoteAddress = options.remoteAddress
    this.#frameBytesMax = options.frameBytesMax
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  open(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'a connection is opened once')
    this.#handlers = handlers
    for (let kept = this.#inbox.length; kept > 0; kept -= 1) this.#schedule(() => this.#deliver())
  }

  send(frame: Uint8Array): void {
    if (this.#isClosing || this.#hasEnded) return
    this.peer.#arrive({ frame: Uint8Array.from(frame) })
  }

  close(reason = 'closed'): void {
    if (this.#isClosing || this.#hasEnded) return
    this.#isClosing = true
    this.#dropFrames()
    this.#arrive({ closed: reason })
    this.peer.#arrive({ closed: `closed by the other side: ${reason}` })
  }

  #arrive(arrival: Arrival): void {
    if (this.#hasEnded || (this.#isClosing && 'frame' in arrival)) return
    this.#inbox.push(arrival)
    if ('frame' in arrival) this.peer.#bufferedBytes += arrival.frame.byteLength
    if (this.#handlers !== undefined) this.#schedule(() => this.#deliver())
  }

  #deliver(): void {
    const arrival = this.#inbox.shift()
    if (arrival === undefined || this.#hasEnded) return
    if ('closed' in arrival) this.#end(arrival.closed)
    else this.#take(arrival.frame)
  }

  #take(frame: Uint8Array): void {
    this.peer.#bufferedBytes -= frame.byteLength
    if (frame.byteLength > this.#frameBytesMax) this.close(`a frame of ${frame.byteLength} bytes is over the limit`)
    else this.#handlers?.frame(frame)
  }

  #end(reason: string): void {
    this.#hasEnded = true
    this.#dropFrames()
    this.onEnded()
    this.#handlers?.closed(reason)
  }

  #dropFrames(): void {
    for (const arrival of this.#inbox) {
      if ('frame' in arrival) this.peer.#bufferedBytes -= arrival.frame.byteLength
    }
    this.#inbox.length = 0
  }
}
