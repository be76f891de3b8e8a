/** If one member delivers a and another b, then the one delivers b or the other a. */
import type { Batch } from '../../../lib/core/zab/batch.ts'
import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class Agreement implements Invariant {
  onDelivered(world: CoreWorld, member: SimMember, batch: Batch, index: number): void {
    for (const other of world.members) {
      if (other === member || !other.isUp) continue
      const theirs = other.log[index]
      if (other.delivered > index && theirs !== batch) {
        throw new Violation(
          'Agreement',
          `${member.name} delivers ${formatZxid(batch.first)}, ${other.name} delivered ${formatZxid((theirs as Batch).first)}`,
        )
      }
    }
  }
}
