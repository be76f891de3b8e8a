/**
 * Elections: whoever is not established, and knows of a better candidate that can be elected, does not go on; and a vote
 * that was given to somebody else does not count any more. Neither is needed for safety, but a term would be waited for
 * that never comes.
 */
import type { Input } from '../../../lib/core/input.ts'
import type { Zab } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class GivesWay implements Invariant {
  /** Who has just said that it follows somebody else. */
  #left: string | undefined

  onInput(_world: CoreWorld, member: SimMember, input: Input): void {
    const isNews = input.type === 'message' && input.message.type === 'notification'
    this.#left = isNews && input.message.leader?.id !== member.id ? input.from : undefined
  }

  onStep(_world: CoreWorld, member: SimMember): void {
    const zab = member.peer?.zab
    if (zab === undefined) return
    for (const { peer, heldFollowerInfo } of zab.links.values()) {
      if (peer.id !== this.#left || heldFollowerInfo === undefined) continue
      throw new Violation('GivesWay', `${member.name} still counts the vote of ${peer.name}, which was taken back`)
    }
    if (zab.role.name !== 'leading' || zab.role.epoch !== undefined) return
    const better = betterCandidate(zab)
    if (better === undefined) return
    throw new Violation('GivesWay', `${member.name} wants to lead, and knows that ${better} is ahead`)
  }
}

function betterCandidate(zab: Zab): string | undefined {
  const { current } = zab.epochs
  const { last } = zab.log
  for (const { peer, notification } of zab.comrades()) {
    if (notification === undefined || !zab.configurations.isVoter(peer.id)) continue
    const { role, electable, epoch, currentEpoch, lastZxid } = notification
    const isCandidate = (role === 'looking' && electable) || (role === 'leading' && epoch === 0)
    // Which of two equal ones leads is nobody's business.
    const isAhead = currentEpoch > current || (currentEpoch === current && lastZxid > last)
    if (isCandidate && isAhead) return peer.name
  }
  return undefined
}
