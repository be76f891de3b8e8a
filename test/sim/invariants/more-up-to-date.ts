/** Of two voters, the one with the better credentials has everything that the other one knows to be committed. */

import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import { compareCredentials } from '../../../lib/core/zab/zab.ts'
import { epochOf, formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class MoreUpToDate implements Invariant {
  /** Credentials change in earnest where the current epoch does, and where a log is cut: seen after the step. */
  #isDue = false

  onPersist(_world: CoreWorld, _member: SimMember, { epochs, truncateAfter, install }: PersistChange): void {
    this.#isDue ||= epochs !== undefined || truncateAfter !== undefined || install !== undefined
  }

  onStep(world: CoreWorld, member: SimMember): void {
    if (!this.#isDue) return
    this.#isDue = false
    this.#compareAll(world, member)
  }

  onEnd(world: CoreWorld): void {
    for (const member of world.members) this.#compareAll(world, member)
  }

  #compareAll(world: CoreWorld, member: SimMember): void {
    for (const other of world.members) {
      if (other === member) continue
      this.#compare(member, other)
      this.#compare(other, member)
    }
  }

  #compare(better: SimMember, other: SimMember): void {
    const a = better.peer?.zab
    const b = other.peer?.zab
    if (a === undefined || b === undefined || a.belonging.cluster !== b.belonging.cluster || !a.isVoter) return
    // Between a snapshot and the NEWLEADER that comes with it, a log is of a later epoch than its owner.
    if (epochOf(b.log.last) > b.epochs.current) return
    const isBetter = compareCredentials(
      { currentEpoch: a.epochs.current, lastZxid: a.log.last, id: b.id },
      { currentEpoch: b.epochs.current, lastZxid: b.log.last, id: b.id },
    )
    if (isBetter < 0) return
    const known = other.log[other.committed - 1]
    if (known === undefined || better.log[other.committed - 1] === known) return
    throw new Violation(
      'MoreUpToDate',
      `${better.name} counts as better than ${other.name} and lacks ${formatZxid(known.first)}, which that one knows to be committed`,
    )
  }
}
