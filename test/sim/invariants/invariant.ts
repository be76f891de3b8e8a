/**
 * What must hold after every step, whatever happens. Each invariant sees what the world records and throws a `Violation`.
 * None may be vacuous: for each there is a change of the core that makes it fail.
 */
import type { Input } from '../../../lib/core/input.ts'
import type { Output } from '../../../lib/core/output.ts'
import type { Applied } from '../../../lib/core/tree/operation.ts'
import type { Batch } from '../../../lib/core/zab/batch.ts'
import type { Message } from '../../../lib/core/zab/message.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'

export class Violation extends Error {
  readonly invariant: string

  constructor(invariant: string, text: string) {
    super(`${invariant}: ${text}`)
    this.invariant = invariant
  }
}

export interface Invariant {
  /** Before a member takes an input. */
  onInput?(world: CoreWorld, member: SimMember, input: Input): void
  /** Before an output is performed. */
  onOutput?(world: CoreWorld, member: SimMember, output: Output): void
  /** After each step of a member. */
  onStep?(world: CoreWorld, member: SimMember): void
  /** Before a message goes out. */
  onSend?(world: CoreWorld, member: SimMember, message: Message): void
  /** Before a change of the log is recorded. */
  onPersist?(world: CoreWorld, member: SimMember, change: PersistChange): void
  /** A member learned that this batch, at this place in its log, is committed. */
  onCommitted?(world: CoreWorld, member: SimMember, batch: Batch, index: number): void
  /** A member delivered this batch, at this place in its log. */
  onDelivered?(world: CoreWorld, member: SimMember, batch: Batch, index: number): void
  onApplied?(world: CoreWorld, member: SimMember, applied: Applied): void
  /** A member crashed, or lost its memory. */
  onCrash?(world: CoreWorld, member: SimMember): void
  /** Everything is healed and quiet. */
  onEnd?(world: CoreWorld): void
}

export const hooks: readonly (keyof Invariant)[] = [
  'onInput',
  'onOutput',
  'onStep',
  'onSend',
  'onPersist',
  'onCommitted',
  'onDelivered',
  'onApplied',
  'onCrash',
  'onEnd',
]
