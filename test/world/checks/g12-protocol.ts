/**
 * G12: what of the protocol shows from outside: an epoch has one leader, no process goes back to an earlier epoch, entries
 * come about in order, each member applies them in order, and no member breaks down. A leader may learn late that it has
 * been one, when others have led since: its process stood still, or the last acknowledgement was long on its way. It
 * commits nothing more then.
 */
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function protocol({ history }: Replay): void {
  const [breakdown] = history.breakdowns
  if (breakdown !== undefined) throw new Violation('G12', breakdown)
  const leaders = new Map<number, string>()
  const epochs = new Map<string, number>()
  for (const { epoch, leader, life, order } of history.terms) {
    const other = leaders.get(epoch)
    if (other !== undefined && other !== leader)
      throw new Violation('G12', `epoch ${epoch} has two leaders, ${leader} and ${other}`, order)
    leaders.set(epoch, leader)
    const before = epochs.get(life) ?? 0
    if (epoch < before) throw new Violation('G12', `${life} serves in epoch ${epoch} after ${before}`, order)
    epochs.set(life, epoch)
  }
  let latest = 0n
  for (const { zxid, host, order } of history.entries) {
    if (zxid < latest) throw new Violation('G12', `${host} is the first to apply ${zxid}, after ${latest}`, order)
    latest = zxid
  }
  const applied = new Map<string, bigint>()
  for (const { life, zxid, order } of history.applications) {
    if (zxid <= (applied.get(life) ?? -1n))
      throw new Violation('G12', `${life} applied ${zxid} after ${applied.get(life)}`, order)
    applied.set(life, zxid)
  }
}
