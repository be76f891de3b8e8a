/**
 * The `Transport` port over WebSocket: at most one listener, any number of dials, and the connections of both. It keeps
 * them only to close them and to say whether they hold the process; what is sent over them is none of its business.
 *
 * Closing is bounded: each connection takes leave of its other side, which has a second to answer, so what was sent
 * just before still arrives where it can.
 */
import { assert, CoordError } from '../../lib/errors.ts'
import type { Connection, Listener, Transport, TransportLimits } from '../../lib/ports/index.ts'
import { normalizeAddress } from './address.ts'
import type { WebSocketConnection } from './connection.ts'
import { Dial } from './dial.ts'
import type { TlsOptions } from './limits.ts'
import { isExposed, type ListenOnPort, type ListenOnServer, WebSocketListener } from './listener.ts'
import { loadWs } from './ws.ts'

export interface WebSocketTransportOptions {
  /** Where to accept others. Default: nowhere, the member only dials. */
  readonly listen?: ListenOnPort | ListenOnServer | undefined
  /** What others dial to reach this member. Default: what `listen` is bound to. */
  readonly advertise?: string | undefined
  /** Certificates for `wss:` addresses, and for a port of our own. A shared server brings its own. */
  readonly tls?: TlsOptions | undefined
  /** A connection whose other side leaves more than this unread is closed. Bytes; default 64 MiB. */
  readonly bufferedBytesMax?: number | undefined
}

export interface WebSocketTransport extends Transport {
  /** Why `listen` has not resolved yet, as a text for people; undefined when it has, or was not called. */
  readonly waitingFor: string | undefined
}

export function webSocketTransport(options: WebSocketTransportOptions = {}): WebSocketTransport {
  return new Adapter(options)
}

const defaultBufferedBytesMax = 64 * 1024 * 1024

class Adapter implements WebSocketTransport {
  readonly exposed: boolean
  readonly #options: WebSocketTransportOptions
  readonly #advertise: string | undefined
  readonly #bufferedBytesMax: number
  readonly #dials = new Set<Dial>()
  readonly #dialed = new Set<WebSocketConnection>()
  #listener: WebSocketListener | undefined
  #held = true
  #closing: Promise<void> | undefined

  constructor(options: WebSocketTransportOptions) {
    this.#options = options
    this.#advertise = options.advertise === undefined ? undefined : normalizeAddress(options.advertise)
    this.#bufferedBytesMax = options.bufferedBytesMax ?? defaultBufferedBytesMax
    this.exposed = isExposed(options.listen)
  }

  get waitingFor(): string | undefined {
    return this.#listener?.waitingFor
  }

  normalize(address: string): string {
    return normalizeAddress(address)
  }

  async listen(accept: (connection: Connection) => void, limits: TransportLimits): Promise<Listener | undefined> {
    this.#assertNotClosed()
    assert(this.#listener === undefined, 'a transport listens once')
    const { listen: place } = this.#options
    if (place === undefined) return undefined
    const loading = loadWs()
    if (loading !== undefined) await loading
    this.#assertNotClosed()
    this.#listener = new WebSocketListener({
      place,
      advertise: this.#advertise,
      tls: this.#options.tls,
      limits,
      bufferedBytesMax: this.#bufferedBytesMax,
      held: this.#held,
      accept,
    })
    await this.#listener.start()
    return this.#listener
  }

  async dial(address: string, limits: TransportLimits, signal: AbortSignal): Promise<Connection> {
    await loadWs()
    this.#assertNotClosed()
    signal.throwIfAborted()
    const { tls } = this.#options
    const options = { limits, tls, bufferedBytesMax: this.#bufferedBytesMax, held: this.#held }
    const dial = new Dial(normalizeAddress(address), options)
    const onAbort = (): void => dial.fail(signal.reason)
    signal.addEventListener('abort', onAbort)
    this.#dials.add(dial)
    try {
      return this.#keep(await dial.connection, signal)
    } finally {
      this.#dials.delete(dial)
      signal.removeEventListener('abort', onAbort)
    }
  }

  #keep(connection: WebSocketConnection, signal: AbortSignal): Connection {
    // It may have opened just before it was given up.
    if (signal.aborted || this.#closing !== undefined) {
      connection.close()
      throw signal.aborted ? signal.reason : closedError()
    }
    connection.setRef(this.#held)
    this.#dialed.add(connection)
    void connection.ended.then(() => this.#dialed.delete(connection))
    return connection
  }

  setRef(held: boolean): void {
    this.#held = held
    this.#listener?.setRef(held)
    for (const connection of this.#dialed) connection.setRef(held)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const dial of this.#dials) dial.fail(closedError())
    for (const connection of this.#dialed) connection.close('the transport closes')
    await Promise.all([this.#listener?.close(), ...[...this.#dialed].map((connection) => connection.ended)])
  }

  #assertNotClosed(): void {
    if (this.#closing !== undefined) throw closedError()
  }
}

const closedError = (): CoordError => new CoordError('COORD_CLOSED', 'the transport is closed')
