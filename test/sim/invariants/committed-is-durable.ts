/** A leader takes nothing for committed, and nobody delivers anything, that its own disk does not hold. */

import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class CommittedIsDurable implements Invariant {
  onStep(_world: CoreWorld, member: SimMember): void {
    const { peer, disk } = member
    if (peer === undefined) return
    const { zab, state, status } = peer
    const { lastZxid } = disk.image
    if (zab.role.name === 'leading' && zab.role.phase === 'broadcast' && zab.committed > lastZxid) {
      throw new Violation(
        'CommittedIsDurable',
        `${member.name} leads and has ${formatZxid(zab.committed)} committed, durable is ${formatZxid(lastZxid)}`,
      )
    }
    if (status.serving && state.lastZxid > lastZxid) {
      throw new Violation(
        'CommittedIsDurable',
        `${member.name} serves ${formatZxid(state.lastZxid)}, durable is ${formatZxid(lastZxid)}`,
      )
    }
  }
}
