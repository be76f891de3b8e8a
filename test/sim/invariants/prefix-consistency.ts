/** What any two members know to be committed agrees: one is a prefix of the other. */
import type { Batch } from '../../../lib/core/zab/batch.ts'
import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class PrefixConsistency implements Invariant {
  onCommitted(world: CoreWorld, member: SimMember, batch: Batch, index: number): void {
    const known = world.history.committed[index]
    if (known === undefined || known === batch) return
    throw new Violation(
      'PrefixConsistency',
      `${member.name} takes ${formatZxid(batch.first)} for committed where ${formatZxid(known.first)} was`,
    )
  }
}
