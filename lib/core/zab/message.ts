/**
 * What members say to each other: one interface, from type to fields; `peer.ts` has a handler for each type in each
 * role. Links are FIFO and new after each loss (design D12), so a message needs no round number: it is of this link.
 *
 * The walk of a term, in the order of the Zab paper (Junqueira, Reed, Serafini, DSN 2011) with ZooKeeper's names:
 * election      notification
 * discovery     followerInfo (CEPOCH) → newEpoch (NEWEPOCH) → ackEpoch (ACK-E)
 * synchronization  diff | trunc | snapshot… (⇄ snapshotAck), propose… , newLeader (NEWLEADER) → ackNewLeader (ACK-LD) → upToDate (COMMIT-LD)
 * broadcast     propose → ack, commit; ping → pong; request, readIndex, heartbeat
 */
import type { HistoryDigest, SnapshotRecord } from '../tree/operation.ts'
import type { SessionId } from '../tree/session-id.ts'
import type { Batch, Parcel } from './batch.ts'
import type { LoggedConfiguration, MemberId, MemberRecord } from './configuration.ts'
import type { Mark, MarkOf } from './marks.ts'
import type { MembershipOutcome, MembershipRequest } from './membership-request.ts'
import type { Zxid } from './zxid.ts'

/** Why a leader does not have a member. */
export const refusalCodes = ['COORD_NAME_IN_USE', 'COORD_REMOVED', 'COORD_PROTOCOL'] as const
export type RefusalCode = (typeof refusalCodes)[number]

/** An ensemble in the founding: what `prepare` asks a founder to remember (founding.ts). */
export interface Preparation {
  readonly cluster: string
  readonly epoch: number
  /** When, by the coordinator's wall clock, milliseconds. */
  readonly wallMs: number
  readonly members: readonly MemberRecord[]
  /** How many voters the ensemble wants, and the level of its state machine. */
  readonly seats: number
  readonly features: number
}

/**
 * What a member is, in the order of becoming: see founding.ts. Who is `joining` belongs to an ensemble and holds nothing of it
 * yet; only others need to be told that apart from a `member`.
 */
export const presenceStates = ['blank', 'prepared', 'founded', 'joining', 'member'] as const
export type PresenceState = (typeof presenceStates)[number]

/** What a member wants to be: `auto` and `voter` take a seat, `voter` first; who is `leaving` takes none any more. */
export const wishes = ['auto', 'voter', 'observer', 'leaving'] as const
export type Wish = (typeof wishes)[number]

/** Whether what a member evaluates may be served (divergence.ts). */
export const standings = ['sound', 'doubtful', 'diverged'] as const
export type Standing = (typeof standings)[number]

/** What a member says of its state. */
export interface Replica {
  /** The last entry that it applied. */
  readonly zxid: Zxid
  /** What the entries through that one came to; where that is not known, undefined. */
  readonly history: HistoryDigest | undefined
  readonly standing: Standing
}

export interface MessageMap {
  /** Which ensemble the sender belongs to, if any. The first message on every link, and again when it changes. */
  presence: {
    readonly state: PresenceState
    /** Of the prepared, founded or joined ensemble; empty while blank. */
    readonly cluster: string
    /** When that ensemble was founded: of two with one list of founders, the later one is in force. */
    readonly since: number
    /** The sender's own list of founders, sorted; empty where it has none. */
    readonly founders: readonly string[]
    /** The highest epoch that the sender ever promised: a founding begins above it. */
    readonly acceptedEpoch: number
    /** The highest level of the state machine that the sender knows (features.ts). */
    readonly features: number
    /** Too many voters came back without their memory: no quorum is left (memory-loss.ts). */
    readonly majorityLost: boolean
    /** Of a blank founder that was given a snapshot to found with: which one (founding.ts). */
    readonly restores: string | undefined
  }
  /** Founding, second step: persist this ensemble-to-be and take part in nothing else. */
  prepare: Preparation
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
    /** In the first one on a link: what the receiver once acknowledged, as far as the sender knows. */
    readonly mark: Mark | undefined
    /** Of a candidate whose state is not that of the others (divergence.ts). */
    readonly isDiverged?: boolean | undefined
  }

  /** "I take you for the leader": CEPOCH. `attempt` tells the answers to this one from those to an earlier one. */
  followerInfo: {
    readonly attempt: number
    readonly acceptedEpoch: number
    readonly acceptedFrom: MemberId | undefined
    readonly wish: Wish
    readonly features: number
  }
  newEpoch: { readonly attempt: number; readonly epoch: number }
  ackEpoch: {
    readonly epoch: number
    readonly currentEpoch: number
    readonly lastZxid: Zxid
    /** Where the latest configuration in the sender's log came. */
    readonly configured: Zxid
    /** What the sender has of a snapshot of this leader that broke off. */
    readonly received: { readonly id: StreamId; readonly chunks: number } | undefined
  }
  /** The leader will not have the sender: why, for people, and as an error code. */
  refuse: { readonly code: RefusalCode; readonly reason: string }

  /** The follower's log is a prefix of the leader's. */
  diff: { readonly after: Zxid; readonly entries: number }
  /** The follower cuts its log here. `entries`: how many follow then. */
  trunc: { readonly after: Zxid; readonly entries: number }
  /** The leader's state at a zxid follows in chunks, from one on: `total` records in all. */
  snapshot: {
    readonly id: StreamId
    readonly zxid: Zxid
    readonly total: number
    readonly from: number
    readonly configurations: readonly LoggedConfiguration[]
    readonly marks: readonly MarkOf[]
  }
  snapshotChunk: { readonly index: number; readonly records: readonly SnapshotRecord[] }
  /** So many chunks are here. */
  snapshotAck: { readonly chunks: number }
  snapshotEnd: { readonly chunks: number; readonly records: number; readonly entries: number }
  /** The follower could not do what diff or trunc asked: it wants a snapshot. */
  wantSnapshot: { readonly epoch: number }
  newLeader: { readonly epoch: number; readonly lastZxid: Zxid }
  ackNewLeader: { readonly epoch: number; readonly lastZxid: Zxid }
  upToDate: { readonly epoch: number; readonly committed: Zxid }

  propose: { readonly batch: Batch; readonly committed: Zxid }
  /** The sender's log is durable through here: a learner's to its leader, and the leader's to whoever is a quorum with it. */
  ack: { readonly lastZxid: Zxid }
  commit: { readonly committed: Zxid }
  /** Heartbeat of the leader; `round` is what linearizable reads and confirmed heartbeats wait for. */
  ping: { readonly round: number; readonly committed: Zxid }
  /** Once up to date, with what the sender's entries came to so far. */
  pong: { readonly round: number; readonly replica?: Replica | undefined }
  /** What the leader found of the receiver's state; `reason` is for people. */
  verdict: { readonly epoch: number; readonly standing: Standing; readonly reason: string }
  /** Writes of the sender's sessions, in order. */
  request: { readonly parcel: Parcel }
  /** Leadership passes on, without an election: whoever gets this follows `to`, or leads. The sender proposes nothing more. */
  handOver: { readonly epoch: number; readonly to: MemberRecord }
  /** The sender stops now: nobody needs to wait for it. */
  farewell: object
  /** What an operator, or a member about to stop, wants of the configuration. Answered once it is so. */
  membership: { readonly id: number; readonly request: MembershipRequest }
  membershipReply: { readonly id: number; readonly outcome: MembershipOutcome }
  /** Asks for a zxid at which everything acknowledged anywhere before now is visible. */
  readIndex: { readonly id: number }
  readIndexReply: { readonly id: number; readonly zxid: Zxid }
  /** The sender vouches for these sessions. */
  heartbeat: { readonly id: number; readonly sessions: readonly SessionId[] }
  /** Confirmed by a quorum (design D9), but for the sessions whose end is in the log. */
  heartbeatReply: { readonly id: number; readonly ended: readonly SessionId[] }
}

/** Of a leader's snapshot streams. */
export interface StreamId {
  /** In which it began, so that a leader that starts again numbers other ones. */
  readonly epoch: number
  readonly number: number
}

export type MessageType = keyof MessageMap
/** The messages of some types; of all, by default. */
export type MessageOf<K extends MessageType = MessageType> = { [P in K]: { readonly type: P } & MessageMap[P] }[K]
export type Message = MessageOf
