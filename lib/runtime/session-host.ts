/**
 * The sessions that this member hosts: it carries their calls to the core and the answers back, fires their watches from
 * the entries that it applies, and vouches for them to the leader (design D9). It is told of every applied entry between
 * two entries, so that reads and events keep their places.
 *
 * A heartbeat goes out every third of the shortest timeout, in one message for all. Once confirmed, each session is safe
 * until its send time plus its timeout, less the drift that two clocks may have; past that a session ends here by the
 * local clock, before the ensemble can have given its nodes away.
 */
import { createHash } from 'node:crypto'
import type { ReplicatedState } from '../core/tree/apply.ts'
import type { Applied, SessionRequest, TreeRequest } from '../core/tree/operation.ts'
import type { QuotaWarning } from '../core/tree/quota.ts'
import { type SessionId, sessionIdFrom } from '../core/tree/session-id.ts'
import { WatchTable } from '../core/tree/watch-table.ts'
import type { Zxid } from '../core/zab/zxid.ts'
import { Numbered } from '../numbered.ts'
import type { Clock } from '../ports/clock.ts'
import type { Entropy } from '../ports/entropy.ts'
import type { SessionDoor, SessionItem, SessionLink, SessionLoss, SessionOpening } from '../ports/session-link.ts'
import type { Authentication } from './authentication.ts'
import type { WindowLimits } from './change-window.ts'
import { type DiagnosticSource, diagnose } from './diagnostics.ts'
import { HostedSession, type SessionSurroundings } from './hosted-session.ts'
import { LagAwareTimer } from './lag-aware-timer.ts'
import { WatchStreams } from './watch-streams.ts'

export interface SessionLimits {
  /** Calls of one session that are not answered yet. */
  readonly outstandingCallsMax: number
  /** Calls of all sessions of this member that are not answered yet. */
  readonly allOutstandingCallsMax: number
  /** Watches and streams of one session. */
  readonly watchesMax: number
  /** What a session may ask for is brought between these: a shorter one would be lost to a pause, a longer one never. */
  readonly timeoutMs: { readonly min: number; readonly max: number }
  /** The recent changes that streams go on from. */
  readonly window: WindowLimits
}

/** What the host wants of the member. */
export interface HostSurroundings {
  readonly clock: Clock
  readonly entropy: Entropy
  /** The bound on the drift of two clocks' rates: 0.001 is 1 ms in a second. */
  readonly clockDriftMax: number
  readonly limits: SessionLimits
  readonly authentication: Authentication
  warn(message: string): void
  /** The longest that this process stood still within the last milliseconds; 0 if it did not. */
  longestStall(withinMs: number): number
  /** Whom diagnostics are about. */
  readonly source: () => DiagnosticSource
  readonly state: ReplicatedState
  /** What the replica has applied; 0 before there is one. */
  readonly lastZxid: Zxid
  /** Whether the replica is not known to be another one than the others have. */
  readonly isSound: boolean
  /** At the end of the turn, what waits is taken: `takeRequests` and `askForReads`. */
  requestsWaiting(): void
  readIndex(id: number): void
  heartbeat(id: number, sessions: readonly SessionId[]): void
}

/** Is told what a read must have seen. */
type ReadWaiter = (zxid: Zxid) => void

interface Heartbeat {
  readonly sentAt: number
  readonly sessions: readonly SessionId[]
}

const generationUnit = 2 ** 32

/** A local read is answered at once, without I/O: a loop of them must not keep the event loop from turning. */
const readsPerTurn = 1000

/** Between two warnings of one quota. */
const warningIntervalMs = 60_000

export class SessionHost implements SessionDoor {
  readonly #member: HostSurroundings
  readonly #sessions = new Map<SessionId, HostedSession>()
  /** Asked to be taken over, and not yet: whoever has them until then, perhaps we ourselves, is not disturbed. */
  readonly #arriving = new Map<SessionId, HostedSession>()
  readonly #watches = new WatchTable()
  readonly #streams: WatchStreams
  readonly #outstanding = { count: 0 }
  /** Linearizable reads and syncs that were made in this turn, and those that were asked for, turn by turn. */
  #newReads: ReadWaiter[] = []
  #reads = new Numbered<readonly ReadWaiter[]>()
  readonly #heartbeats = new Map<number, Heartbeat>()
  /** Sessions whose next answer waits for a zxid to be applied: asked again at each applied entry. */
  readonly #behind = new Set<HostedSession>()
  /** Sessions whose next read waits for the next turn. */
  readonly #nextTurn = new Set<HostedSession>()
  #readsOfTurn = 0
  readonly #heartbeatTimer: LagAwareTimer
  readonly #expiryTimer: LagAwareTimer
  readonly #deadlineTimer: LagAwareTimer
  #outbox: TreeRequest[] = []
  #serving = false
  #closed = false
  #lastId = 0
  #suspension = 'starting'
  /** Since when no quorum serves this member, monotonic milliseconds; and the last time that this was so and ended. */
  #suspendedAt: number | undefined
  #outage = { endedAt: Number.NEGATIVE_INFINITY, ms: 0 }
  /** When a warning was given last, by what it is about: once a minute is enough. */
  readonly #warned = new Map<string, number>()

  constructor(member: HostSurroundings) {
    this.#member = member
    this.#streams = new WatchStreams(member, member.limits.window)
    this.#heartbeatTimer = new LagAwareTimer(member.clock, () => this.#sendHeartbeat())
    this.#expiryTimer = new LagAwareTimer(member.clock, () => this.#expireSilently())
    this.#deadlineTimer = new LagAwareTimer(member.clock, () => this.#expireCalls())
  }

  /** One for each session and path, for operators. */
  watches(): { readonly session: SessionId; readonly path: string }[] {
    const seen = new Map<string, { readonly session: SessionId; readonly path: string }>()
    for (const [session, path] of this.#watches.registrations()) seen.set(`${session} ${path}`, { session, path })
    return [...seen.values()]
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  open(opening: SessionOpening, deliver: (item: SessionItem) => void): SessionLink {
    const { attach, requestTimeoutMs, address, readOnly = false, superDigest } = opening
    const { outstandingCallsMax, allOutstandingCallsMax, watchesMax, timeoutMs: allowed } = this.#member.limits
    const timeoutMs = Math.min(Math.max(opening.timeoutMs, allowed.min), allowed.max)
    const password = attach?.password ?? this.#member.entropy.bytes(16)
    const passwordHash = new Uint8Array(createHash('sha256').update(password).digest())
    const id = attach === undefined ? this.#newId() : sessionIdFrom(attach.id)
    const whenTouched = opening.whenTouched ?? false
    const options = {
      id,
      password,
      passwordHash,
      timeoutMs,
      whenTouched,
      requestTimeoutMs,
      outstandingCallsMax,
      allOutstandingCallsMax,
      watchesMax,
      takesOver: attach !== undefined,
      address,
      readOnly,
      superDigest,
    }
    const session = new HostedSession(options, this.#surroundings(), deliver)
    if (this.#closed) session.refuse()
    else if (attach === undefined) this.#sessions.set(id, session)
    else this.#arriving.set(id, session)
    if (this.#serving) session.resume()
    return {
      id: session.id,
      password,
      timeoutMs,
      call: (call) => {
        session.call(call)
        this.#watchDeadlines(session)
      },
      readNow: (read) => session.readNow(read),
      get confirmedUntil(): number {
        return session.confirmedUntil
      },
      touch: () => session.touch(),
      abandon: () => session.end('lost', 'abandoned', { cause: 'abandoned', by: 'host', durationMs: undefined }),
    }
  }

  get hasRequests(): boolean {
    return this.#outbox.length > 0 || this.#newReads.length > 0
  }

  /** Asks once for all reads of this turn: what is committed now is committed after each of them began. */
  askForReads(): void {
    if (this.#newReads.length === 0) return
    this.#lastId += 1
    this.#reads.add(this.#lastId, this.#newReads)
    this.#newReads = []
    this.#member.readIndex(this.#lastId)
  }

  /** The requests that were submitted in this turn. */
  takeRequests(): readonly TreeRequest[] {
    const requests = this.#outbox
    if (requests.length > 0) this.#outbox = []
    return requests
  }

  /** The member serves, in a new term. */
  resume(): void {
    this.#noteServing()
    this.#forgetReads()
    this.#outbox = []
    for (const session of [...this.#sessions.values(), ...this.#arriving.values()]) session.resume()
    this.#sendHeartbeat()
  }

  suspend(reason: string): void {
    this.#serving = false
    this.#suspendedAt ??= this.#member.clock.now()
    this.#suspension = reason
    for (const session of [...this.#sessions.values()]) session.suspend(reason)
  }

  /** Between two entries: events first, then the answer, then the reads that waited for it. */
  onApplied({ stamp, request, result, changes, warnings, endedSession }: Applied): void {
    for (const warning of warnings) this.#warnOfQuota(warning)
    if (changes.length > 0) {
      if (!this.#watches.isEmpty) {
        for (const fired of this.#watches.trigger(changes, stamp.zxid)) this.#sessions.get(fired.session)?.notify(fired)
      }
      this.#streams.onApplied(stamp.zxid, changes)
    }
    if ('session' in request) {
      if (request.type !== 'expireSession') this.#onOwn(request, result)
      if (endedSession !== undefined) this.#onEnded(endedSession, request.type)
    }
    this.#pumpBehind()
  }

  /** After a step: entries that are of no session and no node bring the replica forward, too, and there may be reads that wait for it. */
  onStepped(): void {
    this.#pumpBehind()
  }

  /** A snapshot took the place of entries that were never applied here one by one. */
  onInstalled(before: ReplicatedState): void {
    const { state } = this.#member
    for (const session of [...this.#sessions.values()]) {
      const isKnown = state.sessions.get(session.id) !== undefined
      if (!session.isOpen || isKnown) continue
      const loss = this.#lossOf(session, 'leader')
      session.end('lost', `the session expired while this member was cut off${textOf(loss)}`, loss)
    }
    for (const fired of this.#watches.catchUp(before.tree, state.tree, state.lastZxid)) {
      this.#sessions.get(fired.session)?.notify(fired)
    }
    this.#streams.onInstalled()
    this.#pumpBehind()
  }

  onReadReady(id: number, zxid: Zxid): void {
    for (const ready of this.#reads.take(id) ?? []) ready(zxid)
  }

  onHeartbeatConfirmed(id: number, ended: readonly SessionId[]): void {
    const heartbeat = this.#heartbeats.get(id)
    if (heartbeat === undefined) return
    for (const earlier of this.#heartbeats.keys()) if (earlier <= id) this.#heartbeats.delete(earlier)
    for (const id of heartbeat.sessions) {
      const session = this.#sessions.get(id)
      if (session !== undefined && !ended.includes(id)) this.#confirm(session, heartbeat.sentAt)
    }
    this.#armExpiry()
  }

  /** The ensemble is dead, and its sessions with it; those that are opened from now on are of what comes next. */
  loseAll(reason: string): void {
    const loss: SessionLoss = { cause: 'majorityLost', by: 'host', durationMs: undefined }
    for (const session of [...this.#sessions.values(), ...this.#arriving.values()]) session.end('lost', reason, loss)
    this.#streams.onLost()
    this.#outbox = []
    this.#forgetReads()
    this.#heartbeats.clear()
  }

  /** Ends every session: the member is gone. */
  close(reason: string): void {
    this.#closed = true
    this.#serving = false
    const loss: SessionLoss = { cause: 'stopped', by: 'host', durationMs: undefined }
    for (const session of [...this.#sessions.values(), ...this.#arriving.values()]) session.end('lost', reason, loss)
    this.#heartbeatTimer.cancel()
    this.#expiryTimer.cancel()
    this.#deadlineTimer.cancel()
  }

  #onOwn(request: Exclude<SessionRequest, { type: 'expireSession' }>, result: Applied['result']): void {
    const session = this.#sessions.get(request.session)
    if (request.type === 'write') {
      session?.onWritten(request, result)
      return
    }
    const arriving = request.type === 'attachSession' ? this.#arriving.get(request.session) : undefined
    session?.onAttached(result)
    arriving?.onAttached(result)
    if (arriving?.isOpen === true) {
      this.#arriving.delete(arriving.id)
      this.#sessions.set(arriving.id, arriving)
    }
    const opened = arriving ?? session
    if (opened?.isOpen !== true) return
    this.#confirm(opened, opened.askedAt ?? this.#member.clock.now())
    this.#armExpiry()
    // Not later than what is set: the others wait for theirs.
    this.#heartbeatTimer.setEarlier(this.#nextHeartbeat)
  }

  #onEnded(id: SessionId, how: TreeRequest['type']): void {
    const session = this.#sessions.get(id)
    this.#watches.removeSession(id)
    if (session === undefined) return
    const loss = this.#lossOf(session, 'leader')
    if (how === 'expireSession') session.end('lost', `expired by the leader${textOf(loss)}`, loss)
    else session.end('closed', 'closed', loss)
  }

  #warnOfQuota({ path, kind, used, limit }: QuotaWarning): void {
    const key = `${kind} ${path}`
    const now = this.#member.clock.now()
    if (now - (this.#warned.get(key) ?? Number.NEGATIVE_INFINITY) < warningIntervalMs) return
    this.#warned.set(key, now)
    this.#member.warn(
      `the quota of ${path} is exceeded: ${used} ${kind === 'count' ? 'nodes' : 'bytes'}, limit ${limit}`,
    )
  }

  #pumpBehind(): void {
    if (this.#behind.size === 0) return
    const sessions = [...this.#behind]
    this.#behind.clear()
    for (const session of sessions) session.pump()
  }

  #mayRead(session: HostedSession, count: number): boolean {
    const may = this.#mayReadAtOnce(count)
    if (!may) this.#nextTurn.add(session)
    return may
  }

  #mayReadAtOnce(count: number): boolean {
    const isFirst = this.#readsOfTurn === 0
    this.#readsOfTurn += count
    if (isFirst) this.#member.clock.defer(() => this.#beginTurn())
    return this.#readsOfTurn <= readsPerTurn
  }

  #beginTurn(): void {
    this.#readsOfTurn = 0
    const sessions = [...this.#nextTurn]
    this.#nextTurn.clear()
    for (const session of sessions) session.pump()
  }

  #surroundings(): SessionSurroundings {
    const isServing = (): boolean => this.#serving
    const state = (): ReplicatedState => this.#member.state
    const lastZxid = (): Zxid => this.#member.lastZxid
    const isSound = (): boolean => this.#member.isSound
    return {
      get isSound(): boolean {
        return isSound()
      },
      get serving(): boolean {
        return isServing()
      },
      get state(): ReplicatedState {
        return state()
      },
      get lastZxid(): Zxid {
        return lastZxid()
      },
      watches: this.#watches,
      streams: this.#streams,
      authentication: this.#member.authentication,
      outstanding: this.#outstanding,
      now: () => this.#member.clock.now(),
      submit: (request) => {
        this.#outbox.push(request)
        this.#member.requestsWaiting()
      },
      readIndex: (ready) => this.#readIndex(ready),
      isBehind: (session) => {
        this.#behind.add(session)
      },
      nextGeneration: (known) => this.#nextGeneration(known),
      mayRead: (session, count) => this.#mayRead(session, count),
      mayReadAtOnce: () => this.#mayReadAtOnce(1),
      stateChanged: (session, state, reason, loss) => {
        diagnose('embedded-coord:session', this.#member.source, (member) => {
          const told = { member, session: `${session.id}`, reason }
          return state === 'lost' && loss !== undefined
            ? { type: state, ...told, loss }
            : { type: state as 'closed', ...told }
        })
      },
      ended: (session) => {
        this.#behind.delete(session)
        this.#nextTurn.delete(session)
        if (this.#arriving.get(session.id) === session) this.#arriving.delete(session.id)
        if (this.#sessions.get(session.id) !== session) return
        this.#sessions.delete(session.id)
        this.#watches.removeSession(session.id)
      },
    }
  }

  #readIndex(ready: ReadWaiter): void {
    this.#newReads.push(ready)
    this.#member.requestsWaiting()
  }

  #forgetReads(): void {
    this.#newReads = []
    this.#reads = new Numbered()
  }

  #newId(): SessionId {
    for (;;) {
      const bytes = this.#member.entropy.bytes(8)
      const value = new DataView(bytes.buffer).getBigUint64(0) & 0x7fff_ffff_ffff_ffffn
      if (value !== 0n) return sessionIdFrom(value)
    }
  }

  /**
   * The upper part counts; the lower one is random, because this replica may lag: two places that attach a session at
   * the same time must not choose the same number, or both would take it for theirs.
   */
  #nextGeneration(known: number): number {
    const random = new DataView(this.#member.entropy.bytes(4).buffer).getUint32(0)
    return (Math.floor(known / generationUnit) + 1) * generationUnit + random
  }

  #confirm(session: HostedSession, sentAt: number): void {
    const drift = this.#member.clockDriftMax
    const until = sentAt + (session.options.timeoutMs * (1 - drift)) / (1 + drift)
    if (until > session.confirmedUntil || session.confirmedUntil === Number.POSITIVE_INFINITY)
      session.confirmedUntil = until
  }

  #sendHeartbeat(): void {
    const isAlive = (session: HostedSession): boolean => session.isOpen && session.takeVouch()
    const open = this.#serving ? [...this.#sessions.values()].filter(isAlive).map(({ id }) => id) : []
    if (open.length > 0) {
      this.#lastId += 1
      this.#heartbeats.set(this.#lastId, { sentAt: this.#member.clock.now(), sessions: open })
      this.#member.heartbeat(this.#lastId, open)
    }
    this.#heartbeatTimer.set(this.#nextHeartbeat)
  }

  get #nextHeartbeat(): number {
    let shortest = Number.POSITIVE_INFINITY
    for (const session of this.#sessions.values()) shortest = Math.min(shortest, session.options.timeoutMs)
    return this.#member.clock.now() + shortest / 3
  }

  #armExpiry(): void {
    let next = Number.POSITIVE_INFINITY
    for (const session of this.#sessions.values()) next = Math.min(next, session.confirmedUntil)
    this.#expiryTimer.set(next)
  }

  /** Nobody has confirmed these sessions in time: to the application they are over. */
  #expireSilently(): void {
    const now = this.#member.clock.now()
    for (const session of [...this.#sessions.values()]) {
      if (session.confirmedUntil > now) continue
      const why = this.#serving ? 'its heartbeats were not confirmed' : this.#suspension
      const loss = this.#lossOf(session, 'host')
      session.end('lost', `not confirmed for ${session.options.timeoutMs} ms: ${why}${textOf(loss)}`, loss)
    }
    this.#armExpiry()
  }

  #noteServing(): void {
    this.#serving = true
    if (this.#suspendedAt === undefined) return
    const now = this.#member.clock.now()
    this.#outage = { endedAt: now, ms: now - this.#suspendedAt }
    this.#suspendedAt = undefined
  }

  /** What kept this session from being confirmed in time, as far as it can be seen from here. */
  #lossOf({ options: { timeoutMs } }: HostedSession, by: SessionLoss['by']): SessionLoss {
    const now = this.#member.clock.now()
    const stallMs = this.#member.longestStall(2 * timeoutMs)
    // Heartbeats go out every third of the timeout: a shorter pause loses none of them.
    if (stallMs >= timeoutMs / 3) return { cause: 'stall', by, durationMs: Math.round(stallMs) }
    const isRecent = now - this.#outage.endedAt <= timeoutMs
    const outageMs = this.#suspendedAt !== undefined ? now - this.#suspendedAt : isRecent ? this.#outage.ms : 0
    if (outageMs > 0) return { cause: 'partition', by, durationMs: Math.round(outageMs) }
    return { cause: by === 'leader' ? 'expired' : 'partition', by, durationMs: undefined }
  }

  #watchDeadlines(session: HostedSession): void {
    if (session.isOver) return
    this.#deadlineTimer.setEarlier(session.nextDeadline)
  }

  #expireCalls(): void {
    const now = this.#member.clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const session of [...this.#sessions.values(), ...this.#arriving.values()]) {
      session.expireCalls(now)
      next = Math.min(next, session.nextDeadline)
    }
    this.#deadlineTimer.set(next)
  }
}

/** What the reason of a loss adds. */
function textOf({ cause, durationMs }: SessionLoss): string {
  if (durationMs === undefined) return ''
  const seconds = (durationMs / 1000).toFixed(1)
  return cause === 'stall' ? `; this process stood still for ${seconds} s` : `; no quorum served it for ${seconds} s`
}
