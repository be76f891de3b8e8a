/**
 * Divergence: a member whose state is no longer that of the others, by a fault of its memory or of ours. Nothing in Zab
 * notices it, since the logs are equal. Each pong says what the sender's entries came to so far, as a digest of that history
 * (core/tree/history-digest.ts); the leader compares it with its own at the same zxid.
 *
 * - Whoever differs from a majority of the voters that report is *diverged*. It applies nothing more and serves nobody. Its log
 *   is as sound as ever: it goes on acknowledging, is sent a snapshot of the leader's state beside that, puts it in the place
 *   of its own, and goes on from there with its own log. (To synchronise anew would take back, for a while, what
 *   it has acknowledged.)
 * - A leader that differs from a majority is diverged itself: it hands over to a voter that is not, and is repaired by it.
 * - Where there is no majority either way (one against one), nobody can know who is right: all are *doubtful*. The leader
 *   proposes nothing more and nobody serves until a voter comes back that settles it.
 *
 * A diverged member stands for election only where nobody sound has its log; leading then, it hands over as soon as
 * somebody sound has. What a member knows of this ends with its process: its store gives the same digest again, and it is
 * found out again, a ping after it serves; unless the log behind its checkpoint comes to the right state this time.
 *
 * Members that report nothing (of an older release, or whose state began with a snapshot without a digest) are neither
 * compared nor counted. Nor is a report that is older than what the leader remembers: the next one will do.
 */
import type { HistoryDigest } from '../tree/operation.ts'
import type { MemberId } from './configuration.ts'
import { beginHandOver } from './hand-over.ts'
import type { MessageOf, Replica, Standing } from './message.ts'
import { isQuorum } from './quorum.ts'
import { type Following, isEstablished, type Leading, type Learner } from './roles.ts'
import type { Link, Zab } from './zab.ts'
import { formatZxid, type Zxid } from './zxid.ts'

/** What comparing a learner with the leader gave. */
export interface Comparison {
  /** As it says itself, or was told since. */
  readonly standing: Standing
  /** The last entry that it had applied when it reported. */
  readonly zxid: Zxid
  /** Through this zxid it was seen to agree. */
  readonly agreedThrough: Zxid | undefined
  /** Here it was first seen to differ, and has not agreed since. */
  readonly differsAt: Zxid | undefined
}

/** So long those who have not reported are waited for before it is decided without them. */
const pingsToWait = 2

/** So many batch ends are remembered: whoever lags behind further is compared once it has caught up. */
const digestsMax = 4096

/** What the entries came to, at the last batch ends. */
export class Digests {
  /** The oldest are overwritten. */
  readonly #notes: { readonly zxid: Zxid; readonly history: HistoryDigest }[] = []
  #next = 0

  note(zxid: Zxid, history: HistoryDigest | undefined): void {
    if (history === undefined) return
    this.#notes[this.#next] = { zxid, history }
    this.#next = (this.#next + 1) % digestsMax
  }

  at(zxid: Zxid): HistoryDigest | undefined {
    return this.#notes.findLast((note) => note.zxid === zxid)?.history
  }

  /** A state takes the place of the one that they are of. */
  clear(): void {
    this.#notes.length = 0
    this.#next = 0
  }
}

export function replicaOf({ machine, standing }: Zab): Replica {
  return { zxid: machine.lastZxid, history: machine.history, standing }
}

function setStanding(zab: Zab, standing: Standing, reason: string): void {
  if (zab.standing === standing) return
  if (standing === 'diverged') zab.mark('divergence.diverged')
  else if (standing === 'doubtful') zab.mark('divergence.doubtful')
  else if (zab.standing === 'doubtful') zab.mark('divergence.cleared')
  zab.standing = standing
  zab.standingReason = reason
  zab.doubtedAt = standing === 'doubtful' ? zab.machine.lastZxid : undefined
}

// The leader

/** A learner reports, in answer to a ping. What it says from before it was last told something counts no more. */
export function onReport(zab: Zab, leading: Leading, learner: Learner, round: number, replica: Replica): void {
  if (!isEstablished(leading) || learner.state !== 'synced' || round <= learner.toldInRound) return
  learner.comparison = compared(zab, learner.comparison, replica)
  if (replica.standing !== 'diverged') learner.repair = undefined
  judge(zab, leading)
  for (const one of leading.learners.values()) if (one.comparison !== undefined) tell(zab, leading, one, one.comparison)
}

function compared(zab: Zab, before: Comparison | undefined, { zxid, history, standing }: Replica): Comparison {
  const own = zab.standing === 'diverged' ? undefined : zab.digests.at(zxid)
  // One that had diverged has another state now: what was found of the one before says nothing.
  const isReplaced = before?.standing === 'diverged' && standing !== 'diverged'
  const { agreedThrough, differsAt } = isReplaced ? {} : (before ?? {})
  if (own === undefined || history === undefined) return { standing, zxid, agreedThrough, differsAt }
  if (own.left === history.left && own.right === history.right)
    return { standing, zxid, agreedThrough: zxid, differsAt: undefined }
  return { standing, zxid, agreedThrough, differsAt: differsAt ?? zxid }
}

/** Whether the leader's own state is that of the majority. */
function judge(zab: Zab, leading: Leading): void {
  const doubt = zab.standing === 'diverged' ? undefined : latestDifference(zab, leading)
  if (doubt === undefined) {
    leading.differenceSince = undefined
    return
  }
  // Those who have not reported that far are asked at once.
  if (leading.differenceSince === undefined) leading.roundWanted = true
  leading.differenceSince ??= zab.now
  const { agree, differ, open } = countVotes(zab, leading, doubt)
  const mayTurn = zab.now - leading.differenceSince <= pingsToWait * zab.options.timing.pingIntervalMs ? open : 0
  const reported = agree.size + differ
  // Out of a doubt finds only who is backed: that nobody objects may only mean that nobody is here.
  const isBacked = differ > 0 || zab.standing === 'sound' || isQuorum(zab.configurations.active, (id) => agree.has(id))
  if (agree.size * 2 > reported + mayTurn && isBacked) {
    leading.differenceSince = undefined
    setStanding(zab, 'sound', '')
  } else if (differ * 2 > reported + mayTurn) {
    setStanding(zab, 'diverged', `its state differs from those of a majority at ${formatZxid(doubt)}`)
  } else if (mayTurn === 0) {
    setStanding(zab, 'doubtful', `the states of the voters differ at ${formatZxid(doubt)}, and none has a majority`)
  }
}

/** From where on the votes count; undefined where there is no doubt. */
function latestDifference(zab: Zab, leading: Leading): Zxid | undefined {
  let latest = zab.doubtedAt
  for (const { comparison } of leading.learners.values()) {
    const differsAt = comparison?.standing === 'diverged' ? undefined : comparison?.differsAt
    if (differsAt !== undefined && (latest === undefined || differsAt > latest)) latest = differsAt
  }
  return latest
}

interface Votes {
  readonly agree: ReadonlySet<MemberId>
  readonly differ: number
  /** They have not reported that far. */
  readonly open: number
}

/** Who is already known to have diverged has no say. */
function countVotes(zab: Zab, leading: Leading, doubt: Zxid): Votes {
  const agree = new Set<MemberId>()
  let differ = 0
  let open = 0
  if (zab.isVoter) agree.add(zab.id)
  for (const [id, { state, comparison }] of leading.learners) {
    if (state !== 'synced' || comparison?.standing === 'diverged' || !zab.configurations.isVoter(id)) continue
    const { agreedThrough, differsAt } = comparison ?? {}
    if (differsAt !== undefined) differ += 1
    else if (agreedThrough !== undefined && agreedThrough >= doubt) agree.add(id)
    else open += 1
  }
  return { agree, differ, open }
}

/** Puts right what a learner thinks of itself. Who has diverged gets a snapshot (snapshot-stream.ts). */
function tell(zab: Zab, leading: Leading & { epoch: number }, learner: Learner, comparison: Comparison): void {
  const { standing, zxid, agreedThrough, differsAt } = comparison
  if (zab.standing === 'doubtful') {
    if (standing === 'sound') sendVerdict(zab, leading, learner, comparison, 'doubtful', zab.standingReason)
    return
  }
  // Not decided yet; or not for us to decide.
  if (zab.standing === 'diverged' || leading.differenceSince !== undefined) return
  if (standing === 'diverged') learner.repair ??= 'wanted'
  else if (differsAt !== undefined) {
    const reason = `its state differs from that of the leader at ${formatZxid(differsAt)}`
    sendVerdict(zab, leading, learner, comparison, 'diverged', reason)
    learner.repair = 'wanted'
  } else if (standing === 'doubtful' && agreedThrough === zxid) {
    sendVerdict(zab, leading, learner, comparison, 'sound', '')
  }
}

function sendVerdict(
  zab: Zab,
  leading: Leading & { epoch: number },
  learner: Learner,
  comparison: Comparison,
  standing: Standing,
  reason: string,
): void {
  learner.comparison = { ...comparison, standing }
  learner.toldInRound = leading.round
  zab.send(learner.member.id, { type: 'verdict', epoch: leading.epoch, standing, reason })
}

/** At the end of a leader's turn: a diverged one leads on only until a voter that is none has its log. */
export function handOverIfDiverged(zab: Zab, leading: Leading): void {
  if (zab.standing !== 'diverged' || leading.handOver !== undefined) return
  // Who has answered nothing yet may have diverged, too.
  const among = [...leading.learners.values()].filter(({ round }) => round > 0).map(({ member }) => member)
  if (among.length > 0 && beginHandOver(zab, leading, undefined, among)) zab.mark('divergence.handedOver')
}

// The learner

export function onVerdict(zab: Zab, following: Following, from: Link, message: MessageOf<'verdict'>): void {
  const isOurs = from.peer.id === following.leader.id && message.epoch === following.epoch
  // A diverged state is never found sound again: another one takes its place.
  if (!isOurs || following.phase !== 'broadcast' || zab.standing === 'diverged') return
  setStanding(zab, message.standing, message.reason)
}

/** A snapshot has taken the place of the state. */
export function noteReplaced(zab: Zab): void {
  zab.digests.clear()
  zab.digests.note(zab.machine.lastZxid, zab.machine.history)
  setStanding(zab, 'sound', '')
}

/** Whether somebody sound could lead with this log, too: then a diverged member does not stand for election. */
export function mustStandBack(zab: Zab): boolean {
  if (zab.standing !== 'diverged') return false
  const { current } = zab.epochs
  const { last } = zab.log
  for (const { peer, notification } of zab.comrades()) {
    if (notification === undefined || notification.isDiverged === true || !zab.configurations.isVoter(peer.id)) continue
    if (notification.role === 'following' || notification.epoch > 0) continue
    const { currentEpoch, lastZxid } = notification
    if (currentEpoch > current || (currentEpoch === current && lastZxid >= last)) return true
  }
  return false
}
