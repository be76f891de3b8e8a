/**
 * A leader's log holds everything that was committed in an earlier epoch: from synchronization on, when it begins to count.
 * What a later leader has taken over and committed meanwhile it may lack: it can no longer be established.
 */

import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class LeaderLogCompleteness implements Invariant {
  readonly #checked = new Set<string>()

  onStep(world: CoreWorld, member: SimMember): void {
    const role = member.peer?.zab.role
    if (role?.name !== 'leading' || role.phase === 'discovery') return
    const key = `${member.id} ${role.epoch} ${role.phase}`
    if (this.#checked.has(key)) return
    this.#checked.add(key)
    const { committed, committedIn } = world.history
    for (const [index, batch] of committed.entries()) {
      if (member.log[index] === batch || (committedIn[index] as number) >= (role.epoch ?? 0)) continue
      throw new Violation(
        'LeaderLogCompleteness',
        `${member.name} leads epoch ${role.epoch} without ${formatZxid(batch.first)}, which is committed`,
      )
    }
  }
}
