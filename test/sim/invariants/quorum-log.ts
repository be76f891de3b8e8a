/**
 * Every quorum that could still elect a leader has a member that holds the committed log durably: those who remember
 * and do not hold it are no quorum of any configuration in force. And at the commit, a quorum holds it, or held it before
 * it forgot everything: an acknowledgement may outlive its sender.
 */
import type { Batch } from '../../../lib/core/zab/batch.ts'
import type { Configuration } from '../../../lib/core/zab/configuration.ts'
import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'
import { holders, isTrueQuorum } from './quorum.ts'

export class QuorumLog implements Invariant {
  onCommitted(world: CoreWorld, member: SimMember, batch: Batch, index: number): void {
    if (index !== world.history.committed.length) return
    const active = member.peer?.zab.configurations.active ?? []
    const holds = holders(world, batch)
    if (isTrueQuorum(active, (id) => holds.get(id) !== false)) return check(world, batch, active)
    throw new Violation('QuorumLog', `${formatZxid(batch.first)} is committed without a quorum that holds it`)
  }

  onPersist(world: CoreWorld): void {
    check(world, world.history.committed.at(-1), world.history.active)
  }

  onCrash(world: CoreWorld): void {
    check(world, world.history.committed.at(-1), world.history.active)
  }
}

function check(world: CoreWorld, last: Batch | undefined, active: readonly Configuration[]): void {
  if (last === undefined) return
  const holds = holders(world, last)
  if (!isTrueQuorum(active, (id) => holds.get(id) === false)) return
  throw new Violation('QuorumLog', `a quorum remembers nothing of ${formatZxid(last.first)}, which is committed`)
}
