/**
 * What may be asked of the leader about the configuration (membership.ts). All requests are idempotent, so whoever asks
 * asks again in each new term, until there is an answer.
 */
import type { ErrorCode } from '../../errors.ts'

/** A member, by its name, and what it is to be. */
export interface MemberChoice {
  readonly name: string
  readonly role: 'voter' | 'observer'
}

export type MembershipRequest =
  /** Of an operator: give these a seat or make them observers, remove those, want so many voters. */
  | {
      readonly kind: 'change'
      readonly add: readonly MemberChoice[]
      readonly remove: readonly string[]
      readonly seats: number | undefined
    }
  /** Lead no more: the member of this name leads, or any other. */
  | { readonly kind: 'transfer'; readonly name: string | undefined }
  /** The sender gives its seat and its membership up. */
  | { readonly kind: 'leave' }
  /** The sender stops and will have forgotten everything: its seat is handed on, where that is possible. */
  | { readonly kind: 'close' }
  /** Would those who stay be a quorum, if the sender stopped now? */
  | { readonly kind: 'mayStop' }

/** Without a code, it is so. The reason is for people. */
export interface MembershipOutcome {
  readonly code: ErrorCode | undefined
  readonly reason: string
}
