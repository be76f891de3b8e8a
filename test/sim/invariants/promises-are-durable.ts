/** What a member says that others rely on is on its disk before it leaves: promises, acknowledgements, preparations. */
import type { Message } from '../../../lib/core/zab/message.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class PromisesAreDurable implements Invariant {
  onSend(_world: CoreWorld, member: SimMember, message: Message): void {
    if (!isDurable(member, message)) {
      throw new Violation('PromisesAreDurable', `${member.name} says ${message.type} before it is durable`)
    }
  }
}

function isDurable({ disk }: SimMember, message: Message): boolean {
  const { image } = disk
  switch (message.type) {
    case 'ackEpoch':
      return (image.epochs?.accepted ?? 0) >= message.epoch && image.holds(message.lastZxid)
    case 'ackNewLeader':
      return (image.epochs?.current ?? 0) >= message.epoch && image.holds(message.lastZxid)
    case 'ack':
      return image.holds(message.lastZxid)
    case 'prepared':
      return image.belonging?.preparation?.cluster === message.cluster
    default:
      return true
  }
}
