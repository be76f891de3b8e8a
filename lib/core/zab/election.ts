/**
 * Leader election: Zab's phase 0, an oracle. It only has to be quick and to settle; that there is never more than one
 * established leader in an epoch is discovery's doing (discovery.ts), whatever is elected here.
 *
 * Each member tells every linked one, at each change, what it does and its credentials: (current epoch, last zxid, id).
 * Links are FIFO, so the last notification of each peer is its state, and no rounds are needed. A member that looks
 * - joins an established leader where it sees one (stickiness: whoever was cut off cannot depose a working leader);
 * - else takes the best looker that is *electable*, that is, reaches a quorum of lookers (this is the pre-vote: whoever
 *   reaches no quorum never campaigns, and promises nobody an epoch);
 * - waits for linked voters that have not answered, but only until `settleAt`.
 * A closed link is an answer, too: so an election ends as soon as every reachable voter has answered.
 */
import type { MemberId } from './configuration.ts'
import { mustStandBack } from './divergence.ts'
import { isBehind, type Mark } from './marks.ts'
import type { MessageOf } from './message.ts'
import { isQuorum } from './quorum.ts'
import { becomeFollowing, becomeLeading, becomeLooking, type Looking, type Role } from './roles.ts'
import { type Credentials, compareCredentials, credentialsOf, type Link, type Zab } from './zab.ts'
import { formatZxid, zxidZero } from './zxid.ts'

/** Tells each comrade what it has not been told yet. Runs at the end of every step. */
export function announce(zab: Zab): void {
  if (zab.role.name === 'outside') return
  const notification = notificationOf(zab, zab.role)
  for (const link of zab.comrades()) {
    const told = link.announcedNotification
    if (told !== undefined && saysTheSame(told, notification)) continue
    const mark = told === undefined ? zab.marks.of(link.peer.id) : undefined
    link.announcedNotification = notification
    zab.send(link.peer.id, mark === undefined ? notification : { ...notification, mark })
  }
}

/** Field by field: it is asked for each link at the end of every step. */
function saysTheSame(one: MessageOf<'notification'>, other: MessageOf<'notification'>): boolean {
  return (
    one.role === other.role &&
    one.electable === other.electable &&
    one.currentEpoch === other.currentEpoch &&
    one.lastZxid === other.lastZxid &&
    one.leader?.id === other.leader?.id &&
    one.epoch === other.epoch &&
    one.isDiverged === other.isDiverged
  )
}

function notificationOf(zab: Zab, role: Exclude<Role, { name: 'outside' }>): MessageOf<'notification'> {
  const established = role.name !== 'looking' && role.phase === 'broadcast'
  // Credentials are those of a candidate: of others they would only be noise, at every entry.
  const isCandidate = role.name !== 'following' && !established
  return {
    type: 'notification',
    role: role.name,
    electable: role.name === 'looking' && isElectable(zab),
    currentEpoch: isCandidate ? zab.epochs.current : 0,
    lastZxid: isCandidate ? zab.log.last : zxidZero,
    leader: role.name === 'following' ? role.leader : role.name === 'leading' ? zab.self : undefined,
    epoch: established ? (role.epoch ?? 0) : 0,
    mark: undefined,
    isDiverged: isCandidate && zab.standing === 'diverged' ? true : undefined,
  }
}

/** A voter whose writes have come back and that reaches a quorum of voters without a leader. */
export function isElectable(zab: Zab): boolean {
  if (mustStandBack(zab)) return false
  return (
    zab.isVoter && zab.isDrained && isQuorum(zab.configurations.active, (id) => id === zab.id || isAvailable(zab, id))
  )
}

/**
 * A linked member that looks, or whose vote for us waits here. One whose vote we have used up does not count: it must
 * learn first that we gave up, and look anew.
 */
function isAvailable(zab: Zab, id: MemberId): boolean {
  const link = zab.links.get(id)
  return link?.notification?.role === 'looking' || link?.heldFollowerInfo !== undefined
}

/** What a new notification means for a role that already has its leader, or is one. */
export function onNotification(zab: Zab, role: Role, from: Link, message: MessageOf<'notification'>): void {
  const before = from.notification
  from.notification = message
  if (message.mark !== undefined && !zab.isProven && isBehind(message.mark, zab.begun.epochs, zab.begun.lastZxid)) {
    forget(zab, from, message.mark)
    return
  }
  if (message.leader?.id !== zab.id) from.heldFollowerInfo = undefined
  if (role.name === 'following' && role.leader.id === from.peer.id) {
    const gaveUp = message.role === 'following' || (before?.role === 'leading' && message.role !== 'leading')
    // NEWEPOCH comes before this to whoever still is its learner: a leader that gave up and won at once has forgotten us.
    const isOfNextTerm = role.epoch !== undefined && message.role === 'leading' && message.epoch > role.epoch
    if (isOfNextTerm) zab.mark('election.forgotten')
    if (gaveUp || isOfNextTerm) becomeLooking(zab, `${from.peer.name} no longer leads the term that we knew`)
  }
  if (role.name === 'leading' && message.leader?.id !== zab.id) role.learners.delete(from.peer.id)
}

/** It stops: its link goes down soon, and it will not come back by itself. */
export function onFarewell(zab: Zab, _role: Role, from: Link): void {
  zab.departed.add(from.peer.id)
}

function forget(zab: Zab, from: Link, mark: Mark): void {
  zab.mark('marks.forgotten')
  zab.isOver = true
  const reason = `it lacks what this member acknowledged: ${from.peer.name} remembers ${formatZxid(mark.zxid)} in epoch ${mark.epoch}, the log ended at ${formatZxid(zab.begun.lastZxid)} in epoch ${zab.begun.epochs.current}`
  zab.outputs.push({ type: 'forgotten', reason })
}

/** A looking member keeps the vote until it knows whether it leads. */
export function holdFollowerInfo(_zab: Zab, _role: Role, from: Link, message: MessageOf<'followerInfo'>): void {
  from.heldFollowerInfo = message
}

/** Decides, if it is time to. */
export function progressLooking(zab: Zab, looking: Looking): void {
  const established = findEstablishedLeader(zab)
  if (established !== undefined) {
    becomeFollowing(zab, established.peer)
    return
  }
  if (!zab.isDrained) return
  if (zab.isVoter) elect(zab, looking)
  else followBestElectable(zab)
}

/** The linked member that leads an established ensemble, in the highest epoch. */
function findEstablishedLeader(zab: Zab): Link | undefined {
  let best: Link | undefined
  for (const link of zab.comrades()) {
    const notification = link.notification
    if (notification?.role !== 'leading' || notification.epoch === 0) continue
    if (best === undefined || notification.epoch > (best.notification?.epoch ?? 0)) best = link
  }
  return best
}

interface Candidate extends Credentials {
  readonly link: Link | undefined
  readonly electable: boolean
}

/** Lookers, and leaders that are not established yet, best first. */
function candidates(zab: Zab): Candidate[] {
  const found: Candidate[] = []
  for (const link of zab.comrades()) {
    const notification = link.notification
    if (notification === undefined || notification.role === 'following' || notification.epoch > 0) continue
    const { currentEpoch, lastZxid } = notification
    const electable = notification.electable || notification.role === 'leading'
    // Whoever reaches a quorum may be a voter of a configuration that is not in our log yet.
    if (electable || zab.configurations.isVoter(link.peer.id)) {
      found.push({ id: link.peer.id, currentEpoch, lastZxid, link, electable })
    }
  }
  if (zab.isVoter) found.push({ ...credentialsOf(zab), link: undefined, electable: isElectable(zab) })
  return found.sort((a, b) => compareCredentials(b, a))
}

function elect(zab: Zab, looking: Looking): void {
  const settled = zab.now >= looking.settleAt
  const ranked = candidates(zab)
  const best = settled ? ranked.find((candidate) => candidate.electable) : ranked[0]
  if (best === undefined || !best.electable) return
  if (best.link !== undefined) {
    becomeFollowing(zab, best.link.peer)
  } else if (settled || everyLinkedVoterAnswered(zab)) {
    if (settled) zab.mark('election.settled')
    becomeLeading(zab)
  }
}

/** Whether no linked voter might still turn up as a better candidate. */
function everyLinkedVoterAnswered(zab: Zab): boolean {
  for (const configuration of zab.configurations.active) {
    for (const voter of configuration.voters) {
      if (zab.links.has(voter.id) && !isAvailable(zab, voter.id)) return false
    }
  }
  return true
}

/** Whoever has no vote takes the lookers' own word for who may be elected. */
function followBestElectable(zab: Zab): void {
  const best = candidates(zab).find((candidate) => candidate.electable)
  if (best?.link !== undefined) becomeFollowing(zab, best.link.peer)
}

/**
 * Before its epoch is chosen, a would-be leader gives way to a better candidate, if that one can be elected: one that
 * reaches no quorum would block the others for ever. Returns whether it did.
 */
export function yieldToBetterCandidate(zab: Zab): boolean {
  for (const link of zab.comrades()) {
    const notification = link.notification
    if (notification === undefined || !mayBeElected(notification)) continue
    if (!zab.configurations.isVoter(link.peer.id)) continue
    const { currentEpoch, lastZxid } = notification
    if (compareCredentials({ currentEpoch, lastZxid, id: link.peer.id }, credentialsOf(zab)) <= 0) continue
    zab.mark('election.yielded')
    becomeLooking(zab, `${link.peer.name} is ahead`)
    return true
  }
  return false
}

/** It reaches a quorum of lookers, or thinks itself elected: but no quorum has promised it an epoch yet. */
function mayBeElected({ role, electable, epoch }: MessageOf<'notification'>): boolean {
  return (role === 'looking' && electable) || (role === 'leading' && epoch === 0)
}
