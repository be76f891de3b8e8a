/**
 * What the log says to the tree and what the tree answers: plain values, the same in the log, on the wire and in the
 * session link. Everything that decides a result is in here or in the replicated state, never in a local option.
 */
import type { ErrorCode } from '../../errors.ts'
import type { Zxid } from '../zab/zxid.ts'
import type { Acl, AclEntry, Identity } from './acl.ts'
import type { QuotaWarning } from './quota.ts'
import type { SessionId } from './session-id.ts'
import type { Stat } from './stat.ts'

/** ZooKeeper's seven create modes. */
export const createModes = [
  'persistent',
  'persistent-sequential',
  'ephemeral',
  'ephemeral-sequential',
  'container',
  'persistent-ttl',
  'persistent-sequential-ttl',
] as const
export type CreateMode = (typeof createModes)[number]

export type { AclEntry }

/** TTLs have 40 bits in ZooKeeper, milliseconds. */
export const ttlMsMax = 0xff_ffff_ffff

/** Matches every version of a node. */
export const anyVersion = -1

export interface CreateOperation {
  readonly type: 'create'
  readonly path: string
  /** `undefined` is ZooKeeper's null, which is not the same as empty. */
  readonly data: Uint8Array | undefined
  readonly mode: CreateMode
  /** `undefined`: open to everybody. */
  readonly acl?: readonly AclEntry[] | undefined
  readonly ttlMs?: number | undefined
  /** Create missing parents, as persistent nodes without data and with the same ACL. */
  readonly parents?: boolean | undefined
}

export interface DeleteOperation {
  readonly type: 'delete'
  readonly path: string
  readonly version: number
  /** Delete the descendants, too. */
  readonly recursive?: boolean | undefined
}

export interface SetDataOperation {
  readonly type: 'setData'
  readonly path: string
  readonly data: Uint8Array | undefined
  readonly version: number
}

export interface SetAclOperation {
  readonly type: 'setAcl'
  readonly path: string
  readonly acl: readonly AclEntry[]
  readonly version: number
}

export interface CheckOperation {
  readonly type: 'check'
  readonly path: string
  readonly version: number
}

/** What a multi may contain. */
export type SubOperation = CreateOperation | DeleteOperation | SetDataOperation | CheckOperation

export interface MultiOperation {
  readonly type: 'multi'
  readonly operations: readonly SubOperation[]
  /** Commit only while this node stands in the incarnation of this czxid; otherwise COORD_LOCK_LOST. */
  readonly ifHeld?: { readonly path: string; readonly czxid: Zxid } | undefined
}

/** Ends the session and deletes its ephemeral nodes; ordered with the session's other writes. */
export interface CloseSessionOperation {
  readonly type: 'closeSession'
}

/** Everything that a session can write. */
export type Operation = SubOperation | SetAclOperation | MultiOperation | CloseSessionOperation

/**
 * A write of a session. (session, generation, cxid) makes it exact (design D11): at apply an old generation gets
 * COORD_SESSION_MOVED, a cxid already done its stored result, the next one is evaluated, a later one is a gap.
 */
export interface WriteRequest {
  readonly type: 'write'
  readonly session: SessionId
  /** The attach generation of the session at which it was submitted. */
  readonly generation: number
  /** 1, 2, 3 … within the session. */
  readonly cxid: number
  /** Every cxid up to this one has been answered: its stored result may be dropped. */
  readonly answeredThrough: number
  readonly operation: Operation
  /** Whom the session was proven to be when it was sent; `undefined`: nobody in particular. */
  readonly identities?: readonly Identity[] | undefined
}

/** Opens a session under an id that the requester chose; asked again, it is the same session. */
export interface CreateSessionRequest {
  readonly type: 'createSession'
  readonly session: SessionId
  /** SHA-256 of the session's password: the tree never sees the password. */
  readonly passwordHash: Uint8Array
  readonly timeoutMs: number
}

/**
 * Attaches a session to another place. The requester numbers generations, each unlike any other requester's: a repeated
 * one returns its result, a lower one is void.
 */
export interface AttachSessionRequest {
  readonly type: 'attachSession'
  readonly session: SessionId
  readonly passwordHash: Uint8Array
  readonly timeoutMs: number
  readonly generation: number
}

/** Ends a session whose heartbeats stopped. Void after a re-attach (the generation differs). Proposed by leaders alone. */
export interface ExpireSessionRequest {
  readonly type: 'expireSession'
  readonly session: SessionId
  readonly generation: number
}

/** What concerns one session. */
export type SessionRequest = WriteRequest | CreateSessionRequest | AttachSessionRequest | ExpireSessionRequest

/**
 * Deletes a container without children or a node whose time to live is over, if it still is so where this is applied,
 * and still the node of this czxid. Proposed by leaders alone.
 */
export interface ReapRequest {
  readonly type: 'reap'
  readonly path: string
  readonly czxid: Zxid
}

/** What the log may ask of the tree. */
export type TreeRequest = SessionRequest | ReapRequest

/** The configuration changed: its text goes to `/zookeeper/config`. */
export interface PublishConfiguration {
  readonly type: 'publishConfiguration'
  readonly data: Uint8Array
}

/** What the leader stamped on a request: the whole context of its evaluation. */
export interface EntryStamp {
  readonly zxid: Zxid
  /** The leader's wall clock, milliseconds since 1970: for ctime and mtime alone. */
  readonly timeMs: number
  /** The log clock, milliseconds: leaders add their monotonic elapsed time. For everything that ages. */
  readonly clockMs: number
}

export interface CreateResult {
  readonly type: 'create'
  /** The real path, with its sequence suffix. */
  readonly path: string
  readonly stat: Stat
}
export interface StatResult {
  readonly type: 'setData' | 'setAcl'
  readonly stat: Stat
}
export interface EmptyResult {
  readonly type: 'delete' | 'check' | 'closeSession'
}
export interface ErrorResult {
  readonly type: 'error'
  readonly code: ErrorCode
  readonly path?: string | undefined
  /** In a failed multi: which operation failed first. */
  readonly index?: number | undefined
  /** In a failed multi: ZooKeeper's list of results, one per operation. */
  readonly results?: readonly SubResult[] | undefined
}
export interface MultiResult {
  readonly type: 'multi'
  readonly results: readonly SubResult[]
}
/** Of an operation before the failing one in a failed multi: it would have succeeded. */
export interface RolledBackResult {
  readonly type: 'rolledBack'
}
export type SubResult = CreateResult | StatResult | EmptyResult | RolledBackResult | ErrorResult
export type OperationResult = CreateResult | StatResult | EmptyResult | MultiResult | ErrorResult

/** What the tree answers to a request of the log. */
export type RequestResult =
  | OperationResult
  /** Of createSession and attachSession: the session as it now stands; `nextCxid` is the one that is evaluated next. */
  | { readonly type: 'attached'; readonly generation: number; readonly timeoutMs: number; readonly nextCxid: number }
  /** The write came out of order: not recorded; its host sends the ones before it first. */
  | { readonly type: 'gap'; readonly nextCxid: number }
  /** An expiry that came too late, or of a session that is gone; a node that is not to be reaped any more. */
  | { readonly type: 'void' }

/** A change of one node, in the order in which it fires watches (watch-table.ts). */
export interface TreeChange {
  readonly type: 'created' | 'changed' | 'deleted'
  readonly path: string
  /** As it is after the change; of a deleted node, as it was. */
  readonly acl: Acl
  /** Whoever may not read the parent does not hear that its children changed. */
  readonly parentAcl: Acl
  /** Of a created or changed node: what it holds now. The tree's own array. */
  readonly data: Uint8Array | undefined
}

/** Everything that came of one entry. */
export interface Applied {
  readonly stamp: EntryStamp
  readonly request: TreeRequest | PublishConfiguration
  readonly result: RequestResult
  readonly changes: readonly TreeChange[]
  /** Soft quotas that the entry went over. */
  readonly warnings: readonly QuotaWarning[]
  /** The session that this entry ended, by closing or expiry. */
  readonly endedSession: SessionId | undefined
}

/** What entries came to (history-digest.ts): two whole numbers below 2³². */
export interface HistoryDigest {
  readonly left: number
  readonly right: number
}

/** One record of a snapshot of the replicated state. A snapshot is a list: header, sessions, nodes parent first. */
export type SnapshotRecord =
  | {
      readonly kind: 'header'
      readonly zxid: Zxid
      readonly clockMs: number
      readonly version: number
      /** Of the entries through that zxid; not in snapshots that were written without. */
      readonly history?: HistoryDigest | undefined
    }
  | {
      readonly kind: 'session'
      readonly session: SessionId
      readonly passwordHash: Uint8Array
      readonly timeoutMs: number
      readonly generation: number
      readonly lastCxid: number
      /** Results not yet known to be answered, oldest first; the last one is of `lastCxid`. */
      readonly results: readonly { readonly cxid: number; readonly result: OperationResult }[]
    }
  | {
      readonly kind: 'node'
      readonly path: string
      /** Its fields and its value: `unpackNode` (packed-node.ts) tells them. */
      readonly packed: string
      /** The value, if it is too long to be packed. */
      readonly longData: Uint8Array | undefined
      readonly acl: readonly AclEntry[] | undefined
    }
