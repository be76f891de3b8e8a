/**
 * One member's protocol core: `step(input, instant) → outputs`. It composes Zab (core/zab) with the replicated state
 * (core/tree) and is pure: no clock, timer, randomness, promise or I/O; the same inputs give the same outputs.
 *
 * The caller (runtime/member.ts, or a test world) performs the outputs in order, hands completed writes back as
 * `persisted` in the order in which they left, ticks at `deadline`, and says `flush` when it has handed in everything
 * that arrived together. A throw means a broken invariant: the member must be stopped, its state is void.
 *
 * The table below is the whole protocol at a glance: what each role does with each message. A missing cell does not
 * compile. Cells that do nothing say why: `dropped` is left over from before a change of role, which FIFO links make
 * harmless; `notForUs` is a message that this role's own conversation never contains.
 */

import type { Input, Instant } from './input.ts'
import type { MemberInfo, Output, Status } from './output.ts'
import { Reaper } from './reaper.ts'
import { SessionTracker } from './session-tracker.ts'
import { ReplicatedState } from './tree/apply.ts'
import type { Applied, EntryStamp, HistoryDigest, SessionRequest, TreeRequest } from './tree/operation.ts'
import { Restoration } from './tree/restoration.ts'
import type { SessionId } from './tree/session-id.ts'
import { requireIntact } from './tree/snapshot.ts'
import type { Batch } from './zab/batch.ts'
import * as broadcast from './zab/broadcast.ts'
import { configurationText, type LoggedConfiguration, type MemberId, type MemberRecord } from './zab/configuration.ts'
import * as discovery from './zab/discovery.ts'
import * as divergence from './zab/divergence.ts'
import * as election from './zab/election.ts'
import { explain, type ZabExplanation } from './zab/explanation.ts'
import * as founding from './zab/founding.ts'
import * as handOver from './zab/hand-over.ts'
import * as membership from './zab/membership.ts'
import type { MembershipRequest } from './zab/membership-request.ts'
import { isMajorityLost } from './zab/memory-loss.ts'
import type { Message, MessageOf, MessageType } from './zab/message.ts'
import { isQuorum } from './zab/quorum.ts'
import * as requests from './zab/requests.ts'
import {
  becomeLooking,
  type Following,
  forgetLearner,
  isEstablished,
  isServing,
  type Leading,
  type Looking,
  type Role,
  type RoleMap,
  type RoleName,
} from './zab/roles.ts'
import * as snapshotStream from './zab/snapshot-stream.ts'
import * as synchronization from './zab/synchronization.ts'
import { type Installation, type Link, type StateMachine, Zab, type ZabOptions, type ZabStart } from './zab/zab.ts'
import { type Zxid, zxidBefore, zxidNext, zxidZero } from './zab/zxid.ts'

type Handler<R extends Role, K extends MessageType> = (zab: Zab, role: R, from: Link, message: MessageOf<K>) => void
type RoleHandlers<R extends Role> = { readonly [K in MessageType]: Handler<R, K> }
type Handlers = { readonly [N in RoleName]: RoleHandlers<RoleMap[N]> }

const dropped = (): void => {}
const notForUs = dropped

/** What every role does alike: presence and founding. */
const foundingHandlers = {
  presence: founding.onPresence,
  prepare: founding.onPrepare,
  prepared: founding.onPrepared,
  refusePrepare: founding.onRefusePrepare,
  abandonPrepare: founding.onAbandonPrepare,
  found: founding.onFound,
  farewell: election.onFarewell,
} as const

/** What a member without a leader drops. */
const withoutLeader = {
  newEpoch: dropped,
  ackEpoch: dropped,
  refuse: dropped,
  diff: dropped,
  trunc: dropped,
  snapshot: dropped,
  snapshotChunk: dropped,
  snapshotAck: dropped,
  snapshotEnd: dropped,
  wantSnapshot: dropped,
  newLeader: dropped,
  ackNewLeader: dropped,
  upToDate: dropped,
  propose: dropped,
  ack: dropped,
  commit: dropped,
  ping: dropped,
  pong: dropped,
  verdict: dropped,
  request: dropped,
  readIndex: dropped,
  readIndexReply: dropped,
  heartbeat: dropped,
  heartbeatReply: dropped,
  handOver: dropped,
  membership: dropped,
  membershipReply: dropped,
} as const

const handlers: Handlers = {
  outside: {
    ...foundingHandlers,
    ...withoutLeader,
    notification: election.onNotification,
    followerInfo: election.holdFollowerInfo,
  },
  looking: {
    ...foundingHandlers,
    ...withoutLeader,
    notification: election.onNotification,
    followerInfo: election.holdFollowerInfo,
  },
  following: {
    ...foundingHandlers,
    notification: election.onNotification,
    followerInfo: election.holdFollowerInfo,
    newEpoch: discovery.onNewEpoch,
    ackEpoch: dropped,
    refuse: membership.onRefuse,
    diff: synchronization.onDiff,
    trunc: synchronization.onTrunc,
    snapshot: synchronization.onSnapshot,
    snapshotChunk: snapshotStream.onSnapshotChunk,
    snapshotAck: dropped,
    snapshotEnd: snapshotStream.onSnapshotEnd,
    wantSnapshot: dropped,
    newLeader: synchronization.onNewLeader,
    ackNewLeader: dropped,
    upToDate: synchronization.onUpToDate,
    propose: broadcast.onPropose,
    ack: broadcast.onLeaderAck,
    commit: broadcast.onCommit,
    ping: broadcast.onPing,
    pong: dropped,
    verdict: divergence.onVerdict,
    request: dropped,
    readIndex: dropped,
    readIndexReply: broadcast.onReadIndexReply,
    heartbeat: dropped,
    heartbeatReply: broadcast.onHeartbeatReply,
    handOver: handOver.onHandOver,
    membership: dropped,
    membershipReply: requests.onMembershipReply,
  },
  leading: {
    ...foundingHandlers,
    notification: election.onNotification,
    followerInfo: discovery.onFollowerInfo,
    newEpoch: dropped,
    ackEpoch: discovery.onAckEpoch,
    refuse: notForUs,
    diff: dropped,
    trunc: dropped,
    snapshot: dropped,
    snapshotChunk: dropped,
    snapshotAck: snapshotStream.onSnapshotAck,
    snapshotEnd: dropped,
    wantSnapshot: synchronization.onWantSnapshot,
    newLeader: dropped,
    ackNewLeader: synchronization.onAckNewLeader,
    upToDate: dropped,
    propose: dropped,
    ack: broadcast.onAck,
    commit: dropped,
    ping: dropped,
    pong: broadcast.onPong,
    verdict: dropped,
    request: broadcast.onRequest,
    readIndex: broadcast.onReadIndex,
    readIndexReply: dropped,
    heartbeat: broadcast.onHeartbeat,
    heartbeatReply: dropped,
    handOver: dropped,
    membership: requests.onMembership,
    membershipReply: dropped,
  },
}

/** A step that is later than this after the deadline comes out of a standstill; less is how timers are. */
const latenessMs = 20

/** Members of another ensemble have nothing to say to each other but which one they belong to. */
const isForStrangers = (type: MessageType): boolean => type in foundingHandlers && type !== 'farewell'

/** What a member starts from: nothing, or what its store held. */
export interface PeerStart extends ZabStart {
  /** What the store's checkpoint held. */
  readonly state?: ReplicatedState | undefined
}

export interface PeerOptions extends ZabOptions {
  /** How often a leader looks for containers and nodes past their time to live, milliseconds; default a minute. */
  readonly reapIntervalMs?: number | undefined
}

export class Peer {
  readonly #zab: Zab
  readonly #tracker = new SessionTracker()
  readonly #reaper: Reaper
  readonly #onApplied: (applied: Applied) => void
  #state: ReplicatedState
  #outputs: Output[] = []
  #status: Status
  #membersKey: LoggedConfiguration | undefined
  #linksChanged = false
  #term = 0
  #reason = 'starting'

  /**
   * `onApplied` is called between two entries, with the state as it stands after the first one: whoever serves reads there
   * serves them in their place. It must not call back into `step`. Without it, applied entries are outputs.
   */
  constructor(start: PeerStart, options: PeerOptions, onApplied?: (applied: Applied) => void) {
    this.#onApplied = onApplied ?? ((applied) => this.#outputs.push({ type: 'applied', applied }))
    this.#state = start.state ?? new ReplicatedState()
    this.#zab = new Zab(start, options, this.#stateMachine())
    this.#reaper = new Reaper(options.reapIntervalMs ?? 60_000)
    const { presence } = this.#zab.belonging
    if (presence === 'founded' || presence === 'member') becomeLooking(this.#zab, 'starting')
    this.#status = this.#currentStatus()
  }

  /** The replicated state: for reads between steps. Never changed from outside. */
  get state(): ReplicatedState {
    return this.#state
  }

  get status(): Status {
    return this.#status
  }

  /** For tests and diagnostics: what the protocol knows. Not to be changed. */
  get zab(): Zab {
    return this.#zab
  }

  /** Why nobody leads, who is missing, who lags. */
  explain(): ZabExplanation {
    return explain(this.#zab)
  }

  /** The ensembles of the members to which links are up, where none of them is ours. */
  otherClusters(): readonly string[] {
    const { belonging, links } = this.#zab
    const clusters = [...links.values()].flatMap(({ presence }) => presence?.cluster ?? [])
    if (belonging.presence !== 'member' || clusters.includes(belonging.cluster)) return []
    return [...new Set(clusters.filter((cluster) => cluster !== ''))]
  }

  /** Whether it leads, and another one could. */
  get canHandOver(): boolean {
    const { role } = this.#zab
    return isEstablished(role) && handOver.hasSuccessor(this.#zab, role)
  }

  /** Whether there is no quorum before somebody who took leave comes back. */
  get isForsaken(): boolean {
    const { configurations, departed } = this.#zab
    return !isQuorum(configurations.active, (id) => !departed.has(id))
  }

  /** Whether another turn is wanted as soon as what waits outside has had its turn: there is more to be done in slices. */
  get wantsTurn(): boolean {
    const zab = this.#zab
    return !zab.isOver && (!zab.isDelivered || snapshotStream.wantsTurn(zab) || synchronization.wantsTurn(zab))
  }

  /** When a tick is wanted, monotonic milliseconds; infinite if never. */
  get deadline(): number {
    const { role } = this.#zab
    if (role.name === 'looking') return role.settleAt > this.#zab.now ? role.settleAt : Number.POSITIVE_INFINITY
    if (role.name === 'outside') return Number.POSITIVE_INFINITY
    const contact = broadcast.nextContactCheck(this.#zab, role)
    if (role.name !== 'leading') return contact
    const next = Math.min(contact, snapshotStream.restsUntil(this.#zab))
    if (!isEstablished(role)) return next
    return Math.min(next, this.#tracker.nextDeadline, this.#reaper.nextCheck(this.#state.tree))
  }

  /** The level of the state machine that the log asks for, where this version does not know it (features.ts). */
  get unknownLevel(): number | undefined {
    const level = this.#zab.configurations.latest?.configuration.features ?? 0
    return level > this.#zab.features ? level : undefined
  }

  /** Where other members may be found: the configuration's addresses, and those of leaders that others speak of. */
  contacts(): readonly string[] {
    const addresses = new Set<string>()
    for (const member of this.#zab.configurations.members()) addresses.add(member.address)
    for (const link of this.#zab.comrades()) {
      const leader = link.notification?.leader
      if (leader !== undefined) addresses.add(leader.address)
    }
    addresses.delete(this.#zab.self.address)
    addresses.delete('')
    return [...addresses]
  }

  step(input: Input, instant: Instant): readonly Output[] {
    const outputs: Output[] = []
    this.#outputs = outputs
    this.#zab.outputs = outputs as Zab['outputs']
    this.#noteStall(instant.now)
    this.#zab.now = instant.now
    this.#zab.wallMs = instant.wallMs
    if (this.#zab.isOver) return outputs
    this.#take(input)
    if (this.#zab.isOver) return outputs
    this.#progress()
    snapshotStream.endOrphanedStream(this.#zab)
    founding.noteMembership(this.#zab)
    founding.announcePresence(this.#zab)
    election.announce(this.#zab)
    this.#noteChanges()
    return outputs
  }

  #take(input: Input): void {
    switch (input.type) {
      case 'message':
        return this.#onMessage(input.from, input.message)
      case 'persisted':
        return this.#onPersisted(input.token)
      case 'request':
        return this.#onRequest(input.requests)
      case 'flush':
        return this.#onFlush()
      case 'tick':
        return this.#onTick()
      case 'linkUp':
        this.#zab.links.set(input.peer.id, { peer: input.peer })
        this.#zab.departed.delete(input.peer.id)
        this.#linksChanged = true
        return
      case 'linkDown':
        return this.#onLinkDown(input.id)
      case 'readIndex':
        return this.#onReadIndex(input.id)
      case 'heartbeat':
        return this.#onHeartbeat(input.id, input.sessions)
      case 'probed':
        if (this.#zab.role.name === 'leading') membership.onProbed(this.#zab.role, input.id, input.reached)
        return
      case 'membership':
        return this.#onMembership(input.id, input.request)
      case 'stepDown':
        return this.#onStepDown()
      case 'farewell':
        for (const { peer } of this.#zab.comrades()) this.#zab.send(peer.id, { type: 'farewell' })
    }
  }

  #onMessage(from: MemberId, message: Message): void {
    const link = this.#zab.links.get(from)
    if (link === undefined) return
    if (!isForStrangers(message.type) && !this.#zab.isComrade(link)) return
    this.#noteContact(from)
    const { role } = this.#zab
    // The table pairs each role's name with handlers of that role: what the type system cannot see through a union.
    this.#dispatch(handlers[role.name] as RoleHandlers<Role>, role, link, message)
  }

  #dispatch<K extends MessageType>(table: RoleHandlers<Role>, role: Role, from: Link, message: MessageOf<K>): void {
    table[message.type as K](this.#zab, role, from, message)
  }

  #noteContact(from: MemberId): void {
    const { role, now } = this.#zab
    if (role.name === 'following' && role.leader.id === from) role.lastContact = now
    if (role.name !== 'leading') return
    const learner = role.learners.get(from)
    if (learner !== undefined) learner.lastContact = now
  }

  #onPersisted(token: number): void {
    const purpose = this.#zab.completePersist(token)
    if (purpose?.kind === 'acceptEpoch') discovery.onEpochPromised(this.#zab, purpose)
    else if (purpose?.kind === 'currentEpoch') synchronization.onCurrentEpochPersisted(this.#zab, purpose)
    else if (purpose?.kind === 'prepare') founding.onPreparationPersisted(this.#zab, purpose.cluster)
    else if (purpose?.kind === 'restore') founding.onRestorationPersisted(this.#zab, purpose)
    else this.#zab.deliver()
  }

  #onLinkDown(id: MemberId): void {
    const { role } = this.#zab
    this.#zab.links.delete(id)
    this.#linksChanged = true
    if (role.name === 'leading') forgetLearner(role, id)
    if (role.name === 'following' && role.leader.id === id) {
      becomeLooking(this.#zab, `lost the link to its leader ${role.leader.name}`)
    }
  }

  #onRequest(requests: readonly TreeRequest[]): void {
    const { role } = this.#zab
    if (this.#zab.standing !== 'sound') return
    if (isEstablished(role)) {
      for (const request of requests) this.#noteEnding(request)
      broadcast.enqueue(this.#zab, role, requests)
    } else if (role.name === 'following' && role.phase === 'broadcast') {
      broadcast.forward(this.#zab, role, requests)
    }
  }

  #onReadIndex(id: number): void {
    const { role } = this.#zab
    if (isEstablished(role)) broadcast.awaitRound(role, { kind: 'read', from: this.#zab.id, id, ended: [] })
    else if (role.name === 'following' && role.phase === 'broadcast') {
      this.#zab.send(role.leader.id, { type: 'readIndex', id })
    }
  }

  #onHeartbeat(id: number, sessions: readonly SessionId[]): void {
    const { role } = this.#zab
    if (isEstablished(role)) {
      broadcast.awaitRound(role, { kind: 'heartbeat', from: this.#zab.id, id, ended: this.#vouchFor(sessions) })
    } else if (role.name === 'following' && role.phase === 'broadcast') {
      this.#zab.send(role.leader.id, { type: 'heartbeat', id, sessions })
    }
  }

  #onMembership(id: number, request: MembershipRequest): void {
    const { role } = this.#zab
    if (request.kind === 'leave' || request.kind === 'close') this.#zab.wish = 'leaving'
    if (isEstablished(role)) requests.takeRequest(this.#zab, role, { from: this.#zab.id, id, request })
    else if (role.name === 'following' && role.phase === 'broadcast') {
      this.#zab.send(role.leader.id, { type: 'membership', id, request })
    }
  }

  /** To whoever is up to date; without such a one the others look for a leader. */
  #onStepDown(): void {
    const { role } = this.#zab
    if (role.name !== 'leading') return
    if (!isEstablished(role) || !handOver.beginHandOver(this.#zab, role)) becomeLooking(this.#zab, 'stepped down')
  }

  /**
   * A step after the deadline means that the process stood still: a leader heard nobody meanwhile, so the sessions get
   * that time back. Noticed in whichever step comes first, since what was waiting in the sockets comes before the tick.
   */
  #noteStall(now: number): void {
    // As a rule the last step was a moment ago: then the deadline need not be looked for.
    if (now - this.#zab.now <= latenessMs || !isEstablished(this.#zab.role)) return
    const lateMs = now - Math.max(this.deadline, this.#zab.now)
    if (lateMs <= latenessMs) return
    this.#zab.mark('session.leaderStalled')
    this.#tracker.postpone(lateMs)
  }

  #onTick(): void {
    const { role } = this.#zab
    if (role.name === 'leading') broadcast.checkQuorumContact(this.#zab, role)
    if (role.name === 'following') broadcast.checkLeaderContact(this.#zab, role)
  }

  #onFlush(): void {
    if (this.#zab.endDeliveries()) this.#progress()
    const { role } = this.#zab
    if (role.name === 'leading') handOver.checkOwnStore(this.#zab, role)
    if (isEstablished(role)) divergence.handOverIfDiverged(this.#zab, role)
    if (isEstablished(role)) broadcast.endEpochInTime(this.#zab, role)
    if (isEstablished(role)) {
      // What it would find in a state that may be wrong is nobody's end.
      if (this.#zab.standing === 'sound') this.#endWhatIsOver(role)
      membership.progressMembership(this.#zab, role)
    }
    // Handed over meanwhile: then it is a follower's turn that ends.
    const { role: now } = this.#zab
    if (now.name === 'leading') {
      synchronization.flushLearners(this.#zab, now)
      broadcast.flushLeading(this.#zab, now)
    }
    if (now.name === 'following') snapshotStream.repairReplica(this.#zab, now)
    if (now.name === 'following') broadcast.flushFollowing(this.#zab, now)
  }

  #endWhatIsOver(leading: Leading & { epoch: number }): void {
    this.#expireSessions(leading)
    const clockMs = broadcast.logClock(this.#zab, leading)
    broadcast.enqueue(this.#zab, leading, this.#reaper.takeReapable(this.#state.tree, clockMs, this.#zab.now))
  }

  #expireSessions(leading: Leading): void {
    for (const session of this.#tracker.takeOverdue(this.#zab.now)) {
      const tracked = this.#state.sessions.get(session)
      if (tracked === undefined) continue
      broadcast.enqueue(this.#zab, leading, [{ type: 'expireSession', session, generation: tracked.generation }])
    }
  }

  /** Runs the role's conclusions until they change nothing any more: a single voter gets through a term in one step. */
  #progress(): void {
    for (;;) {
      const { role } = this.#zab
      const phase = phaseOf(role)
      if (role.name === 'outside') founding.progressOutside(this.#zab, role)
      else if (role.name === 'looking') this.#progressLooking(role)
      else if (role.name === 'leading') this.#progressLeading(role)
      else this.#progressFollowing(role)
      if (this.#zab.role === role && phaseOf(role) === phase) return
    }
  }

  #progressLooking(looking: Looking): void {
    election.progressLooking(this.#zab, looking)
    if (this.#zab.role === looking) founding.progressFounded(this.#zab)
    if (this.#zab.role === looking) founding.progressForsaken(this.#zab)
  }

  #progressFollowing(following: Following): void {
    synchronization.progressUpToDate(this.#zab, following)
    broadcast.progressFollowing(this.#zab, following)
  }

  #progressLeading(leading: Leading): void {
    if (leading.phase === 'discovery') {
      if (leading.epoch === undefined) discovery.takeHeldFollowerInfos(this.#zab, leading)
      discovery.progressDiscovery(this.#zab, leading)
    } else if (leading.phase === 'synchronization') {
      synchronization.progressSynchronization(this.#zab, leading)
      if (isEstablished(leading)) this.#beginTerm()
    } else {
      broadcast.progressBroadcast(this.#zab, leading)
    }
  }

  /** A new leader grants every session its full timeout. */
  #beginTerm(): void {
    this.#tracker.clear()
    this.#reaper.begin(this.#zab.now)
    for (const { id, timeoutMs } of this.#state.sessions.list()) this.#tracker.touch(id, timeoutMs, this.#zab.now)
  }

  #noteEnding(request: TreeRequest): void {
    if (request.type === 'write' && request.operation.type === 'closeSession') this.#tracker.noteEnding(request.session)
  }

  #vouchFor(sessions: readonly SessionId[]): readonly SessionId[] {
    const ended: SessionId[] = []
    for (const session of sessions) {
      const known = this.#state.sessions.get(session)
      if (known === undefined || this.#tracker.isEnding(session)) ended.push(session)
      else this.#tracker.touch(session, known.timeoutMs, this.#zab.now)
    }
    return ended
  }

  #stateMachine(): StateMachine {
    const lastZxid = (): Zxid => this.#state.lastZxid
    const clockMs = (): number => this.#state.clockMs
    const history = (): HistoryDigest | undefined => this.#state.history
    return {
      get lastZxid(): Zxid {
        return lastZxid()
      },
      get clockMs(): number {
        return clockMs()
      },
      get history(): HistoryDigest | undefined {
        return history()
      },
      deliver: (batch) => this.#deliver(batch),
      vouchFor: (sessions) => this.#vouchFor(sessions),
      freeze: () => this.#state.tryFreeze(),
      receive: () => this.#receive(),
    }
  }

  /** The one apply path: live commits, recovery and synchronization alike. */
  #deliver(batch: Batch): void {
    if (this.#state.lastZxid === zxidZero) this.#publishFoundingConfiguration()
    const { timeMs, clockMs, requests } = batch
    let zxid = zxidBefore(batch.first)
    for (const request of requests) {
      zxid = zxidNext(zxid)
      const stamp: EntryStamp = { zxid, timeMs, clockMs }
      if (request.type === 'noop') {
        this.#state.advance(stamp)
      } else if (request.type === 'reconfigure') {
        const text = configurationText(request.configuration, stamp.zxid)
        this.#onApplied(this.#state.publishConfiguration(stamp, new TextEncoder().encode(text)))
      } else {
        const applied = this.#state.apply(stamp, request)
        if (request.type !== 'reap' && isEstablished(this.#zab.role)) this.#trackApplied(request, applied.endedSession)
        this.#onApplied(applied)
      }
    }
  }

  /** The first configuration is no entry: it is in the tree before the first one. */
  #publishFoundingConfiguration(): void {
    const [founded] = this.#zab.configurations.at(zxidZero)
    if (founded === undefined) return
    showConfiguration(this.#state, configurationText(founded.configuration, founded.zxid))
  }

  #trackApplied(request: SessionRequest, ended: SessionId | undefined): void {
    if (ended !== undefined) {
      this.#tracker.forget(ended)
      return
    }
    if (request.type === 'write' && request.operation.type !== 'closeSession') return
    const session = this.#state.sessions.get(request.session)
    if (session === undefined) return
    // An opening or attachment that was repeated says nothing of an end that stands behind it in the log.
    if (request.type === 'expireSession') this.#tracker.noteVoidExpiry(request.session)
    else if (request.type === 'write') this.#tracker.noteVoidClose(request.session)
    if (!this.#tracker.isEnding(request.session)) {
      this.#tracker.touch(request.session, session.timeoutMs, this.#zab.now)
    }
  }

  #receive(): Installation {
    const restoration = new Restoration()
    return {
      add: (record) => restoration.add(record),
      finish: (zxid, configuration) => {
        const restored = restoration.finish()
        requireIntact(restored.lastZxid === zxid, 'it is of another zxid than was said')
        const state = new ReplicatedState(restored)
        if (configuration !== undefined) showConfiguration(state, configuration)
        return { freeze: () => state.freeze(), enforce: () => this.#install(state) }
      },
    }
  }

  #install(state: ReplicatedState): void {
    const before = this.#state
    this.#state = state
    this.#outputs.push({ type: 'installed', before })
  }

  #noteChanges(): void {
    const { role, configurations, standing } = this.#zab
    if (role.name === 'looking') this.#reason = role.reason
    // Nobody vouched for anybody while nobody served.
    if (standing === 'sound' && this.#status.standing !== 'sound' && isEstablished(role)) this.#beginTerm()
    const before = this.#status
    const after = this.#currentStatus()
    const changed =
      before.role !== after.role ||
      before.serving !== after.serving ||
      before.standing !== after.standing ||
      before.epoch !== after.epoch ||
      before.leader?.id !== after.leader?.id ||
      before.isVoter !== after.isVoter ||
      before.majorityLost !== after.majorityLost ||
      before.cluster !== after.cluster
    if (changed) {
      if (after.serving) this.#term += 1
      this.#status = { ...after, term: this.#term }
      this.#outputs.push({ type: 'status', status: this.#status })
    }
    if (configurations.latest !== this.#membersKey || this.#linksChanged) {
      this.#membersKey = configurations.latest
      this.#linksChanged = false
      this.#outputs.push({ type: 'members', members: this.#members() })
    }
  }

  #members(): readonly MemberInfo[] {
    const { configurations, links, id: own } = this.#zab
    return configurations.members().map((record) => ({
      ...record,
      isVoter: configurations.isVoter(record.id),
      isLinked: record.id === own || links.has(record.id),
    }))
  }

  #currentStatus(): Status {
    const { role, belonging, isVoter, self, standing } = this.#zab
    const serving = isServing(role) && standing === 'sound'
    const leader: MemberRecord | undefined =
      role.name === 'following' ? role.leader : role.name === 'leading' ? self : undefined
    return {
      role: role.name,
      serving,
      leader: serving ? leader : undefined,
      epoch: serving ? ((role as Leading | Following).epoch ?? 0) : 0,
      isVoter,
      cluster: belonging.cluster,
      majorityLost: isMajorityLost(this.#zab),
      term: this.#term,
      standing,
      reason: standing === 'sound' ? this.#reason : this.#zab.standingReason,
    }
  }
}

function phaseOf(role: Role): string {
  return role.name === 'leading' || role.name === 'following' ? `${role.phase} ${role.epoch}` : role.name
}

/** A configuration that is no entry of the log: nobody changed it at a time. */
function showConfiguration({ tree, lastZxid }: ReplicatedState, text: string): void {
  tree.publishConfiguration(new TextEncoder().encode(text), { zxid: lastZxid, timeMs: 0, clockMs: 0 })
}
