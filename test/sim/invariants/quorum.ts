/**
 * What a quorum is, said once more and apart from the core, so that a mistake there does not hide itself: more than half
 * of the voters of each configuration in force, one of them at the address of a founder. None in force: no quorum.
 */
import { type Batch, lastOf } from '../../../lib/core/zab/batch.ts'
import type { Configuration, MemberId } from '../../../lib/core/zab/configuration.ts'
import type { CoreWorld } from '../core-world.ts'

export function isTrueQuorum(active: readonly Configuration[], has: (id: MemberId) => boolean): boolean {
  const isOne = ({ voters, founders }: Configuration): boolean => {
    let count = 0
    let hasFounder = false
    for (const { id, address } of voters) {
      if (!has(id)) continue
      count += 1
      hasFounder ||= founders.includes(address)
    }
    return hasFounder && count > voters.length / 2
  }
  return active.length > 0 && active.every(isOne)
}

/** Who remembers at all, and whether it holds the batch. */
export function holders(world: CoreWorld, batch: Batch): Map<MemberId, boolean> {
  const result = new Map<MemberId, boolean>()
  for (const member of world.members) {
    if (!member.isUp && !member.spec.isDurable) continue
    result.set(member.id, member.disk.image.holds(lastOf(batch)))
  }
  return result
}
