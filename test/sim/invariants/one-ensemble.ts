/**
 * Founders never found beside an ensemble that has had a leader: those who remember it are a quorum of it, so one of them
 * refuses. What was founded and never led may be given up for another one.
 */
import { isEstablished } from '../../../lib/core/zab/roles.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class OneEnsemble implements Invariant {
  onStep({ history }: CoreWorld, { peer }: SimMember): void {
    if (peer !== undefined && isEstablished(peer.zab.role)) history.ensembles.add(peer.zab.belonging.cluster)
  }

  onPersist({ history }: CoreWorld, member: SimMember, { belonging, epochs }: PersistChange): void {
    // Going back to what a founding had frozen comes without epochs.
    if (belonging?.presence !== 'founded' || epochs === undefined) return
    const [led] = history.ensembles
    if (led === undefined || history.ensembles.has(belonging.cluster)) return
    throw new Violation('OneEnsemble', `${member.name} founds ${belonging.cluster}, and ${led} has had a leader`)
  }
}
