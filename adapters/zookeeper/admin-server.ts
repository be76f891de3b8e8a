/**
 * ZooKeeper's admin endpoint: `GET /commands` lists the commands, `GET /commands/<name>` answers one with JSON. What a
 * four-letter word tells or changes is there only where the word is allowed.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { CoordError } from '../../lib/errors.ts'
import type { Diagnostics, Facts } from './diagnostics.ts'
import type { FourLetterWord } from './four-letter-words.ts'

interface Command {
  readonly names: readonly string[]
  /** The word that says the same; undefined: always allowed. */
  readonly word: FourLetterWord | undefined
  run(server: Diagnostics): Facts
}

const groupsOf = (groups: ReadonlyMap<string, readonly string[]>): Facts => Object.fromEntries(groups)

const commands: readonly Command[] = [
  { names: ['configuration', 'conf', 'config'], word: 'conf', run: (server) => server.configuration() },
  { names: ['connections', 'cons'], word: 'cons', run: (server) => ({ connections: server.connections() }) },
  {
    names: ['connection_stat_reset', 'crst'],
    word: 'crst',
    run: (server) => {
      server.resetConnections()
      return {}
    },
  },
  { names: ['dirs'], word: 'dirs', run: (server) => ({ datadir_size: server.dataSize(), logdir_size: 0 }) },
  { names: ['dump'], word: 'dump', run: (server) => ({ sessions: server.sessions() }) },
  { names: ['environment', 'env', 'envi'], word: 'envi', run: (server) => server.environment() },
  { names: ['is_read_only', 'isro'], word: 'isro', run: (server) => ({ read_only: !server.isServing }) },
  { names: ['leader', 'lead'], word: undefined, run: leader },
  { names: ['monitor', 'mntr'], word: 'mntr', run: (server) => server.monitor() },
  { names: ['ruok'], word: 'ruok', run: () => ({}) },
  { names: ['server_stats', 'srvr'], word: 'srvr', run: serverStats },
  {
    names: ['stats', 'stat'],
    word: 'stat',
    run: (server) => ({ ...serverStats(server), connections: server.connections() }),
  },
  {
    names: ['stat_reset', 'srst'],
    word: 'srst',
    run: (server) => {
      server.resetServer()
      return {}
    },
  },
  { names: ['voting_view'], word: undefined, run: (server) => ({ current_config: server.standing()['members'] }) },
  {
    names: ['watches', 'wchc'],
    word: 'wchc',
    run: (server) => ({ session_id_to_watched_paths: groupsOf(server.watchesBySession()) }),
  },
  {
    names: ['watches_by_path', 'wchp'],
    word: 'wchp',
    run: (server) => ({ path_to_session_ids: groupsOf(server.watchesByPath()) }),
  },
  {
    names: ['watch_summary', 'wchs'],
    word: 'wchs',
    run: (server) => ({
      num_connections: server.watchesBySession().size,
      num_paths: server.watchesByPath().size,
      num_total_watches: [...server.watchesBySession().values()].reduce((sum, { length }) => sum + length, 0),
    }),
  },
  {
    names: ['zabstate'],
    word: undefined,
    run: (server) => ({ zabstate: server.isServing ? 'broadcast' : 'election', voting: true }),
  },
]

function leader(server: Diagnostics): Facts {
  const { role, leader: address } = server.standing()
  return { is_leader: role === 'leader', leader_address: address }
}

function serverStats(server: Diagnostics): Facts {
  return {
    version: server.environment()['zookeeper.version'],
    read_only: !server.isServing,
    server_stats: { ...server.traffic, server_state: server.mode, last_processed_zxid: server.zxid },
    node_count: server.nodeCount,
  }
}

export interface AdminOptions {
  /** ZooKeeper's is 8080; 0 picks a free one. */
  readonly port: number
  /** Default 127.0.0.1. There is no login: who reaches it is answered. */
  readonly host?: string | undefined
}

/** An address that cannot be had is a matter of operation; everything else is as Node says it. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const isTaken = error.code === 'EADDRINUSE' || error.code === 'EACCES'
  return isTaken ? new CoordError('COORD_ADDRESS_IN_USE', `${host}:${port}: ${error.message}`, { cause: error }) : error
}

export class AdminServer {
  readonly #diagnostics: Diagnostics
  readonly #allowed: ReadonlySet<string>
  readonly #server: Server

  constructor(diagnostics: Diagnostics, allowed: ReadonlySet<string>) {
    this.#diagnostics = diagnostics
    this.#allowed = allowed
    const options = {
      headersTimeout: 5000,
      requestTimeout: 5000,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 8192,
    }
    this.#server = createServer(options, (request, response) => this.#answer(request, response))
    this.#server.maxConnections = 100
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  listen({ port, host = '127.0.0.1' }: AdminOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.on('error', (error) => reject(listenError(error, host, port)))
      this.#server.listen({ port, host }, () => resolve())
    })
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    const name = /^\/commands\/(\w+)\/?$/.exec(path)?.[1]
    // Pages of other sites in a browser on this host have no business here.
    if (request.headers.origin !== undefined) send(response, 403, { error: 'not for browsers' })
    else if (request.method !== 'GET') send(response, 405, { error: 'only GET' })
    else if (/^\/commands\/?$/.test(path))
      send(response, 200, { commands: this.#available().flatMap(({ names }) => names) })
    else if (name === undefined) send(response, 404, { error: 'see /commands' })
    else this.#run(name, response)
  }

  #run(name: string, response: ServerResponse): void {
    const command = this.#available().find(({ names }) => names.includes(name))
    if (command === undefined) {
      send(response, 404, { command: name, error: `no such command, or not allowed: ${name}` })
      return
    }
    send(response, 200, { ...command.run(this.#diagnostics), command: command.names[0], error: null })
  }

  #available(): readonly Command[] {
    return commands.filter(({ word }) => word === undefined || this.#allowed.has(word))
  }
}

function send(response: ServerResponse, status: number, body: Facts): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(`${JSON.stringify(body, null, 2)}\n`)
}
