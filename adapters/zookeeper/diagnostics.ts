/**
 * What operators ask of a ZooKeeper server, as plain values that JSON takes: the four-letter words print them, the admin
 * endpoint sends them. Names and units are ZooKeeper's.
 */
import { hostname, release, type as systemName } from 'node:os'
import { arch, cwd, version as nodeVersion } from 'node:process'
import type { Hosting } from '../../lib/ports/hosting.ts'
import type { GatewayConnection, TrafficStatistics } from './gateway-connection.ts'
import type { GatewayLimits } from './limits.ts'

/** Tools read a version of ZooKeeper here: whose protocol this is. */
export const zookeeperVersion = '3.8.0-embedded-coord'

export interface DiagnosticsParts {
  readonly hosting: Hosting
  readonly statistics: TrafficStatistics
  readonly limits: GatewayLimits
  readonly port: () => number
  readonly connections: () => readonly GatewayConnection[]
}

export type Facts = Readonly<Record<string, unknown>>
/** Facts that make a line each. */
export type PlainFacts = Readonly<Record<string, string | number>>

export interface ConnectionFacts {
  readonly remote: string
  readonly session: string
  readonly outstanding: number
  readonly received: number
  readonly sent: number
  readonly timeoutMs: number
  readonly lastXid: number
  readonly lastZxid: string
  readonly latencyMs: { readonly min: number; readonly average: number; readonly max: number }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`
const rounded = (ms: number): number => Math.round(ms * 10_000) / 10_000

/** A walk of the tree is not repeated within this time. */
const sizeAgeMaxMs = 10_000

export class Diagnostics {
  readonly #parts: DiagnosticsParts
  #size: { readonly at: number; readonly ephemerals: number; readonly bytes: number } | undefined

  constructor(parts: DiagnosticsParts) {
    this.#parts = parts
  }

  get isServing(): boolean {
    return this.#parts.hosting.serving
  }

  get zxid(): string {
    return hex(this.#parts.hosting.lastZxid)
  }

  /** ZooKeeper's word for what this server is. */
  get mode(): string {
    const { role, members } = this.#parts.hosting.standing
    return members.length <= 1 && role === 'leader' ? 'standalone' : role
  }

  get nodeCount(): number {
    return this.#parts.hosting.nodeCount
  }

  get traffic(): PlainFacts {
    const { statistics } = this.#parts
    const connections = this.#parts.connections()
    return {
      packets_received: statistics.received,
      packets_sent: statistics.sent,
      min_latency: rounded(statistics.latencyMinMs),
      avg_latency: rounded(statistics.latencyAverageMs),
      max_latency: rounded(statistics.latencyMaxMs),
      num_alive_connections: connections.length,
      outstanding_requests: connections.reduce((sum, { outstanding }) => sum + outstanding, 0),
    }
  }

  configuration(): PlainFacts {
    const { limits, port } = this.#parts
    return {
      client_port: port(),
      max_client_cnxns: limits.connectionsPerAddressMax,
      min_session_timeout: limits.sessionTimeoutMinMs,
      max_session_timeout: limits.sessionTimeoutMaxMs,
    }
  }

  connections(): ConnectionFacts[] {
    return this.#parts.connections().map((connection) => ({
      remote: `${connection.remoteAddress}:${connection.remotePort}`,
      session: hex(connection.session?.id ?? 0n),
      outstanding: connection.outstanding,
      received: connection.statistics.received,
      sent: connection.statistics.sent,
      timeoutMs: connection.session?.timeoutMs ?? 0,
      lastXid: connection.lastXid,
      lastZxid: hex(connection.lastZxid),
      latencyMs: {
        min: rounded(connection.statistics.latencyMinMs),
        average: rounded(connection.statistics.latencyAverageMs),
        max: rounded(connection.statistics.latencyMaxMs),
      },
    }))
  }

  /** Every session of the ensemble with its timeout, and the ephemeral nodes of those that have some. */
  sessions(): { readonly id: string; readonly timeoutMs: number; readonly ephemerals: readonly string[] }[] {
    return this.#parts.hosting.sessions().map((session) => ({ ...session, id: hex(session.id) }))
  }

  environment(): PlainFacts {
    return {
      'zookeeper.version': zookeeperVersion,
      'host.name': hostname(),
      'node.version': nodeVersion,
      'os.name': systemName(),
      'os.arch': arch,
      'os.version': release(),
      'user.dir': cwd(),
    }
  }

  monitor(): PlainFacts {
    const { standing } = this.#parts.hosting
    const { ephemerals, bytes } = this.#treeSize()
    const followers = standing.members.filter(({ role }) => role === 'follower').length
    return {
      version: zookeeperVersion,
      server_state: this.mode,
      ...this.traffic,
      znode_count: this.nodeCount,
      watch_count: this.#parts.hosting.watches().length,
      ephemerals_count: ephemerals,
      approximate_data_size: bytes,
      global_sessions: this.#parts.hosting.sessions().length,
      ...(standing.role === 'leader' ? { learners: standing.members.length - 1, synced_followers: followers } : {}),
    }
  }

  standing(): Facts {
    const { role, epoch, leader, members } = this.#parts.hosting.standing
    return { role, epoch, leader: leader ?? null, members }
  }

  dataSize(): number {
    return this.#treeSize().bytes
  }

  /** The paths that each session watches here. */
  watchesBySession(): ReadonlyMap<string, readonly string[]> {
    return grouped(this.#parts.hosting.watches().map(({ session, path }) => [hex(session), path]))
  }

  /** The sessions that watch each path here. */
  watchesByPath(): ReadonlyMap<string, readonly string[]> {
    return grouped(this.#parts.hosting.watches().map(({ session, path }) => [path, hex(session)]))
  }

  resetServer(): void {
    this.#parts.statistics.reset()
  }

  resetConnections(): void {
    for (const { statistics } of this.#parts.connections()) statistics.reset()
  }

  #treeSize(): { readonly ephemerals: number; readonly bytes: number } {
    const now = this.#parts.hosting.clock.now()
    if (this.#size === undefined || now - this.#size.at > sizeAgeMaxMs) {
      this.#size = { at: now, ...this.#parts.hosting.treeSize() }
    }
    return this.#size
  }
}

function grouped(pairs: readonly (readonly [key: string, value: string])[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const [key, value] of pairs) {
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [value])
    else group.push(value)
  }
  return groups
}
