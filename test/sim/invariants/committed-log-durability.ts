/** Synchronization never takes back what is committed: neither by a cut nor by a snapshot. */
import { lastOf } from '../../../lib/core/zab/batch.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class CommittedLogDurability implements Invariant {
  onPersist(world: CoreWorld, member: SimMember, { truncateAfter, install }: PersistChange): void {
    const kept = truncateAfter ?? install?.zxid
    if (kept === undefined) return
    for (let index = member.log.length - 1; index >= 0; index -= 1) {
      const batch = member.log[index]
      if (batch === undefined || lastOf(batch) <= kept) return
      if (!world.history.isCommitted(batch, index)) continue
      throw new Violation(
        'CommittedLogDurability',
        `${member.name} cuts its log at ${formatZxid(kept)}, ${formatZxid(batch.first)} is committed`,
      )
    }
  }
}
