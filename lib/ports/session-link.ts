/**
 * The seam between a session as the application sees it (lib/api) and whoever hosts it (design D16): plain,
 * structured-clonable values in both directions. In process it is a direct call; a gateway, a worker thread or a remote
 * client feed the same seam.
 *
 * Contract: calls of one session are answered in the order in which they were made, each exactly once, unless cancelled.
 * Events come before the reply to whatever shows the change. Items are delivered one after the other, never inside `call`
 * of a write; what is delivered belongs to the receiver.
 */

import type { Operation, OperationResult } from '../core/tree/operation.ts'
import type { SessionId } from '../core/tree/session-id.ts'
import type { Stat } from '../core/tree/stat.ts'
import type { WatchEvent } from '../core/tree/watch-table.ts'
import type { Zxid } from '../core/zab/zxid.ts'
import type { ErrorCode } from '../errors.ts'

export type { WatchEvent }

/** `session`: the local replica, never older than what the session has seen. `linearizable`: everything acknowledged anywhere before. */
export type Consistency = 'session' | 'linearizable'

export type ReadOperation =
  | { readonly type: 'exists' | 'getData' | 'getChildren'; readonly path: string; readonly watch: boolean }
  | { readonly type: 'getAllChildrenNumber'; readonly path: string }
  | { readonly type: 'getEphemerals'; readonly prefix: string }

export type SessionCall =
  | { readonly kind: 'write'; readonly id: number; readonly operation: Operation }
  | { readonly kind: 'read'; readonly id: number; readonly read: ReadOperation; readonly consistency: Consistency }
  /** A quorum operation: what was acknowledged anywhere before is visible after. */
  | { readonly kind: 'sync'; readonly id: number }
  /** Answered once the replica has applied this zxid. */
  | { readonly kind: 'awaitZxid'; readonly id: number; readonly zxid: Zxid }
  /** The answer to this call is not wanted any more. What was sent may still happen. */
  | { readonly kind: 'cancel'; readonly id: number }

export type ReadResult =
  | { readonly type: 'stat'; readonly stat: Stat | undefined }
  | { readonly type: 'data'; readonly data: Uint8Array | undefined; readonly stat: Stat }
  | { readonly type: 'childNames'; readonly children: string[]; readonly stat: Stat }
  | { readonly type: 'count'; readonly count: number }
  | { readonly type: 'paths'; readonly paths: string[] }
  | { readonly type: 'done' }
  | {
      readonly type: 'error'
      readonly code: ErrorCode
      readonly path?: string | undefined
      readonly reason?: string | undefined
    }

export type CallResult = OperationResult | ReadResult

/** `suspended`: no quorum serves the session, but it lives. `lost`: it is over. `closed`: by its owner. */
export type SessionState = 'connected' | 'suspended' | 'lost' | 'closed'

export type SessionItem =
  /** `zxid`: through which the replica had applied the log when it answered. Never falls within a session. */
  | { readonly kind: 'reply'; readonly id: number; readonly result: CallResult; readonly zxid: Zxid }
  | { readonly kind: 'event'; readonly event: WatchEvent }
  | { readonly kind: 'state'; readonly state: SessionState; readonly reason: string }

export interface SessionOpening {
  readonly timeoutMs: number
  /** How long a call may wait while it cannot be answered. */
  readonly requestTimeoutMs: number
  /** Take this session over, wherever it is attached now, instead of opening one. */
  readonly attach?: SessionTicket | undefined
  /** Its owner is somewhere else: it is vouched for only when `touch` was called since the last time. Default: always. */
  readonly whenTouched?: boolean | undefined
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
  /** Its owner was heard of. Needed where the opening said `whenTouched`, without effect elsewhere. */
  touch(): void
  /** Lets go of the session without closing it: it is no longer vouched for. Idempotent. */
  abandon(): void
}

/** Opens sessions. The first item delivered is the state `connected`, or `lost`. */
export interface SessionDoor {
  open(opening: SessionOpening, deliver: (item: SessionItem) => void): SessionLink
}
