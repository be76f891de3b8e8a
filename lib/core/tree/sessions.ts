/**
 * The sessions and what makes their writes exact: a write is known by (session, generation, cxid), is evaluated once,
 * in the order of its cxid, and its result is kept until the requester is known to have it. So a write that is sent
 * again, to whichever member, gets the result it had.
 *
 * A session is attached to one place at a time. The requester numbers these attachments (generations); what comes from
 * an earlier one is turned away, so that a late packet of an abandoned link cannot act.
 *
 * Which ephemeral nodes a session owns is known to the tree. Results and password hashes that are handed in belong to
 * the table; nobody writes to those that it hands out.
 */
import { assert } from '../../errors.ts'
import { failure } from './failure.ts'
import { FrozenSessions } from './frozen-state.ts'
import type {
  AttachSessionRequest,
  CreateSessionRequest,
  ExpireSessionRequest,
  OperationResult,
  RequestResult,
  SnapshotRecord,
  WriteRequest,
} from './operation.ts'
import type { SessionId } from './session-id.ts'
import { requireIntact } from './snapshot.ts'

/** A session as snapshots hold it. */
export type SessionRecord = Extract<SnapshotRecord, { kind: 'session' }>

/** What others may know of a session. */
export interface SessionView {
  readonly id: SessionId
  readonly timeoutMs: number
  readonly generation: number
  /** The last write that was evaluated; 0 before the first. */
  readonly lastCxid: number
}

export interface Session extends SessionView {
  readonly passwordHash: Uint8Array
  timeoutMs: number
  generation: number
  lastCxid: number
  /** Of the last writes, in order; the last one is of `lastCxid`. */
  readonly results: OperationResult[]
  /** The number of the last freeze of the state that is done with this session (frozen-state.ts). */
  frozen: number
}

export class SessionTable {
  readonly #sessions = new Map<SessionId, Session>()
  /** While the state is frozen. */
  #freeze: FrozenSessions | undefined

  get size(): number {
    return this.#sessions.size
  }

  get(id: SessionId): SessionView | undefined {
    return this.#sessions.get(id)
  }

  /** All sessions, by id. */
  list(): SessionView[] {
    return this.#sorted()
  }

  create(request: CreateSessionRequest): RequestResult {
    const { session: id, passwordHash, timeoutMs } = request
    const known = this.#sessions.get(id)
    if (known !== undefined) {
      return sameBytes(known.passwordHash, passwordHash) ? attached(known) : failure('COORD_SESSION_EXPIRED')
    }
    const session: Session = { id, passwordHash, timeoutMs, generation: 1, lastCxid: 0, results: [], frozen: 0 }
    this.#freeze?.leaveOut(session)
    this.#sessions.set(id, session)
    return attached(session)
  }

  attach(request: AttachSessionRequest): RequestResult {
    const session = this.#sessions.get(request.session)
    if (session === undefined || !sameBytes(session.passwordHash, request.passwordHash)) {
      return failure('COORD_SESSION_EXPIRED')
    }
    if (request.generation < session.generation) return failure('COORD_SESSION_MOVED')
    if (request.generation > session.generation) {
      this.#freeze?.keep(session)
      session.generation = request.generation
      session.timeoutMs = request.timeoutMs
    }
    return attached(session)
  }

  /** Whether an expiry still means the session as it is attached now. */
  isExpirable({ session, generation }: ExpireSessionRequest): boolean {
    return this.#sessions.get(session)?.generation === generation
  }

  /** The answer to a write that must not be evaluated (again); `undefined` when it is the next one. */
  answerWithoutEvaluation(request: WriteRequest): RequestResult | undefined {
    const session = this.#sessions.get(request.session)
    if (session === undefined) return failure('COORD_SESSION_EXPIRED')
    if (request.generation !== session.generation) return failure('COORD_SESSION_MOVED')
    const nextCxid = session.lastCxid + 1
    if (request.cxid > nextCxid) return { type: 'gap', nextCxid }
    if (request.cxid === nextCxid) return undefined
    // Once a result was dropped, its requester has it: only a stale duplicate asks again, and nobody waits for it.
    return session.results[request.cxid - firstKept(session)] ?? { type: 'void' }
  }

  /** Keeps the result of the write that was just evaluated and drops those that were answered. */
  record(request: WriteRequest, result: OperationResult): void {
    const session = this.#sessions.get(request.session)
    assert(session !== undefined && request.cxid === session.lastCxid + 1, 'a write was evaluated out of order')
    this.#freeze?.keep(session)
    // From an array: of a map with hundreds of them, finding the first is most of what a write costs here.
    const answered = Math.min(request.answeredThrough - firstKept(session) + 1, session.results.length)
    if (answered > 0) session.results.splice(0, answered)
    session.results.push(result)
    session.lastCxid = request.cxid
  }

  remove(id: SessionId): void {
    const session = this.#sessions.get(id)
    assert(session !== undefined, 'a session ended twice')
    this.#freeze?.keep(session)
    this.#sessions.delete(id)
  }

  *snapshot(): Generator<SessionRecord, void, undefined> {
    for (const session of this.#sorted()) yield recordOf(session)
  }

  /** From now on what changes is read out before. */
  freeze(number: number): FrozenSessions {
    this.#freeze = new FrozenSessions(number, this.#sessions, recordOf)
    return this.#freeze
  }

  thaw(): void {
    this.#freeze = undefined
  }

  restore(record: SessionRecord): void {
    const { session: id, passwordHash, timeoutMs, generation, lastCxid } = record
    requireIntact(!this.#sessions.has(id), () => `session ${id} occurs twice`)
    requireIntact(
      record.results.at(-1)?.cxid === (lastCxid === 0 ? undefined : lastCxid),
      () => `results of session ${id}`,
    )
    const results = record.results.map(({ cxid, result }, index) => {
      const expected = lastCxid - record.results.length + 1 + index
      requireIntact(cxid > 0 && cxid === expected, () => `the results of session ${id} are out of order`)
      return result
    })
    this.#sessions.set(id, { id, passwordHash, timeoutMs, generation, lastCxid, results, frozen: 0 })
  }

  #sorted(): Session[] {
    return [...this.#sessions.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }
}

/** The write whose result is the first that is kept. */
function firstKept({ lastCxid, results }: Session): number {
  return lastCxid - results.length + 1
}

function recordOf(session: Session): SessionRecord {
  const { id, passwordHash, timeoutMs, generation, lastCxid, results } = session
  const kept = results.map((result, index) => ({ cxid: firstKept(session) + index, result }))
  return { kind: 'session', session: id, passwordHash, timeoutMs, generation, lastCxid, results: kept }
}

function attached({ generation, timeoutMs, lastCxid }: Session): RequestResult {
  return { type: 'attached', generation, timeoutMs, nextCxid: lastCxid + 1 }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
