/**
 * Entries are delivered a slice at a time, and nobody speaks for what it has not delivered: a leader serves with all that
 * it inherited, a follower with what was committed when it was told that it is up to date, and no follower is ahead of
 * its leader's state, but for what that leader has acknowledged to somebody. A member that has diverged delivers nothing.
 */
import { epochOf, formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class DeliversFirst implements Invariant {
  onStep(world: CoreWorld, { name, peer }: SimMember): void {
    if (peer === undefined || peer.zab.standing === 'diverged') return
    const { role, log } = peer.zab
    const { lastZxid } = peer.state
    if (role.name === 'leading' && role.phase === 'broadcast') {
      const [next] = log.after(lastZxid)
      if (next === undefined || epochOf(next.first) === role.epoch) return
      throw new Violation('DeliversFirst', `${name} leads, and has not delivered ${formatZxid(next.first)}`)
    }
    if (role.name !== 'following' || role.phase !== 'broadcast') return
    if (role.upToDateAt !== undefined && lastZxid < role.upToDateAt) {
      const told = formatZxid(role.upToDateAt)
      throw new Violation('DeliversFirst', `${name} serves ${formatZxid(lastZxid)}, and was told of ${told}`)
    }
    const leader = world.members.find(({ id }) => id === role.leader.id)?.peer
    if (leader === undefined || leader.zab.standing === 'diverged') return
    const theirs = leader.zab.role
    if (theirs.name !== 'leading' || theirs.epoch !== role.epoch || lastZxid <= leader.state.lastZxid) return
    if (lastZxid <= theirs.vouched) return
    const behind = formatZxid(leader.state.lastZxid)
    throw new Violation('DeliversFirst', `${name} is at ${formatZxid(lastZxid)}, its leader at ${behind}`)
  }
}
