/**
 * G8: a multi is one entry, all or nothing: what it made carries its zxid, and a write that failed has left no trace, that
 * is: nobody is ever shown its zxid.
 */
import type { Stat } from '../../../lib/core/tree/stat.ts'
import type { Call } from '../history.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function multi({ log, history }: Replay): void {
  const failed = new Set<bigint>()
  for (const { entry, effect } of log) {
    const { result, zxid, changes, order } = entry
    if (result.type === 'error') {
      failed.add(zxid)
      if (changes.length > 0) throw new Violation('G8', `the write at ${zxid} failed, and changed something`, order)
    }
    if (result.type !== 'multi' || !effect.isEvaluated) continue
    for (const sub of result.results) {
      const at = 'stat' in sub ? (sub.type === 'create' ? sub.stat.czxid : sub.stat.mzxid) : zxid
      if (at !== zxid) throw new Violation('G8', `a part of the multi at ${zxid} happened at ${at}`, order)
    }
  }
  for (const call of history.calls) {
    const stat = statOf(call)
    const trace = stat && [stat.czxid, stat.mzxid, stat.pzxid].find((zxid) => failed.has(zxid))
    if (trace !== undefined)
      throw new Violation('G8', `the write at ${trace} failed, and left a trace`, call.reply?.order)
  }
}

function statOf({ reply }: Call): Stat | undefined {
  const result = reply?.result
  return result !== undefined && 'stat' in result ? result.stat : undefined
}
