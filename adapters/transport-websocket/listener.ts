/**
 * Accepts WebSockets on a port of our own or on the application's http server. Either way they come in by one 'upgrade'
 * listener; a port of our own is merely a server with nothing else on it.
 *
 * On a shared server we are a guest. It is the application that starts and closes it, and that handles its errors.
 * Upgrades for other paths are the other listeners'; only when there is none do we answer them, as they would hang.
 * (A `WebSocketServer` that is given the same `server` refuses every path but its own, ours too: such an application
 * gives it `noServer` and an 'upgrade' listener.)
 */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Server as TlsServer } from 'node:tls'
import type { WebSocket, WebSocketServer } from 'ws'
import { CoordError } from '../../lib/errors.ts'
import type { Connection, Listener, TransportLimits } from '../../lib/ports/index.ts'
import { addressOf, defaultPath, isLoopback, normalizePath } from './address.ts'
import { WebSocketConnection } from './connection.ts'
import { socketOptions, subprotocol, type TlsOptions } from './limits.ts'
import { ws } from './ws.ts'

/** A port of our own. */
export interface ListenOnPort {
  /** 0 picks a free one. */
  readonly port: number
  /** Default 127.0.0.1: reachable from this host alone. */
  readonly host?: string | undefined
}

/** The application's server, which it starts and closes itself, also later. */
export interface ListenOnServer {
  readonly server: HttpServer | HttpsServer
  /** Default /embedded-coord. */
  readonly path?: string | undefined
}

export interface ListenerOptions {
  readonly place: ListenOnPort | ListenOnServer
  /** In its normal form. */
  readonly advertise: string | undefined
  readonly tls: TlsOptions | undefined
  readonly limits: TransportLimits
  readonly bufferedBytesMax: number
  readonly held: boolean
  readonly accept: (connection: Connection) => void
}

const defaultHost = '127.0.0.1'

/** Whether other hosts may reach it. A shared server may stand behind a proxy, whatever it is bound to. */
export function isExposed(place: ListenOnPort | ListenOnServer | undefined): boolean {
  if (place === undefined) return false
  return 'server' in place || !isLoopback(place.host ?? defaultHost)
}

export class WebSocketListener implements Listener {
  readonly #options: ListenerOptions
  readonly #server: HttpServer | HttpsServer
  /** Undefined on a shared server. */
  readonly #own: ListenOnPort | undefined
  readonly #path: string
  readonly #webSockets: WebSocketServer
  readonly #connections = new Set<WebSocketConnection>()
  readonly #stop = new AbortController()
  #held: boolean
  #starting: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #address = ''

  constructor(options: ListenerOptions) {
    const { place, limits, tls } = options
    this.#options = options
    this.#held = options.held
    this.#own = 'server' in place ? undefined : place
    this.#server = 'server' in place ? place.server : createOwnServer(limits, tls)
    this.#path = 'server' in place ? normalizePath(place.path ?? defaultPath) : defaultPath
    this.#webSockets = new (ws().WebSocketServer)({
      ...socketOptions(limits),
      noServer: true,
      clientTracking: false,
      handleProtocols: () => subprotocol,
    })
  }

  get address(): string {
    return this.#address
  }

  /** What it is waiting for, as a text for people; undefined once it listens. */
  get waitingFor(): string | undefined {
    if (this.#address !== '') return undefined
    return this.#own === undefined ? 'your server is not listening yet' : 'the port is not open yet'
  }

  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    this.#server.on('upgrade', this.#onUpgrade)
    try {
      if (this.#own !== undefined) await this.#listen(this.#own)
      else if (!this.#server.listening) await this.#listening()
      this.#address = this.#options.advertise ?? this.#boundAddress()
    } catch (error) {
      this.#server.off('upgrade', this.#onUpgrade)
      throw error
    }
  }

  #listen({ port, host = defaultHost }: ListenOnPort): Promise<void> {
    this.setRef(this.#held)
    return new Promise((resolve, reject) => {
      this.#server.once('listening', resolve)
      // Stays for good: also a server that listens may fail to accept, and goes on all the same.
      this.#server.on('error', (error) => reject(explainListenError(error, host, port)))
      this.#server.listen({ port, host })
    })
  }

  /** Waits for the application. Its server's errors are not ours to catch: a listener here would hide them from it. */
  #listening(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('listening', resolve)
      this.#stop.signal.addEventListener('abort', () => {
        this.#server.off('listening', resolve)
        reject(new CoordError('COORD_CLOSED', 'closed before your server began to listen'))
      })
    })
  }

  #boundAddress(): string {
    const bound = this.#server.address()
    if (bound === null || typeof bound === 'string') {
      throw new TypeError('a server that listens on no port needs `advertise`: what others dial to reach it')
    }
    const scheme = this.#server instanceof TlsServer ? 'wss' : 'ws'
    const host = this.#own?.host ?? bound.address
    return addressOf(scheme, host, bound.port, this.#path)
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (pathOf(request) !== this.#path) {
      if (this.#server.listenerCount('upgrade') === 1) refuse(socket, 404, 'no such path')
      return
    }
    const refusal = refusalOf(request)
    if (refusal !== undefined) refuse(socket, ...refusal)
    else this.#upgrade(request, socket, head)
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    try {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, request.socket))
    } catch {
      // Another 'upgrade' listener has taken this socket: ws throws, and the application must not hear it from us.
    }
  }

  #accept(webSocket: WebSocket, socket: Socket): void {
    const remoteAddress = (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '')
    const { bufferedBytesMax, limits } = this.#options
    const { unprovenBytesMax } = limits
    const connection = new WebSocketConnection(webSocket, socket, remoteAddress, bufferedBytesMax, unprovenBytesMax)
    connection.setRef(this.#held)
    this.#connections.add(connection)
    void connection.ended.then(() => this.#connections.delete(connection))
    this.#options.accept(connection)
  }

  /** A shared server, and whether it holds the process, is the application's. */
  setRef(held: boolean): void {
    this.#held = held
    for (const connection of this.#connections) connection.setRef(held)
    if (this.#own === undefined) return
    if (held) this.#server.ref()
    else this.#server.unref()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stop.abort()
    this.#server.off('upgrade', this.#onUpgrade)
    // A port of ours may be about to open; closing it any earlier would be too early.
    await this.#starting?.catch(() => {})
    const serverClosed = this.#own === undefined ? undefined : closeServer(this.#server)
    for (const connection of this.#connections) connection.close('the listener closes')
    // Bounded: ws destroys the socket of a side that does not take leave in time.
    await Promise.all([...this.#connections].map((connection) => connection.ended))
    await serverClosed
  }
}

function createOwnServer({ dialTimeoutMs }: TransportLimits, tls: TlsOptions | undefined): HttpServer | HttpsServer {
  const options = {
    headersTimeout: dialTimeoutMs,
    requestTimeout: dialTimeoutMs,
    connectionsCheckingInterval: Math.min(dialTimeoutMs, 1_000),
    maxHeaderSize: 8 * 1024,
  }
  if (tls === undefined) return createServer(options, answerRequest)
  return createTlsServer({ ...options, ...tls, requestCert: true, rejectUnauthorized: true }, answerRequest)
}

/** Who opens the port in a browser learns what it is. */
function answerRequest(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { Connection: 'close', 'Content-Type': 'text/plain', Upgrade: 'websocket' })
  response.end('members of an embedded-coord ensemble meet here\n')
}

/** Upgraded sockets are not among "all connections": they are closed by their `WebSocketConnection`. */
function closeServer(server: HttpServer | HttpsServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function pathOf(request: IncomingMessage): string {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  return path.replace(/\/+$/, '')
}

function refusalOf({ headers }: IncomingMessage): [status: number, text: string] | undefined {
  // Only browsers send it, and no page has any business here, on whichever site it is: a member is not a browser.
  if (headers.origin !== undefined || headers['sec-websocket-origin'] !== undefined) {
    return [403, 'not for browsers']
  }
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',')
  if (!offered.some((protocol) => protocol.trim() === subprotocol)) {
    return [400, `the subprotocol ${subprotocol} is required`]
  }
  return undefined
}

function refuse(socket: Duplex, status: number, text: string): void {
  // Who is refused may be gone before it hears so.
  socket.on('error', () => {})
  socket.once('finish', () => socket.destroy())
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: text/plain',
      `Content-Length: ${Buffer.byteLength(text)}`,
      '',
      text,
    ].join('\r\n'),
  )
}

function explainListenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `${host}:${port}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new CoordError('COORD_ADDRESS_IN_USE', `another process listens on ${where}`, { cause: error })
    case 'EACCES': {
      const text = `this process may not listen on ${where} (ports below 1024 usually need a privilege)`
      return new CoordError('COORD_ADDRESS_IN_USE', text, { cause: error })
    }
    default:
      return new Error(`cannot listen on ${where}: ${error.message}`, { cause: error })
  }
}
