/**
 * What a member could tell people about its ensemble: why nobody leads it, who is missing, who lags. It concludes from what
 * the protocol knows anyway, when it is asked, and decides nothing.
 */
import { type MemberRecord, membersOf } from './configuration.ts'
import { isMajorityLost } from './memory-loss.ts'
import { isQuorum } from './quorum.ts'
import { type Following, isServing, type Leading } from './roles.ts'
import type { Zab } from './zab.ts'
import { counterOf, epochOf, type Zxid } from './zxid.ts'

/**
 * Why no leader serves this member.
 * - `noEnsemble`: it belongs to none yet; founders wait for each other, others for an ensemble to join
 * - `founding`: the founders are about to found one
 * - `majorityLost`: too many voters came back without their memory
 * - `noQuorum`: too few voters are reachable
 * - `noFounder`: a majority is reachable, but none of the founders
 * - `electing`: a quorum is here, and finds its leader
 * - `synchronizing`: there is a leader, and this member is not up to date with it yet, or not enough others are
 * - `diverged`: there is a leader, and this member's state is not that of the others: it is sent theirs
 * - `doubtful`: the states of the voters differ, and none has a majority: nobody serves
 */
export type NoLeader =
  | 'noEnsemble'
  | 'founding'
  | 'majorityLost'
  | 'noQuorum'
  | 'noFounder'
  | 'electing'
  | 'synchronizing'
  | 'diverged'
  | 'doubtful'

/** A founder that nobody has met yet has only an address. */
export interface Missing {
  readonly id: string | undefined
  readonly name: string | undefined
  readonly address: string
  readonly isVoter: boolean
  /**
   * `unreachable`: no link; `left`: it took leave; `lostMemory`: another one is there, under its name and address;
   * `elsewhere`: it is there, and belongs to another ensemble, or to none yet.
   */
  readonly why: 'unreachable' | 'left' | 'lostMemory' | 'elsewhere'
}

export interface Lagging {
  readonly id: string
  readonly name: string
  /** `synchronizing`: it gets what it lacks; `behind`: its log lacks entries that are committed. */
  readonly why: 'synchronizing' | 'behind'
  /** How many entries it lacks; undefined where that is not known, as across epochs. */
  readonly entries: number | undefined
  /** Milliseconds since anything came from it. */
  readonly silentMs: number
}

export interface ZabExplanation {
  readonly noLeader: NoLeader | undefined
  /** The would-be leader that this member synchronises with. */
  readonly leader: MemberRecord | undefined
  readonly missing: readonly Missing[]
  /** Of all members, as the leader sees it; elsewhere of this member alone. */
  readonly lagging: readonly Lagging[]
}

export function explain(zab: Zab): ZabExplanation {
  const { role } = zab
  return {
    noLeader: isServing(role) && zab.standing === 'sound' ? undefined : noLeaderOf(zab),
    leader: role.name === 'following' ? role.leader : role.name === 'leading' ? zab.self : undefined,
    missing: role.name === 'outside' ? missingFounders(zab) : missingMembers(zab),
    lagging: laggingOf(zab),
  }
}

function noLeaderOf(zab: Zab): NoLeader {
  const { role, belonging, standing } = zab
  if (isServing(role) && standing !== 'sound') return standing
  const { active } = zab.configurations
  if (isMajorityLost(zab)) return 'majorityLost'
  if (role.name === 'outside') return belonging.presence === 'prepared' ? 'founding' : 'noEnsemble'
  if (role.name === 'following') return 'synchronizing'
  // Who has just joined knows of no voters yet.
  if (active.length === 0) return 'electing'
  const reachable = reachableOf(zab)
  if (isQuorum(active, (id) => reachable.has(id))) return role.name === 'leading' ? 'synchronizing' : 'electing'
  const isMajority = active.every(
    ({ voters }) => voters.filter(({ id }) => reachable.has(id)).length * 2 > voters.length,
  )
  return isMajority ? 'noFounder' : 'noQuorum'
}

function reachableOf(zab: Zab): ReadonlySet<string> {
  return new Set([zab.id, ...[...zab.comrades()].map(({ peer }) => peer.id)])
}

function missingFounders(zab: Zab): Missing[] {
  const { founders } = zab.options
  if (!founders.includes(zab.self.address)) return []
  const there = new Set([...zab.links.values()].map(({ peer }) => peer.address))
  const isMissing = (address: string): boolean => address !== zab.self.address && !there.has(address)
  return founders
    .filter(isMissing)
    .map((address) => ({ id: undefined, name: undefined, address, isVoter: true, why: 'unreachable' }))
}

function missingMembers(zab: Zab): Missing[] {
  const reachable = reachableOf(zab)
  const known = new Map<string, Missing>()
  for (const configuration of zab.configurations.active) {
    for (const member of membersOf(configuration)) {
      const { id, name, address } = member
      if (reachable.has(id)) continue
      const isVoter = configuration.voters.includes(member) || known.get(id)?.isVoter === true
      known.set(id, { id, name, address, isVoter, why: whyMissing(zab, member) })
    }
  }
  return [...known.values()]
}

function whyMissing(zab: Zab, { id, name, address }: MemberRecord): Missing['why'] {
  if (zab.links.has(id)) return 'elsewhere'
  const isSuccessor = ({ peer }: { peer: MemberRecord }): boolean => peer.name === name && peer.address === address
  if ([...zab.links.values()].some(isSuccessor)) return 'lostMemory'
  return zab.departed.has(id) ? 'left' : 'unreachable'
}

function laggingOf(zab: Zab): Lagging[] {
  const { role } = zab
  if (role.name === 'following') return ownLag(zab, role)
  return role.name === 'leading' ? learnersLag(zab, role) : []
}

function ownLag(zab: Zab, { phase, lastContact }: Following): Lagging[] {
  const { id, name } = zab.self
  const silentMs = Math.max(0, zab.now - lastContact)
  if (phase !== 'broadcast') return [{ id, name, why: 'synchronizing', entries: undefined, silentMs }]
  const { lastZxid } = zab.machine
  if (lastZxid >= zab.committed) return []
  return [{ id, name, why: 'behind', entries: entriesBetween(lastZxid, zab.committed), silentMs }]
}

function learnersLag(zab: Zab, leading: Leading): Lagging[] {
  const lagging: Lagging[] = []
  for (const { member, state, acked, lastContact } of leading.learners.values()) {
    const { id, name } = member
    const silentMs = Math.max(0, zab.now - lastContact)
    if (state !== 'synced') lagging.push({ id, name, why: 'synchronizing', entries: undefined, silentMs })
    else if (acked < zab.committed)
      lagging.push({ id, name, why: 'behind', entries: entriesBetween(acked, zab.committed), silentMs })
  }
  return lagging.sort((a, b) => (b.entries ?? Number.MAX_SAFE_INTEGER) - (a.entries ?? Number.MAX_SAFE_INTEGER))
}

function entriesBetween(from: Zxid, to: Zxid): number | undefined {
  return epochOf(from) === epochOf(to) ? counterOf(to) - counterOf(from) : undefined
}
