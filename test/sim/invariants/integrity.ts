/** Whatever is delivered was proposed by an established leader, as it was proposed, and each batch once. */
import type { Batch } from '../../../lib/core/zab/batch.ts'
import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class Integrity implements Invariant {
  onDelivered(world: CoreWorld, member: SimMember, batch: Batch, index: number): void {
    if (!world.history.wasProposed(batch)) {
      throw new Violation('Integrity', `${member.name} delivers ${formatZxid(batch.first)}, which nobody proposed`)
    }
    if (index >= member.committed) {
      throw new Violation('Integrity', `${member.name} delivers ${formatZxid(batch.first)}, which is not committed`)
    }
  }
}
