/**
 * Quorum arithmetic, and nothing else. A quorum of a configuration is a majority of its voters that includes a founder
 * (design D8); while the configuration changes, a quorum of each of the active ones is needed.
 */
import type { Configuration, MemberId } from './configuration.ts'

function isQuorumOf(configuration: Configuration, has: (id: MemberId) => boolean): boolean {
  const present = configuration.voters.filter((voter) => has(voter.id))
  const isMajority = present.length * 2 > configuration.voters.length
  return isMajority && present.some((voter) => configuration.founders.includes(voter.address))
}

/** Whether the members for which `has` is true are a quorum of every active configuration. None active: never. */
export function isQuorum(active: readonly Configuration[], has: (id: MemberId) => boolean): boolean {
  return active.length > 0 && active.every((configuration) => isQuorumOf(configuration, has))
}

/**
 * The highest value that a quorum has reached, where each member reached `reached(id)`: what a leader may commit, and
 * how recent its contact with a quorum is. `undefined` where no quorum has any.
 */
export function reachedByQuorum<T extends bigint | number>(
  active: readonly Configuration[],
  reached: (id: MemberId) => T | undefined,
): T | undefined {
  let lowest: T | undefined
  for (const configuration of active) {
    const value = reachedByQuorumOf(configuration, reached)
    if (value === undefined) return undefined
    if (lowest === undefined || value < lowest) lowest = value
  }
  return lowest
}

function reachedByQuorumOf<T extends bigint | number>(
  configuration: Configuration,
  reached: (id: MemberId) => T | undefined,
): T | undefined {
  const values: { readonly id: MemberId; readonly value: T }[] = []
  for (const voter of configuration.voters) {
    const value = reached(voter.id)
    if (value !== undefined) values.push({ id: voter.id, value })
  }
  values.sort((a, b) => (a.value < b.value ? 1 : a.value > b.value ? -1 : 0))
  const counted = new Set<MemberId>()
  for (const { id, value } of values) {
    counted.add(id)
    if (isQuorumOf(configuration, (member) => counted.has(member))) return value
  }
  return undefined
}
