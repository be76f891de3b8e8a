/**
 * Nobody ever says what its hearer can do nothing with: an acknowledgement of what was never sent, a commit beyond the
 * log, a proposal or snapshot with a hole, a synchronization that would take back what is committed. The core defends
 * itself against all of these; among members that do as they should, the defences are never needed.
 */
import type { Input } from '../../../lib/core/input.ts'
import type { Output } from '../../../lib/core/output.ts'
import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

/** With these reasons a link may end among members that do as they should. */
const harmless = /^silent for too long$|does not get on with the snapshot/

export class PossibleMessages implements Invariant {
  onInput(_world: CoreWorld, member: SimMember, input: Input): void {
    const zab = member.peer?.zab
    if (input.type !== 'message' || zab === undefined) return
    const { role, log } = zab
    const { message, from } = input
    if (role.name === 'leading' && (message.type === 'ack' || message.type === 'ackNewLeader')) {
      const learner = role.learners.get(from)
      const isOfNow = message.type === 'ack' ? learner?.state === 'synced' : message.epoch === role.epoch
      if (learner !== undefined && isOfNow && message.lastZxid > log.last) {
        throw new Violation(
          'PossibleMessages',
          `${member.name} gets an ${message.type} of ${formatZxid(message.lastZxid)}, its log ends at ${formatZxid(log.last)}`,
        )
      }
    }
    if (role.name === 'following' && message.type === 'newEpoch' && message.attempt === role.attempt) {
      const { accepted, acceptedFrom } = zab.epochs
      const isFree = message.epoch > accepted || (message.epoch === accepted && acceptedFrom === from)
      if (role.leader.id === from && !isFree) {
        throw new Violation(
          'PossibleMessages',
          `${member.name} is asked for epoch ${message.epoch}, it promised ${accepted}`,
        )
      }
    }
    if (role.name === 'following' && role.leader.id === from && role.acknowledged) {
      if (message.type === 'ack' && message.lastZxid > log.last) {
        throw new Violation(
          'PossibleMessages',
          `${member.name} hears that its leader holds ${formatZxid(message.lastZxid)}, its log ends at ${formatZxid(log.last)}`,
        )
      }
      const isCommit = message.type === 'commit' || message.type === 'upToDate' || message.type === 'ping'
      if (isCommit && (role.phase === 'broadcast' || message.type === 'upToDate') && message.committed > log.last) {
        throw new Violation(
          'PossibleMessages',
          `${member.name} hears that ${formatZxid(message.committed)} is committed, its log ends at ${formatZxid(log.last)}`,
        )
      }
    }
  }

  onOutput(_world: CoreWorld, member: SimMember, output: Output): void {
    if (output.type === 'closeLink' && !harmless.test(output.reason)) {
      throw new Violation('PossibleMessages', `${member.name} closes a link: the other ${output.reason}`)
    }
    if (output.type === 'send' && output.message.type === 'wantSnapshot') {
      throw new Violation('PossibleMessages', `${member.name} was sent a synchronization that does not fit its log`)
    }
  }
}
