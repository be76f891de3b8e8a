/**
 * Everything that can happen to a member, as values: the whole interface from the world into the core.
 */
import type { TreeRequest } from './tree/operation.ts'
import type { SessionId } from './tree/session-id.ts'
import type { MemberId, MemberRecord } from './zab/configuration.ts'
import type { MembershipRequest } from './zab/membership-request.ts'
import type { Message } from './zab/message.ts'

export type Input =
  /** A proven link to another process is up; its frames follow. */
  | { readonly type: 'linkUp'; readonly peer: MemberRecord }
  | { readonly type: 'linkDown'; readonly id: MemberId }
  | { readonly type: 'message'; readonly from: MemberId; readonly message: Message }
  /** The write with this token is durable. Completions come in the order in which the writes left. */
  | { readonly type: 'persisted'; readonly token: number }
  /** Time has passed: wanted at `peer.deadline`, after pending input was read. `lateMs`: how long after it. */
  | { readonly type: 'tick'; readonly lateMs: number }
  /** The end of a turn: everything that arrived together was handed in. */
  | { readonly type: 'flush' }
  /** Writes of the sessions that this member hosts, in order. Dropped unless the member serves: the host sends them again. */
  | { readonly type: 'request'; readonly requests: readonly TreeRequest[] }
  /** Wants a zxid at which everything acknowledged before now is visible: `readReady`. Dropped unless the member serves. */
  | { readonly type: 'readIndex'; readonly id: number }
  /** These hosted sessions are alive: `heartbeatConfirmed`. Dropped unless the member serves. */
  | { readonly type: 'heartbeat'; readonly id: number; readonly sessions: readonly SessionId[] }
  /** The answer to `probe`. */
  | { readonly type: 'probed'; readonly id: MemberId; readonly reached: boolean }
  /** Wants something of the configuration: `membershipReply`. Dropped unless the member serves: ask again in the next term. */
  | { readonly type: 'membership'; readonly id: number; readonly request: MembershipRequest }
  /** Hand leadership over, if leading: the member is about to stop. */
  | { readonly type: 'stepDown' }
  /** The member stops now: the others are told. */
  | { readonly type: 'farewell' }

/** When an input came. */
export interface Instant {
  /** Monotonic milliseconds. */
  readonly now: number
  /** Wall clock, milliseconds since 1970. */
  readonly wallMs: number
}
