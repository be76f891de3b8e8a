/**
 * G3: a read shows the state at one zxid, exactly, and a session never goes back: not behind what it has read, nor behind
 * what it has written, nor when it moves to another member.
 */
import type { Call } from '../history.ts'
import { textOf } from '../model/text.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function reads(replay: Replay): void {
  const { history, attribution } = replay
  const answered = history.calls.filter(({ reply }) => reply !== undefined && isServed(reply.result))
  const seen = new Map<number, bigint>()
  const seenBySession = new Map<bigint, bigint>()
  const openedAt = new Map<number, bigint>()
  for (const call of answered.sort((a, b) => (a.reply?.order ?? 0) - (b.reply?.order ?? 0))) {
    const { reply, stream } = call
    if (reply === undefined) continue
    const session = replay.streams.get(stream)?.session ?? 0n
    if (!openedAt.has(stream)) openedAt.set(stream, seenBySession.get(session) ?? 0n)
    const floor = max(seen.get(stream) ?? 0n, openedAt.get(stream) ?? 0n)
    const own = attribution.entryOf.get(call.id)?.entry.zxid ?? 0n
    if (reply.zxid < max(floor, own))
      throw new Violation('G3', `call ${call.id} was answered at ${reply.zxid}, behind ${max(floor, own)}`, reply.order)
    seen.set(stream, reply.zxid)
    seenBySession.set(session, max(seenBySession.get(session) ?? 0n, reply.zxid))
    checkResult(replay, call)
  }
}

function checkResult(replay: Replay, call: Call): void {
  const expected = replay.expected(call)
  if (expected === undefined || call.reply === undefined) return
  const [found, wanted] = [textOf(call.reply.result), textOf(expected)]
  if (found !== wanted) {
    const request = textOf(call.request)
    throw new Violation('G3', `${request} at ${call.reply.zxid} showed ${found} instead of ${wanted}`, call.reply.order)
  }
}

/** It was answered by the replica, and not by a deadline or the end of the session. */
function isServed(result: { readonly type: string; readonly code?: string }): boolean {
  return result.type !== 'error' || result.code === 'COORD_NO_NODE'
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
