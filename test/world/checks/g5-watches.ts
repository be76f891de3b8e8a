/**
 * G5: a one-shot watch tells of the first change after its read, once, and before the session is shown anything at or
 * after that change; of a node that one may not read it says nothing. Where a snapshot took the place of entries, or the
 * client went on in another session, what it tells of is what differs.
 */
import type { Call, Watch } from '../history.ts'
import type { PathChange, Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function watches(replay: Replay): void {
  const answers = answersByStream(replay)
  const calls = new Map(replay.history.calls.map((call) => [call.id, call]))
  for (const watch of replay.history.watches) {
    const call = calls.get(watch.call)
    if (call !== undefined) checkWatch(replay, watch, call, answers.get(call.stream) ?? [])
  }
}

export interface Answer {
  readonly order: number
  readonly zxid: bigint
}

/** What each session was shown, as its application saw it. */
export function answersByStream({ history }: Replay): Map<number, Answer[]> {
  const orders = new Map(
    history.outcomes.map(({ call, order, error }) => [call, error === undefined ? order : undefined]),
  )
  const byStream = new Map<number, Answer[]>()
  for (const { id, stream, reply } of history.calls) {
    const order = orders.get(id)
    if (reply === undefined || order === undefined) continue
    const answers = byStream.get(stream)
    if (answers === undefined) byStream.set(stream, [{ order, zxid: reply.zxid }])
    else answers.push({ order, zxid: reply.zxid })
  }
  return byStream
}

function checkWatch(replay: Replay, { events, id }: Watch, call: Call, answers: readonly Answer[]): void {
  const { request, reply } = call
  if (request.kind !== 'read' || !('path' in request.read)) return
  const first = events[0]
  if (events.length > 1) throw new Violation('G5', `watch ${id} fired ${events.length} times`, events[1]?.order)
  const isSet = reply !== undefined && !call.isCancelled && reply.result.type !== 'error'
  if (!isSet) {
    if (first !== undefined) throw new Violation('G5', `watch ${id} fired, and was never set`, first.order)
    return
  }
  const { path } = request.read
  const kind = request.read.type === 'getData' ? 'data' : request.read.type === 'exists' ? 'exists' : 'children'
  const ended = replay.streams.get(call.stream)?.ended ?? Number.POSITIVE_INFINITY
  if (first !== undefined && first.order > ended) {
    if (first.event.zxid <= reply.zxid) throw new Violation('G5', `watch ${id} told of something old`, first.order)
    return
  }
  const change = replay.firstChange(path, kind, reply.zxid)
  const what = `the ${kind} watch ${id} on ${path}, set at ${reply.zxid}`
  // Used up in silence, the listener may still hear of something later, from another watch of the session.
  if (first !== undefined && change?.isReadable === false && first.event.zxid > change.zxid) return
  if (first !== undefined) checkEvent(replay, what, call, first, change)
  const shown = change && answers.find(({ zxid, order }) => zxid >= change.zxid && order > reply.order)
  if (shown === undefined || change === undefined || !change.isReadable || shown.order > ended) return
  const skipped = skips(replay, call, change.zxid)
  if (first === undefined && !skipped)
    throw new Violation('G5', `${what} did not tell of ${change.type} at ${change.zxid}`, shown.order)
  if (first !== undefined && first.order > shown.order && !skipped)
    throw new Violation('G5', `${what} told of ${change.zxid} after the session was shown it`, first.order)
}

function checkEvent(
  replay: Replay,
  what: string,
  call: Call,
  { event, order }: Watch['events'][number],
  change: PathChange | undefined,
): void {
  if (change === undefined)
    throw new Violation('G5', `${what} told of ${event.type} at ${event.zxid}: nothing changed`, order)
  const isFirst = change.isReadable && event.zxid === change.zxid && event.type === change.type
  if (!isFirst && !skips(replay, call, change.zxid)) {
    const told = `${event.type} at ${event.zxid} instead of ${change.type} at ${change.zxid}`
    throw new Violation('G5', `${what} told of ${told}`, order)
  }
}

/** Whether the session's member got over that entry by a snapshot. */
export function skips({ history, streams }: Replay, call: Call, zxid: bigint): boolean {
  const life = streams.get(call.stream)?.life
  return history.installations.some((it) => it.life === life && it.before < zxid && zxid <= it.after)
}
