/**
 * A leader ends a session only if it was there to hear nothing of it for its whole timeout: for what it missed while its
 * own process stood still, it blames nobody. It notices a standstill by a ping that is late, so each one may cost a
 * session up to the time between two pings. What counts is when it decides: while leadership is being handed over, or an
 * epoch begins, the entry waits, and whoever vouches for the session meanwhile is told that it ends.
 */
import type { Input } from '../../../lib/core/input.ts'
import type { SessionId } from '../../../lib/core/tree/session-id.ts'
import type { LogRequest } from '../../../lib/core/zab/batch.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

/** A timer may be so late without anybody calling it a standstill. */
const toleranceMs = 25

interface Moment {
  readonly runningMs: number
  /** How often the process had stood still by then. */
  readonly pauses: number
}

const longAgo: Moment = { runningMs: Number.NEGATIVE_INFINITY, pauses: 0 }

export class PatientLeader implements Invariant {
  /** By leader and session: when it last heard, by the leader's own running time. */
  readonly #heard = new Map<string, Moment>()
  /** By leader: since when it leads, by its running time. */
  readonly #since = new Map<string, Moment & { readonly epoch: number }>()

  /** By leader: when it last had no learner, by its running time. Without one there are no pings. */
  readonly #alone = new Map<string, number>()

  /** Decided, and looked at. */
  readonly #decided = new WeakSet<LogRequest>()

  onInput(_world: CoreWorld, member: SimMember, input: Input): void {
    const sessions = sessionsOf(member, input)
    const { runningMs, pauses } = member
    for (const session of sessions) this.#heard.set(`${keyOf(member)} ${session}`, { runningMs, pauses })
  }

  onStep(world: CoreWorld, member: SimMember): void {
    const role = member.peer?.zab.role
    if (role?.name !== 'leading') return
    const { runningMs, pauses } = member
    if (role.phase === 'broadcast' && role.epoch !== undefined) {
      const known = this.#since.get(keyOf(member))
      if (role.learners.size === 0) this.#alone.set(keyOf(member), runningMs)
      if (known?.epoch !== role.epoch) this.#since.set(keyOf(member), { epoch: role.epoch, runningMs, pauses })
    }
    for (const { requests } of role.pending) {
      for (const request of requests) this.#noteDecision(world, member, request)
    }
  }

  onPersist(world: CoreWorld, member: SimMember, { append }: PersistChange): void {
    if (member.peer?.zab.role.name !== 'leading') return
    for (const request of append?.requests ?? []) this.#noteDecision(world, member, request)
  }

  #noteDecision(world: CoreWorld, member: SimMember, request: LogRequest): void {
    if (request.type !== 'expireSession' || this.#decided.has(request)) return
    this.#decided.add(request)
    const timeoutMs = member.peer?.state.sessions.get(request.session)?.timeoutMs ?? 0
    const heard = this.#heard.get(`${keyOf(member)} ${request.session}`) ?? longAgo
    const since = this.#since.get(keyOf(member)) ?? longAgo
    const last = heard.runningMs > since.runningMs ? heard : since
    if ((this.#alone.get(keyOf(member)) ?? Number.NEGATIVE_INFINITY) >= last.runningMs) return
    // Whoever asked for its end is not kept alive any more.
    if (world.sessions.some(({ id, isClosing }) => id === request.session && isClosing)) return
    const silentMs = member.runningMs - last.runningMs
    const standstills = member.pauses - last.pauses
    const toleratedMs = (standstills + 1) * toleranceMs + standstills * world.options.timing.pingIntervalMs
    if (silentMs >= timeoutMs - toleratedMs) return
    throw new Violation(
      'PatientLeader',
      `${member.name} ends a session of ${timeoutMs} ms after it listened for ${silentMs.toFixed(1)} ms`,
    )
  }
}

/** The sessions that a leader hears to be alive, from itself or a learner. */
function sessionsOf(member: SimMember, input: Input): readonly SessionId[] {
  const role = member.peer?.zab.role
  if (role?.name !== 'leading') return []
  if (input.type === 'heartbeat') return input.sessions
  if (input.type !== 'message' || input.message.type !== 'heartbeat') return []
  return role.learners.has(input.from) ? input.message.sessions : []
}

/** A process, which is not its member: its running time starts anew. */
function keyOf({ id, incarnation }: SimMember): string {
  return `${id} ${incarnation}`
}
