/**
 * G12: what of the protocol shows from outside: an epoch has one leader, leaders come in the order of their epochs, each
 * member applies entries in order, and no member breaks down.
 */
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function protocol({ history }: Replay): void {
  const [breakdown] = history.breakdowns
  if (breakdown !== undefined) throw new Violation('G12', breakdown)
  const leaders = new Map<number, string>()
  let latest = 0
  for (const { epoch, leader, isLeader, life, order } of history.terms) {
    const other = leaders.get(epoch)
    if (other !== undefined && other !== leader)
      throw new Violation('G12', `epoch ${epoch} has two leaders, ${leader} and ${other}`, order)
    leaders.set(epoch, leader)
    if (isLeader && epoch < latest) throw new Violation('G12', `${life} leads epoch ${epoch} after ${latest}`, order)
    if (isLeader) latest = epoch
  }
  const applied = new Map<string, bigint>()
  for (const { life, zxid, order } of history.applications) {
    if (zxid <= (applied.get(life) ?? -1n))
      throw new Violation('G12', `${life} applied ${zxid} after ${applied.get(life)}`, order)
    applied.set(life, zxid)
  }
}
