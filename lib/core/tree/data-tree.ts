/**
 * The tree of znodes: where they hang, how they are read, and the ways in which they change: a node is attached,
 * detached, or gets other data or another ACL. It keeps what must agree at every moment: the children, the parent's
 * counters, the number of nodes, who owns which ephemeral node, which nodes may end by themselves, and what is used of
 * each quota. Whether an operation is allowed is decided in evaluate.ts.
 *
 * Inside `atomically` every change also notes its inverse, so that a failed multi leaves nothing behind.
 *
 * Data that is handed in belongs to the tree from then on: callers copy. Data that a read hands out is the tree's own
 * array: callers copy it before it leaves the member, and nobody ever writes to it.
 */
import { ownText } from '../../bytes.ts'
import { assert } from '../../errors.ts'
import { type Zxid, zxidZero } from '../zab/zxid.ts'
import { type Acl, readAcl } from './acl.ts'
import { FrozenTree } from './frozen-state.ts'
import type { EntryStamp } from './operation.ts'
import { isPackable, unpackNode, type ZnodeFields } from './packed-node.ts'
import { joinPath, nameOf, parentOf, segmentEnd, validatePath } from './path.ts'
import { formatUsage, parseLimits, type Quota, QuotaTable, type QuotaUsage, quotaNodeAt, statsPathOf } from './quota.ts'
import { RecentNodes } from './recent-nodes.ts'
import { noSession, type SessionId } from './session-id.ts'
import { requireIntact } from './snapshot.ts'
import type { Stat } from './stat.ts'
import { type NodeRecord, Znode } from './znode.ts'

/** A node and where it hangs. */
export interface Place {
  readonly path: string
  readonly node: Znode
}

/** Shows the configuration of the ensemble; written by the log itself. */
const configPath = '/zookeeper/config'

const fieldsAtBirth: Readonly<ZnodeFields> = {
  data: new Uint8Array(0),
  mode: 'persistent',
  ttlMs: 0,
  ephemeralOwner: noSession,
  czxid: zxidZero,
  mzxid: zxidZero,
  pzxid: zxidZero,
  ctime: 0,
  mtime: 0,
  touchedClockMs: 0,
  version: 0,
  creates: 0,
  aversion: 0,
}

/** Below the root from birth. They do not count as creates of their parents, as in ZooKeeper. */
const reservedNodes: ReadonlyMap<string, Acl> = new Map([
  ['/zookeeper', undefined],
  [configPath, readAcl],
  ['/zookeeper/quota', undefined],
])

/** There from birth and never deleted. */
export function isReservedPath(path: string): boolean {
  return path === '/' || reservedNodes.has(path)
}

/** What decides how a node may end. */
type Kind = Pick<ZnodeFields, 'mode' | 'ephemeralOwner'>

export class DataTree {
  readonly #root: Znode
  readonly #ephemerals = new Map<SessionId, Set<string>>()
  /** Containers, and nodes with a time to live: those that a leader may have to reap. */
  readonly #mortals = new Map<string, Znode>()
  readonly #recent = new RecentNodes()
  #quotas = new QuotaTable()
  #nodeCount = 1
  /** Of the node that was restored last. */
  #lastParent: Place | undefined
  /** While the state is frozen: it is told what is about to change. */
  #freeze: FrozenTree | undefined
  /** The inverses of the changes so far; only inside `atomically`. */
  #undo: (() => void)[] | undefined

  /** A tree as it is born, or only its root while a snapshot is restored. */
  constructor(restoredRoot?: NodeRecord) {
    this.#root = restoredRoot === undefined ? new Znode({ ...fieldsAtBirth }, undefined) : restoredNode(restoredRoot)
    if (restoredRoot !== undefined) return
    for (const [path, acl] of reservedNodes) {
      this.#link(this.#existing(parentOf(path)), path, new Znode({ ...fieldsAtBirth }, acl))
    }
  }

  // Reads

  /** All nodes, the root included. */
  get nodeCount(): number {
    return this.#nodeCount
  }

  /** Finds nothing at a path that is not valid. */
  find(path: string): Znode | undefined {
    if (path === '/') return this.#root
    if (!path.startsWith('/')) return undefined
    let node: Znode | undefined = this.#root
    for (let start = 1; start <= path.length && node !== undefined; ) {
      const end = segmentEnd(path, start)
      node = node.child(path.substring(start, end))
      start = end + 1
    }
    return node
  }

  /** The node at `path`, or the lowest one above it that exists. */
  findNearest(path: string): Place {
    let place: Place = { path: '/', node: this.#root }
    if (!path.startsWith('/')) return place
    for (let start = 1; start < path.length; ) {
      const end = segmentEnd(path, start)
      const node = place.node.child(path.substring(start, end))
      if (node === undefined) return place
      place = { path: path.substring(0, end), node }
      start = end + 1
    }
    return place
  }

  stat(path: string): Stat | undefined {
    return this.find(path)?.stat()
  }

  getData(path: string): { readonly data: Uint8Array | undefined; readonly stat: Stat } | undefined {
    const node = this.find(path)
    return node === undefined ? undefined : { data: node.data, stat: node.stat() }
  }

  /** Bare names, sorted by code unit. */
  getChildren(path: string): { readonly children: string[]; readonly stat: Stat } | undefined {
    const node = this.find(path)
    return node === undefined ? undefined : { children: node.childNames(), stat: node.stat() }
  }

  /** All descendants, in spite of ZooKeeper's name for it; of `/`, the reserved nodes, too. */
  getAllChildrenNumber(path: string): number | undefined {
    const node = this.find(path)
    if (node === undefined) return undefined
    return node === this.#root ? this.#nodeCount - 1 : countDescendants(node)
  }

  /** The paths of a session's ephemeral nodes that start with `prefix` as a string (`/ep` also matches `/epp`). */
  getEphemerals(session: SessionId, prefix = '/'): string[] {
    const paths = [...(this.#ephemerals.get(session) ?? [])].sort()
    return prefix.trim() === '' ? paths : paths.filter((path) => path.startsWith(prefix))
  }

  ephemeralCount(session: SessionId): number {
    return this.#ephemerals.get(session)?.size ?? 0
  }

  /** A session's ephemeral nodes in the order in which its end deletes them: by creation; of one zxid, by path. */
  ephemeralsInOrder(session: SessionId): Place[] {
    const places = this.getEphemerals(session).map((path) => ({ path, node: this.#existing(path) }))
    return places.sort((a, b) => (a.node.czxid < b.node.czxid ? -1 : Number(a.node.czxid > b.node.czxid)))
  }

  get hasMortals(): boolean {
    return this.#mortals.size > 0
  }

  /** Containers and nodes with a time to live, in no particular order. */
  mortals(): Iterable<readonly [path: string, node: Znode]> {
    return this.#mortals
  }

  get hasQuotas(): boolean {
    return !this.#quotas.isEmpty
  }

  /** The nearest quota that a node at `path` counts for. */
  quotaOf(path: string): Quota | undefined {
    return this.#quotas.enclosing(path)
  }

  /** A node and all below it, parents first, children sorted. To be read to its end before the next change. */
  *walk(path: string): Generator<Place, void, undefined> {
    const node = this.find(path)
    if (node === undefined) return
    // A path can be deeper than the call stack, so the iterators of the open nodes are kept in a list.
    const open: Iterator<Place, unknown, undefined>[] = [[{ path, node }].values()]
    for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
      const next = level.next()
      if (next.done === true) {
        open.pop()
      } else {
        yield next.value
        open.push(childPlaces(next.value))
      }
    }
  }

  /** From now on what changes is read out before. */
  freeze(number: number): FrozenTree {
    this.#freeze = new FrozenTree(number, this.#root, this.#nodeCount)
    return this.#freeze
  }

  thaw(): void {
    this.#freeze = undefined
  }

  // Changes

  /** Hangs a new node at `path`, below `parent`, and counts it there. */
  attach(parent: Znode, path: string, node: Znode): void {
    this.#freeze?.keep(parentOf(path), parent)
    this.#freeze?.leaveOut(node)
    this.#noteQuotaChange(path)
    this.#rest(node)
    const fields = this.#toChange(parent)
    const { creates, pzxid } = fields
    this.#undo?.push(() => {
      this.#unlink(parent, path, node)
      Object.assign(this.#toChange(parent), { creates, pzxid })
    })
    this.#link(parent, path, node)
    fields.creates += 1
    fields.pzxid = node.czxid
    this.#use(path, { count: 1, bytes: node.dataLength })
    this.#onQuotaNode(path, node)
  }

  /** Takes a node without children off the tree; returns its parent. */
  detach({ path, node }: Place, zxid: Zxid): Znode {
    assert(node.numChildren === 0 && !isReservedPath(path), () => `cannot detach ${path}`)
    const parent = this.#existing(parentOf(path))
    this.#freeze?.keep(path, node)
    this.#noteQuotaChange(path)
    const fields = this.#toChange(parent)
    const { pzxid } = fields
    this.#undo?.push(() => {
      this.#link(parent, path, node)
      this.#toChange(parent).pzxid = pzxid
    })
    this.#unlink(parent, path, node)
    fields.pzxid = zxid
    this.#use(path, { count: -1, bytes: -node.dataLength })
    this.#onQuotaNode(path, undefined)
    return parent
  }

  /** Gives a node other data, and its next version. */
  setData({ path, node }: Place, data: Uint8Array | undefined, stamp: EntryStamp): void {
    this.#freeze?.keep(path, node)
    this.#noteQuotaChange(path)
    const fields = this.#toChange(node)
    const { data: dataBefore, mzxid, mtime, touchedClockMs, version } = fields
    this.#undo?.push(() => {
      Object.assign(this.#toChange(node), { data: dataBefore, mzxid, mtime, touchedClockMs, version })
    })
    fields.data = data
    fields.mzxid = stamp.zxid
    fields.mtime = stamp.timeMs
    fields.touchedClockMs = stamp.clockMs
    fields.version = nextVersion(version)
    // As long as its value was too long, it was not among those that will be packed.
    if (!isPackable(dataBefore)) this.#rest(node)
    this.#use(path, { count: 0, bytes: sizeOf(data) - sizeOf(dataBefore) })
    this.#onQuotaNode(path, node)
  }

  /** Gives a node another ACL. Not inside a multi, which has no such operation. */
  setAcl({ path, node }: Place, acl: Acl): void {
    assert(this.#undo === undefined, 'an ACL changes inside a multi')
    this.#freeze?.keep(path, node)
    node.acl = acl
    const fields = this.#toChange(node)
    fields.aversion = nextVersion(fields.aversion)
  }

  /** Shows the configuration of the ensemble. From then on its node has version -1, as ZooKeeper's. */
  publishConfiguration(data: Uint8Array, stamp: EntryStamp): Place {
    const node = this.#existing(configPath)
    this.#freeze?.keep(configPath, node)
    const fields = this.#toChange(node)
    fields.data = data
    fields.mzxid = stamp.zxid
    fields.mtime = stamp.timeMs
    fields.version = -1
    return { path: configPath, node }
  }

  /** Runs `attempt` and takes back all its changes, counters included, unless it returns true. */
  atomically(attempt: () => boolean): boolean {
    assert(this.#undo === undefined, 'a multi inside a multi')
    const undo: (() => void)[] = []
    this.#undo = undo
    const succeeded = attempt()
    this.#undo = undefined
    if (!succeeded) for (const revert of undo.reverse()) revert()
    return succeeded
  }

  /** Hangs up a node of a snapshot. The nodes come parents first; the counters are in the records. */
  restore(record: NodeRecord, fields: ZnodeFields): void {
    const { path } = record
    requireIntact(validatePath(path) === undefined, () => `a node at ${JSON.stringify(path)}`)
    const parent = this.#restoredParent(path)
    requireIntact(path !== '/' && parent.child(nameOf(path)) === undefined, () => `${path} occurs twice`)
    this.#link(parent, path, restoredNode(record), fields)
  }

  /** Most nodes have the parent of the one before. */
  #restoredParent(childPath: string): Znode {
    const path = parentOf(childPath)
    if (this.#lastParent?.path === path) return this.#lastParent.node
    const node = this.find(path)
    requireIntact(node !== undefined, () => `no parent for ${childPath}`)
    requireIntact(node.mode !== 'ephemeral', () => `${childPath} is the child of an ephemeral node`)
    this.#lastParent = { path, node }
    return node
  }

  /** After the last node of a snapshot: what is used of the quotas is not in it. */
  recountQuotas(): void {
    this.#lastParent = undefined
    this.#quotas = new QuotaTable()
    for (const { path, node } of this.walk('/zookeeper/quota')) {
      const quota = quotaNodeAt(path)
      if (quota?.kind === 'limits') this.#quotas.set(quota.path, limitsIn(node))
    }
    if (this.#quotas.isEmpty) return
    for (const { path, node } of this.walk('/')) {
      const quota = this.#quotas.enclosing(path)
      if (quota !== undefined) quota.usage = sum(quota.usage, { count: 1, bytes: node.dataLength })
    }
  }

  /** A change that a failed multi takes back may have concerned a quota: then all are counted anew at the end of that. */
  #noteQuotaChange(path: string): void {
    if (this.#undo !== undefined && quotaNodeAt(path) !== undefined) this.#undo.push(() => this.recountQuotas())
  }

  #use(path: string, more: QuotaUsage): void {
    const quota = this.hasQuotas ? this.#quotas.enclosing(path) : undefined
    if (quota === undefined || (more.count === 0 && more.bytes === 0)) return
    // Of the quota that the path has then: the table may have been counted anew in between.
    this.#undo?.push(() => this.#count(path, { count: -more.count, bytes: -more.bytes }))
    this.#count(path, more)
    this.#showUsage(quota)
  }

  #count(path: string, more: QuotaUsage): void {
    const quota = this.#quotas.enclosing(path)
    if (quota !== undefined) quota.usage = sum(quota.usage, more)
  }

  /** In place: no version, no zxid and no watch tells of it, as in ZooKeeper. */
  #showUsage(quota: Quota): void {
    const stats = this.find(statsPathOf(quota.path))
    if (stats === undefined) return
    this.#freeze?.keep(statsPathOf(quota.path), stats)
    const fields = this.#toChange(stats)
    const { data } = fields
    this.#undo?.push(() => {
      this.#toChange(stats).data = data
    })
    fields.data = new TextEncoder().encode(formatUsage(quota.usage))
  }

  /** A quota begins, changes or ends with its limits; its stats show what is used as soon as they are there. */
  #onQuotaNode(path: string, node: Znode | undefined): void {
    const at = quotaNodeAt(path)
    if (at === undefined) return
    const known = this.#quotas.get(at.path)
    if (at.kind === 'stats') {
      if (known !== undefined && node?.version === 0) this.#showUsage(known)
      return
    }
    if (node !== undefined && known !== undefined) {
      this.#quotas.set(at.path, limitsIn(node))
      return
    }
    const outer = this.#quotas.enclosing(parentOf(at.path))
    this.recountQuotas()
    const quota = this.#quotas.get(at.path)
    if (quota !== undefined) this.#showUsage(quota)
    if (outer !== undefined) this.#showUsage(this.#quotas.get(outer.path) ?? outer)
  }

  /** The fields of a node that is about to change: its own until another one changes. */
  #toChange(node: Znode): ZnodeFields {
    if (node.isPacked) this.#recent.add(node)
    return node.unpack()
  }

  /** It is packed when others have changed after it, unless its value is too long: then it stays as it is. */
  #rest(node: Znode): void {
    if (isPackable(node.data)) this.#recent.add(node)
  }

  #existing(path: string): Znode {
    const node = this.find(path)
    assert(node !== undefined, () => `no node at ${path}`)
    return node
  }

  #link(parent: Znode, path: string, node: Znode, fields: Kind = node): void {
    const { mode, ephemeralOwner } = fields
    // The path is of a request or a snapshot, whose other parts nobody needs any more.
    parent.addChild(ownText(nameOf(path)), node)
    this.#nodeCount += 1
    if (ephemeralOwner !== noSession) this.#ownEphemeral(ephemeralOwner, path)
    if (isMortal(mode)) this.#mortals.set(path, node)
  }

  #unlink(parent: Znode, path: string, node: Znode): void {
    const { mode, ephemeralOwner } = node
    parent.removeChild(nameOf(path))
    this.#nodeCount -= 1
    if (ephemeralOwner !== noSession) this.#disownEphemeral(ephemeralOwner, path)
    if (isMortal(mode)) this.#mortals.delete(path)
  }

  #ownEphemeral(owner: SessionId, path: string): void {
    const owned = this.#ephemerals.get(owner)
    if (owned === undefined) this.#ephemerals.set(owner, new Set([path]))
    else owned.add(path)
  }

  #disownEphemeral(owner: SessionId, path: string): void {
    const owned = this.#ephemerals.get(owner)
    assert(owned?.has(path) === true, () => `${path} is not among the ephemeral nodes of its owner`)
    owned.delete(path)
    if (owned.size === 0) this.#ephemerals.delete(owner)
  }
}

/** The arrays in the record become the node's own. */
function restoredNode({ packed, longData, acl }: NodeRecord): Znode {
  return new Znode(longData === undefined ? packed : unpackNode(packed, longData), acl)
}

function* childPlaces({ path, node }: Place): Generator<Place, void, undefined> {
  for (const name of node.childNames()) {
    const child = node.child(name)
    assert(child !== undefined, () => `the tree changed while ${path} was walked`)
    yield { path: joinPath(path, name), node: child }
  }
}

function countDescendants(node: Znode): number {
  let count = 0
  const open = [node]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    count += next.numChildren
    for (const child of next.children()) open.push(child)
  }
  return count
}

function isMortal(mode: ZnodeFields['mode']): boolean {
  return mode === 'container' || mode === 'ttl'
}

function sizeOf(data: Uint8Array | undefined): number {
  return data?.length ?? 0
}

function sum(a: QuotaUsage, b: QuotaUsage): QuotaUsage {
  return { count: a.count + b.count, bytes: a.bytes + b.bytes }
}

function limitsIn({ data }: Znode): ReturnType<typeof parseLimits> {
  return parseLimits(new TextDecoder().decode(data))
}

/** Versions are 32 bits wide and step over -1, which stands for "any version". */
function nextVersion(version: number): number {
  return version === -2 ? 0 : (version + 1) | 0
}
