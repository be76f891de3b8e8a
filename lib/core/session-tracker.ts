/**
 * The leader's watch over sessions (design D9): the member that hosts a session vouches for it, the leader alone
 * expires it, by an entry. Every session starts a term with its full timeout, and the leader adds its own stalls to all,
 * since it could not hear anybody meanwhile.
 */
import type { SessionId } from './tree/session-id.ts'

/** What the tracker needs to know of a session in the tree. */
export interface TrackedSession {
  readonly timeoutMs: number
  readonly generation: number
}

export class SessionTracker {
  readonly #deadlines = new Map<SessionId, number>()
  /** Sessions whose expiry, or whose close, stands in the log and is not applied yet. */
  readonly #expiring = new Set<SessionId>()
  readonly #closing = new Set<SessionId>()
  #next = Number.POSITIVE_INFINITY

  /** When a session may expire next; a lower bound. */
  get nextDeadline(): number {
    return this.#next
  }

  /** Forgets everything: another term begins. */
  clear(): void {
    this.#deadlines.clear()
    this.#expiring.clear()
    this.#closing.clear()
    this.#next = Number.POSITIVE_INFINITY
  }

  /** Arms the full timeout, from now. */
  touch(session: SessionId, timeoutMs: number, now: number): void {
    const deadline = now + timeoutMs
    this.#deadlines.set(session, deadline)
    if (deadline < this.#next) this.#next = deadline
  }

  /** Its close is in the log: it is not vouched for any more. */
  noteEnding(session: SessionId): void {
    this.#closing.add(session)
  }

  isEnding(session: SessionId): boolean {
    return this.#expiring.has(session) || this.#closing.has(session)
  }

  forget(session: SessionId): void {
    this.#deadlines.delete(session)
    this.#expiring.delete(session)
    this.#closing.delete(session)
  }

  /** The expiry that was in the log came to nothing: the session had been attached anew. */
  noteVoidExpiry(session: SessionId): void {
    this.#expiring.delete(session)
  }

  /** The same, of a close. */
  noteVoidClose(session: SessionId): void {
    this.#closing.delete(session)
  }

  /** The leader itself was away: nobody is blamed for that. */
  postpone(byMs: number): void {
    for (const [session, deadline] of this.#deadlines) this.#deadlines.set(session, deadline + byMs)
    this.#next += byMs
  }

  /** The sessions that are overdue now, each named once per term unless that came to nothing. */
  takeOverdue(now: number): readonly SessionId[] {
    if (now < this.#next) return []
    const overdue: SessionId[] = []
    this.#next = Number.POSITIVE_INFINITY
    for (const [session, deadline] of this.#deadlines) {
      if (deadline <= now) overdue.push(session)
      else if (deadline < this.#next) this.#next = deadline
    }
    for (const session of overdue) {
      this.#deadlines.delete(session)
      this.#expiring.add(session)
    }
    return overdue.sort((a, b) => (a < b ? -1 : 1))
  }
}
