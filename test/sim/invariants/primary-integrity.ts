/** Before a leader proposes, it has delivered everything of earlier epochs that anybody delivered. */
import { lastOf } from '../../../lib/core/zab/batch.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class PrimaryIntegrity implements Invariant {
  onPersist(world: CoreWorld, member: SimMember, { append }: PersistChange): void {
    const zab = member.peer?.zab
    if (append === undefined || zab?.role.name !== 'leading') return
    for (const other of world.members) {
      for (let index = other.delivered - 1; index >= member.delivered; index -= 1) {
        const batch = other.log[index]
        if (batch === undefined || batch.first >> 32n >= append.first >> 32n) continue
        // Delivered in this very step, as the last slice of what there was.
        if (lastOf(batch) <= zab.machine.lastZxid) continue
        throw new Violation(
          'PrimaryIntegrity',
          `${member.name} proposes ${formatZxid(append.first)} and has not delivered ${formatZxid(batch.first)}, which ${other.name} has`,
        )
      }
    }
  }
}
