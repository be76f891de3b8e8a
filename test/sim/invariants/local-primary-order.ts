/** For all a that a leader proposed before b in one epoch: whoever delivers b has delivered a before. */
import type { Batch } from '../../../lib/core/zab/batch.ts'
import { epochOf, formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class LocalPrimaryOrder implements Invariant {
  onDelivered(world: CoreWorld, member: SimMember, batch: Batch, index: number): void {
    const proposals = world.history.proposals.get(epochOf(batch.first)) ?? []
    const place = proposals.lastIndexOf(batch)
    // By induction over the batches of an epoch: the one proposed just before stands just before.
    for (let step = 1; step <= 2 && place - step >= 0; step += 1) {
      const earlier = proposals[place - step] as Batch
      if (member.log[index - step] === earlier) continue
      throw new Violation(
        'LocalPrimaryOrder',
        `${member.name} delivers ${formatZxid(batch.first)} without ${formatZxid(earlier.first)}, proposed before it`,
      )
    }
  }
}
