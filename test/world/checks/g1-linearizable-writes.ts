/** G1: writes are linearizable. In real time they have the order of the log, and each answer is what the model says. */
import type { Call } from '../history.ts'
import { textOf } from '../model/text.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function linearizableWrites(replay: Replay): void {
  for (const { entry, effect } of replay.log) {
    if (textOf(entry.result) === textOf(effect.result)) continue
    const request = textOf(entry.request)
    const wanted = `instead of ${textOf(effect.result)}`
    throw new Violation('G1', `${request} gave ${textOf(entry.result)} ${wanted}`, entry.order)
  }
  checkAnswers(replay)
  checkRealTime(replay)
}

function checkAnswers({ history, attribution }: Replay): void {
  for (const call of history.calls) {
    const replayed = attribution.entryOf.get(call.id)
    const { reply } = call
    if (replayed === undefined || reply === undefined || isUnknown(call)) continue
    const wanted = textOf(replayed.effect.result)
    if (textOf(reply.result) !== wanted)
      throw new Violation(
        'G1',
        `call ${call.id} was answered ${textOf(reply.result)} instead of ${wanted}`,
        reply.order,
      )
  }
}

const isUnknown = ({ reply }: Call): boolean =>
  reply?.result.type === 'error' && reply.result.code === 'COORD_CONNECTION_LOSS'

/** Whatever was acknowledged before a write was made comes before it in the log, also where its own outcome is unknown. */
function checkRealTime({ history, attribution }: Replay): void {
  const moments = history.calls.flatMap((call) => {
    const zxid = attribution.entryOf.get(call.id)?.entry.zxid
    if (zxid === undefined) return []
    const made = { order: call.order, zxid, isAnswer: false }
    return call.reply === undefined || isUnknown(call)
      ? [made]
      : [made, { order: call.reply.order, zxid, isAnswer: true }]
  })
  let highest = 0n
  for (const { order, zxid, isAnswer } of moments.sort((a, b) => a.order - b.order)) {
    if (!isAnswer && zxid <= highest)
      throw new Violation(
        'G1',
        `a write became ${zxid}, but ${highest} had been acknowledged before it was made`,
        order,
      )
    if (isAnswer && zxid > highest) highest = zxid
  }
}
