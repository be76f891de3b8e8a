/**
 * One node of the tree. There may be a million of them, so a node knows neither its name nor its parent (the walk to
 * it knows both), has its map of children only while it has children, and rests packed (packed-node.ts): only those
 * that changed of late hold their fields as an object.
 *
 * `creates` is ZooKeeper's persisted cversion: it counts created children alone and numbers sequential ones. The
 * cversion that a stat shows counts deletions, too, and is derived.
 *
 * The tree alone writes to a node (data-tree.ts), so that every change can be undone.
 */
import type { Zxid } from '../zab/zxid.ts'
import type { Acl } from './acl.ts'
import type { SnapshotRecord } from './operation.ts'
import {
  isPackable,
  packedData,
  packedDataLength,
  packNode,
  unpackFields,
  unpackNode,
  type ZnodeFields,
} from './packed-node.ts'
import type { SessionId } from './session-id.ts'
import type { Stat } from './stat.ts'

/** A node as snapshots hold it. */
export type NodeRecord = Extract<SnapshotRecord, { kind: 'node' }>

const noChildren: ReadonlyMap<string, Znode> = new Map()

export class Znode {
  acl: Acl
  /** The number of the last freeze of the state that is done with this node (frozen-state.ts). */
  frozen = 0
  #fields: ZnodeFields | string
  #children: Map<string, Znode> | undefined

  /** `fields`: as they are, or packed. */
  constructor(fields: ZnodeFields | string, acl: Acl) {
    this.acl = acl
    this.#fields = fields
    this.#children = undefined
  }

  get isPacked(): boolean {
    return typeof this.#fields === 'string'
  }

  /** To be changed in place. */
  unpack(): ZnodeFields {
    if (typeof this.#fields === 'string') this.#fields = unpackNode(this.#fields)
    return this.#fields
  }

  /** Does nothing to a node whose value is too long. */
  pack(): void {
    if (typeof this.#fields !== 'string' && isPackable(this.#fields.data)) this.#fields = packNode(this.#fields)
  }

  /** A packed node makes a new array each time; any other gives its own. */
  get data(): Uint8Array | undefined {
    return typeof this.#fields === 'string' ? packedData(this.#fields) : this.#fields.data
  }

  get dataLength(): number {
    return typeof this.#fields === 'string' ? packedDataLength(this.#fields) : (this.#fields.data?.length ?? 0)
  }

  /** All but the data. */
  get #seen(): Readonly<ZnodeFields> {
    return typeof this.#fields === 'string' ? unpackFields(this.#fields) : this.#fields
  }

  get mode(): ZnodeFields['mode'] {
    return this.#seen.mode
  }

  get ttlMs(): number {
    return this.#seen.ttlMs
  }

  get ephemeralOwner(): SessionId {
    return this.#seen.ephemeralOwner
  }

  get czxid(): Zxid {
    return this.#seen.czxid
  }

  get mzxid(): Zxid {
    return this.#seen.mzxid
  }

  get pzxid(): Zxid {
    return this.#seen.pzxid
  }

  get touchedClockMs(): number {
    return this.#seen.touchedClockMs
  }

  get version(): number {
    return this.#seen.version
  }

  get creates(): number {
    return this.#seen.creates
  }

  get aversion(): number {
    return this.#seen.aversion
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
    const { czxid, mzxid, pzxid, ctime, mtime, version, creates, aversion, ephemeralOwner } = this.#seen
    return {
      czxid,
      mzxid,
      pzxid,
      ctime,
      mtime,
      version,
      cversion: 2 * creates - this.numChildren,
      aversion,
      ephemeralOwner,
      dataLength: this.dataLength,
      numChildren: this.numChildren,
    }
  }

  record(path: string): NodeRecord {
    const { acl } = this
    const fields = this.#fields
    if (typeof fields === 'string') return { kind: 'node', path, packed: fields, longData: undefined, acl }
    const longData = isPackable(fields.data) ? undefined : fields.data
    return { kind: 'node', path, packed: packNode(fields), longData, acl }
  }
}
