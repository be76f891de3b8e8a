/**
 * One connection to a ZooKeeper server, from the client's side: opens or re-opens a session, sends requests without
 * waiting, and hands out what comes back in the order in which it came. It keeps no time and never retries: pings,
 * timeouts and reconnecting are its owner's (`client-link.ts`).
 */
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { FrameReader, frame } from './framing.ts'
import { JuteReader, MarshallingError } from './jute.ts'
import { type Exchange, exchanges, type OperationName, type RequestOf, type ResponseOf } from './operations.ts'
import { opcodes, xids } from './protocol.ts'
import {
  type ConnectRequest,
  type ConnectResponse,
  connectRequest,
  connectResponse,
  replyHeader,
  requestHeader,
  type WatcherEvent,
  watcherEvent,
} from './records.ts'

export interface WireAddress {
  readonly host: string
  readonly port: number
}

/** `response` is there unless `error` is not 0. */
export interface WireReply<S> {
  readonly zxid: bigint
  readonly error: number
  readonly response: S | undefined
}

export interface WireHandlers {
  /** The session is open: or refused, with a timeout of 0. */
  opened(response: ConnectResponse): void
  event(event: WatcherEvent): void
  /** Once, when the connection has ended, for whatever reason. Unanswered requests stay unanswered. */
  ended(reason: string): void
}

export interface WireOptions {
  readonly address: WireAddress
  readonly opening: ConnectRequest
  /** What the server may send in one packet, bytes. */
  readonly frameBytesMax: number
  readonly tls?: ConnectionOptions | undefined
  /** Whether a reply with more than what belongs to it ends the connection: for tests. Default false. */
  readonly strict?: boolean | undefined
  /**
   * Calls back when every microtask that is due now has run. With it, what comes behind a reply waits until whoever awaited
   * that has gone on: else an event in the same chunk would come before the watch that it is for.
   */
  readonly afterMicrotasks?: ((callback: () => void) => void) | undefined
}

interface Pending {
  readonly xid: number
  settle(zxid: bigint, error: number, reader: JuteReader): void
}

const xidMax = 0x7fff_ffff

export class WireConnection {
  readonly #socket: Socket
  readonly #handlers: WireHandlers
  readonly #frames: FrameReader
  readonly #isStrict: boolean
  /** Pings and logins may be answered out of turn. */
  readonly #waiting: Readonly<Record<'ping' | 'auth' | 'others', Pending[]>> = { ping: [], auth: [], others: [] }
  readonly #afterMicrotasks: WireOptions['afterMicrotasks']
  #isOpen = false
  #ended = false
  /** A reply was handed over, and who waits for it has not gone on yet. */
  #isSettling = false
  #lastXid = 0
  #lastZxid = 0n
  #reason = 'the server closed the connection'

  constructor(
    { address, opening, frameBytesMax, tls, strict = false, afterMicrotasks }: WireOptions,
    handlers: WireHandlers,
  ) {
    const { host, port } = address
    this.#handlers = handlers
    this.#isStrict = strict
    this.#afterMicrotasks = afterMicrotasks
    this.#frames = new FrameReader(frameBytesMax)
    this.#socket = tls === undefined ? connect({ host, port }) : connectTls({ host, port, ...tls })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#socket.on('error', (error) => {
      this.#reason = error.message
    })
    this.#socket.on('close', () => {
      // What arrived before counts.
      this.#isSettling = false
      this.#takePackets(false)
      this.#end()
    })
    this.#socket.write(frame((writer) => connectRequest.write(writer, opening)))
  }

  /** The greatest zxid in any reply so far. */
  get lastZxid(): bigint {
    return this.#lastZxid
  }

  get isEnded(): boolean {
    return this.#ended
  }

  /** How many requests were sent and not answered. */
  get outstanding(): number {
    return this.#waiting.others.length
  }

  setRef(held: boolean): void {
    if (held) this.#socket.ref()
    else this.#socket.unref()
  }

  /** Sends a request. `onReply` is called in the order of what the server sends, never inside this call. */
  send<K extends OperationName>(
    name: K,
    request: RequestOf<K>,
    onReply: (reply: WireReply<ResponseOf<K>>) => void,
  ): void {
    if (this.#ended) return
    const { request: requestSchema, response: responseSchema } = exchanges[name] as Exchange<unknown, unknown>
    const xid = this.#xidOf(name)
    this.#queueOf(xid).push({
      xid,
      settle: (zxid, error, reader) => {
        const response = error === 0 ? (responseSchema.read(reader) as ResponseOf<K>) : undefined
        if (this.#isStrict && reader.remaining > 0) throw new MarshallingError(`${reader.remaining} bytes too many`)
        onReply({ zxid, error, response })
      },
    })
    this.#socket.write(
      frame((writer) => {
        requestHeader.write(writer, { xid, opcode: opcodes[name] })
        requestSchema.write(writer, request)
      }),
    )
  }

  /** Ends the connection, not the session. Idempotent. */
  close(reason: string): void {
    if (this.#ended) return
    this.#reason = reason
    this.#socket.destroy()
    this.#end()
  }

  #xidOf(name: OperationName): number {
    if (name === 'ping') return xids.ping
    if (name === 'auth') return xids.auth
    if (name === 'setWatches' || name === 'setWatches2') return xids.setWatches
    this.#lastXid = this.#lastXid === xidMax ? 1 : this.#lastXid + 1
    return this.#lastXid
  }

  #queueOf(xid: number): Pending[] {
    const { ping, auth, others } = this.#waiting
    return xid === xids.ping ? ping : xid === xids.auth ? auth : others
  }

  #onData(chunk: Buffer): void {
    this.#frames.push(chunk)
    this.#takePackets(this.#afterMicrotasks !== undefined)
  }

  /** One after the other; with pauses, a reply's continuations run before what came behind it is handed over. */
  #takePackets(pauses: boolean): void {
    try {
      while (!this.#ended && !this.#isSettling) {
        const packet = this.#frames.next()
        if (packet === undefined) return
        const isReply = this.#onPacket(new JuteReader(packet))
        if (!isReply || !pauses) continue
        this.#isSettling = true
        this.#afterMicrotasks?.(() => {
          this.#isSettling = false
          this.#takePackets(true)
        })
      }
    } catch (error) {
      if (!(error instanceof MarshallingError)) throw error
      this.close(`the server sent what is no reply: ${error.message}`)
    }
  }

  /** Returns whether it was a reply. */
  #onPacket(reader: JuteReader): boolean {
    if (!this.#isOpen) {
      this.#isOpen = true
      this.#handlers.opened(connectResponse.read(reader))
      return false
    }
    const { xid, zxid, error } = replyHeader.read(reader)
    if (xid === xids.notification) {
      this.#handlers.event(watcherEvent.read(reader))
      return false
    }
    if (zxid > this.#lastZxid) this.#lastZxid = zxid
    const pending = this.#queueOf(xid).shift()
    if (pending?.xid !== xid) throw new MarshallingError(`a reply to ${xid} where one to ${pending?.xid} was due`)
    pending.settle(zxid, error, reader)
    return true
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#handlers.ended(this.#reason)
  }
}
