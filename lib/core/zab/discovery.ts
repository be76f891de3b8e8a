/**
 * Discovery: Zab's phase 1. The would-be leader gathers a quorum's FOLLOWERINFO, picks an epoch above every promise
 * among them, and a quorum promises it: to this leader, for good, before any answer leaves (design D8: a promise binds
 * the epoch *and* the leader). From a quorum's ACKEPOCH it learns that its own log is the freshest of theirs. A voter that
 * is ahead does not count; where there is no quorum without it, the leader gives up.
 *
 * An established leader comes back here, without stepping down, when it needs a later epoch: its counter nears its
 * end, or a follower has promised somebody a later one. That costs a round trip, not an election.
 */
import type { MemberId } from './configuration.ts'
import { yieldToBetterCandidate } from './election.ts'
import type { MessageOf } from './message.ts'
import { isQuorum } from './quorum.ts'
import { becomeLooking, type Following, type Leading } from './roles.ts'
import { receivedFrom } from './snapshot-stream.ts'
import { syncLearner } from './synchronization.ts'
import { compareCredentials, credentialsOf, type Link, type PersistPurpose, type Zab } from './zab.ts'
import { epochMax, epochOf, type Zxid, zxidBefore, zxidZero } from './zxid.ts'

/** A member takes us for the leader: at the beginning of a term, or at any time in it. */
export function onFollowerInfo(zab: Zab, leading: Leading, from: Link, message: MessageOf<'followerInfo'>): void {
  from.heldFollowerInfo = undefined
  // Nobody was there to be pinged: the first ping is not late.
  if (leading.learners.size === 0) leading.nextPing = Math.max(leading.nextPing, zab.now)
  leading.learners.set(from.peer.id, {
    member: from.peer,
    attempt: message.attempt,
    wish: message.wish,
    features: message.features,
    acceptedEpoch: message.acceptedEpoch,
    state: 'discovery',
    sentThrough: zxidZero,
    lastZxid: zxidZero,
    received: undefined,
    syncedSince: undefined,
    isAhead: false,
    acked: zxidZero,
    vouched: zxidZero,
    round: 0,
    lastContact: zab.now,
    nameTakenSince: undefined,
    comparison: undefined,
    toldInRound: 0,
    repair: undefined,
  })
  if (leading.epoch === undefined) return
  const promisedToUs = message.acceptedEpoch === leading.epoch && message.acceptedFrom === zab.id
  if (message.acceptedEpoch < leading.epoch || promisedToUs) {
    zab.send(from.peer.id, { type: 'newEpoch', attempt: message.attempt, epoch: leading.epoch })
  } else {
    zab.mark('discovery.laterPromise')
    startEpoch(zab, leading)
  }
}

/** Votes that came before we knew that we lead. */
export function takeHeldFollowerInfos(zab: Zab, leading: Leading): void {
  for (const link of zab.comrades()) {
    if (link.heldFollowerInfo !== undefined) onFollowerInfo(zab, leading, link, link.heldFollowerInfo)
  }
}

/** Begins an epoch above every promise that we know of; whatever was promised below is burned. */
export function startEpoch(zab: Zab, leading: Leading): void {
  let promised = Math.max(zab.epochs.accepted, zab.epochs.current)
  for (const learner of leading.learners.values()) promised = Math.max(promised, learner.acceptedEpoch)
  const epoch = promised + 1
  if (epoch > epochMax) {
    becomeLooking(zab, `the epochs have ended at ${epochMax}: found the ensemble anew`)
    return
  }
  leading.phase = 'discovery'
  leading.epoch = epoch
  leading.epochSince = zab.now
  leading.epochPromised = false
  leading.epochCurrent = false
  zab.epochs = { ...zab.epochs, accepted: epoch, acceptedFrom: zab.id }
  zab.persist({ epochs: zab.epochs }, { kind: 'acceptEpoch', role: leading, epoch })
  for (const [id, learner] of leading.learners) {
    learner.state = 'discovery'
    learner.isAhead = false
    learner.vouched = zxidZero
    learner.repair = undefined
    zab.send(id, { type: 'newEpoch', attempt: learner.attempt, epoch })
  }
}

/**
 * A change of the configuration that cannot be committed, because too many of those who were to vote are gone, is taken
 * back while the voters of before are a quorum: the leader cuts it from its log and goes to its next epoch with them.
 * Nobody else can have committed it: that takes a leader of a later epoch, of whom the promises of this one would tell.
 * And nobody can later, as whoever holds it needs a vote of theirs. Returns whether there was one to take back.
 */
export function giveUpChange(zab: Zab, leading: Leading & { epoch: number }): boolean {
  const { pending, active } = zab.configurations
  const [before] = active
  if (pending === undefined || pending.zxid <= zab.committed || before === undefined || active.length < 2) return false
  if (epochOf(pending.zxid) !== leading.epoch) return false
  const isHere = (id: MemberId): boolean =>
    id === zab.id || zab.now - (leading.learners.get(id)?.lastContact ?? -1) <= zab.options.timing.syncLimitMs
  const cut = zab.log.lastBatchEndUpTo(zxidBefore(pending.zxid))
  if (cut === undefined || !isQuorum([before], isHere)) return false
  zab.mark('membership.givenUp')
  zab.log.truncateAfter(cut)
  zab.configurations.truncateAfter(cut)
  zab.persist({ truncateAfter: cut }, { kind: 'append', through: cut, fence: zab.log.fence })
  leading.givenUpEpoch = leading.epoch
  leading.quorumContact = zab.now
  startEpoch(zab, leading)
  return true
}

export function onNewEpoch(zab: Zab, following: Following, from: Link, message: MessageOf<'newEpoch'>): void {
  if (from.peer.id !== following.leader.id || message.attempt !== following.attempt) return
  const { epoch } = message
  const isPromised = epoch === zab.epochs.accepted && zab.epochs.acceptedFrom === from.peer.id
  if (epoch < zab.epochs.accepted || (epoch === zab.epochs.accepted && !isPromised)) {
    zab.mark('discovery.promisedElsewhere')
    becomeLooking(zab, `epoch ${epoch} of ${from.peer.name} is not above what was promised`)
    return
  }
  following.phase = 'discovery'
  following.epoch = epoch
  following.acknowledged = false
  following.upToDateAt = undefined
  following.leaderAcked = zxidZero
  following.isLoading = false
  following.wantsSnapshot = false
  zab.epochs = { ...zab.epochs, accepted: epoch, acceptedFrom: from.peer.id }
  zab.persist({ epochs: zab.epochs }, { kind: 'acceptEpoch', role: following, epoch })
}

/** A promise is durable, and with it every append before it: only now is it given. */
export function onEpochPromised(zab: Zab, purpose: Extract<PersistPurpose, { kind: 'acceptEpoch' }>): void {
  const { role, epoch } = purpose
  if (zab.role !== role || role.epoch !== epoch) return
  if (role.name === 'leading') role.epochPromised = true
  else {
    const configured = zab.configurations.latest?.zxid ?? zxidZero
    const { current: currentEpoch } = zab.epochs
    const received = receivedFrom(zab, role.leader.id)
    zab.send(role.leader.id, { type: 'ackEpoch', epoch, currentEpoch, lastZxid: zab.log.last, configured, received })
  }
}

export function onAckEpoch(zab: Zab, leading: Leading, from: Link, message: MessageOf<'ackEpoch'>): void {
  const learner = leading.learners.get(from.peer.id)
  if (learner === undefined || learner.state !== 'discovery' || message.epoch !== leading.epoch) return
  // An id that is not counted cannot depose anybody: of a tie in epoch and zxid nobody is ahead.
  const theirs = { currentEpoch: message.currentEpoch, lastZxid: message.lastZxid, id: zab.id }
  // What we proposed ourselves and gave up says nothing.
  const isGivenUp = message.currentEpoch === leading.givenUpEpoch
  const isAhead = !isGivenUp && compareCredentials(theirs, credentialsOf(zab)) > 0
  const mustYield = isAhead && leading.phase === 'discovery' && zab.configurations.isVoter(from.peer.id)
  learner.isAhead = mustYield && !isBystander(zab, from.peer.id, message.configured)
  if (message.currentEpoch > leading.epoch) {
    becomeLooking(zab, `${from.peer.name} acknowledged a later leader`)
    return
  }
  learner.acceptedEpoch = message.epoch
  learner.lastZxid = message.lastZxid
  learner.received = message.received
  learner.state = 'promised'
  if (leading.phase !== 'discovery') syncLearner(zab, learner)
}

/**
 * A voter that loses its vote by the change that is pending here, and has that change in its log as well. What it holds
 * beyond was never committed without a quorum of the new voters, among whom ours is the freshest log; and it may itself
 * not lead any more. Its promise counts, or those who stay might wait for it for ever.
 */
function isBystander(zab: Zab, id: MemberId, configured: Zxid): boolean {
  const { pending } = zab.configurations
  if (pending === undefined || pending.zxid !== configured) return false
  if (pending.configuration.voters.some((voter) => voter.id === id)) return false
  zab.mark('discovery.bystander')
  return true
}

/** Whether this one's promise is there, or may still come. */
function mayCount(zab: Zab, leading: Leading, id: MemberId): boolean {
  return id === zab.id || leading.learners.get(id)?.isAhead === false
}

/**
 * Gives up where there is no quorum without those that are ahead; also when that is so because another one has gone, or
 * does not come to promise anything: its disk may hang, while whoever is ahead could lead long since.
 */
function giveWayToWhoIsAhead(zab: Zab, leading: Leading): boolean {
  const ahead = [...leading.learners.values()].find(({ isAhead }) => isAhead)
  if (ahead === undefined) return false
  const isLate = zab.now - leading.epochSince > zab.options.timing.syncLimitMs
  if (!isLate && isQuorum(zab.configurations.active, (id) => mayCount(zab, leading, id))) return false
  zab.mark('discovery.followerAhead')
  becomeLooking(zab, `${ahead.member.name} is ahead`)
  return true
}

/** Takes the steps of a leader that is not established: epoch, then synchronization, each with a quorum. */
export function progressDiscovery(zab: Zab, leading: Leading): void {
  const { active } = zab.configurations
  if (leading.epoch === undefined) {
    if (yieldToBetterCandidate(zab)) return
    if (isQuorum(active, (id) => id === zab.id || leading.learners.has(id))) startEpoch(zab, leading)
    return
  }
  if (giveWayToWhoIsAhead(zab, leading)) return
  const hasPromised = (id: MemberId): boolean =>
    id === zab.id ? leading.epochPromised : mayCount(zab, leading, id) && leading.learners.get(id)?.state === 'promised'
  if (!isQuorum(active, hasPromised)) return
  leading.phase = 'synchronization'
  zab.epochs = { ...zab.epochs, current: leading.epoch }
  zab.persist(
    { epochs: zab.epochs },
    { kind: 'currentEpoch', role: leading, epoch: leading.epoch, lastZxid: zab.log.last },
  )
  for (const learner of leading.learners.values()) {
    if (learner.state === 'promised') syncLearner(zab, learner)
  }
}
