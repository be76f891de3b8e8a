/**
 * Founders never found beside an ensemble in which anything was ever committed: those who remember it are a quorum of it, so
 * one of them refuses. What was founded and holds nothing may be given up for another one.
 */
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class OneEnsemble implements Invariant {
  onCommitted({ history }: CoreWorld, { peer }: SimMember): void {
    if (peer !== undefined) history.ensembles.add(peer.zab.belonging.cluster)
  }

  onPersist({ history }: CoreWorld, member: SimMember, { belonging, epochs }: PersistChange): void {
    // Going back to what a founding had frozen comes without epochs.
    if (belonging?.presence !== 'founded' || epochs === undefined) return
    const [known] = history.ensembles
    if (known === undefined || history.ensembles.has(belonging.cluster)) return
    throw new Violation(
      'OneEnsemble',
      `${member.name} founds ${belonging.cluster} beside ${known}, which holds something`,
    )
  }
}
