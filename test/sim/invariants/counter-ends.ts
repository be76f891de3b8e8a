/** Once its counter is past the last one that it may begin a turn with, a leader proposes nothing more in that epoch. */
import type { Input } from '../../../lib/core/input.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import { counterOf, epochOf, formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class CounterEnds implements Invariant {
  /** Where its log ended before this step, by member. */
  readonly #lastBefore = new Map<string, bigint>()

  onInput({ options }: CoreWorld, member: SimMember, _input: Input): void {
    if (options.counterLast !== undefined) this.#lastBefore.set(member.id, member.peer?.zab.log.last ?? 0n)
  }

  onPersist({ options }: CoreWorld, member: SimMember, { append }: PersistChange): void {
    const { counterLast } = options
    if (append === undefined || counterLast === undefined || member.peer?.zab.role.name !== 'leading') return
    const before = (this.#lastBefore.get(member.id) ?? 0n) as typeof append.first
    if (epochOf(before) !== epochOf(append.first) || counterOf(before) <= counterLast) return
    throw new Violation(
      'CounterEnds',
      `${member.name} proposes ${formatZxid(append.first)} after ${formatZxid(before)}`,
    )
  }
}
