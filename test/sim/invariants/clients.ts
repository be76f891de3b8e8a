/**
 * What sessions may rely on: an acknowledged write stands in the committed log, each request is evaluated at most once
 * and keeps its result, a session's writes are evaluated in their order, a read index is past everything acknowledged to
 * anybody before it was asked for, and nobody's session expires while it is held.
 */
import { digestOf } from '../../../lib/core/tree/digest.ts'
import type { Applied, RequestResult } from '../../../lib/core/tree/operation.ts'
import type { SessionId } from '../../../lib/core/tree/session-id.ts'
import { formatZxid, type Zxid, zxidZero } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

interface Evaluated {
  lastCxid: number
  readonly results: Map<number, string>
}

interface Acknowledged {
  readonly session: SessionId
  /** 0 is the opening of the session. */
  readonly cxid: number
  readonly zxid: Zxid
}

/** The session is not there any more, or is elsewhere: the write was not evaluated. */
const turnedAway: ReadonlySet<string> = new Set(['COORD_SESSION_EXPIRED', 'COORD_SESSION_MOVED'])

export class Clients implements Invariant {
  readonly #sessions = new Map<SessionId, Evaluated>()
  readonly #acknowledged: Acknowledged[] = []
  readonly #heldUntil = new Map<SessionId, number>()
  #checkedThrough: Zxid = zxidZero
  lastAcknowledged: Zxid = zxidZero

  get acknowledgedCount(): number {
    return this.#acknowledged.length
  }

  /** `isDiverged`: by a member that has evaluated something otherwise, and has not been found out yet. */
  noteAcknowledged(session: SessionId, cxid: number, zxid: Zxid, result: RequestResult, isDiverged: boolean): void {
    const isTurnedAway = result.type === 'error' && turnedAway.has(result.code)
    const known = cxid === 0 || isTurnedAway ? undefined : this.#sessions.get(session)?.results.get(cxid)
    if (known !== undefined && known !== digestOf([result]) && !isDiverged) {
      throw new Violation(
        'SameAnswer',
        `write ${cxid} of a session is answered with ${JSON.stringify(result.type)}, not as it was evaluated`,
      )
    }
    this.#acknowledged.push({ session, cxid, zxid })
    if (zxid > this.lastAcknowledged) this.lastAcknowledged = zxid
  }

  noteHeld(session: SessionId, until: number): void {
    this.#heldUntil.set(session, Math.max(until, this.#heldUntil.get(session) ?? 0))
  }

  checkRead(name: string, before: Zxid, zxid: Zxid): void {
    if (zxid >= before) return
    throw new Violation(
      'LinearizableRead',
      `${name} may read at ${formatZxid(zxid)}, ${formatZxid(before)} was acknowledged before`,
    )
  }

  /** Each entry is looked at once, where it is applied first; that others apply the same is the digests' business. */
  onApplied(world: CoreWorld, member: SimMember, applied: Applied): void {
    const { stamp, request, result, changes, endedSession } = applied
    if (stamp.zxid <= this.#checkedThrough || member.isDiverged) return
    this.#checkedThrough = stamp.zxid
    if (request.type === 'expireSession' && endedSession !== undefined) this.#checkHeld(world, endedSession)
    if (request.type !== 'write' || result.type === 'gap' || result.type === 'void') return
    if (result.type === 'error' && turnedAway.has(result.code)) return
    const known = this.#sessions.get(request.session) ?? { lastCxid: 0, results: new Map() }
    this.#sessions.set(request.session, known)
    const digest = digestOf([result])
    if (request.cxid === known.lastCxid + 1) {
      known.lastCxid = request.cxid
      known.results.set(request.cxid, digest)
    } else if (known.results.get(request.cxid) !== digest || changes.length > 0) {
      throw new Violation('AtMostOnce', `write ${request.cxid} of a session is evaluated after ${known.lastCxid}`)
    }
  }

  #checkHeld(world: CoreWorld, session: SessionId): void {
    const until = this.#heldUntil.get(session) ?? 0
    if (world.now >= until) return
    throw new Violation(
      'HeldSessions',
      `a session expires ${(until - world.now).toFixed(1)} ms before its holder knows`,
    )
  }

  onEnd(world: CoreWorld): void {
    for (const { session, cxid, zxid } of this.#acknowledged) {
      const request = world.history.requestAt(zxid)
      const isThere =
        request !== undefined &&
        (request.type === 'write' || request.type === 'createSession') &&
        request.session === session &&
        (request.type === 'createSession' ? cxid === 0 : request.cxid === cxid)
      if (!isThere) throw new Violation('AckedWrites', `an acknowledged write at ${formatZxid(zxid)} is lost`)
    }
    for (const { name, peer } of world.members) {
      if (peer !== undefined && peer.state.lastZxid < this.lastAcknowledged) {
        throw new Violation('AckedWrites', `${name} never reached ${formatZxid(this.lastAcknowledged)}`)
      }
    }
  }
}
