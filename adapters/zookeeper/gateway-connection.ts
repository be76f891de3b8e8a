/**
 * One client of the gateway: its connection, and the session link that it is mapped to. Requests become calls, in order;
 * replies and notifications go out in the order in which the link delivers them, which is ZooKeeper's: an event comes
 * before whatever shows its change.
 *
 * The end of a connection is not the end of its session: the session is no longer touched, and expires unless its
 * client comes back, here or at another member, with its id and password.
 *
 * Whatever the client sends, nothing is thrown past this file.
 */
import type { Socket } from 'node:net'
import { numbered } from '../../lib/api/znodes.ts'
import { zxidZero } from '../../lib/core/zab/zxid.ts'
import { errorCodes } from '../../lib/errors.ts'
import type { Timer } from '../../lib/ports/clock.ts'
import type { Hosting } from '../../lib/ports/hosting.ts'
import type { CallResult, SessionItem, SessionLink } from '../../lib/ports/session-link.ts'
import { FrameReader, frame } from './framing.ts'
import { JuteReader, type JuteWriter, MarshallingError } from './jute.ts'
import type { GatewayLimits } from './limits.ts'
import type { OperationName } from './operations.ts'
import { eventTypes, syncConnected, xids, zkErrors } from './protocol.ts'
import {
  type ConnectRequest,
  connectRequest,
  connectResponse,
  replyHeader,
  requestHeader,
  watcherEvent,
} from './records.ts'
import { isListedFailure, operationOf, Refusal, type Translated, translate } from './translate.ts'

/** What a connection needs of its gateway. */
export interface ConnectionSurroundings {
  readonly hosting: Hosting
  readonly limits: GatewayLimits
  readonly superDigest: string | undefined
  readonly statistics: TrafficStatistics
  /** The answer to a four-letter word, or `undefined` for what is none. */
  answerWord(word: string): string | undefined
  ended(connection: GatewayConnection): void
}

/** What the gateway counts, over all its connections. */
export class TrafficStatistics {
  received = 0
  sent = 0
  latencyMinMs = 0
  latencyMaxMs = 0
  #latencySumMs = 0
  #latencies = 0

  get latencyAverageMs(): number {
    return this.#latencies === 0 ? 0 : this.#latencySumMs / this.#latencies
  }

  answered(latencyMs: number): void {
    this.sent += 1
    this.latencyMinMs = this.#latencies === 0 ? latencyMs : Math.min(this.latencyMinMs, latencyMs)
    this.latencyMaxMs = Math.max(this.latencyMaxMs, latencyMs)
    this.#latencySumMs += latencyMs
    this.#latencies += 1
  }

  reset(): void {
    this.received = 0
    this.sent = 0
    this.latencyMinMs = 0
    this.latencyMaxMs = 0
    this.#latencySumMs = 0
    this.#latencies = 0
  }
}

/** A request that is not answered yet. */
interface Outstanding {
  readonly id: number
  readonly xid: number
  /** Undefined for an operation that does not exist. */
  readonly name: OperationName | undefined
  readonly translated: Translated
  readonly since: number
}

/** `new`: not even four bytes are here. `connecting`: the first packet is on its way. */
type Phase = 'new' | 'connecting' | 'opening' | 'open' | 'closing' | 'ended'

const wordLength = 4
/** The call that shows whether the session is open. */
const openingCall = 0
const passwordLength = 16

/** IPv4 as such, also where the socket is one of IPv6. */
export function addressOf(socket: Socket): string {
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '')
}

export class GatewayConnection {
  readonly statistics: TrafficStatistics = new TrafficStatistics()
  readonly #socket: Socket
  readonly #surroundings: ConnectionSurroundings
  readonly #frames: FrameReader
  /** By the number of the call, in order. */
  readonly #outstanding = new Map<number, Outstanding>()
  #phase: Phase = 'new'
  #link: SessionLink | undefined
  #request: ConnectRequest | undefined
  #lastCall = openingCall
  #lastXid = 0
  #lastZxid: bigint = 0n
  readonly #remoteAddress: string
  #first: Buffer = Buffer.alloc(0)
  #timer: Timer | undefined
  #isCorked = false
  #isPaused = false

  constructor(socket: Socket, surroundings: ConnectionSurroundings) {
    this.#socket = socket
    this.#surroundings = surroundings
    this.#frames = new FrameReader(surroundings.limits.frameBytesMax)
    this.#remoteAddress = addressOf(socket)
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('drain', () => this.#resume())
    // 'close' follows; what exactly went wrong with a client's socket is of no use to anybody.
    socket.on('error', () => {})
    // After our own end, what was written last must still leave.
    socket.on('end', () => {
      if (this.#phase !== 'closing') this.end()
    })
    socket.on('close', () => this.end())
    this.#arm(surroundings.limits.handshakeTimeoutMs)
  }

  get remoteAddress(): string {
    return this.#remoteAddress
  }

  get remotePort(): number {
    return this.#socket.remotePort ?? 0
  }

  /** Undefined until the session is open. */
  get session(): SessionLink | undefined {
    return this.#phase === 'open' ? this.#link : undefined
  }

  get outstanding(): number {
    return this.#outstanding.size
  }

  get lastZxid(): bigint {
    return this.#lastZxid
  }

  get lastXid(): number {
    return this.#lastXid
  }

  /** Cuts the connection; its session lives on until it expires. Idempotent. */
  end(): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#timer?.cancel()
    this.#outstanding.clear()
    this.#socket.destroy()
    this.#surroundings.ended(this)
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === 'ended' || this.#phase === 'closing') return
    if (this.#phase !== 'new') this.#frames.push(chunk)
    else if (!this.#begin(chunk)) return
    this.#readPackets()
  }

  /** The first four bytes tell a client from somebody who asks a four-letter word. Whether packets follow. */
  #begin(chunk: Buffer): boolean {
    this.#first = Buffer.concat([this.#first, chunk])
    if (this.#first.length < wordLength) return false
    const word = this.#first.toString('latin1', 0, wordLength)
    if (/^[a-z]{4}$/.test(word)) {
      const answer = this.#surroundings.answerWord(word)
      this.#phase = 'closing'
      this.#socket.end(answer ?? '', () => this.end())
      return false
    }
    this.#phase = 'connecting'
    this.#frames.push(this.#first)
    this.#first = Buffer.alloc(0)
    return true
  }

  #readPackets(): void {
    try {
      while (!this.#isPaused && this.#phase !== 'ended' && this.#phase !== 'closing') {
        const packet = this.#frames.next()
        if (packet === undefined) break
        this.#onPacket(packet)
      }
    } catch (error) {
      // A length that no packet has, or a first packet that opens no session: there is nobody to talk to.
      if (!(error instanceof MarshallingError)) throw error
      this.end()
    }
    if (this.#phase === 'open') this.#watchPacket()
  }

  #onPacket(packet: Buffer): void {
    this.#surroundings.statistics.received += 1
    this.statistics.received += 1
    const reader = new JuteReader(packet)
    if (this.#request === undefined) this.#onConnect(connectRequest.read(reader))
    else this.#onRequest(reader)
  }

  #onConnect(request: ConnectRequest): void {
    const { hosting, limits } = this.#surroundings
    this.#request = request
    // Who has seen more than we have gets no answer and tries another member.
    if (!hosting.serving || request.lastZxidSeen > hosting.lastZxid) {
      this.end()
      return
    }
    if (request.sessionId < 0n) {
      this.#refuseSession()
      return
    }
    this.#phase = 'opening'
    const { sessionTimeoutMinMs, sessionTimeoutMaxMs } = limits
    const timeoutMs = Math.max(sessionTimeoutMinMs, Math.min(sessionTimeoutMaxMs, request.timeoutMs))
    const attach =
      request.sessionId === 0n
        ? undefined
        : { id: request.sessionId, password: request.password ?? new Uint8Array(passwordLength) }
    this.#link = hosting.door.open(
      {
        timeoutMs,
        requestTimeoutMs: hosting.requestTimeoutMs,
        whenTouched: true,
        attach,
        address: this.remoteAddress,
        superDigest: this.#surroundings.superDigest,
      },
      (item) => this.#onItem(item),
    )
    // Answered when the session is open, or with the reason why it never will be.
    this.#link.call({ kind: 'awaitZxid', id: openingCall, zxid: zxidZero })
  }

  #onItem(item: SessionItem): void {
    if (this.#phase === 'ended') return
    if (item.kind === 'reply') this.#onReply(item.id, item.result, item.zxid)
    else if (item.kind === 'event') this.#notify(item.event.type, item.event.path)
    // A session that is not served, or not here, or over: the client finds out at another member, or when it comes back.
    else if (item.kind === 'state' && item.state !== 'connected' && this.#phase === 'open') this.end()
  }

  #onReply(id: number, result: CallResult, zxid: bigint): void {
    if (id === openingCall) {
      this.#onOpened(result)
      return
    }
    const outstanding = this.#outstanding.get(id)
    if (outstanding === undefined) return
    this.#outstanding.delete(id)
    this.#lastZxid = zxid
    this.#reply(outstanding, result, zxid)
    if (this.#isPaused) this.#resume()
  }

  #onOpened(result: CallResult): void {
    if (result.type === 'error') {
      if (result.code === 'COORD_SESSION_EXPIRED') this.#refuseSession()
      else this.end()
      return
    }
    const { id, password, timeoutMs } = this.#link as SessionLink
    this.#phase = 'open'
    this.#timer?.cancel()
    this.#timer = undefined
    this.#send((writer) =>
      connectResponse.write(writer, {
        protocolVersion: 0,
        timeoutMs,
        sessionId: id,
        password,
        readOnly: this.#request?.readOnly === undefined ? undefined : false,
      }),
    )
    this.#readPackets()
  }

  /** There is no such session, or this is not its password. */
  #refuseSession(): void {
    this.#phase = 'closing'
    const readOnly = this.#request?.readOnly === undefined ? undefined : false
    const password = new Uint8Array(passwordLength)
    const refusal = { protocolVersion: 0, timeoutMs: 0, sessionId: 0n, password, readOnly }
    this.#socket.end(
      frame((writer) => connectResponse.write(writer, refusal)),
      () => this.end(),
    )
  }

  #onRequest(reader: JuteReader): void {
    this.#link?.touch()
    const { xid, opcode } = requestHeader.read(reader)
    this.#lastXid = xid
    const name = operationOf(opcode)
    const since = this.#surroundings.hosting.clock.now()
    this.#lastCall += 1
    const id = this.#lastCall
    const translated = this.#translate(name, reader)
    this.#outstanding.set(id, { id, xid, name, translated, since })
    this.#link?.call(numbered(translated.call, id))
    // After an operation that does not exist, nothing more is read: the connection ends with the answer.
    if (name === undefined || this.#outstanding.size >= this.#surroundings.limits.outstandingMax) this.#pause()
  }

  /** What is refused gets its answer when it is its turn. */
  #translate(name: OperationName | undefined, reader: JuteReader): Translated {
    try {
      if (name === undefined) throw new Refusal(zkErrors.unimplemented, 'no such operation')
      return translate(name, reader)
    } catch (error) {
      const isExpected = error instanceof Refusal || error instanceof MarshallingError
      if (!isExpected) throw error
      const refusal = error instanceof Refusal ? error : new Refusal(zkErrors.marshallingError, error.message)
      return {
        call: { kind: 'awaitZxid', zxid: zxidZero },
        respond: () => {
          throw refusal
        },
      }
    }
  }

  #reply({ xid, name, translated, since }: Outstanding, result: CallResult, zxid: bigint): void {
    const { hosting, statistics } = this.#surroundings
    const latencyMs = hosting.clock.now() - since
    statistics.answered(latencyMs)
    this.statistics.answered(latencyMs)
    const failure = result.type === 'error' && !isListedFailure(name, result) ? result : undefined
    if (failure !== undefined && errorCodes[failure.code].zk === errorCodes.COORD_CONNECTION_LOSS.zk) {
      // The outcome is unknown, or nobody serves: ZooKeeper's clients know that from a connection that ends.
      this.end()
      return
    }
    if (failure === undefined) this.#respond(xid, zxid, (writer) => translated.respond(writer, result))
    else this.#respondError(xid, zxid, errorCodes[failure.code].zk)
    const isFinal =
      name === undefined ||
      name === 'closeSession' ||
      failure?.code === 'COORD_SESSION_MOVED' ||
      (name === 'auth' && failure !== undefined)
    if (isFinal) this.#finish()
  }

  #respond(xid: number, zxid: bigint, write: (writer: JuteWriter) => void): void {
    let packet: Buffer
    try {
      packet = frame((writer) => {
        replyHeader.write(writer, { xid, zxid, error: zkErrors.ok })
        write(writer)
      })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.#respondError(xid, zxid, error.zkCode)
      return
    }
    this.#write(packet)
  }

  #respondError(xid: number, zxid: bigint, error: number): void {
    this.#send((writer) => replyHeader.write(writer, { xid, zxid, error }))
  }

  #notify(type: keyof typeof eventTypes, path: string): void {
    if (this.#phase !== 'open') return
    this.#surroundings.statistics.sent += 1
    this.statistics.sent += 1
    this.#send((writer) => {
      replyHeader.write(writer, { xid: xids.notification, zxid: -1n, error: zkErrors.ok })
      watcherEvent.write(writer, { type: eventTypes[type], state: syncConnected, path })
    })
  }

  #send(write: (writer: JuteWriter) => void): void {
    this.#write(frame(write))
  }

  /** What is written in one turn leaves together. */
  #write(packet: Buffer): void {
    if (this.#phase === 'ended') return
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        this.#socket.uncork()
      })
    }
    const hasRoom = this.#socket.write(packet)
    const { bufferedBytesMax } = this.#surroundings.limits
    // It does not take what it asked for, or watches: it must not fill the memory of this process.
    if (this.#socket.writableLength > bufferedBytesMax) this.end()
    else if (!hasRoom && this.#socket.writableLength > bufferedBytesMax / 4) this.#pause()
  }

  /** What was written still leaves; nothing more is read. */
  #finish(): void {
    if (this.#phase === 'ended') return
    this.#phase = 'closing'
    this.#arm(this.#surroundings.limits.packetTimeoutMs)
    this.#socket.end()
  }

  #pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  #resume(): void {
    const { outstandingMax, bufferedBytesMax } = this.#surroundings.limits
    if (!this.#isPaused || this.#outstanding.size > outstandingMax / 2) return
    if (this.#socket.writableLength > bufferedBytesMax / 4) return
    this.#isPaused = false
    this.#socket.resume()
    this.#readPackets()
  }

  /** A packet that has begun must come to its end in time. */
  #watchPacket(): void {
    if (this.#frames.isInside && !this.#isPaused) {
      if (this.#timer === undefined) this.#arm(this.#surroundings.limits.packetTimeoutMs)
      return
    }
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(delayMs: number): void {
    const { clock } = this.#surroundings.hosting
    this.#timer?.cancel()
    // Late timers first let what has arrived be read.
    this.#timer = clock.setTimer(delayMs, () => {
      const timer = this.#timer
      clock.defer(() => {
        if (this.#timer === timer) this.end()
      })
    })
  }
}
