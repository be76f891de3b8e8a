/**
 * What a quorum is, said once more and apart from the core, so that a mistake there does not hide itself: more than half
 * of the voters of each configuration in force, one of them at the address of a founder. None in force: no quorum.
 */
import type { Configuration, MemberId } from '../../../lib/core/zab/configuration.ts'

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
