/**
 * The tree in its simplest form, to compare the real one with: a flat map from path to node, copied whole before a
 * multi, searched whole for children and for what counts for a quota. It shares no code with the real one, and counts
 * what the real one derives. It expects that nobody writes to the nodes that show the usage of a quota.
 */
import type { AclEntry, Identity } from '../../../lib/core/tree/acl.ts'
import type {
  CreateOperation,
  DeleteOperation,
  EntryStamp,
  ErrorResult,
  MultiOperation,
  Operation,
  OperationResult,
  ReapRequest,
  SetAclOperation,
  SubOperation,
  SubResult,
} from '../../../lib/core/tree/operation.ts'
import { noSession, type SessionId } from '../../../lib/core/tree/session-id.ts'
import type { Stat } from '../../../lib/core/tree/stat.ts'
import { type Zxid, zxidZero } from '../../../lib/core/zab/zxid.ts'
import type { ErrorCode } from '../../../lib/errors.ts'

export type ModelMode = 'persistent' | 'ephemeral' | 'container' | 'ttl'

export interface ModelNode {
  data: Uint8Array | undefined
  acl: readonly AclEntry[] | undefined
  mode: ModelMode
  ttlMs: number
  touchedMs: number
  owner: SessionId
  czxid: Zxid
  mzxid: Zxid
  pzxid: Zxid
  ctime: number
  mtime: number
  version: number
  cversion: number
  aversion: number
  nextSequence: number
}

const validPath = /^\/$|^(\/(?!\.\.?(\/|$))[^/\p{Cc}\ud800-\uf8ff\ufff0-\u{10ffff}]+)+$/u
const reserved = ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota']

export class Model {
  nodes: Map<string, ModelNode> = new Map()
  /** Of the write that is evaluated. */
  #identities: readonly Identity[] = []

  constructor() {
    for (const path of reserved) this.nodes.set(path, bornNode())
    this.#get('/zookeeper/config').acl = [{ scheme: 'world', id: 'anyone', permissions: 'r' }]
    this.#get('/').cversion = -1
    this.#get('/zookeeper').cversion = -2
  }

  evaluate(
    operation: Operation,
    session: SessionId,
    stamp: EntryStamp,
    identities: readonly Identity[] = [],
  ): OperationResult {
    this.#identities = identities
    switch (operation.type) {
      case 'multi':
        return this.#multi(operation, session, stamp)
      case 'closeSession':
        for (const [path, node] of this.nodes) if (node.owner === session) this.#delete(path, stamp)
        this.#showUsages()
        return { type: 'closeSession' }
      case 'setAcl':
        return this.#setAcl(operation)
      default:
        return this.#single(operation, session, stamp)
    }
  }

  /** Whether there was something to reap. */
  reap({ path, czxid }: ReapRequest, stamp: EntryStamp): boolean {
    const node = this.nodes.get(path)
    if (node === undefined || node.czxid !== czxid || this.children(path).length > 0) return false
    const age = stamp.clockMs - node.touchedMs
    const isDue =
      node.mode === 'ttl' ? age > node.ttlMs : node.mode === 'container' && (node.nextSequence > 0 || age > 300_000)
    if (isDue) this.#delete(path, stamp)
    this.#showUsages()
    return isDue
  }

  /** What is used of each quota, by its path. */
  usages(): Map<string, { count: number; bytes: number }> {
    const usages = new Map(this.#quotas().map((quota) => [quota, { count: 0, bytes: 0 }]))
    for (const [path, node] of this.nodes) {
      const usage = usages.get(this.#quotaOf(path) ?? '')
      if (usage === undefined) continue
      usage.count += 1
      usage.bytes += node.data?.length ?? 0
    }
    return usages
  }

  children(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`
    const below = [...this.nodes.keys()].filter((key) => key !== path && key.startsWith(prefix))
    return below.map((key) => key.slice(prefix.length)).filter((name) => !name.includes('/'))
  }

  descendants(path: string): string[] {
    return [...this.nodes.keys()].filter((key) => key !== path && key.startsWith(path === '/' ? '/' : `${path}/`))
  }

  ephemerals(session: SessionId): string[] {
    return [...this.nodes].filter(([, node]) => node.owner === session).map(([path]) => path)
  }

  stat(path: string): Stat {
    const {
      owner: ephemeralOwner,
      data,
      czxid,
      mzxid,
      pzxid,
      ctime,
      mtime,
      version,
      cversion,
      aversion,
    } = this.#get(path)
    const times = { czxid, mzxid, pzxid, ctime, mtime }
    const numChildren = this.children(path).length
    return { ...times, version, cversion, aversion, ephemeralOwner, dataLength: data?.length ?? 0, numChildren }
  }

  #get(path: string): ModelNode {
    const node = this.nodes.get(path)
    if (node === undefined) throw new Error(`the model has no ${path}`)
    return node
  }

  #multi({ operations, ifHeld }: MultiOperation, session: SessionId, stamp: EntryStamp): OperationResult {
    if (ifHeld !== undefined && this.nodes.get(ifHeld.path)?.czxid !== ifHeld.czxid) {
      return failure('COORD_LOCK_LOST', ifHeld.path)
    }
    const before = new Map([...this.nodes].map(([path, node]) => [path, { ...node }]))
    const results: SubResult[] = []
    for (const [index, operation] of operations.entries()) {
      const result = this.#single(operation, session, stamp)
      if (result.type === 'error') {
        this.nodes = before
        const rolledBack = results.map((): SubResult => ({ type: 'rolledBack' }))
        const skipped = operations.slice(index + 1).map(() => failure('COORD_RUNTIME_INCONSISTENCY'))
        return { type: 'error', code: result.code, index, results: [...rolledBack, result, ...skipped] }
      }
      results.push(result)
    }
    return { type: 'multi', results }
  }

  #single(operation: SubOperation, session: SessionId, stamp: EntryStamp): SubResult & OperationResult {
    const result = this.#change(operation, session, stamp)
    this.#showUsages()
    // The node may be one that shows a usage.
    if (result.type === 'create' || result.type === 'setData')
      return { ...result, stat: this.stat('path' in result ? result.path : operation.path) }
    return result
  }

  #change(operation: SubOperation, session: SessionId, stamp: EntryStamp): SubResult & OperationResult {
    const { path } = operation
    if (operation.type === 'create') return this.#create(operation, session, stamp)
    if (operation.type === 'delete') return this.#remove(operation, stamp)
    if (!validPath.test(path)) return failure('COORD_BAD_ARGUMENTS', path)
    const node = this.nodes.get(path)
    if (node === undefined) return failure('COORD_NO_NODE', path)
    if (!this.#may(node, operation.type === 'check' ? 'r' : 'w')) return failure('COORD_NO_AUTH', path)
    if (operation.type === 'setData') {
      const more = (operation.data?.length ?? 0) - (node.data?.length ?? 0)
      if (this.#exceeds(this.#quotaOf(path), 0, more)) return failure('COORD_QUOTA_EXCEEDED', path)
    }
    if (![-1, node.version].includes(operation.version)) return failure('COORD_BAD_VERSION', path)
    if (operation.type === 'check') return { type: 'check' }
    node.data = operation.data
    node.version += 1
    node.mzxid = stamp.zxid
    node.mtime = stamp.timeMs
    node.touchedMs = stamp.clockMs
    return { type: 'setData', stat: this.stat(path) }
  }

  #setAcl({ path, acl, version }: SetAclOperation): OperationResult {
    if (!validPath.test(path)) return failure('COORD_BAD_ARGUMENTS', path)
    const resolved = this.#resolve(acl)
    if (resolved === 'invalid') return failure('COORD_INVALID_ACL', path)
    const node = this.nodes.get(path)
    if (node === undefined) return failure('COORD_NO_NODE', path)
    if (!this.#may(node, 'a')) return failure('COORD_NO_AUTH', path)
    if (![-1, node.aversion].includes(version)) return failure('COORD_BAD_VERSION', path)
    node.acl = resolved
    node.aversion += 1
    return { type: 'setAcl', stat: this.stat(path) }
  }

  /** Of what the tests give: world, digest with a colon or without, auth, and schemes that there are not. */
  #resolve(given: readonly AclEntry[] | undefined): readonly AclEntry[] | undefined | 'invalid' {
    if (given === undefined) return undefined
    const known = this.#identities.filter(({ scheme }) => scheme === 'digest')
    const resolved = new Map<string, AclEntry>()
    for (const { scheme, id, permissions: letters } of given) {
      const permissions = ['c', 'd', 'r', 'w', 'a'].filter((letter) => letters.includes(letter)).join('')
      const isValid = (scheme === 'world' && id === 'anyone') || (scheme === 'digest' && id.includes(':'))
      const entries = scheme === 'auth' ? known.map((one) => ({ ...one, permissions })) : [{ scheme, id, permissions }]
      if (entries.length === 0 || (scheme !== 'auth' && !isValid)) return 'invalid'
      for (const entry of entries) resolved.set(`${entry.scheme} ${entry.id} ${entry.permissions}`, entry)
    }
    if (resolved.size === 0) return 'invalid'
    return [...resolved.keys()].join() === 'world anyone cdrwa' ? undefined : [...resolved.values()]
  }

  #may({ acl }: ModelNode, letter: string): boolean {
    if (acl === undefined || this.#identities.some(({ scheme }) => scheme === 'super')) return true
    const ids = ['world anyone', ...this.#identities.map(({ scheme, id }) => `${scheme} ${id}`)]
    return acl.some(({ scheme, id, permissions }) => permissions.includes(letter) && ids.includes(`${scheme} ${id}`))
  }

  #quotas(): string[] {
    const root = '/zookeeper/quota'
    return [...this.nodes.keys()]
      .filter((path) => path.startsWith(`${root}/`) && path.endsWith('/zookeeper_limits'))
      .map((path) => path.slice(root.length, -'/zookeeper_limits'.length))
      .filter((path) => path !== '' && path !== '/zookeeper' && !path.startsWith('/zookeeper/'))
  }

  /** The longest of the quotas that a path is at or below. */
  #quotaOf(path: string): string | undefined {
    const enclosing = this.#quotas().filter((quota) => path === quota || path.startsWith(`${quota}/`))
    return enclosing.sort((a, b) => b.length - a.length)[0]
  }

  #exceeds(quota: string | undefined, count: number, bytes: number): boolean {
    if (quota === undefined) return false
    const text = new TextDecoder().decode(this.nodes.get(`/zookeeper/quota${quota}/zookeeper_limits`)?.data)
    const limit = (name: string): number => Number(new RegExp(`${name}=(\\d+)`).exec(text)?.[1] ?? Infinity)
    const used = this.usages().get(quota) ?? { count: 0, bytes: 0 }
    if (count !== 0 && used.count + count > limit('countHardLimit')) return true
    return bytes !== 0 && used.bytes + bytes > limit('byteHardLimit')
  }

  #showUsages(): void {
    for (const [quota, { count, bytes }] of this.usages()) {
      const stats = this.nodes.get(`/zookeeper/quota${quota}/zookeeper_stats`)
      if (stats !== undefined) stats.data = new TextEncoder().encode(`count=${count},bytes=${bytes}`)
    }
  }

  #create(operation: CreateOperation, session: SessionId, stamp: EntryStamp): SubResult & OperationResult {
    const { mode, data, parents, ttlMs } = operation
    if (mode.endsWith('-ttl') !== (ttlMs !== undefined) || (ttlMs !== undefined && (ttlMs < 1 || ttlMs > 2 ** 40 - 1)))
      return failure('COORD_BAD_ARGUMENTS', operation.path)
    if (!operation.path.includes('/')) return failure('COORD_BAD_ARGUMENTS', operation.path)
    const acl = this.#resolve(operation.acl)
    if (acl === 'invalid') return failure('COORD_INVALID_ACL', operation.path)
    const parent = this.nodes.get(parentOf(operation.path))
    if (!parent && !parents) return failure('COORD_NO_NODE', operation.path)
    if (!this.#may(this.#nearest(operation.path), 'c')) return failure('COORD_NO_AUTH', operation.path)
    const sequence = `${parent?.nextSequence ?? 0}`
    const suffix = mode.includes('-sequential') ? '0'.repeat(10 - sequence.length) + sequence : ''
    const path = operation.path + suffix
    if (!validPath.test(path)) return failure('COORD_BAD_ARGUMENTS', operation.path)
    if (this.nodes.has(path)) return failure('COORD_NODE_EXISTS', path)
    const chain = ancestors(path)
    if (chain.some((key) => (this.nodes.get(key)?.owner ?? noSession) !== noSession)) {
      return failure('COORD_NO_CHILDREN_FOR_EPHEMERALS', path)
    }
    const added = [...chain.filter((key) => !this.nodes.has(key)), path]
    const own = this.#quotaOf(path)
    for (const quota of new Set(added.map((key) => this.#quotaOf(key)))) {
      const count = added.filter((key) => this.#quotaOf(key) === quota).length
      if (this.#exceeds(quota, count, quota === own ? (data?.length ?? 0) : 0))
        return failure('COORD_QUOTA_EXCEEDED', path)
    }
    for (const key of added.slice(0, -1)) this.#add(key, { acl }, stamp)
    const ephemeral = mode.startsWith('ephemeral')
    const kind = ephemeral
      ? 'ephemeral'
      : mode === 'container'
        ? 'container'
        : mode.endsWith('ttl')
          ? 'ttl'
          : 'persistent'
    this.#add(path, { data, acl, mode: kind, ttlMs: ttlMs ?? 0, owner: ephemeral ? session : noSession }, stamp)
    return { type: 'create', path, stat: this.stat(path) }
  }

  /** The lowest node above a path that exists. */
  #nearest(path: string): ModelNode {
    let node = this.#get('/')
    if (!path.startsWith('/')) return node
    for (const key of ancestors(path)) {
      const next = this.nodes.get(key)
      if (next === undefined) return node
      node = next
    }
    return node
  }

  #add(path: string, fields: Partial<ModelNode>, { zxid, timeMs, clockMs }: EntryStamp): void {
    const zxids = { czxid: zxid, mzxid: zxid, pzxid: zxid }
    const times = { ctime: timeMs, mtime: timeMs, touchedMs: clockMs }
    this.nodes.set(path, { ...bornNode(), data: undefined, ...zxids, ...times, ...fields })
    const parent = this.#get(parentOf(path))
    parent.nextSequence += 1
    parent.cversion += 1
    parent.pzxid = zxid
  }

  #remove({ path, version, recursive }: DeleteOperation, stamp: EntryStamp): SubResult & OperationResult {
    if (!path.includes('/') || reserved.includes(path)) return failure('COORD_BAD_ARGUMENTS', path)
    const parent = this.nodes.get(parentOf(path))
    if (parent === undefined) return failure('COORD_NO_NODE', path)
    if (!this.#may(parent, 'd')) return failure('COORD_NO_AUTH', path)
    const node = this.nodes.get(path)
    if (node === undefined) return failure('COORD_NO_NODE', path)
    if (![-1, node.version].includes(version)) return failure('COORD_BAD_VERSION', path)
    if (this.children(path).length > 0 && !recursive) return failure('COORD_NOT_EMPTY', path)
    const places = [path, ...this.descendants(path)].sort(bySegments)
    const shut = places.find((key) => this.children(key).length > 0 && !this.#may(this.#get(key), 'd'))
    if (shut !== undefined) return failure('COORD_NO_AUTH', shut)
    for (const key of this.descendants(path)) this.nodes.delete(key)
    this.#delete(path, stamp)
    return { type: 'delete' }
  }

  #delete(path: string, { zxid }: EntryStamp): void {
    this.nodes.delete(path)
    const parent = this.#get(parentOf(path))
    parent.cversion += 1
    parent.pzxid = zxid
  }
}

/** As the reserved nodes are. */
function bornNode(): ModelNode {
  const zxids = { czxid: zxidZero, mzxid: zxidZero, pzxid: zxidZero }
  const counters = { version: 0, cversion: 0, aversion: 0, nextSequence: 0 }
  const times = { ctime: 0, mtime: 0, touchedMs: 0, ttlMs: 0 }
  const what = { data: new Uint8Array(0), acl: undefined, mode: 'persistent', owner: noSession } as const
  return { ...what, ...zxids, ...times, ...counters }
}

/** Parents before children, siblings by name. */
function bySegments(one: string, other: string): number {
  const [a, b] = [one.split('/'), other.split('/')]
  const index = a.findIndex((name, at) => name !== b[at])
  if (index === -1) return a.length - b.length
  const name = b[index]
  return name === undefined || (a[index] as string) > name ? 1 : -1
}

function parentOf(path: string): string {
  return path.split('/').slice(0, -1).join('/') || '/'
}

/** The paths between the root and `path`, both excluded. */
function ancestors(path: string): string[] {
  const names = path.split('/').slice(1, -1)
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
}

function failure(code: ErrorCode, path?: string): ErrorResult {
  return path === undefined ? { type: 'error', code } : { type: 'error', code, path }
}
