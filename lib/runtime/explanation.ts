/** What a member tells of itself and its ensemble: what the core concludes, and what only the runtime knows. */
import type { Status } from '../core/output.ts'
import type { Peer } from '../core/peer.ts'
import type { Lagging as LaggingMember, Missing, NoLeader as ZabNoLeader } from '../core/zab/explanation.ts'

/** Besides what the core tells: `starting`: it has not begun; `storeFailed`: its store is read back; `closed`: it has stopped. */
export type NoLeader = ZabNoLeader | 'starting' | 'storeFailed' | 'closed'

export type { LaggingMember }

/** `failure`: why the last dial failed. */
export type MissingMember = Missing & { readonly failure: string | undefined }

export interface MemberExplanation {
  /** Undefined while a leader serves this member. */
  readonly noLeader: NoLeader | undefined
  /** The same, and who is missing, as a sentence. */
  readonly reason: string
  readonly missing: readonly MissingMember[]
  readonly lagging: readonly LaggingMember[]
}

export interface ExplanationParts {
  readonly isStarted: boolean
  readonly isClosed: boolean
  readonly outage: Status | undefined
  readonly peer: Peer | undefined
  failureOf(address: string): string | undefined
}

export function explanationOf(parts: ExplanationParts): MemberExplanation {
  const { isStarted, isClosed, outage, peer } = parts
  if (isClosed) return short('closed', 'this member has stopped')
  if (outage !== undefined) return short('storeFailed', outage.reason)
  if (peer === undefined || !isStarted) return short('starting', 'this member is starting')
  const { noLeader, leader, missing: absent, lagging } = peer.explain()
  const missing = absent.map((one) => ({ ...one, failure: parts.failureOf(one.address) }))
  if (noLeader === undefined) return { noLeader, reason: 'a quorum serves this member', missing, lagging }
  const who = noLeader === 'synchronizing' && leader !== undefined ? ` with ${leader.name}` : ''
  const last = noLeader === 'noEnsemble' || noLeader === 'founding' ? undefined : `it looks: ${peer.status.reason}`
  const reason = [`${texts[noLeader]}${who}`, ...missing.map(textOf), last].filter((part) => part !== undefined)
  return { noLeader, reason: reason.join('; '), missing, lagging }
}

const texts: Readonly<Record<ZabNoLeader, string>> = {
  noEnsemble: 'this member belongs to no ensemble yet',
  founding: 'the founders found the ensemble',
  majorityLost: 'a majority of the voters came back without its memory',
  noQuorum: 'too few voters are reachable',
  noFounder: 'no founder is reachable, and every quorum includes one',
  electing: 'the voters that are here find a leader',
  synchronizing: 'this member synchronises',
  diverged: 'the state of this member is not that of the others: it is replaced by theirs',
  doubtful: 'the states of the voters differ, and none has a majority: nobody serves until another voter is here',
}

const whys: Readonly<Record<Missing['why'], string>> = {
  unreachable: 'is not reachable',
  left: 'has left',
  lostMemory: 'came back without its memory',
  elsewhere: 'belongs to another ensemble, or to none',
}

function textOf({ name, address, isVoter, why, failure }: MissingMember): string {
  const who =
    name === undefined ? `the founder at ${address}` : `${isVoter ? 'voter' : 'observer'} ${name} (${address})`
  return `${who} ${whys[why]}${failure === undefined || why !== 'unreachable' ? '' : `: ${failure}`}`
}

function short(noLeader: NoLeader, reason: string): MemberExplanation {
  return { noLeader, reason, missing: [], lagging: [] }
}
