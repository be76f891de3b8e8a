/**
 * G9: who may do what is decided as the model decides it: nothing is refused for want of a right that the session has, nor
 * done or shown without one.
 */
import type { ErrorCode } from '../../../lib/errors.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

const refusals: ReadonlySet<string> = new Set<ErrorCode>(['COORD_NO_AUTH', 'COORD_INVALID_ACL'])

export function rights(replay: Replay): void {
  for (const { entry, effect } of replay.log)
    compare(entry.result, effect.result, `the write at ${entry.zxid}`, entry.order)
  for (const call of replay.history.calls) {
    const expected = replay.expected(call)
    const { reply } = call
    // Other errors say nothing about rights: it was not evaluated.
    if (expected === undefined || reply === undefined || isUnevaluated(reply.result)) continue
    compare(reply.result, expected, `read ${call.id}`, reply.order)
  }
}

interface Decided {
  readonly type: string
  readonly code?: string | undefined
  readonly results?: readonly object[] | undefined
}

function isUnevaluated(result: Decided): boolean {
  return result.type === 'error' && result.code !== 'COORD_NO_NODE' && !refusals.has(result.code ?? '')
}

function compare(found: Decided, expected: Decided, what: string, order: number): void {
  const [given, wanted] = [refusalsIn(found), refusalsIn(expected)]
  if (given !== wanted) throw new Violation('G9', `${what} was ${given}, and should have been ${wanted}`, order)
}

/** What was refused, of several things each by its place. */
function refusalsIn(result: Decided): string {
  const parts = result.type === 'reads' ? ((result.results ?? []) as readonly Decided[]) : [result]
  const found = parts.flatMap(({ code }, index) => (refusals.has(code ?? '') ? [`refused (${index}: ${code})`] : []))
  return found.length === 0 ? 'allowed' : found.join(', ')
}
