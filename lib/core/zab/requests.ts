/**
 * Requests about the configuration, on the leader: in the order of asking, one at a time. Each is idempotent: it is
 * looked at anew in every turn, until the committed configuration is as asked, or until it is clear that it cannot be.
 *
 * A leader that is asked to give its own seat up hands over first; its successor is asked again. That comes after
 * everything else, and when all who are here have asked again: two voters that are both to lose their seats would pass
 * leadership to each other for ever, each being asked for its own seat before it hears of the other's.
 */
import {
  type Configuration,
  hasFounder,
  type MemberId,
  type MemberRecord,
  membersOf,
  withRuling,
} from './configuration.ts'
import { beginHandOver } from './hand-over.ts'
import type { MembershipOutcome, MembershipRequest } from './membership-request.ts'
import type { MessageOf } from './message.ts'
import { isQuorum } from './quorum.ts'
import type { Following, Leading, Learner, OpenRequest } from './roles.ts'
import {
  type Attendance,
  candidatesOf,
  leastNeeded,
  oddUpTo,
  swap,
  withoutMembers,
  withoutVoter,
  withVoters,
} from './seats.ts'
import type { Link, Zab } from './zab.ts'

/** More wait than this: whoever asks now is told to try again. */
const requestsMax = 256

const done: MembershipOutcome = { code: undefined, reason: '' }
const noQuorum = (reason: string): MembershipOutcome => ({ code: 'COORD_NEW_CONFIG_NO_QUORUM', reason })
const badArguments = (reason: string): MembershipOutcome => ({ code: 'COORD_BAD_ARGUMENTS', reason })

/** What comes of a request now: its answer, a change that it needs, or nothing yet. */
type Verdict = MembershipOutcome | { readonly change: Configuration } | 'later'

/** A change that it needs, and that takes the leader's own seat. */
interface OwnSeat {
  readonly withoutUs: Configuration
}

export function onMembership(zab: Zab, leading: Leading, from: Link, { id, request }: MessageOf<'membership'>): void {
  const learner = leading.learners.get(from.peer.id)
  if (learner === undefined) return
  if (request.kind === 'leave' || request.kind === 'close') learner.wish = 'leaving'
  takeRequest(zab, leading, { from: from.peer.id, id, request })
}

export function takeRequest(zab: Zab, leading: Leading, open: OpenRequest): void {
  // Who asks again has not had an answer.
  const again = leading.requests.findIndex(({ from, id }) => from === open.from && id === open.id)
  if (again !== -1) return
  if (leading.requests.length >= requestsMax) {
    answer(zab, open, { code: 'COORD_THROTTLED', reason: 'too many requests about the configuration' })
    return
  }
  leading.requests.push(open)
  // Whether it has to wait for others, their answers tell (`haveAskedAgain`).
  leading.roundWanted = true
}

export function onMembershipReply(
  zab: Zab,
  following: Following,
  from: Link,
  { id, outcome }: MessageOf<'membershipReply'>,
): void {
  if (from.peer.id === following.leader.id) zab.outputs.push({ type: 'membershipReply', id, outcome })
}

function answer(zab: Zab, { from, id }: OpenRequest, outcome: MembershipOutcome): void {
  if (from === zab.id) zab.outputs.push({ type: 'membershipReply', id, outcome })
  else if (zab.links.has(from)) zab.send(from, { type: 'membershipReply', id, outcome })
}

/** Answers what can be answered. Returns the change that the first of the others needs, if any. */
export function progressRequests(zab: Zab, leading: Leading, attendance: Attendance): Configuration | undefined {
  for (const open of leading.requests.filter(({ request }) => request.kind === 'mayStop'))
    conclude(zab, leading, open, mayStop(zab, open.from, attendance))
  // Who is asked for need not have been here for long.
  const here = { ...attendance, isStable: (id: MemberId) => attendance.isPresent(id) }
  const isEarly = zab.now - leading.clockBase.now < zab.options.timing.syncLimitMs / 2
  let ownSeat: (OwnSeat & { readonly open: OpenRequest }) | undefined
  for (const open of [...leading.requests]) {
    const verdict = judge(zab, leading, open, here)
    if (verdict === 'later') return undefined
    if ('change' in verdict) return verdict.change
    if ('withoutUs' in verdict) {
      ownSeat ??= { ...verdict, open }
      continue
    }
    // At the beginning of a term those who will be here are not here yet: what they are needed for waits for them.
    if (isEarly && verdict.code !== undefined) return undefined
    conclude(zab, leading, open, verdict)
  }
  if (ownSeat === undefined || !haveAskedAgain(zab, leading)) return undefined
  const verdict = giveSeatUp(zab, leading, ownSeat, attendance)
  if (verdict === 'later') return undefined
  if ('change' in verdict) return verdict.change
  conclude(zab, leading, ownSeat.open, verdict)
  return undefined
}

/**
 * Whether all who are here have: whoever serves again asks first, and then answers a ping with what it came to. Who does
 * not come to serve, as its disk hangs, is not waited for.
 */
function haveAskedAgain({ now, options }: Zab, { learners }: Leading): boolean {
  const isAwaited = ({ state, comparison, syncedSince }: Learner): boolean =>
    state === 'synced' && comparison === undefined && now - (syncedSince ?? now) <= options.timing.syncLimitMs
  return ![...learners.values()].some(isAwaited)
}

/** Leadership is on its way to another one, or does not get there. Who asked for somebody else asks the next leader. */
export function answerTransfers(zab: Zab, leading: Leading, outcome: MembershipOutcome = done): void {
  const successor = leading.handOver?.name
  const isMeant = ({ request }: OpenRequest): boolean =>
    request.kind === 'transfer' && (request.name === undefined || request.name === successor)
  for (const open of leading.requests.filter(isMeant)) conclude(zab, leading, open, outcome)
}

function conclude(zab: Zab, leading: Leading, open: OpenRequest, outcome: MembershipOutcome): void {
  leading.requests.splice(leading.requests.indexOf(open), 1)
  answer(zab, open, outcome)
}

/** Whether a quorum of every configuration in force would still be here. */
function mayStop(zab: Zab, id: MemberId, attendance: Attendance): MembershipOutcome {
  const stays = (other: MemberId): boolean => other !== id && isStaying(other, attendance)
  if (!zab.configurations.isVoter(id) || isQuorum(zab.configurations.active, stays)) return done
  return { code: 'COORD_NO_QUORUM', reason: 'the voters that would stay are no quorum' }
}

/** Here, and not about to stop: two who ask at the same time must not both rely on each other. */
function isStaying(id: MemberId, attendance: Attendance): boolean {
  return attendance.isPresent(id) && attendance.wishOf(id) !== 'leaving'
}

function judge(zab: Zab, leading: Leading, { from, request }: OpenRequest, attendance: Attendance): Verdict | OwnSeat {
  const { latest, pending } = zab.configurations
  if (pending !== undefined || latest?.settledAt === undefined) return 'later'
  if (request.kind === 'mayStop') return mayStop(zab, from, attendance)
  if (request.kind === 'transfer') return judgeTransfer(zab, leading, request.name)
  const { configuration } = latest
  const next = nextFor(configuration, from, request, attendance)
  if ('code' in next) return next
  // The voters of before stay until the header that settled the change is committed by those who come after them.
  if (next === configuration) return latest.settledAt <= zab.committed ? done : 'later'
  if (!hasFounder(next)) return noQuorum('no quorum is without a founder, and this would leave none')
  if (!isQuorum([next], (id) => attendance.isPresent(id)))
    return noQuorum('those of the new voters that are here are no quorum')
  const isOurSeat = zab.isVoter && !next.voters.some(({ id }) => id === zab.id)
  return isOurSeat ? { withoutUs: next } : { change: next }
}

/** Another one leads first. */
function giveSeatUp(zab: Zab, leading: Leading, { withoutUs }: OwnSeat, attendance: Attendance): Verdict {
  if (beginHandOver(zab, leading, undefined, withoutUs.voters)) return 'later'
  // Only a voter can lead: where all others have lost their seats, one of those who are to vote gets one first.
  const isHeir = ({ id }: MemberRecord): boolean => attendance.isPresent(id) && !zab.configurations.isVoter(id)
  const heir = withoutUs.voters.find(isHeir)
  const configuration = zab.configurations.latest?.configuration
  if (heir !== undefined && configuration !== undefined) return { change: withVoter(configuration, heir) }
  return noQuorum('nobody is there to hand leadership over to')
}

function judgeTransfer(zab: Zab, leading: Leading, name: string | undefined): Verdict {
  if (name === zab.self.name) return done
  if (beginHandOver(zab, leading, name)) return 'later'
  return badArguments(name === undefined ? 'no other voter is up to date' : `no voter '${name}' is up to date`)
}

/** The configuration as asked; the same one where it is so already. */
function nextFor(
  configuration: Configuration,
  from: MemberId,
  request: Exclude<MembershipRequest, { kind: 'mayStop' | 'transfer' }>,
  attendance: Attendance,
): Configuration | MembershipOutcome {
  switch (request.kind) {
    case 'leave':
      return afterLeave(configuration, from, attendance)
    case 'close':
      return afterClose(configuration, from, attendance)
    case 'change':
      return afterChange(configuration, request, attendance)
  }
}

function afterLeave(configuration: Configuration, from: MemberId, attendance: Attendance): Configuration {
  if (configuration.voters.some(({ id }) => id === from)) return withoutVoter(configuration, from, attendance)
  if (!configuration.observers.some(({ id }) => id === from)) return configuration
  return withoutMembers(configuration, (id) => id === from)
}

/**
 * An observer takes the seat. Without one it waits for the next life of this member, unless those who stay would be no
 * quorum: then the voters become so few that they are one.
 */
function afterClose(configuration: Configuration, from: MemberId, attendance: Attendance): Configuration {
  const voter = configuration.voters.find(({ id }) => id === from)
  if (voter === undefined) return configuration
  const [candidate] = candidatesOf(configuration, attendance)
  if (candidate !== undefined) {
    const change = withoutMembers(swap(configuration, voter, candidate), (id) => id === from)
    if (hasFounder(change)) return change
  }
  const stays = (id: MemberId): boolean => id !== from && isStaying(id, attendance)
  if (isQuorum([configuration], stays)) return configuration
  const others = withoutMembers(configuration, (id) => id === from)
  const staying = others.voters.filter(({ id }) => stays(id)).length
  if (staying === 0) return configuration
  const fewer = withVoters(others, Math.min(oddUpTo(others.voters.length), 2 * staying - 1), attendance, [])
  // The last founder goes with its seat: nobody else can keep a quorum.
  return isQuorum([fewer], stays) ? fewer : configuration
}

function afterChange(
  configuration: Configuration,
  { add, remove: names, seats }: Extract<MembershipRequest, { kind: 'change' }>,
  attendance: Attendance,
): Configuration | MembershipOutcome {
  let next = configuration
  for (const name of names) next = withoutName(next, name, attendance)
  for (const { name, role } of add) {
    const member = membersOf(next).find((one) => one.name === name)
    if (member === undefined || !attendance.isPresent(member.id))
      return badArguments(`no member '${name}' is here and up to date`)
    next = role === 'voter' ? promoted(next, member, attendance) : demoted(next, member, attendance)
  }
  if (seats !== undefined && seats !== next.seats) next = { ...next, seats }
  if (seats !== undefined && next.voters.length > seats) next = withVoters(next, seats, attendance, [])
  return next
}

function withoutName(configuration: Configuration, name: string, attendance: Attendance): Configuration {
  const member = membersOf(configuration).find((one) => one.name === name)
  if (member === undefined) return configuration
  const removed = withRuling(configuration.removed, member.id)
  return { ...afterLeave(configuration, member.id, attendance), removed }
}

/** Takes a free seat, or that of the voter that is needed least. */
function promoted(configuration: Configuration, member: MemberRecord, attendance: Attendance): Configuration {
  const { voters, seats } = configuration
  if (voters.includes(member)) return configuration
  const pinned = configuration.pinned.filter((name) => name !== member.name)
  const loser = voters.length < seats ? undefined : leastNeeded(configuration, attendance)
  if (loser !== undefined) return swap({ ...configuration, pinned }, loser, member)
  return withVoter({ ...configuration, pinned }, member)
}

/** One more. */
function withVoter(configuration: Configuration, { id }: MemberRecord): Configuration {
  const { voters, observers } = configuration
  const stays = observers.filter((observer) => observer.id !== id)
  return { ...configuration, voters: [...voters, ...observers.filter((one) => one.id === id)], observers: stays }
}

function demoted(configuration: Configuration, member: MemberRecord, attendance: Attendance): Configuration {
  const isPinned = configuration.pinned.includes(member.name)
  if (isPinned && !configuration.voters.includes(member)) return configuration
  const pinned = { ...configuration, pinned: withRuling(configuration.pinned, member.name) }
  if (!configuration.voters.includes(member)) return pinned
  const without = withoutVoter(pinned, member.id, attendance)
  return { ...without, observers: [...without.observers, member] }
}
