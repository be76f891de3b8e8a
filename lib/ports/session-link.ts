/**
 * The seam between a session as the application sees it (lib/api) and whoever hosts it (design D16): plain,
 * structured-clonable values in both directions. In process it is a direct call; a gateway, a worker thread or a remote
 * client feed the same seam.
 *
 * Contract: calls of one session are answered in the order in which they were made, each exactly once, unless cancelled;
 * out of that order come the refusals that need no turn: COORD_THROTTLED, a call whose time is over, a session that is.
 * Events come before the reply to whatever shows the change. Items are delivered one after the other, never inside `call`
 * of a write; what is delivered belongs to the receiver.
 */

import type { AclEntry, Identity } from '../core/tree/acl.ts'
import type { Operation, OperationResult } from '../core/tree/operation.ts'
import type { SessionId } from '../core/tree/session-id.ts'
import type { Stat } from '../core/tree/stat.ts'
import type { PersistentWatchKind, WatchEvent, WatchKind, WatchRegistrations } from '../core/tree/watch-table.ts'
import type { Zxid } from '../core/zab/zxid.ts'
import type { ErrorCode } from '../errors.ts'

export type { AclEntry, Identity, PersistentWatchKind, WatchEvent, WatchKind, WatchRegistrations }

/** `session`: the local replica, never older than what the session has seen. `linearizable`: everything acknowledged anywhere before. */
export type Consistency = 'session' | 'linearizable'

/** A read of one node's data, children or existence: alone, or one of several that see the same state. */
export interface NodeRead {
  readonly type: 'exists' | 'getData' | 'getChildren'
  readonly path: string
  /** Of `getChildren`: only names that sort behind this one. */
  readonly after?: string | undefined
  /** Of `getChildren`: so many names at the most. */
  readonly limit?: number | undefined
}

export type ReadOperation =
  | (NodeRead & { readonly watch: boolean })
  | { readonly type: 'getAllChildrenNumber'; readonly path: string }
  | { readonly type: 'getEphemerals'; readonly prefix: string }
  | { readonly type: 'getAcl'; readonly path: string }
  /** What the stat does not show of a container or a node with a time to live. */
  | { readonly type: 'getMode'; readonly path: string }
  | { readonly type: 'multiRead'; readonly reads: readonly NodeRead[] }
  /** Reads that were made one by one, and wait for their turn together: each counts as a call. Where there is `readNow`. */
  | { readonly type: 'reads'; readonly reads: readonly NodeRead[] }
  /** Whom the session was proven to be. */
  | { readonly type: 'whoAmI' }
  | { readonly type: 'addWatch'; readonly path: string; readonly kind: PersistentWatchKind }
  /** Fails with COORD_NO_WATCHER where there is none of these. */
  | { readonly type: 'removeWatches' | 'checkWatches'; readonly path: string; readonly kinds: readonly WatchKind[] }
  /** Takes up watches that the session had elsewhere, when it had seen everything through `seen` (WA-9). */
  | { readonly type: 'resumeWatches'; readonly seen: Zxid; readonly watched: WatchRegistrations }
  /** Opens a stream of events under a number of the session's choice; they come as `stream` items, each asked for by a `pull`. */
  | ({ readonly type: 'openStream'; readonly stream: number } & StreamRequest)

export interface StreamRequest {
  readonly path: string
  /** Everything below, too. */
  readonly recursive: boolean
  readonly includeData: boolean
  /** Go on behind this zxid; `undefined`: begin by stating what exists. */
  readonly from: Zxid | undefined
}

export type StreamEvent =
  | (WatchEvent & { readonly data?: Uint8Array | undefined })
  /** What happened since could not be told any more: what exists is stated anew. */
  | { readonly type: 'gap'; readonly zxid: Zxid }
  /** Everything that exists has been stated; what was not is gone. */
  | { readonly type: 'synced'; readonly zxid: Zxid }

export type SessionCall =
  | { readonly kind: 'write'; readonly id: number; readonly operation: Operation }
  | {
      readonly kind: 'read'
      readonly id: number
      readonly read: ReadOperation
      readonly consistency: Consistency
      /** Waits as long as the session lives. */
      readonly patient?: boolean | undefined
    }
  /** A quorum operation: what was acknowledged anywhere before is visible after. */
  | { readonly kind: 'sync'; readonly id: number }
  /** Answered once the replica has applied this zxid. */
  | { readonly kind: 'awaitZxid'; readonly id: number; readonly zxid: Zxid }
  /** Proves who the session is; calls made after it are made as that. */
  | {
      readonly kind: 'auth'
      readonly id: number
      readonly scheme: string
      readonly credentials: Uint8Array
      /** Waits as long as the session lives. */
      readonly patient?: boolean | undefined
    }
  /** The answer to this call is not wanted any more. What was sent may still happen. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** Wants the next events of a stream, once there are any. Not answered. */
  | { readonly kind: 'pull'; readonly id: number }
  /** Wants no more events of a stream. Not answered. */
  | { readonly kind: 'closeStream'; readonly id: number }

/** What a node is, sequential or not. */
export type NodeMode = 'persistent' | 'ephemeral' | 'container' | 'ttl'

export type ReadResult =
  | { readonly type: 'stat'; readonly stat: Stat | undefined }
  | { readonly type: 'data'; readonly data: Uint8Array | undefined; readonly stat: Stat }
  | { readonly type: 'childNames'; readonly children: string[]; readonly stat: Stat }
  | { readonly type: 'count'; readonly count: number }
  | { readonly type: 'paths'; readonly paths: string[] }
  | { readonly type: 'acl'; readonly acl: readonly AclEntry[]; readonly stat: Stat }
  | { readonly type: 'mode'; readonly mode: NodeMode; readonly ttlMs: number | undefined; readonly stat: Stat }
  | { readonly type: 'reads'; readonly results: readonly NodeReadResult[] }
  | { readonly type: 'identities'; readonly identities: readonly Identity[] }
  | { readonly type: 'done' }
  | {
      readonly type: 'error'
      readonly code: ErrorCode
      readonly path?: string | undefined
      readonly reason?: string | undefined
    }

/** Of one read among several. */
export type NodeReadResult = Extract<ReadResult, { type: 'stat' | 'data' | 'childNames' | 'error' }>

export type CallResult = OperationResult | ReadResult

/** `suspended`: no quorum serves the session, but it lives. `lost`: it is over. `closed`: by its owner. */
export type SessionState = 'connected' | 'suspended' | 'lost' | 'closed'

/** Why a session was lost. */
export interface SessionLoss {
  /**
   * - `stall`: its process stood still (a blocked event loop, a long collection, SIGSTOP, a suspended host)
   * - `partition`: no quorum served its member, or none answered it
   * - `expired`: the leader did not hear of it in time, although neither of these was seen here; or an operator ended it
   * - `takenOver`: it was attached elsewhere
   * - `unknown`: there was no such session to take over, or the password was wrong
   * - `majorityLost`: its ensemble lost its memory, and with it the session
   * - `stopped`: its member has stopped
   * - `abandoned`: whoever had it let go of it
   */
  readonly cause: 'stall' | 'partition' | 'expired' | 'takenOver' | 'unknown' | 'majorityLost' | 'stopped' | 'abandoned'
  /** `leader`: by an entry in the log. `host`: by its member, which could no longer be sure of it. */
  readonly by: 'leader' | 'host'
  /** How long the process stood still, or no quorum served it, as far as known. Milliseconds. */
  readonly durationMs: number | undefined
}

export type SessionItem =
  /** `zxid`: through which the replica had applied the log when it answered. Never falls within a session. */
  | { readonly kind: 'reply'; readonly id: number; readonly result: CallResult; readonly zxid: Zxid }
  | { readonly kind: 'event'; readonly event: WatchEvent }
  /** Of a stream: some events, in order. Everything `through` a zxid is told with them, unless what exists is being stated. */
  | {
      readonly kind: 'stream'
      readonly stream: number
      readonly events: readonly StreamEvent[]
      readonly through: Zxid
    }
  /** `seen`: through which zxid the session had heard of everything then. `loss`: of a session of our own that was lost. */
  | {
      readonly kind: 'state'
      readonly state: SessionState
      readonly reason: string
      readonly seen: Zxid
      readonly loss?: SessionLoss | undefined
    }

export interface SessionOpening {
  readonly timeoutMs: number
  /** How long a call may wait while it cannot be answered. */
  readonly requestTimeoutMs: number
  /** Take this session over, wherever it is attached now, instead of opening one. */
  readonly attach?: SessionTicket | undefined
  /** Its owner is somewhere else: it is vouched for only when `touch` was called since the last time. Default: always. */
  readonly whenTouched?: boolean | undefined
  /** Where the requester is, as its socket says: an identity of the scheme `ip`. */
  readonly address?: string | undefined
  /** Answer reads from the replica, however old, while no quorum serves it. */
  readonly readOnly?: boolean | undefined
  /** Who has this id of the digest scheme is a superuser, beside whoever the member says. */
  readonly superDigest?: string | undefined
}

/** What proves that a session is one's own. */
export interface SessionTicket {
  readonly id: bigint
  readonly password: Uint8Array
}

export interface SessionLink {
  readonly id: SessionId
  readonly password: Uint8Array
  readonly timeoutMs: number
  call(call: SessionCall): void
  /**
   * What a read with the consistency `session` gives, if its turn is now: every call before it is answered, and the
   * replica serves. Else `undefined`: make a call of it. Data in it may be the replica's own: not to be changed or kept.
   */
  readNow?(read: NodeRead): NodeReadResult | undefined
  /**
   * Until when the ensemble certainly has not given the session up (design D9), by the clock that the session was opened
   * with: monotonic milliseconds. Without it, as long as the session lives.
   */
  readonly confirmedUntil?: number
  /** Its owner was heard of. Needed where the opening said `whenTouched`, without effect elsewhere. */
  touch(): void
  /** Lets go of the session without closing it: it is no longer vouched for. Idempotent. */
  abandon(): void
}

/** Opens sessions. The first item delivered is the state `connected`, or `lost`. */
export interface SessionDoor {
  open(opening: SessionOpening, deliver: (item: SessionItem) => void): SessionLink
}
