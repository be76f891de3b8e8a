/**
 * Builds a state from the records of a snapshot, one by one. The records come from a disk or a peer, so each is checked
 * against those before it: the header first, then the sessions, then the nodes, parents first. What does not fit is COORD_STORE_DAMAGED.
 *
 * The arrays in the records belong to the state from then on.
 */
import { unreachable } from '../../errors.ts'
import type { Zxid } from '../zab/zxid.ts'
import { DataTree } from './data-tree.ts'
import type { HistoryDigest, SnapshotRecord } from './operation.ts'
import { requirePacked, unpackFields, type ZnodeFields } from './packed-node.ts'
import { noSession } from './session-id.ts'
import { type SessionRecord, SessionTable } from './sessions.ts'
import { requireIntact, snapshotVersion } from './snapshot.ts'
import type { NodeRecord } from './znode.ts'

/** What a snapshot holds. */
export interface RestoredState {
  readonly tree: DataTree
  readonly sessions: SessionTable
  readonly lastZxid: Zxid
  readonly clockMs: number
  /** Of the entries before; where it is not known, undefined. */
  readonly history: HistoryDigest | undefined
}

type Header = Extract<SnapshotRecord, { kind: 'header' }>

export class Restoration {
  readonly #sessions = new SessionTable()
  #header: Header | undefined
  /** There from the first node record on. */
  #tree: DataTree | undefined

  add(record: SnapshotRecord): void {
    switch (record.kind) {
      case 'header':
        this.#addHeader(record)
        break
      case 'session':
        this.#addSession(record)
        break
      case 'node':
        this.#addNode(record)
        break
      default:
        unreachable(record)
    }
  }

  finish(): RestoredState {
    const tree = this.#tree
    requireIntact(this.#header !== undefined && tree !== undefined, 'it ends before the first node')
    for (const { path } of new DataTree().walk('/')) {
      requireIntact(tree.find(path) !== undefined, () => `${path} is missing`)
    }
    tree.recountQuotas()
    const { zxid: lastZxid, clockMs, history } = this.#header
    return { tree, sessions: this.#sessions, lastZxid, clockMs, history }
  }

  #addHeader(header: Header): void {
    requireIntact(this.#header === undefined, 'a second header')
    requireIntact(header.version === snapshotVersion, () => `version ${header.version} is not known here`)
    this.#header = header
  }

  #addSession(record: SessionRecord): void {
    requireIntact(this.#header !== undefined && this.#tree === undefined, 'a session out of place')
    this.#sessions.restore(record)
  }

  #addNode(record: NodeRecord): void {
    requireIntact(this.#header !== undefined, 'a node before the header')
    const { path, packed, longData } = record
    requirePacked(packed, longData, path)
    const fields = unpackFields(packed)
    this.#checkFields(fields, path, this.#header)
    if (this.#tree === undefined) this.#tree = treeWithRoot(record)
    else this.#tree.restore(record, fields)
  }

  #checkFields(fields: ZnodeFields, path: string, header: Header): void {
    const { mode, czxid, mzxid, pzxid, ephemeralOwner } = fields
    requireIntact(czxid <= mzxid && czxid <= pzxid, () => `${path} was changed before it was created`)
    requireIntact(mzxid <= header.zxid && pzxid <= header.zxid, () => `${path} is of the future`)
    requireIntact((mode === 'ephemeral') === (ephemeralOwner !== noSession), () => `${path} has the wrong mode`)
    const owned = ephemeralOwner === noSession || this.#sessions.get(ephemeralOwner) !== undefined
    requireIntact(owned, () => `the owner of ${path} is gone`)
  }
}

function treeWithRoot(record: NodeRecord): DataTree {
  requireIntact(record.path === '/', 'the first node is not the root')
  return new DataTree(record)
}
