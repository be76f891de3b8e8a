/**
 * One attempt to connect to an address. It ends exactly once: with a connection, or with an error whose message can be
 * shown to an operator as it is, since "why does it not join" is what they ask.
 *
 * The time limit is for the whole of it, from the look-up of the name to the answer: the one that ws offers begins anew
 * with every byte that a trickling server sends.
 */
import type { ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { TransportLimits } from '../../lib/ports/index.ts'
import { WebSocketConnection } from './connection.ts'
import { socketOptions, subprotocol, type TlsOptions } from './limits.ts'
import { ws } from './ws.ts'

export interface DialOptions {
  readonly limits: TransportLimits
  readonly bufferedBytesMax: number
  readonly tls: TlsOptions | undefined
  /** Whether the attempt holds the process. */
  readonly held: boolean
}

export class Dial {
  readonly connection: Promise<WebSocketConnection>
  readonly #address: string
  readonly #webSocket: WebSocket
  readonly #timer: NodeJS.Timeout
  #reject!: (error: unknown) => void
  /** The TCP or TLS socket below, known when the other side has agreed. */
  #socket: Socket | undefined

  /** `address` is in its normal form. */
  constructor(address: string, options: DialOptions) {
    const { dialTimeoutMs } = options.limits
    this.#address = address
    this.#webSocket = new (ws().WebSocket)(address, [subprotocol], clientOptions(options))
    this.connection = new Promise((resolve, reject) => {
      this.#reject = reject
      this.#webSocket.once('open', () => resolve(this.#succeed(options)))
    })
    this.#webSocket.once('upgrade', (response) => {
      this.#socket = response.socket
    })
    this.#webSocket.once('unexpected-response', (_request, response) => {
      this.fail(new Error(explainStatus(address, response.statusCode)))
    })
    // Stays for good: an attempt given up still emits errors.
    this.#webSocket.on('error', (error) => this.fail(new Error(explainError(address, error), { cause: error })))
    this.#timer = setTimeout(() => this.#onTimeout(dialTimeoutMs), dialTimeoutMs)
    if (!options.held) this.#timer.unref()
  }

  /** Gives up, unless the attempt has ended. */
  fail(error: unknown): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) return
    clearTimeout(this.#timer)
    this.#reject(error)
    this.#webSocket.terminate()
  }

  #succeed({ bufferedBytesMax, limits }: DialOptions): WebSocketConnection {
    clearTimeout(this.#timer)
    const socket = this.#socket as Socket
    return new WebSocketConnection(this.#webSocket, socket, this.#address, bufferedBytesMax, limits.unprovenBytesMax)
  }

  #onTimeout(dialTimeoutMs: number): void {
    this.fail(new Error(`${this.#address} did not answer within ${dialTimeoutMs} ms`))
  }
}

function clientOptions({ limits, tls, held }: DialOptions): WebSocket.ClientOptions {
  return {
    ...socketOptions(limits),
    ...tls,
    // Masks hide what a script in a browser might have a proxy believe. Here no script chooses the bytes, and masking
    // costs most of the throughput (measured: 4 KiB frames 30,000 a second, against 130,000 with a mask of zeros).
    generateMask: (mask: Buffer) => mask.fill(0),
    finishRequest(request: ClientRequest) {
      if (!held) request.once('socket', (socket) => socket.unref())
      request.end()
    },
  }
}

function explainStatus(address: string, status: number | undefined): string {
  switch (status) {
    case 403:
      return `${address} refuses this connection (HTTP status 403)`
    case 404:
      return `${address} is a web server without embedded-coord at this path (HTTP status 404)`
    default:
      return `${address} speaks HTTP, but not embedded-coord (HTTP status ${status})`
  }
}

const networkErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at',
  ENOTFOUND: 'no such host name:',
  EAI_AGAIN: 'the host name cannot be looked up now:',
  EHOSTUNREACH: 'no route to',
  ENETUNREACH: 'no route to',
  ETIMEDOUT: 'no answer from',
}

function explainError(address: string, error: Error): string {
  const code = 'code' in error ? String(error.code) : ''
  const known = networkErrors[code]
  if (known !== undefined) return `${known} ${address}`
  if (code.startsWith('HPE_')) return `${address} does not speak HTTP`
  if (error.message.includes('subprotocol')) return `${address} is a WebSocket server, but not embedded-coord`
  return `cannot connect to ${address}: ${error.message || code}`
}
