/**
 * What members say to each other: one interface, from type to fields; `peer.ts` has a handler for each type in each
 * role. Links are FIFO and new after each loss (design D12), so a message needs no round number: it is of this link.
 *
 * The walk of a term, in the order of the Zab paper (Junqueira, Reed, Serafini, DSN 2011) with ZooKeeper's names:
 * election      notification
 * discovery     followerInfo (CEPOCH) → newEpoch (NEWEPOCH) → ackEpoch (ACK-E)
 * synchronization  diff | trunc | snapshot…, propose… , newLeader (NEWLEADER) → ackNewLeader (ACK-LD) → upToDate (COMMIT-LD)
 * broadcast     propose → ack, commit; ping → pong; request, readIndex, heartbeat
 */
import type { SnapshotRecord } from '../tree/operation.ts'
import type { SessionId } from '../tree/session-id.ts'
import type { Batch, LogRequest } from './batch.ts'
import type { LoggedConfiguration, MemberId, MemberRecord } from './configuration.ts'
import type { Zxid } from './zxid.ts'

/** What a member is, in the order of becoming: see founding.ts. */
export const presenceStates = ['blank', 'prepared', 'founded', 'member'] as const
export type PresenceState = (typeof presenceStates)[number]

export interface MessageMap {
  /** Which ensemble the sender belongs to, if any. The first message on every link, and again when it changes. */
  presence: {
    readonly state: PresenceState
    /** Of the prepared, founded or joined ensemble; empty while blank. */
    readonly cluster: string
    /** The sender's list of founders, sorted; empty where it has none. */
    readonly founders: readonly string[]
    /** The highest epoch that the sender ever promised: a founding begins above it. */
    readonly acceptedEpoch: number
  }
  /** Founding, second step: persist this ensemble-to-be and take part in nothing else. */
  prepare: { readonly cluster: string; readonly epoch: number; readonly members: readonly MemberRecord[] }
  prepared: { readonly cluster: string }
  /** Final for this attempt. */
  refusePrepare: { readonly cluster: string; readonly reason: string }
  abandonPrepare: { readonly cluster: string }
  /** Founding, third step: valid once all have prepared. */
  found: { readonly cluster: string }

  /** What the sender is doing, and its credentials as a leader. On every new link, and whenever it changes. */
  notification: {
    readonly role: 'looking' | 'following' | 'leading'
    readonly currentEpoch: number
    readonly lastZxid: Zxid
    /** While looking: whether the sender reaches a quorum of lookers and may be voted for. */
    readonly electable: boolean
    /** Whom the sender leads or follows, and in which epoch once that leader is established (else 0). */
    readonly leader: MemberRecord | undefined
    readonly epoch: number
  }

  /** "I take you for the leader": CEPOCH. `attempt` tells the answers to this one from those to an earlier one. */
  followerInfo: {
    readonly attempt: number
    readonly acceptedEpoch: number
    readonly acceptedFrom: MemberId | undefined
  }
  newEpoch: { readonly attempt: number; readonly epoch: number }
  ackEpoch: { readonly epoch: number; readonly currentEpoch: number; readonly lastZxid: Zxid }
  /** The leader will not have the sender: why, for people, and as an error code. */
  refuse: { readonly code: 'COORD_NAME_IN_USE'; readonly reason: string }

  /** The follower's log is a prefix of the leader's. */
  diff: { readonly after: Zxid }
  /** The follower cuts its log here. */
  trunc: { readonly after: Zxid }
  /** The leader's state at a zxid follows in chunks. */
  snapshot: { readonly zxid: Zxid; readonly configurations: readonly LoggedConfiguration[] }
  snapshotChunk: { readonly index: number; readonly records: readonly SnapshotRecord[] }
  snapshotEnd: { readonly chunks: number }
  /** The follower could not do what diff or trunc asked: it wants a snapshot. */
  wantSnapshot: { readonly epoch: number }
  newLeader: { readonly epoch: number; readonly lastZxid: Zxid }
  ackNewLeader: { readonly epoch: number; readonly lastZxid: Zxid }
  upToDate: { readonly epoch: number; readonly committed: Zxid }

  propose: { readonly batch: Batch; readonly committed: Zxid }
  /** The sender's log is durable through here. */
  ack: { readonly lastZxid: Zxid }
  commit: { readonly committed: Zxid }
  /** Heartbeat of the leader; `round` is what linearizable reads and confirmed heartbeats wait for. */
  ping: { readonly round: number; readonly committed: Zxid }
  pong: { readonly round: number }
  /** Writes of the sender's sessions, in order. */
  request: { readonly requests: readonly LogRequest[] }
  /** Asks for a zxid at which everything acknowledged anywhere before now is visible. */
  readIndex: { readonly id: number }
  readIndexReply: { readonly id: number; readonly zxid: Zxid }
  /** The sender vouches for these sessions. */
  heartbeat: { readonly id: number; readonly sessions: readonly SessionId[] }
  /** Confirmed by a quorum (design D9), but for the sessions whose end is in the log. */
  heartbeatReply: { readonly id: number; readonly ended: readonly SessionId[] }
}

export type MessageType = keyof MessageMap
/** The messages of some types; of all, by default. */
export type MessageOf<K extends MessageType = MessageType> = { [P in K]: { readonly type: P } & MessageMap[P] }[K]
export type Message = MessageOf
