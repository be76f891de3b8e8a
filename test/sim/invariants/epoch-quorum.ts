/** A leader goes on to synchronization when a quorum has promised the epoch, its own promise included: on their disks. */
import type { MemberId } from '../../../lib/core/zab/configuration.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'
import { isTrueQuorum } from './quorum.ts'

export class EpochQuorum implements Invariant {
  onPersist(world: CoreWorld, member: SimMember, { epochs }: PersistChange): void {
    const zab = member.peer?.zab
    if (zab?.role.name !== 'leading' || epochs === undefined || epochs.current !== zab.role.epoch) return
    const { epoch } = zab.role
    // Who has forgotten may have promised.
    const promised = new Map<MemberId, boolean>()
    for (const { id, disk, isUp, spec } of world.members) {
      if (isUp || spec.isDurable) promised.set(id, (disk.image.epochs?.accepted ?? 0) >= epoch)
    }
    if (isTrueQuorum(zab.configurations.active, (id) => promised.get(id) !== false)) return
    throw new Violation('EpochQuorum', `${member.name} synchronizes in epoch ${epoch}, which no quorum has promised`)
  }
}
