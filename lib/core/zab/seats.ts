/**
 * Who has a seat: the rules by which an ensemble looks after its own configuration (design D7, D8), as a pure function of
 * the configuration and of who is here. One step at a time; the leader asks again when the last one is settled.
 *
 * - Seats fill up to as many as are wanted, and to an odd number: an even one tolerates no more failures. So one voter
 *   grows to three at once, and does not rest at two.
 * - A voter that has been gone for long loses its seat to an observer that has been up to date for a while, one at a
 *   time. Where there is no such observer its seat waits: the number of voters never shrinks by itself, so no series of
 *   failures can leave the say to a minority of those who once had it.
 * - Founders come first: without one there is no quorum, so a founder that is back gets a seat of somebody else's.
 * - Whoever wants no seat, or was made an observer by an operator, gets none.
 */
import { type Configuration, hasFounder, type MemberId, type MemberRecord, membersOf } from './configuration.ts'
import type { Wish } from './message.ts'

/** Who is here, as the leader sees it. The leader itself always is. */
export interface Attendance {
  readonly leader: MemberId
  /** Up to date now. */
  isPresent(id: MemberId): boolean
  /** Up to date for a while. */
  isStable(id: MemberId): boolean
  /** Gone for so long that its seat may be given away. */
  hasFailed(id: MemberId): boolean
  /** Of those who are here. */
  wishOf(id: MemberId): Wish | undefined
}

/** The next step, if there is one to take. */
export function nextSeating(configuration: Configuration, attendance: Attendance): Configuration | undefined {
  const candidates = candidatesOf(configuration, attendance)
  if (candidates.length === 0) return undefined
  return (
    replaceFailed(configuration, attendance, candidates) ??
    fillSeats(configuration, candidates) ??
    seatFounder(configuration, attendance, candidates)
  )
}

/** Observers that may take a seat, the best ones first. */
export function candidatesOf(configuration: Configuration, attendance: Attendance): readonly MemberRecord[] {
  const { observers, pinned, founders } = configuration
  const rank = ({ id, address }: MemberRecord): number =>
    (founders.includes(address) ? 0 : 2) + (attendance.wishOf(id) === 'voter' ? 0 : 1)
  const mayVote = ({ id, name }: MemberRecord): boolean => {
    const wish = attendance.wishOf(id)
    return attendance.isStable(id) && (wish === 'auto' || wish === 'voter') && !pinned.includes(name)
  }
  return observers.filter(mayVote).sort((a, b) => rank(a) - rank(b))
}

/** The largest odd number that is not larger. */
export function oddUpTo(count: number): number {
  return count - ((count + 1) % 2)
}

function replaceFailed(
  configuration: Configuration,
  attendance: Attendance,
  [candidate]: readonly MemberRecord[],
): Configuration | undefined {
  if (candidate === undefined) return undefined
  for (const voter of configuration.voters) {
    if (!attendance.hasFailed(voter.id)) continue
    const change = swap(configuration, voter, candidate)
    if (hasFounder(change)) return change
  }
  return undefined
}

function fillSeats(configuration: Configuration, candidates: readonly MemberRecord[]): Configuration | undefined {
  const { voters, observers, seats } = configuration
  const wanted = oddUpTo(Math.min(seats, voters.length + candidates.length))
  if (wanted <= voters.length) return undefined
  const seated = candidates.slice(0, wanted - voters.length)
  return {
    ...configuration,
    voters: [...voters, ...seated],
    observers: observers.filter((observer) => !seated.includes(observer)),
  }
}

function seatFounder(
  configuration: Configuration,
  attendance: Attendance,
  candidates: readonly MemberRecord[],
): Configuration | undefined {
  const founder = candidates.find(({ address }) => configuration.founders.includes(address))
  const loser = leastNeeded(configuration, attendance)
  return founder === undefined || loser === undefined ? undefined : swap(configuration, loser, founder)
}

/** The voter whose seat is to be had first: no founder, not the leader, and one that is gone where there is one. */
export function leastNeeded({ voters, founders }: Configuration, attendance: Attendance): MemberRecord | undefined {
  const others = voters.filter(({ id, address }) => id !== attendance.leader && !founders.includes(address))
  return others.find(({ id }) => !attendance.isPresent(id)) ?? others.at(-1)
}

/** An observer takes the seat of a voter, which becomes an observer. */
export function swap(configuration: Configuration, voter: MemberRecord, observer: MemberRecord): Configuration {
  const exchange = (list: readonly MemberRecord[], before: MemberRecord, after: MemberRecord): MemberRecord[] =>
    list.map((member) => (member.id === before.id ? after : member))
  return {
    ...configuration,
    voters: exchange(configuration.voters, voter, observer),
    observers: exchange(configuration.observers, observer, voter),
  }
}

/** Another record in the same place: a member that moved, or the next life of one that forgot. */
export function replaceMember(configuration: Configuration, before: MemberRecord, after: MemberRecord): Configuration {
  const replace = (list: readonly MemberRecord[]): MemberRecord[] =>
    list.map((member) => (member.id === before.id ? after : member))
  return { ...configuration, voters: replace(configuration.voters), observers: replace(configuration.observers) }
}

/** Without these members. */
export function withoutMembers(configuration: Configuration, isGone: (id: MemberId) => boolean): Configuration {
  const stay = ({ id }: MemberRecord): boolean => !isGone(id)
  const { voters, observers } = configuration
  return { ...configuration, voters: voters.filter(stay), observers: observers.filter(stay) }
}

/**
 * A voter goes: an observer takes its seat; without one the voters become fewer, an odd number. Who loses a seat by that
 * stays as an observer.
 */
export function withoutVoter(configuration: Configuration, id: MemberId, attendance: Attendance): Configuration {
  const leaver = configuration.voters.find((voter) => voter.id === id)
  if (leaver === undefined) return configuration
  const others = withoutMembers(configuration, (one) => one === id)
  const candidates = candidatesOf(others, attendance)
  const size = oddUpTo(Math.min(configuration.voters.length, others.voters.length + candidates.length))
  return withVoters(others, size, attendance, candidates)
}

/** Exactly so many voters, as far as there are: those who are here and founders first; the others become observers. */
export function withVoters(
  configuration: Configuration,
  size: number,
  attendance: Attendance,
  candidates: readonly MemberRecord[],
): Configuration {
  const { voters, founders } = configuration
  const rank = ({ id, address }: MemberRecord): number =>
    (id === attendance.leader ? 0 : 4) + (attendance.isPresent(id) ? 0 : 2) + (founders.includes(address) ? 0 : 1)
  const ranked = [...voters].sort((a, b) => rank(a) - rank(b))
  const founder = ranked.find(({ address }) => founders.includes(address))
  const best = founder === undefined ? ranked : [founder, ...ranked.filter((voter) => voter !== founder)]
  const seated = [...best, ...candidates].slice(0, size)
  // In the order in which they were: what did not change should not look changed.
  const kept = voters.filter((voter) => seated.includes(voter))
  const added = seated.filter((member) => !voters.includes(member))
  const next = { ...configuration, voters: [...kept, ...added] }
  return { ...next, observers: membersOf(configuration).filter((member) => !next.voters.includes(member)) }
}
