/**
 * `serveZooKeeper`: a port at which ZooKeeper's own clients are clients of the ensemble. Any member may have one; their
 * sessions are sessions of the ensemble and move between the members.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { CoordError } from '../../lib/errors.ts'
import type { Hosting } from '../../lib/ports/hosting.ts'
import { type AdminOptions, AdminServer, listenError } from './admin-server.ts'
import { Diagnostics } from './diagnostics.ts'
import { answerWord, type FourLetterWord, fourLetterWords, harmlessWords } from './four-letter-words.ts'
import { addressOf, GatewayConnection, TrafficStatistics } from './gateway-connection.ts'
import { defaultGatewayLimits, type GatewayLimits } from './limits.ts'

/** The part of a `Coord` that a gateway works with. */
export interface ServedCoord {
  readonly state: string
  on(event: 'state', listener: (next: string) => void): unknown
  off(event: 'state', listener: (next: string) => void): unknown
}

export interface ServeZooKeeperOptions extends Partial<GatewayLimits> {
  /** ZooKeeper's is 2181; 0 picks a free one. */
  readonly port: number
  /** Default 127.0.0.1: reachable from this host alone. What protects the tree from clients is its ACLs. */
  readonly host?: string | undefined
  /** `user:base64(sha1(user:password))`: whoever logs in with the scheme digest as this user may do everything. */
  readonly superDigest?: string | undefined
  /** Which four-letter words are answered. Default: those that tell nothing of sessions, clients and paths. */
  readonly fourLetterWords?: readonly FourLetterWord[] | undefined
  /** Where ZooKeeper's admin endpoint (JSON over HTTP) listens. Default: nowhere. */
  readonly admin?: AdminOptions | undefined
  /** The options of a TLS server: `key`, `cert`, and `ca` with `requestCert` to demand certificates of clients. */
  readonly tls?: TlsOptions | undefined
}

export interface ZooKeeperGateway extends AsyncDisposable {
  /** The one that it listens on. */
  readonly port: number
  /** Where the admin endpoint listens, if it does. */
  readonly adminPort: number | undefined
  /** Stops listening and cuts all connections; sessions live on and may go to other members. Idempotent. */
  close(): Promise<void>
}

/** Serves ZooKeeper's clients until closed, or until the coord is. */
export async function serveZooKeeper(coord: ServedCoord, options: ServeZooKeeperOptions): Promise<ZooKeeperGateway> {
  const { hosting } = coord as { readonly hosting?: Hosting }
  if (hosting === undefined) throw new TypeError('serveZooKeeper takes what joinEnsemble returned')
  const gateway = new Gateway(coord, hosting, options)
  try {
    await gateway.listen()
  } catch (error) {
    await gateway.close()
    throw error
  }
  return gateway
}

class Gateway implements ZooKeeperGateway {
  readonly #coord: ServedCoord
  readonly #hosting: Hosting
  readonly #options: ServeZooKeeperOptions
  readonly #limits: GatewayLimits
  readonly #server: Server
  /** As they were accepted: also those whose TLS handshake has not come to its end. */
  readonly #sockets = new Set<Socket>()
  readonly #connections = new Set<GatewayConnection>()
  readonly #byAddress = new Map<string, number>()
  readonly #statistics = new TrafficStatistics()
  readonly #allowedWords: ReadonlySet<string>
  readonly #diagnostics: Diagnostics
  readonly #admin: AdminServer | undefined
  #closing: Promise<void> | undefined

  constructor(coord: ServedCoord, hosting: Hosting, options: ServeZooKeeperOptions) {
    this.#coord = coord
    this.#hosting = hosting
    this.#options = options
    this.#limits = limitsOf(options)
    this.#allowedWords = wordsOf(options.fourLetterWords)
    this.#diagnostics = new Diagnostics({
      hosting,
      statistics: this.#statistics,
      limits: this.#limits,
      port: () => this.port,
      connections: () => [...this.#connections],
    })
    this.#admin = options.admin === undefined ? undefined : new AdminServer(this.#diagnostics, this.#allowedWords)
    const serve = (socket: Socket): void => this.#serve(socket)
    const { tls } = options
    // Half-open connections have no use in this protocol: `allowHalfOpen` stays off.
    this.#server =
      tls === undefined
        ? createServer()
        : createTlsServer({ handshakeTimeout: this.#limits.handshakeTimeoutMs, ...tls }, serve)
    this.#server.on('connection', (socket: Socket) => {
      if (this.#admit(socket) && tls === undefined) serve(socket)
    })
    // Handshakes that fail are the client's trouble.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy())
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.#options.port
  }

  get adminPort(): number | undefined {
    return this.#admin?.port
  }

  async listen(): Promise<void> {
    if (this.#coord.state === 'closed') throw new CoordError('COORD_CLOSED')
    // Before it listens: the coord may be closed meanwhile.
    this.#coord.on('state', this.#onState)
    await this.#listen()
    if (this.#closing !== undefined) {
      this.#server.close()
      throw new CoordError('COORD_CLOSED')
    }
    if (this.#options.admin !== undefined) await this.#admin?.listen(this.#options.admin)
  }

  #listen(): Promise<void> {
    const { port, host = '127.0.0.1' } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once('listening', () => resolve())
      this.#server.once('close', () => reject(new CoordError('COORD_CLOSED')))
      // Stays for good: a server that listens may fail to accept, and goes on all the same.
      this.#server.on('error', (error) => reject(listenError(error, host, port)))
      this.#server.listen({ port, host })
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  readonly #onState = (next: string): void => {
    if (next === 'closed') void this.close()
  }

  async #close(): Promise<void> {
    this.#coord.off('state', this.#onState)
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    for (const connection of [...this.#connections]) connection.end()
    for (const socket of [...this.#sockets]) socket.destroy()
    await closed
    await this.#admin?.close()
  }

  /** Whether there is room for one more. A connection counts from its first moment until its socket is closed. */
  #admit(socket: Socket): boolean {
    const address = addressOf(socket)
    const fromThere = this.#byAddress.get(address) ?? 0
    const { connectionsMax, connectionsPerAddressMax } = this.#limits
    socket.on('error', () => {})
    if (this.#sockets.size >= connectionsMax || fromThere >= connectionsPerAddressMax) {
      socket.destroy()
      return false
    }
    this.#sockets.add(socket)
    this.#byAddress.set(address, fromThere + 1)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      const left = (this.#byAddress.get(address) ?? 1) - 1
      if (left === 0) this.#byAddress.delete(address)
      else this.#byAddress.set(address, left)
    })
    return true
  }

  #serve(socket: Socket): void {
    const connection = new GatewayConnection(socket, {
      hosting: this.#hosting,
      limits: this.#limits,
      superDigest: this.#options.superDigest,
      statistics: this.#statistics,
      answerWord: (word) => answerWord(word, this.#allowedWords, this.#diagnostics),
      ended: (ended) => this.#connections.delete(ended),
    })
    this.#connections.add(connection)
  }
}

function wordsOf(words: readonly FourLetterWord[] = harmlessWords): ReadonlySet<string> {
  const unknown = words.find((word) => !fourLetterWords.includes(word))
  if (unknown !== undefined)
    throw new TypeError(`fourLetterWords may name ${fourLetterWords.join(', ')}, not ${unknown}`)
  return new Set(words)
}

function limitsOf(options: ServeZooKeeperOptions): GatewayLimits {
  const limits: Record<string, number> = { ...defaultGatewayLimits }
  for (const name of Object.keys(limits)) {
    const value = options[name as keyof GatewayLimits]
    if (value === undefined) continue
    if (!Number.isFinite(value) || value <= 0) throw new RangeError(`${name} must be a positive number, not ${value}`)
    limits[name] = value
  }
  return limits as unknown as GatewayLimits
}
