/**
 * How failures of a store become ours. The codes part what an operator does next: end the other process (LOCKED), have the
 * peers repair it (DAMAGED), or look at the disk (FAILED). So nothing that is merely unreadable now may be called damage.
 */
import type { ErrorCode } from '../../lib/errors.ts'

/** What was found wrong. It does not know yet which store it is in: the adapter's `asCoordError` adds that. */
export class Finding extends Error {
  readonly code: ErrorCode

  constructor(what: string, code: ErrorCode = 'COORD_STORE_DAMAGED') {
    super(what)
    this.code = code
  }
}
