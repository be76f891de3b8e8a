/**
 * The sessions that a simulated member hosts: a small copy of what lib/runtime does (session-host.ts and
 * hosted-session.ts). A write keeps its cxid for ever and is sent again, in order, in every new term of service.
 */
import type { Status } from '../../lib/core/output.ts'
import type { Applied, Operation, RequestResult, TreeRequest, WriteRequest } from '../../lib/core/tree/operation.ts'
import { type SessionId, sessionIdFrom } from '../../lib/core/tree/session-id.ts'
import type { Zxid } from '../../lib/core/zab/zxid.ts'
import type { CoreWorld } from './core-world.ts'
import type { SimMember } from './sim-member.ts'

/** What a client does, at its member (or at the `leader` of the moment): skipped where the moment does not allow it. */
export type ActionEvent = { readonly at: number; readonly member: string } & (
  | { readonly do: 'open'; readonly timeoutMs: number }
  /** `session` is a number among those that are open here. */
  | { readonly do: 'write'; readonly session: number; readonly operation: Operation }
  | { readonly do: 'read' }
  /** The client goes away without a word: its session must expire. */
  | { readonly do: 'silence'; readonly session: number }
  /** Two writes, of which the later one leaves first. */
  | { readonly do: 'overtake'; readonly session: number; readonly operations: readonly [Operation, Operation] }
  /** A session of another member, which may be down, goes on at this one; `isSame`: the one that moved last. */
  | { readonly do: 'move'; readonly session: number; readonly isSame?: boolean | undefined }
)

/** A session, as the client and its host together know it. */
export class SimSession {
  readonly id: SessionId
  readonly timeoutMs: number
  readonly passwordHash: Uint8Array
  host: SimHost
  askedAt: number
  state: 'opening' | 'attaching' | 'open' | 'over' = 'opening'
  isClosing = false
  isSilent = false
  generation = 0
  nextCxid = 1
  answeredThrough = 0
  gapSeenAt = 0
  readonly unanswered: Map<number, WriteRequest> = new Map()

  constructor(host: SimHost, id: SessionId, timeoutMs: number, askedAt: number) {
    this.host = host
    this.id = id
    this.timeoutMs = timeoutMs
    this.askedAt = askedAt
    this.passwordHash = new Uint8Array([Number((id >> 8n) & 0xffn), 1, 2])
  }
}

interface Heartbeat {
  readonly sentAt: number
  readonly sessions: readonly SimSession[]
}

/** At most so many writes of a session are on their way. */
const windowMax = 6

export class SimHost {
  readonly #world: CoreWorld
  readonly #member: SimMember
  readonly #sessions = new Map<SessionId, SimSession>()
  readonly #heartbeats = new Map<number, Heartbeat>()
  /** What had been acknowledged to anybody when the read was asked for. */
  readonly #reads = new Map<number, Zxid>()
  #outbox: TreeRequest[] = []
  #serving = false
  #isBeatDue = false
  #lastId = 0

  constructor(world: CoreWorld, member: SimMember) {
    this.#world = world
    this.#member = member
  }

  /** Whether something is still to be answered. */
  get isWaiting(): boolean {
    if (this.#reads.size > 0) return true
    for (const session of this.#sessions.values()) {
      if (session.isSilent) continue
      if (session.state === 'opening' || session.state === 'attaching' || session.unanswered.size > 0) return true
    }
    return false
  }

  /** The sessions that are alive because this host says so. */
  get kept(): readonly SimSession[] {
    return [...this.#sessions.values()].filter(({ isSilent, state }) => !isSilent && state !== 'over')
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  start(): void {
    this.#beat()
  }

  takeRequests(): readonly TreeRequest[] {
    const requests = this.#outbox
    if (requests.length > 0) this.#outbox = []
    return requests
  }

  onStatus(status: Status): void {
    this.#serving = status.serving
    if (!status.serving) return
    this.#outbox = []
    this.#reads.clear()
    for (const session of this.#sessions.values()) {
      session.gapSeenAt = 0
      if (session.state === 'opening') this.#open(session)
      else if (session.state === 'attaching') this.#attach(session)
      else for (const request of session.unanswered.values()) this.#submit(stamped(session, request))
    }
  }

  onInstalled(): void {
    const { state } = this.#member.peer ?? {}
    for (const session of [...this.#sessions.values()]) {
      const known = session.state === 'open' || session.state === 'attaching'
      if (known && state?.sessions.get(session.id) === undefined) this.#end(session)
    }
  }

  onApplied({ stamp, request, result, endedSession }: Applied): void {
    const session = 'session' in request ? this.#sessions.get(request.session) : undefined
    if (session !== undefined) {
      if (request.type === 'write') this.#onWritten(session, request, result, stamp.zxid)
      else if (request.type === 'createSession') this.#onCreated(session, result, stamp.zxid)
      else if (request.type === 'attachSession') this.#onAttached(session, request.generation, result)
    }
    const ended = endedSession === undefined ? undefined : this.#sessions.get(endedSession)
    if (ended !== undefined) this.#end(ended)
  }

  onReadReady(id: number, zxid: Zxid): void {
    const before = this.#reads.get(id)
    this.#reads.delete(id)
    if (before !== undefined) this.#world.clients.checkRead(this.#member.name, before, zxid)
  }

  onHeartbeatConfirmed(id: number, ended: readonly SessionId[]): void {
    const heartbeat = this.#heartbeats.get(id)
    this.#heartbeats.delete(id)
    for (const session of heartbeat?.sessions ?? []) {
      if (!ended.includes(session.id)) this.#noteHeld(session, heartbeat?.sentAt as number)
    }
  }

  /** What a schedule says that a client does here. */
  act(event: ActionEvent): void {
    if (this.#member.isPaused) return
    switch (event.do) {
      case 'open':
        if (this.#sessions.size < this.#world.options.sessionsPerMember) this.openSession(event.timeoutMs)
        return
      case 'read':
        this.read()
        return
      case 'write': {
        const session = this.#pickOpen(event.session)
        if (session !== undefined) this.#send(session, event.operation)
        else if (this.#sessions.size === 0) this.openSession(this.#world.options.sessionTimeoutsMs[0] ?? 1000)
        return
      }
      case 'silence': {
        const session = this.#pickOpen(event.session)
        if (session === undefined) return
        session.isSilent = true
        this.#world.mark('client.silent')
        return
      }
      case 'overtake': {
        const session = this.#pickOpen(event.session)
        if (session !== undefined) this.#sendInReverse(session, event.operations)
        return
      }
      case 'move':
        this.#takeOver(event.session, event.isSame === true)
    }
  }

  openSession(timeoutMs: number): SessionId {
    const id = sessionIdFrom(BigInt(this.#world.nextSessionNumber()) << 8n)
    const session = new SimSession(this, id, timeoutMs, this.#member.localNow)
    this.#sessions.set(id, session)
    this.#world.sessions.push(session)
    if (this.#serving) this.#open(session)
    return id
  }

  /** A write of the first open session. Returns whether there was one. */
  write(operation: Operation): boolean {
    const session = this.#pickOpen(0)
    if (session === undefined) return false
    this.#send(session, operation)
    return true
  }

  read(): void {
    if (!this.#serving) return
    this.#lastId += 1
    this.#reads.set(this.#lastId, this.#world.clients.lastAcknowledged)
    this.#member.receive({ type: 'readIndex', id: this.#lastId })
  }

  #pickOpen(number: number): SimSession | undefined {
    const open = [...this.#sessions.values()].filter(
      ({ state, isClosing, isSilent, unanswered }) =>
        state === 'open' && !isClosing && !isSilent && unanswered.size < windowMax,
    )
    return open[number % open.length]
  }

  /** The client goes on here. Its old host learns nothing of it: what it has on its way may still arrive. */
  #takeOver(number: number, isSame: boolean): void {
    const { sessions, lastMoved } = this.#world
    const mayMove = ({ host, state, isSilent }: SimSession): boolean =>
      host !== this && (state === 'open' || (isSame && state === 'attaching')) && !isSilent
    const others = isSame && lastMoved !== undefined ? [lastMoved].filter(mayMove) : sessions.filter(mayMove)
    const session = others[number % others.length]
    if (session === undefined) return
    this.#world.lastMoved = session
    this.#world.mark('client.moved')
    session.host.#sessions.delete(session.id)
    session.host = this
    session.generation += 1
    session.state = 'attaching'
    session.askedAt = this.#member.localNow
    session.gapSeenAt = 0
    this.#sessions.set(session.id, session)
    if (this.#serving) this.#attach(session)
  }

  #beat(): void {
    const interval = Math.min(...this.#world.options.sessionTimeoutsMs) / 3
    this.#member.later(interval, () => {
      if (this.#member.isPaused) this.#isBeatDue = true
      else this.#beatOnce()
      this.#beat()
    })
  }

  /** The process goes on: a timer that was due meanwhile fires at once. */
  resume(): void {
    if (this.#isBeatDue) this.#beatOnce()
  }

  #beatOnce(): void {
    this.#isBeatDue = false
    const sessions = [...this.#sessions.values()].filter(({ state, isSilent }) => state === 'open' && !isSilent)
    if (!this.#serving || sessions.length === 0) return
    this.#lastId += 1
    this.#heartbeats.set(this.#lastId, { sentAt: this.#member.localNow, sessions })
    this.#member.receive({ type: 'heartbeat', id: this.#lastId, sessions: sessions.map(({ id }) => id) })
  }

  #open({ id, passwordHash, timeoutMs }: SimSession): void {
    this.#submit({ type: 'createSession', session: id, passwordHash, timeoutMs })
  }

  #attach({ id, passwordHash, timeoutMs, generation }: SimSession): void {
    this.#submit({ type: 'attachSession', session: id, passwordHash, timeoutMs, generation })
  }

  #send(session: SimSession, operation: Operation): void {
    const request = this.#next(session, operation)
    if (this.#serving) this.#submit(request)
  }

  /** As where two ways lead to the leader. */
  #sendInReverse(session: SimSession, [first, second]: readonly [Operation, Operation]): void {
    const late = this.#next(session, first)
    const early = this.#next(session, second)
    if (!this.#serving) return
    this.#world.mark('client.overtaken')
    this.#submit(early)
    this.#submit(late)
  }

  #next(session: SimSession, operation: Operation): WriteRequest {
    const { id, generation, answeredThrough } = session
    const cxid = session.nextCxid
    session.nextCxid += 1
    if (operation.type === 'closeSession') session.isClosing = true
    const request: WriteRequest = { type: 'write', session: id, generation, cxid, answeredThrough, operation }
    session.unanswered.set(cxid, request)
    return request
  }

  #submit(request: TreeRequest): void {
    this.#outbox.push(this.#world.frozen(request))
    this.#member.wake()
  }

  #onCreated(session: SimSession, result: RequestResult, zxid: Zxid): void {
    if (session.state !== 'opening' || result.type !== 'attached') return
    session.state = 'open'
    session.generation = result.generation
    this.#world.clients.noteAcknowledged(session.id, 0, zxid, result, this.#member.isDiverged)
    this.#noteHeld(session, session.askedAt)
  }

  #onAttached(session: SimSession, generation: number, result: RequestResult): void {
    if (session.state !== 'attaching' || generation !== session.generation) return
    if (result.type !== 'attached') {
      this.#end(session)
      return
    }
    session.state = 'open'
    this.#noteHeld(session, session.askedAt)
    for (const request of session.unanswered.values()) this.#submit(stamped(session, request))
  }

  #onWritten(session: SimSession, request: WriteRequest, result: RequestResult, zxid: Zxid): void {
    if (!session.unanswered.has(request.cxid) || request.generation !== session.generation) return
    if (result.type === 'gap') {
      this.#onGap(session, request.cxid, result.nextCxid)
      return
    }
    if (result.type === 'void' || result.type === 'attached') return
    session.unanswered.delete(request.cxid)
    // A snapshot may have skipped earlier ones: those are not answered yet, and their results must be kept.
    const [oldest] = session.unanswered.keys()
    session.answeredThrough = (oldest ?? session.nextCxid) - 1
    this.#world.clients.noteAcknowledged(session.id, request.cxid, zxid, result, this.#member.isDiverged)
  }

  #onGap(session: SimSession, seen: number, nextCxid: number): void {
    if (seen <= session.gapSeenAt) return
    session.gapSeenAt = session.nextCxid - 1
    for (const [cxid, request] of session.unanswered) {
      if (cxid >= nextCxid) this.#submit(stamped(session, request))
    }
  }

  #noteHeld({ id, timeoutMs }: SimSession, sentAt: number): void {
    const { drift } = this.#world.options
    const until = sentAt + (timeoutMs * (1 - drift)) / (1 + drift)
    this.#world.clients.noteHeld(id, this.#member.worldTimeOf(until))
  }

  #end(session: SimSession): void {
    session.state = 'over'
    this.#sessions.delete(session.id)
  }
}

function stamped({ answeredThrough, generation }: SimSession, request: WriteRequest): WriteRequest {
  return { ...request, answeredThrough, generation }
}
