/**
 * Leadership1: no two members lead one epoch at the same time, from synchronization on.
 * Leadership2: at most one member is ever established in an epoch.
 */
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class Leadership implements Invariant {
  onStep(world: CoreWorld, member: SimMember): void {
    const role = member.peer?.zab.role
    if (role?.name !== 'leading' || role.phase === 'discovery' || role.epoch === undefined) return
    const { epoch } = role
    for (const other of world.members) {
      const theirs = other.peer?.zab.role
      if (other === member || theirs?.name !== 'leading' || theirs.phase === 'discovery') continue
      if (theirs.epoch === epoch) throw new Violation('Leadership1', `${member.name} and ${other.name} lead ${epoch}`)
    }
    if (role.phase !== 'broadcast') return
    world.history.noteEstablished(epoch, member.id)
    const leaders = world.history.leaders.get(epoch)
    if (leaders !== undefined && leaders.size > 1) {
      throw new Violation('Leadership2', `epoch ${epoch} had leaders ${[...leaders].join(', ')}`)
    }
  }
}
