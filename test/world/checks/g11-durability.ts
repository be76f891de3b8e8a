/**
 * G11: what anybody was told, or has applied, is in the log of every later leader, and there in the end; every
 * acknowledged write has become an entry; and who comes back under its id has what its disk held.
 */
import { epochOf, zxidFrom } from '../../../lib/core/zab/zxid.ts'
import { certaintyOf } from '../attribution.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function durability({ history, log, attribution }: Replay): void {
  for (const call of history.calls) {
    const isKnown = call.request.kind !== 'write' || certaintyOf(call) !== 'applied' || attribution.entryOf.has(call.id)
    if (!isKnown)
      throw new Violation('G11', `call ${call.id} was acknowledged, and is not in the log`, call.reply?.order)
  }
  for (const { isLeader, logged, known, life, epoch, order } of history.terms) {
    // One that learns late that it has been leader lacks what later ones have committed, and can commit nothing itself.
    if (isLeader && logged < known && epochOf(zxidFrom(known)) <= epoch)
      throw new Violation('G11', `${life} leads epoch ${epoch} with a log through ${logged}: ${known} was known`, order)
  }
  for (const { life, before, now, order } of history.returns)
    if (now < before)
      throw new Violation(
        'G11',
        `${life} is back under its id with a log through ${now}: its disk held ${before}`,
        order,
      )
  const last = log.at(-1)?.entry
  for (const { life, zxid, stored } of history.finals) {
    if (stored !== undefined && stored !== `${zxid}`)
      throw new Violation('G11', `in the end ${life} has applied ${zxid}, and its disk says: ${stored}`)
    if (last !== undefined && zxid < last.zxid)
      throw new Violation('G11', `in the end ${life} has the log through ${zxid}: ${last.zxid} is lost`, last.order)
  }
}
