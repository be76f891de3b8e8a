/** Delivery is in zxid order, without holes; and nothing of an earlier epoch comes after a later one. */
import { type Batch, lastOf } from '../../../lib/core/zab/batch.ts'
import { formatZxid, zxidZero } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class TotalOrder implements Invariant {
  onDelivered(_world: CoreWorld, member: SimMember, batch: Batch, index: number): void {
    const before = member.log[index - 1]
    const last = before === undefined ? zxidZero : lastOf(before)
    if (batch.previous === last && batch.first > last) return
    throw new Violation('TotalOrder', `${member.name} delivers ${formatZxid(batch.first)} after ${formatZxid(last)}`)
  }
}
