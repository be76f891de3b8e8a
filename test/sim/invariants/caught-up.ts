/** Whoever gets a vote is synchronized already. */
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class CaughtUp implements Invariant {
  onPersist(_world: CoreWorld, member: SimMember, { append }: PersistChange): void {
    const zab = member.peer?.zab
    if (append === undefined || zab?.role.name !== 'leading') return
    for (const request of append.requests) {
      if (request.type !== 'reconfigure') continue
      for (const { id } of request.configuration.voters) {
        const before = zab.configurations.active[0]?.voters.some((voter) => voter.id === id)
        if (before === true || zab.role.learners.get(id)?.state === 'synced') continue
        throw new Violation('CaughtUp', `${member.name} gives ${id} a vote before it is synchronized`)
      }
    }
  }
}
