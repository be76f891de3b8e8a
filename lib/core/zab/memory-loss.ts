/**
 * What a member concludes where too many voters have lost their memory (design D7). Their ids are in the configuration,
 * and nobody will ever come back under them, so no quorum is left. Nothing is done about that: it is said, by everybody
 * who still remembers and to everybody who came back, and people decide.
 *
 * And where the founders, all of them without memory, have founded another ensemble, the one of before is dead: each of
 * its quorums would include a founder. Who still holds it says so, and ends.
 */
import type { MemberId } from './configuration.ts'
import type { MessageOf } from './message.ts'
import { isQuorum } from './quorum.ts'
import type { Link, Zab } from './zab.ts'

/** Whether no quorum is left, as far as this member sees, or was told by one that remembers. */
export function isMajorityLost(zab: Zab): boolean {
  const { active } = zab.configurations
  const { name } = zab.role
  if (name !== 'outside' && (name !== 'looking' || zab.belonging.presence !== 'member')) return false
  // Who remembers nothing believes those who do: they alone belong to an ensemble and say so.
  if (active.length === 0 || name === 'outside') {
    return [...zab.links.values()].some(({ presence }) => presence?.majorityLost === true && presence.cluster !== '')
  }
  const lost = lostVoters(zab)
  return lost.size > 0 && !isQuorum(active, (id) => !lost.has(id))
}

/** Voters in whose place, by name and address, another one is now. */
function lostVoters(zab: Zab): ReadonlySet<MemberId> {
  const lost = new Set<MemberId>()
  for (const { voters } of zab.configurations.active) {
    for (const voter of voters) {
      if (voter.id === zab.id || zab.links.has(voter.id)) continue
      for (const { peer } of zab.links.values()) {
        if (peer.name === voter.name && peer.address === voter.address) lost.add(voter.id)
      }
    }
  }
  return lost
}

/** Whether this founder of ours proves that the founders have founded anew, without what we hold. */
export function isSuperseded(
  zab: Zab,
  from: Link,
  { state, cluster, since, founders }: MessageOf<'presence'>,
): boolean {
  const { belonging, configurations, options } = zab
  if (belonging.presence !== 'member' || (state !== 'founded' && state !== 'member')) return false
  if (cluster === belonging.cluster || since <= belonging.since) return false
  const own = configurations.latest?.configuration.founders ?? options.founders
  return own.includes(from.peer.address) && own.join() === founders.join()
}
