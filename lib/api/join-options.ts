/** The options of `joinEnsemble`, checked at the door: what is wrong is a TypeError or RangeError that says what to do. */
import type { AuthScheme } from '../ports/auth-scheme.ts'
import type { Discovery } from '../ports/discovery.ts'
import type { Progress } from '../ports/progress.ts'
import type { Storage } from '../ports/storage.ts'
import type { Transport } from '../ports/transport.ts'
import { isObject, requireFlag, requireMs, requireSeats, requireSignal, requireText, textOf } from './checks.ts'
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

/** Members are at every address of this name, on `port`; without a port, where the name's SRV records say. */
export interface DnsPeers {
  readonly dns: string
  readonly port?: number | undefined
  /** Default: `wss` where `tls` is given, else `ws`. */
  readonly scheme?: 'ws' | 'wss' | undefined
  /** Of members on an http server that they share with their application. */
  readonly path?: string | undefined
}

/** Members are at the addresses in this file, one a line; what follows a `#` is left out. */
export interface FilePeers {
  readonly file: string
}

/**
 * Who the other members are: a static list, which founds; or how to find them, which never does: by DNS, from a file, by a
 * function that gives addresses, or by a `Discovery` port.
 */
export type PeersOption =
  | readonly string[]
  | DnsPeers
  | FilePeers
  | ((signal: AbortSignal) => Promise<readonly string[]>)
  | Discovery

/** Everything is optional; without anything it is one member, in memory, without a socket. */
export interface JoinOptions<E extends ValueEncoding = ValueEncoding> {
  /** Unique in the ensemble, the same after a restart. Default: the address that others dial, else the host name and a random suffix. */
  readonly name?: string | undefined
  /**
   * Where others reach this member. `{ port, host? }`: a port of its own, on 127.0.0.1 unless a host is given; 0 picks one.
   * `{ server, path? }`: an http(s) server of the application, which is neither started nor closed here. Default: nowhere.
   */
  readonly listen?: ListenOption | undefined
  /** What others dial: `ws://host:port`. Default: from `listen`. */
  readonly advertise?: string | undefined
  /**
   * As an array: the founders' addresses. A member that is among them founds with the others; anybody else joins. In any
   * other form: how to find members, asked again and again; such a member joins an ensemble and never founds one.
   */
  readonly peers?: PeersOption | undefined
  /** A Storage port (`new FileStorage(directory)`), or any abstract-level database. Default: memory alone. Closed with the coord. */
  readonly storage?: Storage | LevelDatabase | undefined
  /**
   * A file of `coord.exportSnapshot`: what a new ensemble begins with, where this member founds it. All founders must be
   * there, their stores empty. Where there is an ensemble already, joining rejects with COORD_NOT_RESTORED; but not where
   * that one began with this very file, so the option may stay.
   */
  readonly restoreFrom?: string | undefined
  /** Default: WebSocket. Closed with the coord. */
  readonly transport?: Transport | undefined
  /** Shared by all members. Needed to listen on anything but loopback. */
  readonly secret?: string | undefined
  /** Members know each other by certificates of one authority, in place of a secret or beside it. For a port of its own. */
  readonly tls?: TlsOption | undefined
  /**
   * `'auto'` (default): votes where a seat is free, else observes. `'voter'`: the same, and first. `'observer'`: never
   * votes; it serves reads and watches all the same. A founder votes, whatever its role.
   */
  readonly role?: 'auto' | 'voter' | 'observer' | undefined
  /** How many voters an ensemble wants that this member founds: odd, default 5. `reconfigure` changes it later. */
  readonly voters?: number | undefined
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
  /**
   * Without a quorum, answer reads from this member's replica, however old, in place of making them wait. Writes, `sync`
   * and linearizable reads wait as ever. Default false.
   */
  readonly readOnly?: boolean | undefined
  /** Further ways to prove who a session is, for ACLs: the same on every member. */
  readonly authSchemes?: readonly AuthScheme[] | undefined
  /** Who proves this id of the scheme `digest` (see `digestId`) may do anything. Default: nobody. */
  readonly superDigest?: string | undefined
  /**
   * Hears how far something is that takes long, also before `joinEnsemble` has resolved: reading the store back, a
   * snapshot from the leader, catching up with the log. Later, the `progress` event of `coord.member` says the same.
   */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Aborts the joining. */
  readonly signal?: AbortSignal | undefined
  /** How soon things are noticed. For all members alike. */
  readonly timing?: TimingOption | undefined
}

export interface TimingOption {
  /** Between two heartbeats of the leader. Default 250. */
  readonly pingIntervalMs?: number | undefined
  /** Silence after which a leader or follower is given up. Default 2,000. */
  readonly syncLimitMs?: number | undefined
}

const optionNames = new Set<keyof JoinOptions>([
  'name',
  'listen',
  'advertise',
  'peers',
  'storage',
  'restoreFrom',
  'transport',
  'secret',
  'tls',
  'role',
  'voters',
  'sessionTimeoutMs',
  'requestTimeoutMs',
  'joinTimeoutMs',
  'waitFor',
  'namespace',
  'valueEncoding',
  'readOnly',
  'authSchemes',
  'superDigest',
  'onProgress',
  'signal',
  'timing',
])

const timingNames = new Set(['pingIntervalMs', 'syncLimitMs'] as const)

/** What the handshake takes. */
const nameBytesMax = 256

/** Throws for options that cannot be meant. */
export function checkJoinOptions(options: JoinOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('joinEnsemble takes an object of options')
  for (const name of Object.keys(options)) {
    if (!optionNames.has(name as keyof JoinOptions)) throw new TypeError(`unknown option '${name}' of joinEnsemble`)
  }
  for (const name of ['name', 'secret', 'advertise', 'namespace', 'superDigest', 'restoreFrom'] as const)
    requireText(name, options[name])
  if (options.name !== undefined && Buffer.byteLength(options.name) > nameBytesMax)
    throw new TypeError(`name must be at most ${nameBytesMax} bytes`)
  for (const name of ['sessionTimeoutMs', 'requestTimeoutMs', 'joinTimeoutMs'] as const) requireMs(name, options[name])
  requireFlag('readOnly', options.readOnly)
  checkAuthSchemes(options.authSchemes)
  const { role } = options
  if (role !== undefined && role !== 'auto' && role !== 'voter' && role !== 'observer')
    throw new TypeError(`role must be 'auto', 'voter' or 'observer', not ${String(role)}`)
  requireSeats('voters', options.voters)
  checkTiming(options.timing)
  checkListen(options.listen)
  checkTls(options.tls)
  checkTransport(options.transport)
  checkPeers(options)
  if (options.waitFor !== undefined && options.waitFor !== 'quorum' && options.waitFor !== 'start') {
    throw new TypeError(`waitFor must be 'quorum' or 'start', not ${String(options.waitFor)}`)
  }
  if (options.onProgress !== undefined && typeof options.onProgress !== 'function')
    throw new TypeError('onProgress must be a function')
  requireSignal(options.signal)
}

function checkAuthSchemes(schemes: unknown): void {
  if (schemes === undefined) return
  const isScheme = (one: unknown): boolean =>
    isObject(one) &&
    typeof one['scheme'] === 'string' &&
    one['scheme'] !== '' &&
    typeof one['authenticate'] === 'function'
  if (Array.isArray(schemes) && schemes.every(isScheme)) return
  throw new TypeError('authSchemes must be an array of AuthScheme ports, each with scheme and authenticate')
}

function checkTiming(timing: JoinOptions['timing']): void {
  if (timing === undefined) return
  if (!isObject(timing)) throw new TypeError('timing must be an object')
  for (const name of Object.keys(timing)) {
    if (!timingNames.has(name as never)) throw new TypeError(`unknown option 'timing.${name}' of joinEnsemble`)
  }
  for (const name of timingNames) requireMs(`timing.${name}`, timing[name])
}

function checkListen(listen: unknown): void {
  if (listen === undefined) return
  if (!isObject(listen) || !('port' in listen || 'server' in listen)) {
    throw new TypeError('listen must be { port } or { server }, for example listen: { port: 7400 }')
  }
  requireText('listen.host', listen['host'])
  requireText('listen.path', listen['path'])
  const { port, server } = listen
  if ('server' in listen) {
    const isServer = isObject(server) && typeof server['on'] === 'function' && typeof server['address'] === 'function'
    if (!isServer) throw new TypeError('listen.server must be an http(s) server of Node')
  } else if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new TypeError(
      `listen.port must be a whole number from 0 to 65535, not ${textOf(port)}: is an environment variable missing?`,
    )
  }
}

function checkTls(tls: unknown): void {
  if (tls === undefined) return
  if (isObject(tls) && ['key', 'cert', 'ca'].every((name) => tls[name] !== undefined)) return
  throw new TypeError('tls must be { key, cert, ca }, in PEM: members know each other by their certificates')
}

function checkTransport(transport: unknown): void {
  if (transport === undefined) return
  if (isObject(transport) && ['listen', 'dial', 'close'].every((name) => typeof transport[name] === 'function')) return
  throw new TypeError('transport must be a Transport port: see embedded-coord/ports')
}

function checkPeers(options: JoinOptions): void {
  if (!('peers' in options)) return
  const { peers } = options
  if (isStaticList(peers)) checkStaticList(peers)
  else if (!isDiscovery(peers)) {
    throw new TypeError(
      `peers must be an array of addresses, { dns, port? }, { file } or a function, not ${textOf(peers)}: is an environment variable missing? (Leave the option out for a single member.)`,
    )
  }
  if (options.listen === undefined && options.transport === undefined) {
    throw new TypeError(
      'peers without listen: members reach each other, so say where this one listens, for example listen: { port: 7400 }',
    )
  }
}

export function isStaticList(peers: unknown): peers is readonly string[] {
  return Array.isArray(peers)
}

function checkStaticList(peers: readonly unknown[]): void {
  if (peers.length === 0) {
    throw new TypeError('peers is empty: list the founders, or leave the option out for a single member')
  }
  for (const address of peers) {
    if (typeof address !== 'string')
      throw new TypeError(`peers must be addresses such as 'ws://10.0.0.5:7400', not ${String(address)}`)
  }
}

const dnsNames = new Set(['dns', 'port', 'scheme', 'path'])

/** What is in it, the adapter checks. */
function isDiscovery(peers: unknown): boolean {
  if (typeof peers === 'function') return true
  if (!isObject(peers)) return false
  if (typeof peers['find'] === 'function') return typeof peers['description'] === 'string'
  if ('dns' in peers) return Object.keys(peers).every((name) => dnsNames.has(name))
  return 'file' in peers && Object.keys(peers).length === 1
}
