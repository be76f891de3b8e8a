/**
 * Nobody takes the place of a member that is alive and well: only where nothing has come between that one and the leader
 * for a while is that certain, so only then is it asked for.
 */
import { membersOf } from '../../../lib/core/zab/configuration.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

/** Longer than any message, probe or new link takes. */
const certainMs = 2500

export class LivingNamesakes implements Invariant {
  onPersist(world: CoreWorld, leader: SimMember, { append }: PersistChange): void {
    const zab = leader.peer?.zab
    if (append === undefined || zab?.role.name !== 'leading') return
    const [before] = zab.configurations.active
    for (const request of append.requests) {
      if (request.type !== 'reconfigure' || before === undefined) continue
      const after = membersOf(request.configuration)
      for (const { id, name } of membersOf(before)) {
        const heir = after.find((one) => one.name === name)
        if (heir === undefined || heir.id === id || !isWell(world, leader, id)) continue
        throw new Violation(
          'LivingNamesakes',
          `${leader.name} gives the place of ${name}, which is well, to another one`,
        )
      }
    }
  }
}

function isWell(world: CoreWorld, leader: SimMember, id: string): boolean {
  const member = world.members.find((one) => one.id === id)
  if (member?.isUp !== true || member.isPaused || world.network.isCut(leader, member)) return false
  return [member, leader].every(({ disturbedAt }) => world.now - disturbedAt > certainMs)
}
