/**
 * The roles, what a member remembers in each, and the changes between them. A change of role only sets the state and
 * says what must be said; what follows from it is the business of the phase's `progress`, in the same step.
 *
 * outside ──► looking ──► following ──► looking …
 *                  └────► leading ────► looking …
 *
 * `outside` is a process that belongs to no ensemble yet (founding.ts). An observer follows like a voter; it is only
 * never counted and never elected.
 */
import type { SessionId } from '../tree/session-id.ts'
import type { Parcel } from './batch.ts'
import type { MemberId, MemberRecord } from './configuration.ts'
import type { Comparison } from './divergence.ts'
import type { MembershipRequest } from './membership-request.ts'
import type { Preparation, StreamId, Wish } from './message.ts'
import type { Zab } from './zab.ts'
import { type Zxid, zxidZero } from './zxid.ts'

/** An attempt at founding that this member coordinates. */
export interface FoundingAttempt extends Preparation {
  readonly prepared: Set<MemberId>
}

export interface Outside {
  readonly name: 'outside'
  attempt: FoundingAttempt | undefined
}

export interface Looking {
  readonly name: 'looking'
  /** From here on the election no longer waits for linked voters that have not answered. */
  readonly settleAt: number
  /** Why the member looks: for people. */
  readonly reason: string
}

export interface Following {
  readonly name: 'following'
  readonly leader: MemberRecord
  readonly attempt: number
  /** `discovery` until the promise is acknowledged, `synchronization` until UPTODATE, then `broadcast`. */
  phase: 'discovery' | 'synchronization' | 'broadcast'
  /** As of NEWEPOCH; before it, everything from this leader is of an earlier attempt and dropped. */
  epoch: number | undefined
  /** NEWLEADER was acknowledged: proposals are acknowledged from now on. */
  acknowledged: boolean
  /** What was committed when the leader said UPTODATE: once that is delivered, this member serves. */
  upToDateAt: Zxid | undefined
  /** Through which zxid the leader has our ack. */
  ackedThrough: Zxid
  /** Through which zxid the leader's log is durable, as far as it has said so. */
  leaderAcked: Zxid
  lastContact: number
  /** Chunks of a snapshot come in (snapshot-stream.ts). */
  isLoading: boolean
  /** Entries that were missing when this member was synchronized: how many have come of how many. */
  catchUp: { done: number; readonly total: number }
  /** What the leader sent did not fit: everything is dropped until the snapshot that we asked for. */
  wantsSnapshot: boolean
}

/** A member that takes this one for its leader. */
export interface Learner {
  readonly member: MemberRecord
  readonly attempt: number
  /** What it wants to be, and the highest level of the state machine that it knows. */
  wish: Wish
  readonly features: number
  acceptedEpoch: number
  /**
   * `discovery`: its FOLLOWERINFO is here; `promised`: it promised the epoch; `loading`: it is being sent a snapshot, or
   * waits for one; `catchingUp`: it is being sent the log that it lacks; `syncing`: it was sent all of it, and gets every
   * proposal from now on; `synced`: it acknowledged NEWLEADER, and its acks count.
   */
  state: 'discovery' | 'promised' | 'loading' | 'catchingUp' | 'syncing' | 'synced'
  /** While it catches up: through here it was sent the log. */
  sentThrough: Zxid
  /** Since when it is, without a break. */
  syncedSince: number | undefined
  lastZxid: Zxid
  /** What it has of a snapshot that was on its way to it. */
  received: { readonly id: StreamId; readonly chunks: number } | undefined
  /** Its promise does not count: its log is ahead of ours, which can only be with what was never committed (discovery.ts). */
  isAhead: boolean
  /** Its log is durable through here; counts once synced. */
  acked: Zxid
  /** Through here it was told that our own log is durable. */
  vouched: Zxid
  /** The last round that it answered. */
  round: number
  lastContact: number
  /** Since when its name is also that of a live voter. */
  nameTakenSince: number | undefined
  /** What it last reported of its state, once it serves; and the last round that began before it was told something of it (divergence.ts). */
  comparison: Comparison | undefined
  toldInRound: number
  /** It has diverged, and is sent a state to go on from, beside the log: waits for it, gets it, has got all of it. */
  repair: 'wanted' | 'streaming' | 'sent' | undefined
}

/** Something that waits for a quorum to acknowledge a round that began after it came. */
export interface Confirmation {
  readonly round: number
  readonly from: MemberId
  readonly kind: 'read' | 'heartbeat'
  readonly id: number
  /** Of a heartbeat: the sessions that could not be vouched for, because their end is in the log. */
  readonly ended: readonly SessionId[]
}

/** A request about the configuration that has no answer yet. */
export interface OpenRequest {
  readonly from: MemberId
  readonly id: number
  readonly request: MembershipRequest
}

/** Leadership on its way to another one: nothing is proposed until it is there, or until it is given up. */
export interface HandOver {
  readonly to: MemberId
  readonly name: string
  readonly until: number
}

export interface Leading {
  readonly name: 'leading'
  phase: 'discovery' | 'synchronization' | 'broadcast'
  /** Undefined until a quorum takes us for the leader. */
  epoch: number | undefined
  /** When that epoch began. */
  epochSince: number
  /** Our own promise, and our own NEWLEADER, are durable. */
  epochPromised: boolean
  epochCurrent: boolean
  readonly learners: Map<MemberId, Learner>
  /** The last time at which a quorum was in contact. */
  quorumContact: number
  /** Requests that wait for the end of this turn, or for the end of a change of epoch. */
  pending: Parcel[]
  /** Through which zxid learners have been told of commits. */
  announcedCommit: Zxid
  /** Through which zxid some learner was told that our log is durable: it may take that for committed. */
  vouched: Zxid
  round: number
  confirmedRound: number
  roundWanted: boolean
  nextPing: number
  confirmations: Confirmation[]
  /** Monotonic time and log clock at the establishment: the log clock goes on from there (design D2). */
  clockBase: { readonly now: number; readonly clockMs: number }
  /** Predecessors whose absence is being checked, by id (membership.ts). */
  readonly probes: Map<MemberId, 'asked' | 'gone'>
  /** Since when members of the configuration have not been here. */
  readonly absentSince: Map<MemberId, number>
  requests: OpenRequest[]
  handOver: HandOver | undefined
  /** What was proposed in this epoch, under us, and not committed, was given up: whoever still holds it is not ahead (broadcast.ts). */
  givenUpEpoch: number | undefined
  /** Since when a learner's state differs and it is not decided who is right (divergence.ts). */
  differenceSince: number | undefined
}

export interface RoleMap {
  outside: Outside
  looking: Looking
  following: Following
  leading: Leading
}
export type RoleName = keyof RoleMap
export type Role = RoleMap[RoleName]

/** Its link is gone, and with it what it asked: an answer over the next link might meet a next life that asks under the same numbers. */
export function forgetLearner(leading: Leading, id: MemberId): void {
  leading.learners.delete(id)
  leading.confirmations = leading.confirmations.filter(({ from }) => from !== id)
  leading.requests = leading.requests.filter(({ from }) => from !== id)
}

/** An established leader: it may propose, and its answers are those of the ensemble. */
export function isEstablished(role: Role): role is Leading & { phase: 'broadcast'; epoch: number } {
  return role.name === 'leading' && role.phase === 'broadcast'
}

/** Whether the member serves: it leads with a quorum, or follows and is up to date. */
export function isServing(role: Role): boolean {
  return (role.name === 'leading' || role.name === 'following') && role.phase === 'broadcast'
}

export function becomeOutside(zab: Zab, attempt?: FoundingAttempt): void {
  zab.role = { name: 'outside', attempt }
}

export function becomeLooking(zab: Zab, reason: string): void {
  zab.role = { name: 'looking', settleAt: zab.now + zab.options.timing.electionSettleMs, reason }
}

export function becomeFollowing(zab: Zab, leader: MemberRecord): void {
  const attempt = zab.nextAttempt()
  zab.role = {
    name: 'following',
    leader,
    attempt,
    phase: 'discovery',
    epoch: undefined,
    acknowledged: false,
    upToDateAt: undefined,
    ackedThrough: zxidZero,
    leaderAcked: zxidZero,
    lastContact: zab.now,
    isLoading: false,
    catchUp: { done: 0, total: 0 },
    wantsSnapshot: false,
  }
  const { accepted, acceptedFrom } = zab.epochs
  const { wish, features } = zab
  zab.send(leader.id, { type: 'followerInfo', attempt, acceptedEpoch: accepted, acceptedFrom, wish, features })
}

export function becomeLeading(zab: Zab): void {
  zab.role = {
    name: 'leading',
    phase: 'discovery',
    epoch: undefined,
    epochSince: zab.now,
    epochPromised: false,
    epochCurrent: false,
    learners: new Map(),
    quorumContact: zab.now,
    pending: [],
    announcedCommit: zab.announceable,
    vouched: zxidZero,
    round: 0,
    confirmedRound: 0,
    roundWanted: false,
    nextPing: zab.now,
    confirmations: [],
    clockBase: { now: zab.now, clockMs: 0 },
    probes: new Map(),
    absentSince: new Map(),
    requests: [],
    handOver: undefined,
    givenUpEpoch: undefined,
    differenceSince: undefined,
  }
}
