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

class SimSession {
  readonly id: SessionId
  readonly timeoutMs: number
  readonly passwordHash: Uint8Array
  readonly askedAt: number
  state: 'opening' | 'open' | 'over' = 'opening'
  isClosing = false
  generation = 0
  nextCxid = 1
  answeredThrough = 0
  gapSeenAt = 0
  readonly unanswered = new Map<number, WriteRequest>()

  constructor(id: SessionId, timeoutMs: number, askedAt: number) {
    this.id = id
    this.timeoutMs = timeoutMs
    this.askedAt = askedAt
    this.passwordHash = new Uint8Array([Number(id & 0xffn), 1, 2])
  }
}

interface Heartbeat {
  readonly sentAt: number
  readonly sessions: readonly SimSession[]
}

/** At most so many writes of a session are on their way. */
const windowMax = 6
const paths = ['/a', '/b', '/c', '/a/x', '/a/y', '/b/z']

export class SimHost {
  readonly #world: CoreWorld
  readonly #member: SimMember
  readonly #sessions = new Map<SessionId, SimSession>()
  readonly #heartbeats = new Map<number, Heartbeat>()
  /** What had been acknowledged to anybody when the read was asked for. */
  readonly #reads = new Map<number, Zxid>()
  #outbox: TreeRequest[] = []
  #serving = false
  #lastId = 0

  constructor(world: CoreWorld, member: SimMember) {
    this.#world = world
    this.#member = member
  }

  /** Whether something is still to be answered. */
  get isWaiting(): boolean {
    if (this.#reads.size > 0) return true
    for (const session of this.#sessions.values()) {
      if (session.state === 'opening' || session.unanswered.size > 0) return true
    }
    return false
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  start(): void {
    this.#act()
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
      else for (const request of session.unanswered.values()) this.#submit(stamped(session, request))
    }
  }

  onInstalled(): void {
    const { state } = this.#member.peer ?? {}
    for (const session of [...this.#sessions.values()]) {
      if (session.state === 'open' && state?.sessions.get(session.id) === undefined) this.#end(session)
    }
  }

  onApplied({ stamp, request, result, endedSession }: Applied): void {
    const session = this.#sessions.get(request.session)
    if (session !== undefined) {
      if (request.type === 'write') this.#onWritten(session, request, result, stamp.zxid)
      else if (request.type === 'createSession') this.#onCreated(session, result, stamp.zxid)
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

  openSession(timeoutMs: number): SessionId {
    const id = sessionIdFrom(BigInt(this.#world.random.workload.between(1, 0x7fff_ffff)) << 8n)
    const session = new SimSession(id, timeoutMs, this.#member.localNow)
    this.#sessions.set(id, session)
    if (this.#serving) this.#open(session)
    return id
  }

  /** A write of one of the hosted sessions, whichever is open. Returns whether there was one. */
  write(operation: Operation, id?: SessionId): boolean {
    const session = this.#pickOpen(id)
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

  #pickOpen(id: SessionId | undefined): SimSession | undefined {
    const open = [...this.#sessions.values()].filter(
      (session) => session.state === 'open' && !session.isClosing && session.unanswered.size < windowMax,
    )
    if (id !== undefined) return open.find((session) => session.id === id)
    return open.length === 0 ? undefined : this.#world.random.workload.pick(open)
  }

  /** What this host does next, again and again until the world grows quiet. */
  #act(): void {
    const { workload } = this.#world.random
    const { options } = this.#world
    this.#member.later(workload.exponential(options.actionMs), () => {
      if (this.#world.isQuiet) return
      if (!this.#member.isPaused) this.#actOnce()
      this.#act()
    })
  }

  #actOnce(): void {
    const { workload } = this.#world.random
    const dice = workload.random()
    if (this.#sessions.size < this.#world.options.sessionsPerMember && dice < 0.3) {
      this.openSession(workload.pick(this.#world.options.sessionTimeoutsMs))
    } else if (dice < 0.1) {
      this.read()
    } else if (dice < 0.12) {
      this.write({ type: 'closeSession' })
    } else {
      const burst = workload.chance(0.2) ? workload.between(2, 5) : 1
      for (let count = 0; count < burst; count += 1) this.write(this.#anyOperation())
    }
  }

  #anyOperation(): Operation {
    const { workload } = this.#world.random
    const path = workload.pick(paths)
    const data = new Uint8Array([workload.between(0, 255)])
    const version = workload.chance(0.5) ? -1 : workload.between(0, 3)
    const dice = workload.random()
    if (dice < 0.25) return { type: 'create', path, data, mode: 'persistent' }
    if (dice < 0.35) return { type: 'create', path, data, mode: 'ephemeral' }
    if (dice < 0.45) return { type: 'create', path: '/a/n-', data, mode: 'ephemeral-sequential' }
    if (dice < 0.75) return { type: 'setData', path, data, version }
    if (dice < 0.9) return { type: 'delete', path, version, recursive: workload.chance(0.3) }
    const other = workload.pick(paths)
    return {
      type: 'multi',
      operations: [
        { type: 'check', path, version },
        { type: 'setData', path: other, data, version: -1 },
      ],
    }
  }

  #beat(): void {
    const interval = Math.min(...this.#world.options.sessionTimeoutsMs) / 3
    this.#member.later(interval, () => {
      if (!this.#member.isPaused) this.#beatOnce()
      this.#beat()
    })
  }

  #beatOnce(): void {
    const sessions = [...this.#sessions.values()].filter(({ state }) => state === 'open')
    if (!this.#serving || sessions.length === 0) return
    this.#lastId += 1
    this.#heartbeats.set(this.#lastId, { sentAt: this.#member.localNow, sessions })
    this.#member.receive({ type: 'heartbeat', id: this.#lastId, sessions: sessions.map(({ id }) => id) })
  }

  #open({ id, passwordHash, timeoutMs }: SimSession): void {
    this.#submit({ type: 'createSession', session: id, passwordHash, timeoutMs })
  }

  #send(session: SimSession, operation: Operation): void {
    const { id, generation, answeredThrough } = session
    const cxid = session.nextCxid
    session.nextCxid += 1
    if (operation.type === 'closeSession') session.isClosing = true
    const request: WriteRequest = { type: 'write', session: id, generation, cxid, answeredThrough, operation }
    session.unanswered.set(cxid, request)
    if (this.#serving) this.#submit(request)
  }

  #submit(request: TreeRequest): void {
    this.#outbox.push(this.#world.frozen(request))
    this.#member.wake()
  }

  #onCreated(session: SimSession, result: RequestResult, zxid: Zxid): void {
    if (session.state !== 'opening' || result.type !== 'attached') return
    session.state = 'open'
    session.generation = result.generation
    this.#world.clients.noteAcknowledged(session.id, 0, zxid)
    this.#noteHeld(session, session.askedAt)
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
    this.#world.clients.noteAcknowledged(session.id, request.cxid, zxid)
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

function stamped({ answeredThrough }: SimSession, request: WriteRequest): WriteRequest {
  return { ...request, answeredThrough }
}
