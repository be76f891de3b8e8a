/** Whoever acknowledges NEWLEADER has a prefix of that leader's log. */
import type { Message } from '../../../lib/core/zab/message.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class ProcessConsistency implements Invariant {
  onSend(world: CoreWorld, member: SimMember, message: Message): void {
    if (message.type !== 'ackNewLeader') return
    const leader = world.members.find(({ peer }) => {
      const role = peer?.zab.role
      return role?.name === 'leading' && role.phase !== 'discovery' && role.epoch === message.epoch
    })
    if (leader === undefined) return
    for (const [index, batch] of member.log.entries()) {
      if (leader.log[index] === batch) continue
      throw new Violation(
        'ProcessConsistency',
        `${member.name} acknowledges epoch ${message.epoch}, its log is no prefix of that of ${leader.name} at ${index}`,
      )
    }
  }
}
