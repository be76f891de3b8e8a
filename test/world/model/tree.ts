/**
 * ZooKeeper's tree in the plainest form, written from its rules: what the histories are compared with. Nodes lie in one
 * map by path; a multi works on a copy. Every counter is counted, none derived.
 */

import type { AclEntry, Identity } from '../../../lib/core/tree/acl.ts'
import type {
  EntryStamp,
  MultiOperation,
  Operation,
  OperationResult,
  SubOperation,
  SubResult,
} from '../../../lib/core/tree/operation.ts'
import type { Stat } from '../../../lib/core/tree/stat.ts'
import type { ErrorCode } from '../../../lib/errors.ts'

interface Node {
  readonly data: Uint8Array | undefined
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly owner: bigint
  /** `undefined`: open to everybody. */
  readonly acl: readonly AclEntry[] | undefined
  readonly aversion: number
  readonly kind: 'plain' | 'container' | 'ttl'
  readonly ttlMs: number
  /** The log clock when it was made or its data last changed. */
  readonly touchedMs: number
  readonly pzxid: bigint
  /** Creations of children, which give the sequence numbers. */
  readonly creations: number
  /** Deletions of children. */
  readonly deletions: number
  readonly children: ReadonlySet<string>
}

/** A change of one node, in the order in which watches hear of it. */
export interface ModelChange {
  readonly type: 'created' | 'changed' | 'deleted'
  readonly path: string
  /** Whether everybody may read the node, as it is after the change or was before it went; and its parent. */
  readonly isReadable: boolean
  readonly isParentReadable: boolean
  /** What it holds then. */
  readonly data: Uint8Array | undefined
}

type Single = Exclude<OperationResult, { type: 'multi' }>

const fail = (code: ErrorCode, path?: string): Extract<OperationResult, { type: 'error' }> =>
  path === undefined ? { type: 'error', code } : { type: 'error', code, path }

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')))
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
const isReserved = (path: string): boolean =>
  ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'].includes(path)
const isPath = (path: string): boolean =>
  path === '/' ||
  (path.startsWith('/') &&
    path
      .slice(1)
      .split('/')
      .every((name) => !['', '.', '..'].includes(name)))

const quotas = '/zookeeper/quota'
const limitsOf = (path: string): string => `${quotas}${path}/zookeeper_limits`
const statsEnd = '/zookeeper_stats'
const sizeOf = (data: Uint8Array | undefined): number => data?.length ?? 0

/** More nodes or bytes, or what there is of them. */
interface Amount {
  readonly count: number
  readonly bytes: number
}

/** A container that never had a child has so long to get one. */
const unusedMsMax = 300_000

/** Whether an ACL gives a permission to somebody with these identities. */
export function isAllowed(
  acl: readonly AclEntry[] | undefined,
  wanted: string,
  identities: readonly Identity[] | undefined,
): boolean {
  const given = (entry: AclEntry): boolean => wanted.split('').some((letter) => entry.permissions.includes(letter))
  const isMeant = ({ scheme, id }: AclEntry): boolean =>
    (scheme === 'world' && id === 'anyone') ||
    identities?.some((one) => one.scheme === scheme && one.id === id) === true
  return acl === undefined || acl.some((entry) => given(entry) && isMeant(entry))
}

const isOpen = (acl: readonly AclEntry[] | undefined): boolean =>
  acl?.length === 1 && acl[0]?.scheme === 'world' && acl[0].permissions === 'cdrwa'

const blank: Omit<Node, 'children'> = {
  data: new Uint8Array(0),
  czxid: 0n,
  mzxid: 0n,
  ctime: 0,
  mtime: 0,
  version: 0,
  owner: 0n,
  acl: undefined,
  aversion: 0,
  kind: 'plain',
  ttlMs: 0,
  touchedMs: 0,
  pzxid: 0n,
  creations: 0,
  deletions: 0,
}

export class ModelTree {
  #nodes = new Map<string, Node>([
    ['/', { ...blank, creations: -1, children: new Set(['zookeeper']) }],
    ['/zookeeper', { ...blank, creations: -2, children: new Set(['config', 'quota']) }],
    ['/zookeeper/config', { ...blank, children: new Set() }],
    ['/zookeeper/quota', { ...blank, children: new Set() }],
  ])
  #changes: ModelChange[] = []
  #identities: readonly Identity[] | undefined

  paths(): string[] {
    return [...this.#nodes.keys()]
  }

  /** That of a quota's stats is what is used of it. */
  data(path: string): Uint8Array | undefined {
    const root =
      path.startsWith(`${quotas}/`) && path.endsWith(statsEnd) ? path.slice(quotas.length, -statsEnd.length) : ''
    if (!this.#nodes.has(path) || !this.#nodes.has(limitsOf(root))) return this.#nodes.get(path)?.data
    const { count, bytes } = this.#used(root)
    return new TextEncoder().encode(`count=${count},bytes=${bytes}`)
  }

  /** The nearest path with a quota, at or above; '' where there is none. What is reserved counts for none. */
  #quotaOf(path: string): string {
    let at = path === '/' || path === '/zookeeper' || path.startsWith('/zookeeper/') ? '' : path
    while (at !== '' && !this.#nodes.has(limitsOf(at))) at = at.slice(0, at.lastIndexOf('/'))
    return at
  }

  /** By the nodes that have it as their nearest one. */
  #used(quota: string): Amount {
    let [count, bytes] = [0, 0]
    for (const [path, { data }] of this.#nodes) {
      if (!path.startsWith(quota) || this.#quotaOf(path) !== quota) continue
      count += 1
      bytes += sizeOf(data)
    }
    return { count, bytes }
  }

  /** Whether so much more is too much. Of what does not grow, nothing is too much. */
  #exceeds(quota: string, more: Amount): boolean {
    if (quota === '') return false
    const text = new TextDecoder().decode(this.#nodes.get(limitsOf(quota))?.data)
    const limit = (name: string): number =>
      Number(new RegExp(`${name}=(\\d+)`).exec(text)?.[1] ?? Number.POSITIVE_INFINITY)
    const { count, bytes } = this.#used(quota)
    const isTooMany = more.count !== 0 && count + more.count > limit('countHardLimit')
    return isTooMany || (more.bytes !== 0 && bytes + more.bytes > limit('byteHardLimit'))
  }

  stat(path: string): Stat | undefined {
    const node = this.#nodes.get(path)
    if (node === undefined) return undefined
    const { czxid, mzxid, pzxid, ctime, mtime, version, owner, creations, deletions, children } = node
    return {
      czxid,
      mzxid,
      pzxid,
      ctime,
      mtime,
      version,
      cversion: creations + deletions,
      aversion: node.aversion,
      ephemeralOwner: owner,
      dataLength: sizeOf(this.data(path)),
      numChildren: children.size,
    } as Stat
  }

  children(path: string): string[] | undefined {
    const children = this.#nodes.get(path)?.children
    return children === undefined ? undefined : [...children].sort()
  }

  descendants(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`
    return this.paths().filter((other) => other !== path && other.startsWith(prefix))
  }

  ephemerals(owner: bigint): string[] {
    return this.paths().filter((path) => this.#nodes.get(path)?.owner === owner)
  }

  /** Evaluates one entry. The changes are in the order in which they fire watches. */
  evaluate(
    operation: Operation,
    session: bigint,
    stamp: EntryStamp,
    identities?: readonly Identity[],
  ): { readonly result: OperationResult; readonly changes: readonly ModelChange[] } {
    this.#changes = []
    this.#identities = identities
    const result = this.#evaluate(operation, session, stamp)
    return { result, changes: this.#changes }
  }

  #evaluate(operation: Operation, session: bigint, stamp: EntryStamp): OperationResult {
    if (operation.type === 'multi') return this.#multi(operation, session, stamp)
    if (operation.type === 'closeSession') {
      for (const path of this.#inOrder(this.ephemerals(session))) this.#remove(path, stamp)
      return { type: 'closeSession' }
    }
    if (operation.type === 'setAcl') return this.#setAcl(operation)
    return this.#single(operation, session, stamp)
  }

  /** As they were created; those of one entry by path. */
  #inOrder(paths: readonly string[]): string[] {
    const madeAt = (path: string): bigint => this.#nodes.get(path)?.czxid ?? 0n
    return [...paths].sort((a, b) => (madeAt(a) === madeAt(b) ? (a < b ? -1 : 1) : madeAt(a) < madeAt(b) ? -1 : 1))
  }

  /** The configuration of the ensemble is shown. */
  publish(data: Uint8Array, { zxid, timeMs }: EntryStamp): ModelChange[] {
    const path = '/zookeeper/config'
    const node = this.#nodes.get(path) as Node
    this.#nodes.set(path, { ...node, data, mzxid: zxid, mtime: timeMs, version: -1 })
    return [{ type: 'changed', path, isReadable: true, isParentReadable: true, data }]
  }

  /** Deletes what lives no longer, if it is still what was meant. */
  reap(path: string, czxid: bigint, stamp: EntryStamp): ModelChange[] {
    const node = this.#nodes.get(path)
    if (node?.czxid !== czxid || node.children.size > 0) return []
    const ageMs = stamp.clockMs - node.touchedMs
    const isOver = node.kind === 'ttl' ? ageMs > node.ttlMs : node.creations > 0 || ageMs > unusedMsMax
    if (node.kind === 'plain' || !isOver) return []
    this.#changes = []
    this.#remove(path, stamp)
    return this.#changes
  }

  acl(path: string): readonly AclEntry[] | undefined {
    return this.#nodes.get(path)?.acl
  }

  #setAcl({ path, acl, version }: Extract<Operation, { type: 'setAcl' }>): Single {
    if (acl.length === 0) return fail('COORD_INVALID_ACL', path)
    const node = this.#nodes.get(path)
    if (node === undefined) return fail('COORD_NO_NODE', path)
    if (!isAllowed(node.acl, 'a', this.#identities)) return fail('COORD_NO_AUTH', path)
    if (version !== -1 && version !== node.aversion) return fail('COORD_BAD_VERSION', path)
    this.#nodes.set(path, { ...node, acl: isOpen(acl) ? undefined : acl, aversion: node.aversion + 1 })
    return { type: 'setAcl', stat: this.stat(path) as Stat }
  }

  #multi({ operations, ifHeld }: MultiOperation, session: bigint, stamp: EntryStamp): OperationResult {
    if (ifHeld !== undefined && this.#nodes.get(ifHeld.path)?.czxid !== ifHeld.czxid)
      return fail('COORD_LOCK_LOST', ifHeld.path)
    const before = new Map(this.#nodes)
    const results: SubResult[] = []
    for (const [index, operation] of operations.entries()) {
      const result = this.#single(operation, session, stamp)
      if (result.type === 'error') {
        this.#nodes = before
        this.#changes = []
        const done = results.map((): SubResult => ({ type: 'rolledBack' }))
        const undone = operations.slice(index + 1).map(() => fail('COORD_RUNTIME_INCONSISTENCY'))
        return { type: 'error', code: result.code, index, results: [...done, result, ...undone] }
      }
      results.push(result)
    }
    return { type: 'multi', results }
  }

  #single(operation: SubOperation, session: bigint, stamp: EntryStamp): Single {
    const { path } = operation
    if (operation.type === 'create') return this.#create(operation, session, stamp)
    if (operation.type === 'delete') return this.#delete(operation, stamp)
    const node = this.#nodes.get(path)
    if (node === undefined) return fail('COORD_NO_NODE', path)
    const wanted = operation.type === 'check' ? 'r' : 'w'
    if (!isAllowed(node.acl, wanted, this.#identities)) return fail('COORD_NO_AUTH', path)
    const bytes = operation.type === 'setData' ? sizeOf(operation.data) - sizeOf(node.data) : 0
    if (this.#exceeds(this.#quotaOf(path), { count: 0, bytes })) return fail('COORD_QUOTA_EXCEEDED', path)
    if (operation.version !== -1 && operation.version !== node.version) return fail('COORD_BAD_VERSION', path)
    if (operation.type === 'check') return { type: 'check' }
    const { data } = operation
    const written = { data, mzxid: stamp.zxid, mtime: stamp.timeMs, touchedMs: stamp.clockMs }
    this.#nodes.set(path, { ...node, ...written, version: node.version + 1 })
    this.#note('changed', path, this.#nodes.get(path) as Node)
    return { type: 'setData', stat: this.stat(path) as Stat }
  }

  #create(operation: Extract<SubOperation, { type: 'create' }>, session: bigint, stamp: EntryStamp): Single {
    const { mode, data, parents, acl, ttlMs } = operation
    const isMortal = mode.endsWith('-ttl')
    if (isMortal !== (ttlMs !== undefined)) return fail('COORD_BAD_ARGUMENTS', operation.path)
    if (acl?.length === 0) return fail('COORD_INVALID_ACL', operation.path)
    const parentPath = parentOf(operation.path)
    const parent = this.#nodes.get(parentPath)
    if (parent === undefined && parents !== true) return fail('COORD_NO_NODE', operation.path)
    const missing: string[] = []
    let above = parentPath
    for (; !this.#nodes.has(above); above = parentOf(above)) missing.unshift(above)
    if (!isAllowed(this.#nodes.get(above)?.acl, 'c', this.#identities)) return fail('COORD_NO_AUTH', operation.path)
    const number = mode.includes('sequential') ? `${parent?.creations ?? 0}`.padStart(10, '0') : ''
    const path = operation.path + number
    if (!isPath(path)) return fail('COORD_BAD_ARGUMENTS', operation.path)
    if (this.#nodes.has(path)) return fail('COORD_NODE_EXISTS', path)
    if (this.#nodes.get(above)?.owner !== 0n) return fail('COORD_NO_CHILDREN_FOR_EPHEMERALS', path)
    // Each node that would come counts for its own quota; only the last one has data.
    const own = this.#quotaOf(path)
    const counted = [...missing, path].map((at) => this.#quotaOf(at))
    const isTooMuch = counted.some((quota) => {
      const count = counted.filter((other) => other === quota).length
      return this.#exceeds(quota, { count, bytes: quota === own ? sizeOf(data) : 0 })
    })
    if (isTooMuch) return fail('COORD_QUOTA_EXCEEDED', path)
    const guard = { acl: isOpen(acl) ? undefined : acl }
    for (const parentToBe of missing) this.#add(parentToBe, { ...guard, data: undefined }, stamp)
    const kind = isMortal ? 'ttl' : mode === 'container' ? 'container' : 'plain'
    const owner = mode.startsWith('ephemeral') ? session : 0n
    this.#add(path, { ...guard, data, owner, kind, ttlMs: ttlMs ?? 0 }, stamp)
    return { type: 'create', path, stat: this.stat(path) as Stat }
  }

  #delete({ path, version, recursive }: Extract<SubOperation, { type: 'delete' }>, stamp: EntryStamp): Single {
    if (isReserved(path)) return fail('COORD_BAD_ARGUMENTS', path)
    const parent = this.#nodes.get(parentOf(path))
    if (parent === undefined) return fail('COORD_NO_NODE', path)
    if (!isAllowed(parent.acl, 'd', this.#identities)) return fail('COORD_NO_AUTH', path)
    const node = this.#nodes.get(path)
    if (node === undefined) return fail('COORD_NO_NODE', path)
    if (version !== -1 && version !== node.version) return fail('COORD_BAD_VERSION', path)
    if (node.children.size > 0 && recursive !== true) return fail('COORD_NOT_EMPTY', path)
    // Whoever takes children away needs the right to, at each node that has some.
    const guarded = [path, ...this.descendants(path).sort()].find((at) => {
      const { children, acl } = this.#nodes.get(at) as Node
      return children.size > 0 && !isAllowed(acl, 'd', this.#identities)
    })
    if (guarded !== undefined) return fail('COORD_NO_AUTH', guarded)
    this.#removeTree(path, stamp)
    return { type: 'delete' }
  }

  /** Children before their parent, the last ones first. */
  #removeTree(path: string, stamp: EntryStamp): void {
    const names = [...(this.#nodes.get(path)?.children ?? [])].sort().reverse()
    for (const name of names) this.#removeTree(path === '/' ? `/${name}` : `${path}/${name}`, stamp)
    this.#remove(path, stamp)
  }

  #add(path: string, given: Partial<Node>, { zxid, timeMs, clockMs }: EntryStamp): void {
    const stamped = { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: timeMs, mtime: timeMs, touchedMs: clockMs }
    this.#nodes.set(path, { ...blank, ...given, ...stamped, children: new Set() })
    const parent = this.#nodes.get(parentOf(path)) as Node
    const children = new Set(parent.children).add(nameOf(path))
    this.#nodes.set(parentOf(path), { ...parent, creations: parent.creations + 1, pzxid: zxid, children })
    this.#note('created', path, this.#nodes.get(path) as Node)
  }

  #note(type: ModelChange['type'], path: string, node: Node): void {
    const isReadable = isAllowed(node.acl, 'r', [])
    const isParentReadable = isAllowed(this.#nodes.get(parentOf(path))?.acl, 'r', [])
    const data = type === 'created' ? this.data(path) : node.data
    this.#changes.push({ type, path, isReadable, isParentReadable, data })
  }

  #remove(path: string, { zxid }: EntryStamp): void {
    const node = this.#nodes.get(path) as Node
    this.#nodes.delete(path)
    const parent = this.#nodes.get(parentOf(path)) as Node
    const children = new Set(parent.children)
    children.delete(nameOf(path))
    this.#nodes.set(parentOf(path), { ...parent, deletions: parent.deletions + 1, pzxid: zxid, children })
    this.#note('deleted', path, node)
  }
}
