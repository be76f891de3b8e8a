/** The options of `joinEnsemble`, checked at the door: what is wrong is a TypeError or RangeError that says what to do. */
import type { Storage } from '../ports/storage.ts'
import type { Transport } from '../ports/transport.ts'
import type { ValueEncoding } from './values.ts'

/** Where others find this member: a port of our own, or the application's http(s) server. */
export type ListenOption =
  | { readonly port: number; readonly host?: string | undefined }
  | { readonly server: object; readonly path?: string | undefined }

/** What every abstract-level database is: `new ClassicLevel(directory)`, `new MemoryLevel()` and their kin. */
export interface LevelDatabase {
  readonly supports: object
  open(): Promise<void>
  close(): Promise<void>
  batch(operations: never[], options: object): Promise<void>
}

/** Certificates by which members know each other. PEM. */
export interface TlsOption {
  readonly key: string | Buffer
  readonly cert: string | Buffer
  readonly ca: string | Buffer
}

/** Everything is optional; without anything it is one member, in memory, without a socket. */
export interface JoinOptions<E extends ValueEncoding = ValueEncoding> {
  /** Unique in the ensemble, the same after a restart. Default: the advertised address, else host name and process id. */
  readonly name?: string | undefined
  readonly listen?: ListenOption | undefined
  /** What others dial: `ws://host:port`. Default: from `listen`. */
  readonly advertise?: string | undefined
  /** The founders' addresses. A member that is among them founds with the others; anybody else joins. */
  readonly peers?: readonly string[] | undefined
  /** Any abstract-level database, or a Storage port. Default: `MemoryLevel`. Closed with the coord. */
  readonly storage?: Storage | LevelDatabase | undefined
  /** Default: WebSocket. Closed with the coord. */
  readonly transport?: Transport | undefined
  /** Shared by all members. Needed to listen on anything but loopback. */
  readonly secret?: string | undefined
  readonly tls?: TlsOption | undefined
  /** Of the sessions of this coord. Default 10,000. */
  readonly sessionTimeoutMs?: number | undefined
  /** How long a call may wait while no quorum serves. Default 10,000. */
  readonly requestTimeoutMs?: number | undefined
  /** How long joining may take. Default 60,000. */
  readonly joinTimeoutMs?: number | undefined
  /** `'quorum'`: resolve when a quorum serves (default). `'start'`: resolve at once; `ready()` waits later. */
  readonly waitFor?: 'quorum' | 'start' | undefined
  /** All paths are under this one. */
  readonly namespace?: string | undefined
  /** How values become data. Default `'view'`: `Uint8Array`. */
  readonly valueEncoding?: E | undefined
  /** Aborts the joining. */
  readonly signal?: AbortSignal | undefined
  /** How soon things are noticed. For all members alike. */
  readonly timing?: {
    /** Between two heartbeats of the leader. Default 250. */
    readonly pingIntervalMs?: number | undefined
    /** Silence after which a leader or follower is given up. Default 2,000. */
    readonly syncLimitMs?: number | undefined
  }
}

const optionNames = new Set<keyof JoinOptions>([
  'name',
  'listen',
  'advertise',
  'peers',
  'storage',
  'transport',
  'secret',
  'tls',
  'sessionTimeoutMs',
  'requestTimeoutMs',
  'joinTimeoutMs',
  'waitFor',
  'namespace',
  'valueEncoding',
  'signal',
  'timing',
])

/** Throws for options that cannot be meant. */
export function checkJoinOptions(options: JoinOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('joinEnsemble takes an object of options')
  for (const name of Object.keys(options)) {
    if (!optionNames.has(name as keyof JoinOptions)) throw new TypeError(`unknown option '${name}' of joinEnsemble`)
  }
  requireText('name', options.name)
  requireText('secret', options.secret)
  requireText('advertise', options.advertise)
  requireText('namespace', options.namespace)
  for (const name of ['sessionTimeoutMs', 'requestTimeoutMs', 'joinTimeoutMs'] as const) requireMs(name, options[name])
  requireMs('timing.pingIntervalMs', options.timing?.pingIntervalMs)
  requireMs('timing.syncLimitMs', options.timing?.syncLimitMs)
  checkPeers(options)
  if (options.waitFor !== undefined && options.waitFor !== 'quorum' && options.waitFor !== 'start') {
    throw new TypeError(`waitFor must be 'quorum' or 'start', not ${String(options.waitFor)}`)
  }
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    throw new TypeError('signal must be an AbortSignal')
}

function checkPeers(options: JoinOptions): void {
  if (!('peers' in options)) return
  const { peers } = options
  if (!Array.isArray(peers)) {
    throw new TypeError(
      `peers must be an array of addresses, not ${String(peers)}: is an environment variable missing? (Leave the option out for a single member.)`,
    )
  }
  if (peers.length === 0) {
    throw new TypeError('peers is empty: list the founders, or leave the option out for a single member')
  }
  for (const address of peers) {
    if (typeof address !== 'string')
      throw new TypeError(`peers must be addresses such as 'ws://10.0.0.5:7400', not ${String(address)}`)
  }
  if (options.listen === undefined && options.transport === undefined) {
    throw new TypeError(
      'peers without listen: members reach each other, so say where this one listens, for example listen: { port: 7400 }',
    )
  }
}

function requireText(name: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'string' || value === '') throw new TypeError(`${name} must be a text that is not empty`)
}

/** A day; more would be a mistake in the unit. */
const msMax = 86_400_000

function requireMs(name: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw new TypeError(`${name} must be whole milliseconds, not ${JSON.stringify(value)}`)
  if (value < 1 || value > msMax) throw new RangeError(`${name} must be from 1 to ${msMax} milliseconds, not ${value}`)
}
