/**
 * The znode API, the same on a `Session`, a `Client` and a `Coord`: arguments are checked and encoded here, at the door,
 * and results decoded; what happens between is whoever implements `submit`.
 *
 * Paths are relative to a root: '' for all, '/a' for a namespace. Misuse (a path that is none, a value that the encoding
 * does not take) rejects with a TypeError before anything is sent; everything else is a CoordError with a code.
 */
import { EventEmitter } from 'node:events'
import { openAcl } from '../core/tree/acl.ts'
import {
  type AclEntry,
  anyVersion,
  type CreateMode,
  type CreateResult,
  createModes,
  type ErrorResult,
  type Operation,
  type SubOperation,
  type SubResult,
  ttlMsMax,
} from '../core/tree/operation.ts'
import { assertPath } from '../core/tree/path.ts'
import type { Stat } from '../core/tree/stat.ts'
import { zxidFrom } from '../core/zab/zxid.ts'
import { CoordError, errorCodes } from '../errors.ts'
import type {
  CallResult,
  Consistency,
  Identity,
  NodeRead,
  NodeReadResult,
  PersistentWatchKind,
  ReadOperation,
  SessionCall,
  WatchEvent,
  WatchKind,
} from '../ports/session-link.ts'
import { checkAcl, checkCallOptions, requireFlag } from './checks.ts'
import { deleteQuota, getQuota, type Quota, type QuotaLimits, type QuotaNodes, setQuota } from './quota.ts'
import { statView, withJson } from './results.ts'
import { Transaction } from './transaction.ts'
import { decodeForeign, decodeValue, encodeValue, type ValueCodec } from './values.ts'
import type { WaitingReads } from './waiting-reads.ts'
import { type StreamedEvent, type StreamSession, streamedEvent, Watch, type WatchOptions } from './watch.ts'

/** The largest data of a znode, bytes: ZooKeeper's default. */
export const dataBytesMax = 0xf_ffff

/** The longest path, the namespace included. UTF-16 code units. */
export const pathLengthMax = 0x4000

/** Every call takes them. Aborting rejects with an AbortError; a write that was sent may still commit. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** Called when what is watched changes: once for a one-shot watch, each time for a persistent one. */
export type WatchListener = (event: WatchEvent) => void

export interface ReadOptions extends CallOptions {
  /** `'session'` (default): the local replica, never older than what this session has seen. `'linearizable'`: never older than anything acknowledged. */
  readonly consistency?: Consistency | undefined
  /** A one-shot watch, set atomically with the read. On `exists` it also waits for a missing node's creation. */
  readonly watch?: WatchListener | undefined
}

export interface ChildrenOptions extends ReadOptions {
  /** So many names at the most: a page. Default: all. */
  readonly limit?: number | undefined
  /** Only names that sort behind this one: the last one of the page before. */
  readonly after?: string | undefined
}

/** What a node is, beside its stat. */
export interface NodeModeInfo {
  readonly mode: 'persistent' | 'ephemeral' | 'container' | 'persistent-ttl'
  /** Of `persistent-ttl`. */
  readonly ttlMs?: number | undefined
  readonly stat: Stat
}

export interface CreateOptions extends CallOptions {
  /** Default `'persistent'`. */
  readonly mode?: CreateMode | undefined
  /** Default `OPEN_ACL`. */
  readonly acl?: readonly AclEntry[] | undefined
  /** For the modes with a TTL, and needed there: 1 to 2⁴⁰-1 milliseconds since the last change of its data, without children. */
  readonly ttlMs?: number | undefined
  /** Create missing parents, too: persistent, without data, with the same ACL. */
  readonly parents?: boolean | undefined
}

export interface VersionOptions extends CallOptions {
  /** Only if the node has this version; default: any. */
  readonly version?: number | undefined
}

export interface DeleteOptions extends VersionOptions {
  /** The descendants, too, in one transaction. */
  readonly recursive?: boolean | undefined
}

/** An operation of a multi. */
export type MultiOperation<V = Uint8Array> =
  | {
      readonly type: 'create'
      readonly path: string
      readonly data?: V | undefined
      readonly mode?: CreateMode | undefined
      readonly acl?: readonly AclEntry[] | undefined
      readonly ttlMs?: number | undefined
    }
  | {
      readonly type: 'setData'
      readonly path: string
      readonly data: V | undefined
      readonly version?: number | undefined
    }
  | { readonly type: 'delete'; readonly path: string; readonly version?: number | undefined }
  | { readonly type: 'check'; readonly path: string; readonly version?: number | undefined }

/** What each operation of a multi gave, by its type. */
export type MultiResult<O> = O extends { type: 'create' }
  ? { readonly type: 'create'; readonly path: string; readonly stat: Stat }
  : O extends { type: 'setData' }
    ? { readonly type: 'setData'; readonly stat: Stat }
    : O extends { type: infer T }
      ? { readonly type: T }
      : never

export interface MultiOptions extends CallOptions {
  /** Commit only while this holder's node stands, checked where the entry is applied; else `COORD_LOCK_LOST`. */
  readonly ifHeld?: { readonly path: string; readonly token: bigint } | undefined
}

/** A read of a `multiRead`. */
export interface ReadRequest {
  readonly type: 'getData' | 'getChildren' | 'exists'
  readonly path: string
}

/** What each read of a `multiRead` gave: its result, or why there is none. */
export type MultiReadResult<O, V> =
  | { readonly type: 'error'; readonly error: CoordError }
  | (O extends { type: 'getData' }
      ? { readonly type: 'getData'; readonly data: V | undefined; readonly stat: Stat }
      : O extends { type: 'getChildren' }
        ? { readonly type: 'getChildren'; readonly children: string[]; readonly stat: Stat }
        : { readonly type: 'exists'; readonly stat: Stat | undefined })

/** What `removeWatches` removes: `data` also those of `exists`; `any` all one-shot and persistent ones of a path. */
export type RemovableKind = 'data' | 'children' | PersistentWatchKind | 'any'

const removable: { readonly [K in RemovableKind]: readonly WatchKind[] } = {
  data: ['data', 'exists'],
  children: ['children'],
  persistent: ['persistent'],
  'persistent-recursive': ['persistent-recursive'],
  any: ['data', 'exists', 'children', 'persistent', 'persistent-recursive'],
}

/** A call without its number. */
export type CallBody =
  Extract<SessionCall, { kind: 'write' | 'read' | 'sync' | 'awaitZxid' | 'auth' }> extends infer C
    ? C extends { id: number }
      ? Omit<C, 'id'>
      : never
    : never

/** Spelled out for what is frequent: spreading over several kinds takes V8 longer than all the rest of a call. */
export function numbered(body: CallBody, id: number): SessionCall {
  if (body.kind === 'write') return { kind: 'write', id, operation: body.operation }
  if (body.kind === 'read')
    return { kind: 'read', id, read: body.read, consistency: body.consistency, patient: body.patient }
  return { ...body, id }
}

/** A watch to be set if the read that it belongs to succeeds. */
export interface WatchRequest {
  readonly kind: WatchKind
  readonly path: string
  readonly listener: WatchListener
}

/** What the application gets for a read of the path that it named. `isForeign`: data in the result is not its own yet. */
type SettleRead<T> = (result: CallResult, path: string, isForeign: boolean) => T

const existenceOf: SettleRead<Stat | undefined> = (result) => {
  const { stat } = expect(result, 'stat')
  return stat === undefined ? undefined : statView(stat)
}

const childrenOf: SettleRead<{ children: string[]; stat: Stat }> = (result) => {
  const { children, stat } = expect(result, 'childNames')
  return { children, stat: statView(stat) }
}

export abstract class Znodes<V, E extends Record<keyof E, unknown[]>> extends EventEmitter<E> {
  readonly #root: string
  readonly #codec: ValueCodec<V>

  constructor(root: string, codec: ValueCodec<V>) {
    super()
    this.#root = root
    this.#codec = codec
  }

  /** Performs one call; `settle` turns its result into what the promise resolves with, and may throw. */
  protected abstract submit<T>(
    body: CallBody,
    settle: (result: CallResult) => T,
    options: CallOptions | undefined,
    watch?: WatchRequest,
  ): Promise<T>

  /** @internal What a read gives at once, if its turn is now. Data in it is not to be changed or kept. */
  abstract readNow(read: NodeRead): NodeReadResult | undefined

  /** @internal Lets a read wait for its turn: it is the last one of those that are returned. `undefined`: make a call of it. */
  abstract readInTurn(read: NodeRead): WaitingReads | undefined

  /** The session to stream from as of now; `undefined` once this was closed. */
  protected abstract watchSource(): StreamSession | undefined

  /** Closes a stream of events when this is closed; returns how to let go of it. */
  protected ownWatch(_watch: AsyncDisposable): () => void {
    return () => {}
  }

  /** Whether its session is somebody else's, who goes on with it when this is closed. */
  protected get sharesSession(): boolean {
    return false
  }

  /** From now on no listener that was given here is called. Tells which those are, as the session knows them. */
  protected deafen(): (listener: WatchListener) => boolean {
    this.#isDeaf = true
    return (listener) => this.#own.has(listener)
  }

  /** Removes watches that were set here. */
  protected abstract removeListeners(
    path: string,
    kinds: readonly WatchKind[],
    listener: WatchListener | undefined,
    options: CallOptions | undefined,
  ): Promise<void>

  /** Whether another session takes the place of one that is lost. */
  protected get renews(): boolean {
    return false
  }

  protected get root(): string {
    return this.#root
  }

  /**
   * Creates a node; resolves with its real path, which has a suffix in sequential modes. `data` left out is no data, which is
   * not the same as empty. COORD_NODE_EXISTS; COORD_NO_NODE where its parent is missing (`parents` creates it);
   * COORD_NO_CHILDREN_FOR_EPHEMERALS below an ephemeral node; COORD_NO_AUTH, COORD_INVALID_ACL, COORD_QUOTA_EXCEEDED,
   * COORD_TOO_LARGE.
   */
  async create(path: string, data?: V, options?: CreateOptions): Promise<string> {
    return await this.#create(path, data, options, ({ path: real }) => this.#strip(real))
  }

  /** The same, with the stat of the new node: `stat.czxid` is a fencing token. */
  async createWithStat(path: string, data?: V, options?: CreateOptions): Promise<{ path: string; stat: Stat }> {
    return await this.#create(path, data, options, ({ path: real, stat }) =>
      withJson({ path: this.#strip(real), stat: statView(stat) }),
    )
  }

  /**
   * Deletes a node. COORD_NO_NODE; COORD_NOT_EMPTY where it has children (`recursive` deletes them, too); COORD_BAD_VERSION
   * where `version` is another one; COORD_NO_AUTH.
   */
  async delete(path: string, options?: DeleteOptions): Promise<void> {
    requireFlag('recursive', options?.recursive)
    const operation: Operation = {
      type: 'delete',
      path: this.#resolve(path),
      version: versionOf(options?.version),
      ...(options?.recursive === true ? { recursive: true } : {}),
    }
    return await this.#write(operation, () => undefined, options)
  }

  /** The node's stat, or `undefined` where there is none. COORD_NO_AUTH. */
  exists(path: string, options?: ReadOptions): Promise<Stat | undefined> {
    return this.#read('exists', path, options, existenceOf)
  }

  /**
   * The node's data and stat; `undefined` is no data. COORD_NO_NODE, and no watch is left; COORD_NO_AUTH; COORD_BAD_DATA where
   * it does not decode.
   */
  getData(path: string, options?: ReadOptions): Promise<{ data: V | undefined; stat: Stat }> {
    return this.#read('getData', path, options, this.#valueOf)
  }

  /**
   * Replaces the node's data (`undefined`: by none); resolves with its new stat. COORD_NO_NODE; COORD_BAD_VERSION where `version`
   * is another one; COORD_NO_AUTH, COORD_QUOTA_EXCEEDED, COORD_TOO_LARGE.
   */
  async setData(path: string, data: V | undefined, options?: VersionOptions): Promise<Stat> {
    const operation = this.#setDataOperation({ type: 'setData', path, data, version: options?.version })
    return await this.#write(operation, (result) => statView(expect(result, 'setData').stat), options)
  }

  /**
   * The names of the node's children, sorted by UTF-16 code unit, and its stat. Of very many, a page at a time: `limit` and
   * `after`. COORD_NO_NODE, and no watch is left; COORD_NO_AUTH.
   */
  getChildren(path: string, options?: ChildrenOptions): Promise<{ children: string[]; stat: Stat }> {
    return this.#read('getChildren', path, options, childrenOf)
  }

  /** What the stat does not show: whether the node is a container or has a time to live. */
  async getMode(path: string, options?: CallOptions): Promise<NodeModeInfo> {
    const read: ReadOperation = { type: 'getMode', path: this.#resolve(path) }
    const settle = (result: CallResult): NodeModeInfo => {
      const { mode, ttlMs, stat } = expect(result, 'mode')
      const info = { mode: mode === 'ttl' ? ('persistent-ttl' as const) : mode, stat: statView(stat) }
      return ttlMs === undefined ? info : { ...info, ttlMs }
    }
    return this.#call({ kind: 'read', read, consistency: 'session' }, settle, options)
  }

  /** How many descendants the node has, at all depths. COORD_NO_NODE, COORD_NO_AUTH. */
  async getAllChildrenNumber(path: string, options?: CallOptions): Promise<number> {
    const read: ReadOperation = { type: 'getAllChildrenNumber', path: this.#resolve(path) }
    const settle = (result: CallResult): number => expect(result, 'count').count
    return this.#call({ kind: 'read', read, consistency: 'session' }, settle, options)
  }

  /** The paths of this session's ephemeral nodes that begin with a prefix (ZooKeeper's rule: of the text, not the tree). */
  async getEphemerals(prefix = '/', options?: CallOptions): Promise<string[]> {
    if (typeof prefix !== 'string') throw new TypeError(`prefix must be a text, not ${typeof prefix}`)
    const read: ReadOperation = { type: 'getEphemerals', prefix: this.#root + (prefix.trim() === '' ? '/' : prefix) }
    const settle = (result: CallResult): string[] => expect(result, 'paths').paths.map((path) => this.#strip(path))
    return this.#call({ kind: 'read', read, consistency: 'session' }, settle, options)
  }

  /** Who may do what with the node. Without the right to administer it, the hashes of passwords are masked. */
  async getAcl(path: string, options?: CallOptions): Promise<{ acl: AclEntry[]; stat: Stat }> {
    const read: ReadOperation = { type: 'getAcl', path: this.#resolve(path) }
    const settle = (result: CallResult): { acl: AclEntry[]; stat: Stat } => {
      const { acl, stat } = expect(result, 'acl')
      return { acl: acl.map((entry) => ({ ...entry })), stat: statView(stat) }
    }
    return this.#call({ kind: 'read', read, consistency: 'session' }, settle, options)
  }

  /** Replaces the ACL; `version` is the expected `aversion`. Needs the right to administer the node. */
  async setAcl(path: string, acl: readonly AclEntry[], options?: VersionOptions): Promise<Stat> {
    checkAcl(acl)
    const version = versionOf(options?.version)
    const operation: Operation = { type: 'setAcl', path: this.#resolve(path), acl: plainAcl(acl), version }
    return this.#write(operation, (result) => statView(expect(result, 'setAcl').stat), options)
  }

  /**
   * Proves who this session is, for calls made from now on: `addAuth('digest', 'user:password')`, or another scheme that
   * this member knows. Several proofs add up. Refused: `COORD_AUTH_FAILED`. A client proves it again for each new session.
   */
  async addAuth(scheme: string, credentials: string | Uint8Array, options?: CallOptions): Promise<void> {
    if (typeof scheme !== 'string' || scheme === '') throw new TypeError('scheme must be a text that is not empty')
    if (typeof credentials !== 'string' && !(credentials instanceof Uint8Array))
      throw new TypeError(`credentials must be a string or a Uint8Array, not ${typeof credentials}`)
    const bytes = typeof credentials === 'string' ? new TextEncoder().encode(credentials) : credentials.slice()
    return this.#call({ kind: 'auth', scheme, credentials: bytes }, () => undefined, options)
  }

  /** Whom this session was proven to be: for `digest`, the user names. */
  async whoAmI(options?: CallOptions): Promise<Identity[]> {
    const settle = (result: CallResult): Identity[] => [...expect(result, 'identities').identities]
    return this.#call({ kind: 'read', read: { type: 'whoAmI' }, consistency: 'session' }, settle, options)
  }

  /** Several reads that see the same state, each with its own result or error. */
  async multiRead<const O extends readonly ReadRequest[]>(
    reads: O,
    options?: CallOptions & { readonly consistency?: Consistency | undefined },
  ): Promise<{ -readonly [K in keyof O]: MultiReadResult<O[K], V> }> {
    if (!Array.isArray(reads)) throw new TypeError('multiRead takes an array of reads')
    const consistency = consistencyOf(options?.consistency)
    const read: ReadOperation = { type: 'multiRead', reads: reads.map((one: ReadRequest) => this.#nodeRead(one)) }
    const settle = (result: CallResult): never =>
      expect(result, 'reads').results.map((one, index) => this.#readResult(reads[index] as ReadRequest, one)) as never
    return this.#call({ kind: 'read', read, consistency }, settle, options)
  }

  /**
   * ZooKeeper's persistent watch: the listener hears of every change from now on, also of a node that does not exist yet,
   * until `removeWatches`. `persistent`: of the node and its children; `persistent-recursive`: of the node and all below
   * it, but no `children` events. What happens while a session is lost is not told: `watch()` misses nothing.
   */
  async addWatch(
    path: string,
    mode: PersistentWatchKind,
    listener: WatchListener,
    options?: CallOptions,
  ): Promise<void> {
    if (mode !== 'persistent' && mode !== 'persistent-recursive')
      throw new TypeError(`mode must be 'persistent' or 'persistent-recursive', not ${String(mode)}`)
    const absolute = this.#resolve(path)
    const watch = { kind: mode, path: absolute, listener: this.#listenerOf(listener) }
    const read: ReadOperation = { type: 'addWatch', path: absolute, kind: mode }
    return this.#call({ kind: 'read', read, consistency: 'session' }, () => undefined, options, watch)
  }

  /** Removes watches of a path, of a kind (default `any`) and a listener (default all). `COORD_NO_WATCHER` where there is none. */
  async removeWatches(
    path: string,
    kind: RemovableKind = 'any',
    listener?: WatchListener,
    options?: CallOptions,
  ): Promise<void> {
    if (!Object.hasOwn(removable, kind)) throw new TypeError(`kind must be one of ${Object.keys(removable).join(', ')}`)
    checkCallOptions(options)
    const absolute = this.#resolve(path)
    const registered = listener === undefined ? undefined : this.#listenerOf(listener)
    try {
      await this.removeListeners(absolute, removable[kind], registered, options)
    } catch (error) {
      throw error instanceof CoordError && error.path === absolute
        ? new CoordError(error.code, undefined, { path })
        : error
    }
  }

  /**
   * A stream of everything that happens at a path, or at and below it, in the order of the log. It begins with what exists
   * (`created` for each node, then `synced`), or goes on behind `from`; it says `gap` where it could not tell everything,
   * and never loses an event silently.
   */
  watch(path: string, options: WatchOptions = {}): Watch<V> {
    checkCallOptions(options)
    const { recursive = false, includeData = false, from, signal } = options
    if (from !== undefined) requireZxid(from)
    return new Watch<V>({
      request: {
        path: this.#resolve(path),
        recursive,
        includeData,
        from: from === undefined ? undefined : zxidFrom(from),
      },
      signal,
      renews: this.renews,
      session: () => this.watchSource(),
      own: (watch) => this.ownWatch(watch),
      decode: (event): StreamedEvent<V> =>
        streamedEvent(
          event,
          (absolute) => this.#strip(absolute),
          includeData ? (data, at) => decodeValue(this.#codec, data, at) : undefined,
        ),
    })
  }

  /** The quota of a path and what is used of it; `undefined` where it has none of its own. */
  async getQuota(path: string, options?: CallOptions): Promise<Quota | undefined> {
    return getQuota(this.#quotaNodes(options), this.#resolve(path))
  }

  /**
   * Limits how many nodes (`count`, itself included) and bytes of data the subtree may hold, in place of the limits that
   * it had. `hardCount` and `hardBytes` refuse what would exceed them (`COORD_QUOTA_EXCEEDED`); `count` and `bytes` warn
   * (`coord.member`, event `warning`).
   */
  async setQuota(path: string, limits: QuotaLimits, options?: CallOptions): Promise<void> {
    return setQuota(this.#quotaNodes(options), this.#resolve(path), limits)
  }

  /** Ends the quota of a path. `COORD_NO_NODE` where it has none. */
  async deleteQuota(path: string, options?: CallOptions): Promise<void> {
    return deleteQuota(this.#quotaNodes(options), this.#resolve(path))
  }

  /** A quorum operation: everything acknowledged to anybody before is visible after. `path` is ZooKeeper's, and ignored. */
  async sync(path?: string, options?: CallOptions): Promise<void> {
    if (path !== undefined) this.#resolve(path)
    return this.#call({ kind: 'sync' }, () => undefined, options)
  }

  /** Resolves once this replica has applied `zxid`: carries causality from one process to another. */
  async awaitZxid(zxid: bigint, options?: CallOptions): Promise<void> {
    requireZxid(zxid)
    return this.#call({ kind: 'awaitZxid', zxid: zxidFrom(zxid) }, () => undefined, options)
  }

  /**
   * All operations or none, at one zxid. A failure is a CoordError with the first failing operation's code, its
   * `index`, and ZooKeeper's list of `results`.
   */
  async multi<const O extends readonly MultiOperation<V>[]>(
    operations: O,
    options?: MultiOptions,
  ): Promise<{ -readonly [K in keyof O]: MultiResult<O[K]> }> {
    if (!Array.isArray(operations)) throw new TypeError('multi takes an array of operations')
    const held = options?.ifHeld
    if (held !== undefined) requireZxid(held.token)
    const operation: Operation = {
      type: 'multi',
      operations: operations.map((sub: MultiOperation<V>) => this.#subOperation(sub)),
      ...(held === undefined ? {} : { ifHeld: { path: this.#resolve(held.path), czxid: zxidFrom(held.token) } }),
    }
    if (operations.length === 0 && held === undefined) return [] as never
    requireSmall(operation.operations)
    return await this.#write(
      operation,
      (result) => this.#multiResults(expect(result, 'multi').results) as never,
      options,
    )
  }

  /** A builder for `multi`. */
  transaction(): Transaction<V> {
    return new Transaction<V>((operations, options) => this.multi(operations, options))
  }

  /** The absolute path of one of this root's. Throws a TypeError for what is no path. */
  #resolve(path: string, sequential = false): string {
    assertPath(path, sequential)
    const absolute = this.#root === '' ? path : path === '/' ? this.#root : this.#root + path
    if (absolute.length <= pathLengthMax) return absolute
    throw new CoordError('COORD_TOO_LARGE', `a path of ${absolute.length} characters: at most ${pathLengthMax}`)
  }

  #strip(path: string): string {
    if (this.#root === '') return path
    if (path === this.#root) return '/'
    return path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length) : path
  }

  #create<T>(
    path: string,
    data: V | undefined,
    options: CreateOptions | undefined,
    settle: (result: CreateResult) => T,
  ): Promise<T> {
    const parents = options?.parents
    requireFlag('parents', parents)
    const operation = this.#createOperation({ type: 'create', path, data, ...options })
    return this.#write(
      parents === undefined ? operation : { ...operation, parents },
      (result) => settle(expect(result, 'create')),
      options,
    )
  }

  #createOperation(
    operation: Extract<MultiOperation<V>, { type: 'create' }>,
  ): Extract<SubOperation, { type: 'create' }> {
    const { path, data, mode = 'persistent', acl, ttlMs } = operation
    if (!createModes.includes(mode))
      throw new TypeError(`mode must be one of ${createModes.join(', ')}, not ${String(mode)}`)
    checkTtl(mode, ttlMs)
    if (acl !== undefined) checkAcl(acl)
    return {
      type: 'create',
      path: this.#resolve(path, mode.includes('sequential')),
      data: this.#encode(data, path),
      mode,
      ...(acl === undefined ? {} : { acl: plainAcl(acl) }),
      ...(ttlMs === undefined ? {} : { ttlMs }),
    }
  }

  #setDataOperation(
    operation: Extract<MultiOperation<V>, { type: 'setData' }>,
  ): Extract<SubOperation, { type: 'setData' }> {
    const { path, data, version } = operation
    return { type: 'setData', path: this.#resolve(path), data: this.#encode(data, path), version: versionOf(version) }
  }

  #subOperation(operation: MultiOperation<V>): SubOperation {
    switch (operation?.type) {
      case 'create':
        if ('parents' in operation && operation.parents !== undefined)
          throw new TypeError('a multi creates no missing parents: create each of them in an operation of its own')
        return this.#createOperation(operation)
      case 'setData':
        return this.#setDataOperation(operation)
      case 'delete':
      case 'check':
        return { type: operation.type, path: this.#resolve(operation.path), version: versionOf(operation.version) }
      default:
        throw new TypeError(
          `a multi has create, setData, delete and check, not ${String((operation as { type?: unknown })?.type)}`,
        )
    }
  }

  #encode(data: V | undefined, path: string): Uint8Array | undefined {
    const bytes = encodeValue(this.#codec, data)
    if (bytes === undefined || bytes.length <= dataBytesMax) return bytes
    throw new CoordError('COORD_TOO_LARGE', `${bytes.length} bytes for ${path}: at most ${dataBytesMax} fit a znode`, {
      path,
    })
  }

  #multiResults(results: readonly SubResult[]): unknown[] {
    return results.map((result) => {
      if (result.type === 'create')
        return withJson({ ...result, path: this.#strip(result.path), stat: statView(result.stat) })
      return 'stat' in result ? { ...result, stat: statView(result.stat) } : result
    })
  }

  /** Submits; what fails names paths as the application does. */
  #call<T>(
    body: CallBody,
    settle: (result: CallResult) => T,
    options: CallOptions | undefined,
    watch?: WatchRequest,
  ): Promise<T> {
    checkCallOptions(options)
    const settled = (result: CallResult): T => {
      throwIfError(result, (path) => this.#strip(path))
      return settle(result)
    }
    return this.submit(body, settled, options, watch)
  }

  #write<T>(operation: Operation, settle: (result: CallResult) => T, options: CallOptions | undefined): Promise<T> {
    return this.#call({ kind: 'write', operation }, settle, options)
  }

  /**
   * A plain read needs no call of its own: most are answered at once, and those that wait for their turn wait together. It is
   * no async function, which takes as much as all the rest; whichever way it is answered, its caller goes on as soon.
   */
  #read<T>(
    type: NodeRead['type'],
    path: string,
    options: ChildrenOptions | undefined,
    settle: SettleRead<T>,
  ): Promise<T> {
    try {
      const read = this.#plainRead(type, path, options)
      const now = read === undefined ? undefined : this.readNow(read)
      if (now !== undefined) return Promise.resolve(settle(this.#orThrow(now), path, true))
      const waiting = read === undefined ? undefined : this.readInTurn(read)
      if (waiting === undefined) return this.#readAlone(type, path, options, settle)
      const index = waiting.reads.length - 1
      return waiting.results.then((results) => settle(this.#orThrow(results[index] as NodeReadResult), path, false))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The read, where nothing but its own result is wanted of it, in the order of the session. */
  #plainRead(type: NodeRead['type'], path: string, options: ChildrenOptions | undefined): NodeRead | undefined {
    if (options === undefined) return { type, path: this.#resolve(path) }
    checkCallOptions(options)
    const { watch, consistency, signal } = options
    const isPlain = watch === undefined && signal === undefined && consistencyOf(consistency) === 'session'
    return isPlain ? { type, path: this.#resolve(path), ...pageOf(options) } : undefined
  }

  async #readAlone<T>(
    type: NodeRead['type'],
    path: string,
    options: ChildrenOptions | undefined,
    settle: SettleRead<T>,
  ): Promise<T> {
    const absolute = this.#resolve(path)
    const { watch } = options ?? {}
    const consistency = consistencyOf(options?.consistency)
    const read: ReadOperation = { type, path: absolute, watch: watch !== undefined, ...pageOf(options) }
    const settled = (result: CallResult): T => settle(result, path, false)
    const request = this.#watchRequest(type, absolute, watch)
    return await this.#call({ kind: 'read', read, consistency }, settled, options, request)
  }

  #orThrow(result: NodeReadResult): NodeReadResult {
    if (result.type === 'error') throwIfError(result, (absolute) => this.#strip(absolute))
    return result
  }

  readonly #valueOf: SettleRead<{ data: V | undefined; stat: Stat }> = (result, path, isForeign) => {
    const { data, stat } = expect(result, 'data')
    const value = isForeign ? decodeForeign(this.#codec, data, path) : decodeValue(this.#codec, data, path)
    return { data: value, stat: statView(stat) }
  }

  #watchRequest(
    type: 'exists' | 'getData' | 'getChildren',
    path: string,
    watch?: WatchListener,
  ): WatchRequest | undefined {
    if (watch === undefined) return undefined
    const kind = type === 'exists' ? 'exists' : type === 'getData' ? 'data' : 'children'
    return { kind, path, listener: this.#listenerOf(watch) }
  }

  /** One function stays one listener: ZooKeeper calls it once for a change, however often it was registered. */
  #listenerOf(watch: WatchListener): WatchListener {
    if (typeof watch !== 'function') throw new TypeError('watch must be a function')
    return this.#root === '' && !this.sharesSession ? watch : this.#stripping(watch)
  }

  #nodeRead(read: ReadRequest): ReadRequest {
    if (read?.type !== 'getData' && read?.type !== 'getChildren' && read?.type !== 'exists')
      throw new TypeError(
        `a multiRead has getData, getChildren and exists, not ${String((read as { type?: unknown })?.type)}`,
      )
    return { type: read.type, path: this.#resolve(read.path) }
  }

  #readResult({ type, path }: ReadRequest, result: NodeReadResult): unknown {
    if (result.type === 'error') return { type: 'error', error: new CoordError(result.code, undefined, { path }) }
    if (result.type === 'stat') return { type, stat: result.stat === undefined ? undefined : statView(result.stat) }
    const stat = statView(result.stat)
    if (result.type === 'childNames') return { type, children: result.children, stat }
    try {
      return { type, data: decodeValue(this.#codec, result.data, path), stat }
    } catch (error) {
      return { type: 'error', error }
    }
  }

  /** What the quota's functions do with the nodes below `/zookeeper/quota`, which no namespace contains. */
  #quotaNodes(options: CallOptions | undefined): QuotaNodes {
    return {
      read: (paths) =>
        this.#call(
          {
            kind: 'read',
            read: { type: 'multiRead', reads: paths.map((path) => ({ type: 'getData', path })) },
            consistency: 'session',
          },
          (result) => expect(result, 'reads').results.map((one) => (one.type === 'data' ? one.data : undefined)),
          options,
        ),
      write: (operations) => this.#write({ type: 'multi', operations }, () => undefined, options),
    }
  }

  /** What the session knows for each listener that was given here, where that is another one. */
  readonly #stripped = new WeakMap<WatchListener, WatchListener>()
  readonly #own = new WeakSet<WatchListener>()
  #isDeaf = false

  #stripping(watch: WatchListener): WatchListener {
    let stripping = this.#stripped.get(watch)
    if (stripping === undefined) {
      stripping = (event) => {
        if (!this.#isDeaf) watch(withJson({ ...event, path: this.#strip(event.path) }))
      }
      this.#stripped.set(watch, stripping)
      this.#own.add(stripping)
    }
    return stripping
  }
}

function consistencyOf(consistency: Consistency = 'session'): Consistency {
  if (consistency === 'session' || consistency === 'linearizable') return consistency
  throw new TypeError(`consistency must be 'session' or 'linearizable', not ${String(consistency)}`)
}

function pageOf({ limit, after }: ChildrenOptions = {}): Pick<NodeRead, 'limit' | 'after'> {
  if (limit !== undefined && !Number.isSafeInteger(limit)) throw new TypeError('limit must be a whole number')
  if (limit !== undefined && limit < 1) throw new RangeError(`limit must be at least 1, not ${limit}`)
  if (after !== undefined && typeof after !== 'string') throw new TypeError('after must be the name of a child')
  return { ...(limit === undefined ? {} : { limit }), ...(after === undefined ? {} : { after }) }
}

function requireZxid(zxid: unknown): void {
  if (typeof zxid !== 'bigint' || zxid < 0n || zxid >> 63n !== 0n) throw new TypeError(`not a zxid: ${String(zxid)}`)
}

function checkTtl(mode: CreateMode, ttlMs: unknown): void {
  const hasTtl = mode === 'persistent-ttl' || mode === 'persistent-sequential-ttl'
  if (!hasTtl && ttlMs !== undefined) throw new TypeError(`ttlMs is for the modes with a TTL, not for ${mode}`)
  if (!hasTtl) return
  if (!Number.isSafeInteger(ttlMs)) throw new TypeError(`ttlMs must be whole milliseconds, not ${String(ttlMs)}`)
  if ((ttlMs as number) < 1 || (ttlMs as number) > ttlMsMax)
    throw new RangeError(`ttlMs must be from 1 to ${ttlMsMax}, not ${String(ttlMs)}`)
}

/** Entries without anything else that the application's objects may carry. An open ACL is no ACL. */
function plainAcl(acl: readonly AclEntry[]): readonly AclEntry[] {
  return acl === openAcl ? openAcl : acl.map(({ scheme, id, permissions }) => ({ scheme, id, permissions }))
}

/** What an operation of a multi counts beside its path, data and ACL: about what its result is stored with. Bytes. */
const bytesPerOperation = 32

/** A multi is one request, and as large as one at the most: ZooKeeper's limit. */
function requireSmall(operations: readonly SubOperation[]): void {
  const bytes = operations.reduce((sum, operation) => sum + sizeOf(operation), 0)
  if (bytes <= dataBytesMax) return
  throw new CoordError('COORD_TOO_LARGE', `${bytes} bytes in one multi: at most ${dataBytesMax}, split it`)
}

function sizeOf(operation: SubOperation): number {
  const data = 'data' in operation ? (operation.data?.length ?? 0) : 0
  const acl = operation.type === 'create' ? (operation.acl ?? []) : []
  return acl.reduce(
    (sum, { scheme, id, permissions }) => sum + scheme.length + id.length + permissions.length,
    bytesPerOperation + operation.path.length + data,
  )
}

/** The root of a namespace under another one; a TypeError for what is no path. */
export function rootUnder(root: string, path: string): string {
  assertPath(path)
  return path === '/' ? root : root + path
}

function versionOf(version: number | undefined): number {
  if (version === undefined) return anyVersion
  if (!Number.isInteger(version)) throw new TypeError(`version must be a whole number, not ${String(version)}`)
  if (version === (version | 0)) return version
  throw new RangeError(`version must have 32 bits, not be ${version}`)
}

/** The result as the type that this call gets. */
function expect<T extends CallResult['type']>(result: CallResult, type: T): CallResult & { readonly type: T } {
  if (result.type === type) return result as CallResult & { readonly type: T }
  throw new CoordError('COORD_SYSTEM_ERROR', `a ${result.type} where a ${type} was expected`)
}

/** Throws what an error result says; of a multi, the first failing operation's. */
function throwIfError(result: CallResult, strip: (path: string) => string): void {
  if (result.type !== 'error') return
  const { index, results: absolute } = result as ErrorResult
  const results = absolute?.map((sub) =>
    'path' in sub && sub.path !== undefined ? { ...sub, path: strip(sub.path) } : sub,
  )
  const failed = index === undefined ? undefined : results?.[index]
  const path = result.path === undefined ? (failed as ErrorResult | undefined)?.path : strip(result.path)
  const reason = 'reason' in result ? result.reason : undefined
  const message = reason === undefined ? undefined : `${errorCodes[result.code].text}: ${reason}`
  throw new CoordError(result.code, message, { path, index, results })
}
