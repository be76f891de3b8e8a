/**
 * One node of the tree. There may be a million of them, so a node knows neither its name nor its parent (the walk to
 * it knows both), has its map of children only while it has children, and shares every constant.
 *
 * `creates` is ZooKeeper's persisted cversion: it counts created children alone and numbers sequential ones. The
 * cversion that a stat shows counts deletions, too, and is derived.
 *
 * The tree alone writes to a node (data-tree.ts), so that every change can be undone.
 */
import type { Zxid } from '../zab/zxid.ts'
import type { Acl } from './acl.ts'
import type { SnapshotRecord } from './operation.ts'
import type { SessionId } from './session-id.ts'
import type { Stat } from './stat.ts'

/** A node as snapshots hold it. */
export type NodeRecord = Extract<SnapshotRecord, { kind: 'node' }>

/** Everything of a node but its children. */
export type ZnodeFields = Omit<NodeRecord, 'kind' | 'path'>

const noChildren: ReadonlyMap<string, Znode> = new Map()

export class Znode {
  data: Uint8Array | undefined
  acl: Acl
  readonly mode: NodeRecord['mode']
  readonly ttlMs: number
  readonly ephemeralOwner: SessionId
  readonly czxid: Zxid
  mzxid: Zxid
  pzxid: Zxid
  readonly ctime: number
  mtime: number
  touchedClockMs: number
  version: number
  creates: number
  aversion: number
  /** The number of the last freeze of the state that is done with this node (frozen-state.ts). */
  frozen = 0
  #children: Map<string, Znode> | undefined

  constructor(fields: ZnodeFields) {
    this.data = fields.data
    this.acl = fields.acl
    this.mode = fields.mode
    this.ttlMs = fields.ttlMs
    this.ephemeralOwner = fields.ephemeralOwner
    this.czxid = fields.czxid
    // Equal ones are one value: a node that is read from a snapshot comes with three.
    this.mzxid = fields.mzxid === fields.czxid ? fields.czxid : fields.mzxid
    this.pzxid = fields.pzxid === fields.czxid ? fields.czxid : fields.pzxid
    this.ctime = fields.ctime
    this.mtime = fields.mtime
    this.touchedClockMs = fields.touchedClockMs
    this.version = fields.version
    this.creates = fields.creates
    this.aversion = fields.aversion
    this.#children = undefined
  }

  get numChildren(): number {
    return this.#children?.size ?? 0
  }

  child(name: string): Znode | undefined {
    return this.#children?.get(name)
  }

  /** In no particular order: what is counted or collected over them must not depend on it. */
  children(): Iterable<Znode> {
    return this.#children?.values() ?? []
  }

  /** In no particular order, and as they are when each is reached. */
  entries(): IterableIterator<readonly [name: string, child: Znode]> {
    return (this.#children ?? noChildren).entries()
  }

  /** Sorted by code unit, so that every member lists them alike. */
  childNames(): string[] {
    return this.#children === undefined ? [] : [...this.#children.keys()].sort()
  }

  addChild(name: string, child: Znode): void {
    this.#children ??= new Map()
    this.#children.set(name, child)
  }

  removeChild(name: string): void {
    this.#children?.delete(name)
    if (this.#children?.size === 0) this.#children = undefined
  }

  stat(): Stat {
    return {
      czxid: this.czxid,
      mzxid: this.mzxid,
      pzxid: this.pzxid,
      ctime: this.ctime,
      mtime: this.mtime,
      version: this.version,
      cversion: 2 * this.creates - this.numChildren,
      aversion: this.aversion,
      ephemeralOwner: this.ephemeralOwner,
      dataLength: this.data?.length ?? 0,
      numChildren: this.numChildren,
    }
  }

  record(path: string): NodeRecord {
    return {
      kind: 'node',
      path,
      data: this.data,
      acl: this.acl,
      mode: this.mode,
      ttlMs: this.ttlMs,
      czxid: this.czxid,
      mzxid: this.mzxid,
      pzxid: this.pzxid,
      ctime: this.ctime,
      mtime: this.mtime,
      version: this.version,
      creates: this.creates,
      aversion: this.aversion,
      ephemeralOwner: this.ephemeralOwner,
      touchedClockMs: this.touchedClockMs,
    }
  }
}
