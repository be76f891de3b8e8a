/**
 * G2: a session's operations keep their order: its writes are numbered without a hole in the log, and answers come in the
 * order in which the calls were made. (That its entries are its writes, in order, is what attribution.ts demands.)
 */
import type { RequestResult } from '../../../lib/core/tree/operation.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function fifo(replay: Replay): void {
  const { streams } = replay
  const lastCxids = new Map<bigint, number>()
  for (const { entry } of replay.log) {
    const { request, result, order } = entry
    if (request.type !== 'write' || isRefused(result)) continue
    const last = lastCxids.get(request.session) ?? 0
    if (request.cxid > last + 1)
      throw new Violation('G2', `write ${request.cxid} of session ${request.session} comes after ${last}`, order)
    lastCxids.set(request.session, Math.max(last, request.cxid))
  }
  const lastAnswers = new Map<number, number>()
  for (const { stream, reply, id, request, order } of replay.history.calls) {
    // A patient one has no deadline: those behind it may be given up before.
    if (reply === undefined || ('patient' in request && request.patient === true)) continue
    // Whoever asks a session that is over is refused at once.
    if (order > (streams.get(stream)?.ended ?? Number.POSITIVE_INFINITY)) continue
    if (reply.order < (lastAnswers.get(stream) ?? 0))
      throw new Violation('G2', `call ${id} was answered before one that was made earlier`, reply.order)
    lastAnswers.set(stream, reply.order)
  }
}

/** Not evaluated: out of order, or of a session that is gone or elsewhere. */
function isRefused(result: RequestResult): boolean {
  if (result.type === 'error') return result.code === 'COORD_SESSION_EXPIRED' || result.code === 'COORD_SESSION_MOVED'
  return result.type === 'gap' || result.type === 'void'
}
