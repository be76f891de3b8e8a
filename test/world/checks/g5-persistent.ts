/**
 * G5, for persistent watches: as long as the session is where it was set, it tells of every change behind it, once, in the
 * order of the log, and before the session is shown anything at or after that change. Where a snapshot took the place of
 * entries, it tells of what differs.
 */
import type { Call, Persistent } from '../history.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'
import { eventsOf, isReserved } from './g5-streams.ts'
import { answersByStream, skips } from './g5-watches.ts'

export function persistentWatches(replay: Replay): void {
  const answers = answersByStream(replay)
  const calls = new Map(replay.history.calls.map((call) => [call.id, call]))
  for (const watch of replay.history.persistents) {
    const call = calls.get(watch.call)
    if (call !== undefined) checkWatch(replay, watch, call, answers.get(call.stream) ?? [])
  }
}

function checkWatch(
  replay: Replay,
  { path, recursive, events }: Persistent,
  call: Call,
  answers: readonly { readonly order: number; readonly zxid: bigint }[],
): void {
  const { reply } = call
  const what = `the ${recursive ? 'recursive ' : ''}persistent watch of call ${call.id} on ${path}`
  const isSet = reply !== undefined && !call.isCancelled && reply.result.type !== 'error'
  if (!isSet) {
    if (events[0] !== undefined) throw new Violation('G5', `${what} told something, and was never set`, events[0].order)
    return
  }
  const ended = replay.streams.get(call.stream)?.ended ?? Number.POSITIVE_INFINITY
  const isCounted = (zxid: bigint): boolean => !skips(replay, call, zxid)
  const expected = replay.changes
    .flatMap((change) => (change.zxid > reply.zxid ? eventsOf(change, { path, recursive }) : []))
    .filter(({ zxid }) => isCounted(zxid))
  let next = 0
  for (const { event, order } of events) {
    if (order > ended) break
    if (!isCounted(event.zxid) || isReserved(event.path)) continue
    const wanted = expected[next]
    if (wanted?.type !== event.type || wanted.path !== event.path || wanted.zxid !== event.zxid) {
      const instead = wanted === undefined ? 'nothing' : `${wanted.type} ${wanted.path} at ${wanted.zxid}`
      throw new Violation(
        'G5',
        `${what} told of ${event.type} ${event.path} at ${event.zxid} instead of ${instead}`,
        order,
      )
    }
    next += 1
    const early = answers.find(
      (answer) => answer.zxid >= event.zxid && answer.order > reply.order && answer.order < order,
    )
    if (early !== undefined)
      throw new Violation('G5', `${what} told of ${event.zxid} after the session was shown it`, order)
  }
  const missing = expected[next]
  const shown = missing && answers.find((answer) => answer.zxid >= missing.zxid && answer.order > reply.order)
  if (missing !== undefined && shown !== undefined && shown.order < ended)
    throw new Violation('G5', `${what} did not tell of ${missing.type} ${missing.path} at ${missing.zxid}`, shown.order)
}
