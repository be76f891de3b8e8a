/** Whoever follows and serves, serves a term whose leader was established: before, a quorum may know nothing of it. */
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class ServesEstablished implements Invariant {
  onStep(world: CoreWorld, member: SimMember): void {
    const role = member.peer?.zab.role
    if (role?.name !== 'following' || role.phase !== 'broadcast' || role.epoch === undefined) return
    if (world.history.leaders.get(role.epoch)?.has(role.leader.id) === true) return
    throw new Violation('ServesEstablished', `${member.name} serves epoch ${role.epoch}, nobody was established in it`)
  }
}
