/**
 * What a member concludes where too many voters have lost their memory (design D7). Their ids are in the configuration,
 * and nobody will ever come back under them, so no quorum is left. Nothing is done about that: it is said, by everybody
 * who still remembers and to everybody who came back, and people decide.
 *
 * And where the founders, all of them without memory, have founded another ensemble, the one of before is dead: each of
 * its quorums would include a founder. Who still holds it says so, and ends.
 */
import { areSameFounders, type MemberId } from './configuration.ts'
import type { MessageOf } from './message.ts'
import { isQuorum } from './quorum.ts'
import { isServing } from './roles.ts'
import type { Link, Zab } from './zab.ts'

/** Whether no quorum is left, as far as this member sees, or was told by one that saw it: who remembers less believes it. */
export function isMajorityLost(zab: Zab): boolean {
  if (zab.role.name === 'outside') return isTold(zab, () => true)
  if (isServing(zab.role)) return false
  // Also a founder that never heard more than the founding, and would wait for a quorum of the founders.
  return seesMajorityLost(zab) || isTold(zab, (cluster) => cluster === zab.belonging.cluster)
}

/** What is said to others: what this member sees itself, so that nobody hears an echo of what is no longer so. */
export function seesMajorityLost(zab: Zab): boolean {
  const { active } = zab.configurations
  if (!isWithoutLeader(zab) || active.length === 0) return false
  const lost = lostVoters(zab)
  return lost.size > 0 && !isQuorum(active, (id) => !lost.has(id))
}

/** Also while somebody who knows less tries to lead. */
function isWithoutLeader({ role, belonging }: Zab): boolean {
  return role.name !== 'outside' && !isServing(role) && belonging.presence === 'member'
}

function isTold(zab: Zab, isOurs: (cluster: string) => boolean): boolean {
  return [...zab.links.values()].some(({ presence }) => presence?.majorityLost === true && isOurs(presence.cluster))
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
  return own.includes(from.peer.address) && areSameFounders(founders, own)
}
