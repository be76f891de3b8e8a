/**
 * One link to another member: a connection, its handshake, and then numbered frames (design D12). A transport is not
 * trusted to be TCP: a frame that is missing, repeated, out of order or of another link closes this one, and so does
 * one that cannot be read. Nothing of a link outlives it; the protocol synchronises anew over the next.
 *
 * Messages of one turn leave in one frame, or in several where they are large. A link on which nothing has been heard
 * for `silenceMaxMs` closes; while nothing is to be said, an empty frame is sent now and then.
 */

import { setUint32, uint32At } from '../bytes.ts'
import type { Message } from '../core/zab/message.ts'
import { CoordError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Connection } from '../ports/transport.ts'
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeFrame,
  handshakeBytesMax,
  type Introduction,
  protocolVersion,
  type Rejection,
} from '../wire/handshake.ts'
import { decodeMessages, type EncodedMessage } from '../wire/messages.ts'
import { linkTag, type Secret } from './handshake.ts'
import { LagAwareTimer } from './lag-aware-timer.ts'

/** Milliseconds and bytes; the defaults are in docs/LIMITS.md. */
export interface LinkLimits {
  readonly handshakeTimeoutMs: number
  /** A stranger may send so much altogether before it has proved itself. */
  readonly unprovenBytesMax: number
  /** So many strangers at a time, from one address and in all: of more, those that came first are dropped. */
  readonly unprovenPerAddressMax: number
  readonly unprovenMax: number
  readonly silenceMaxMs: number
  readonly frameBytesMax: number
  /** More waiting to be written than this: the peer is too slow, and is dropped to synchronise anew. */
  readonly bufferedBytesMax: number
}

export interface LinkHandlers {
  /** Whether to go on with this peer: answers a rejection, or nothing. The acceptor asks before the proof, and after it. */
  introduced(link: PeerLink, peer: Introduction, isProved: boolean): Rejection | undefined
  up(link: PeerLink, peer: Introduction): void
  messages(link: PeerLink, messages: readonly Message[]): void
  /** Once, also where it never came up. `rejection`: what the other side said instead. */
  down(link: PeerLink, reason: string, rejection: Rejection | undefined): void
}

const headerBytes = 8
/** The least of the places that frames are put together in. */
const placeBytesMin = 512

export class PeerLink {
  readonly dialed: boolean
  readonly #connection: Connection
  readonly #self: Introduction
  readonly #secret: Secret
  readonly #limits: LinkLimits
  readonly #clock: Clock
  readonly #handlers: LinkHandlers
  readonly #timer: LagAwareTimer
  #peer: Introduction | undefined
  #state: 'greeting' | 'up' | 'down' = 'greeting'
  #tag = 0
  #sent = 0
  #received = 0
  #lastHeard: number
  #lastSpoke: number
  #rejection: Rejection | undefined
  #reason: string | undefined
  /** The frame that the messages of this turn are put into, once there are any, and so many bytes of it. */
  #frame: Uint8Array | undefined
  #filled = headerBytes
  /**
   * Where the next frame may be put together: where an earlier one was that is written. Frames would be most of what a busy link
   * leaves to the collector, which counts bytes outside of the heap, too.
   */
  #spare: Uint8Array | undefined

  constructor(
    connection: Connection,
    dialed: boolean,
    self: Introduction,
    secret: Secret,
    limits: LinkLimits,
    clock: Clock,
    handlers: LinkHandlers,
  ) {
    this.dialed = dialed
    this.#connection = connection
    this.#self = self
    this.#secret = secret
    this.#limits = limits
    this.#clock = clock
    this.#handlers = handlers
    this.#lastHeard = clock.now()
    this.#lastSpoke = clock.now()
    this.#timer = new LagAwareTimer(clock, () => this.#onTimer())
    connection.open({ frame: (bytes) => this.#onFrame(bytes), closed: (reason) => this.#onClosed(reason) })
    if (dialed) connection.send(encodeHandshake({ type: 'hello', ...self }))
    this.#timer.set(clock.now() + limits.handshakeTimeoutMs)
  }

  /** Who is at the other end, once it has introduced itself. */
  get peer(): Introduction | undefined {
    return this.#peer
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Whether anything came from the other end since it is up: then it is up there, too. */
  get hasHeard(): boolean {
    return this.#received > 0
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress
  }

  /** Puts an encoded message into the frame that leaves at the end of this turn: its parts may be used again at once. */
  send(message: EncodedMessage): void {
    if (this.#state !== 'up') return
    const length = lengthOf(message)
    if (this.#filled + length > this.#limits.frameBytesMax) this.#sendFrame()
    const frame = this.#frameFor(this.#filled + length)
    for (const part of message) {
      frame.set(part, this.#filled)
      this.#filled += part.length
    }
  }

  /** Sends what was put into the frame. */
  flush(): void {
    if (this.#state !== 'up' || this.#frame === undefined) return
    this.#sendFrame()
    if (this.#connection.bufferedBytes > this.#limits.bufferedBytesMax)
      this.close('too slow: too much waits to be written')
  }

  close(reason: string): void {
    if (this.#state === 'down' || this.#reason !== undefined) return
    this.#reason = reason
    this.#connection.close(reason)
    // A member that stands still takes no leave, and the others must not wait for it. Strangers count until they are gone.
    if (this.#state === 'up') this.#clock.defer(() => this.#onClosed(reason))
  }

  /** Says why, then closes. */
  reject(rejection: Rejection, reason: string): void {
    this.#connection.send(encodeHandshake({ type: 'reject', rejection, reason }))
    this.close(reason)
  }

  #sendFrame(): void {
    const place = this.#frame
    if (place === undefined) return
    const frame = place.subarray(0, this.#filled)
    this.#frame = undefined
    this.#filled = headerBytes
    this.#sendNumbered(frame, () => {
      const isLarger = place.length > (this.#spare?.length ?? 0)
      if (isLarger && place.length <= this.#limits.frameBytesMax) this.#spare = place
    })
  }

  #sendNumbered(frame: Uint8Array, written?: () => void): void {
    setUint32(frame, 0, this.#tag)
    setUint32(frame, 4, this.#sent)
    this.#sent = (this.#sent + 1) >>> 0
    this.#lastSpoke = this.#clock.now()
    this.#connection.send(frame, written)
  }

  /** With room for so many bytes, and what is in it already. */
  #frameFor(bytes: number): Uint8Array {
    const before = this.#frame
    if (before !== undefined && bytes <= before.length) return before
    const place = this.#placeFor(bytes)
    if (before !== undefined) place.set(before.subarray(0, this.#filled))
    this.#frame = place
    return place
  }

  /** At least so many bytes, of which nobody reads any. Only a message that is larger than a frame gets a larger one. */
  #placeFor(bytes: number): Uint8Array {
    const spare = this.#spare
    this.#spare = undefined
    // Frames of a busy link differ a little in length.
    if (spare !== undefined && spare.length >= bytes) return spare
    const doubled = Math.min(2 ** Math.ceil(Math.log2(bytes)), this.#limits.frameBytesMax)
    return new Uint8Array(Math.max(placeBytesMin, bytes, doubled))
  }

  #onFrame(bytes: Uint8Array): void {
    if (this.#state === 'down' || this.#reason !== undefined) return
    this.#lastHeard = this.#clock.now()
    try {
      if (this.#state === 'up') this.#handlers.messages(this, this.#open(bytes))
      else this.#onHandshake(this.#openHandshake(bytes))
    } catch (error) {
      // Only what the peer sent is its fault; an error of our own must not be hidden as one.
      if (!(error instanceof CoordError)) throw error
      this.close(`sent what cannot be read: ${error.message}`)
    }
  }

  #open(frame: Uint8Array): readonly Message[] {
    if (frame.length < headerBytes) throw new CoordError('COORD_PROTOCOL', 'a frame without a header')
    if (uint32At(frame, 0) !== this.#tag) throw new CoordError('COORD_PROTOCOL', 'a frame of another link')
    if (uint32At(frame, 4) !== this.#received) throw new CoordError('COORD_PROTOCOL', 'a frame is missing or repeated')
    this.#received = (this.#received + 1) >>> 0
    return frame.length === headerBytes ? [] : decodeMessages(frame.subarray(headerBytes))
  }

  #openHandshake(frame: Uint8Array): HandshakeFrame {
    if (frame.length > handshakeBytesMax) throw new CoordError('COORD_PROTOCOL', 'too long for a handshake')
    return decodeHandshake(frame)
  }

  #onHandshake(frame: HandshakeFrame): void {
    if (frame.type === 'reject') {
      this.#rejection = frame.rejection
      this.close(`refused: ${frame.reason}`)
    } else if (frame.type === 'hello' && !this.dialed && this.#peer === undefined) this.#onHello(frame)
    else if (frame.type === 'welcome' && this.dialed) this.#onWelcome(frame)
    else if (frame.type === 'proof' && !this.dialed && this.#peer !== undefined) this.#onProof(this.#peer, frame.proof)
    else throw new CoordError('COORD_PROTOCOL', `a ${frame.type} out of turn`)
  }

  #onHello(hello: Introduction & { type: 'hello' }): void {
    const { type: _, ...peer } = hello
    this.#peer = peer
    if (!this.#isReadable(peer)) return
    const rejection = this.#handlers.introduced(this, peer, false)
    if (rejection !== undefined) {
      this.reject(rejection, rejection === 'duplicate' ? 'a link to this member is up' : 'this is the same process')
      return
    }
    const proof = this.#secret.prove('acceptor', peer, this.#self)
    this.#connection.send(encodeHandshake({ type: 'welcome', ...this.#self, proof }))
  }

  #onWelcome(welcome: Introduction & { type: 'welcome'; proof: Uint8Array }): void {
    const { type: _, proof, ...peer } = welcome
    this.#peer = peer
    if (!this.#isReadable(peer)) return
    if (!this.#secret.isProof(proof, 'acceptor', this.#self, peer)) {
      this.#rejection = 'secret'
      this.reject('secret', 'the secrets differ')
      return
    }
    const rejection = this.#handlers.introduced(this, peer, true)
    if (rejection !== undefined) {
      this.#rejection = rejection
      this.reject(rejection, 'a link to this member is up')
      return
    }
    this.#connection.send(encodeHandshake({ type: 'proof', proof: this.#secret.prove('dialer', this.#self, peer) }))
    this.#comeUp(peer, linkTag(this.#self, peer))
  }

  #onProof(peer: Introduction, proof: Uint8Array): void {
    if (!this.#secret.isProof(proof, 'dialer', peer, this.#self)) {
      this.reject('secret', 'the secrets differ')
      return
    }
    // Somebody else may have come up with this peer between its hello and its proof.
    const rejection = this.#handlers.introduced(this, peer, true)
    if (rejection === undefined) this.#comeUp(peer, linkTag(peer, this.#self))
    else this.reject(rejection, 'a link to this member is up')
  }

  #isReadable(peer: Introduction): boolean {
    if (peer.version === protocolVersion) return true
    this.#rejection = 'version'
    this.reject('version', `speaks version ${peer.version} of the protocol, not ${protocolVersion}`)
    return false
  }

  #comeUp(peer: Introduction, tag: number): void {
    this.#tag = tag
    this.#state = 'up'
    this.#connection.admit?.()
    this.#timer.set(this.#nextCheck())
    this.#handlers.up(this, peer)
  }

  #onTimer(): void {
    const now = this.#clock.now()
    if (this.#state === 'greeting') {
      this.close(`no handshake within ${this.#limits.handshakeTimeoutMs} ms`)
      return
    }
    if (now - this.#lastHeard > this.#limits.silenceMaxMs) {
      this.close(`silent for ${Math.round(now - this.#lastHeard)} ms`)
      return
    }
    if (now - this.#lastSpoke >= this.#limits.silenceMaxMs / 4) {
      this.#spare = undefined
      this.#sendNumbered(new Uint8Array(headerBytes))
    }
    this.#timer.set(this.#nextCheck())
  }

  #nextCheck(): number {
    const { silenceMaxMs } = this.#limits
    return Math.min(this.#lastSpoke + silenceMaxMs / 4, this.#lastHeard + silenceMaxMs + 1)
  }

  #onClosed(reason: string): void {
    if (this.#state === 'down') return
    this.#state = 'down'
    this.#timer.cancel()
    this.#frame = undefined
    this.#handlers.down(this, this.#reason ?? reason, this.#rejection)
  }
}

function lengthOf(message: EncodedMessage): number {
  let length = 0
  for (const part of message) length += part.length
  return length
}
