/**
 * Fencing: how a resource refuses a holder that has lost its lock and does not know it yet. The token grows with every
 * holder; the resource remembers the largest one that it has seen, and refuses smaller ones.
 *
 * For nodes of our own tree there is nothing to build: `multi(operations, { ifHeld: lock })`.
 */
import type { Held } from './held.ts'

/** The condition and assignment of an SQL statement: `UPDATE … SET balance = ?, ${set} WHERE id = ? AND ${where}`. */
export interface SqlGuard {
  /** Remembers the token in the row. */
  readonly set: string
  /** Holds only if no later holder has been here. A statement that changes no row came too late. */
  readonly where: string
  /** The token, for both: a signed 64-bit number, as text. */
  readonly token: string
}

/**
 * For a table with a column (default `fence`, BIGINT NOT NULL DEFAULT 0). The token is written as a literal: it is a number
 * of ours, and drivers differ in their bigints. Throws COORD_LOCK_LOST if the lock is lost already.
 */
export function sqlGuard(held: Pick<Held, 'token' | 'assertHeld'>, column = 'fence'): SqlGuard {
  if (!/^[A-Za-z_][\w.]*$/.test(column)) throw new TypeError(`not the name of a column: ${JSON.stringify(column)}`)
  held.assertHeld()
  const token = held.token.toString()
  return { set: `${column} = ${token}`, where: `${column} <= ${token}`, token }
}

/** The name of the header that `fenceHeaders` sends. */
export const fenceHeader = 'x-fence-token'

/** Headers for a request to a service that fences. Throws COORD_LOCK_LOST if the lock is lost already. */
export function fenceHeaders(held: Pick<Held, 'token' | 'assertHeld'>): { readonly [fenceHeader]: string } {
  held.assertHeld()
  return { [fenceHeader]: held.token.toString() }
}

/** What the service keeps for a resource: the largest token that it has seen. Keep it as durably as the resource. */
export class FenceGate {
  #largest: bigint

  /** `largest`: what was kept, after a restart. */
  constructor(largest = 0n) {
    this.#largest = largest
  }

  get largest(): bigint {
    return this.#largest
  }

  /** Whether who comes with this token (a bigint, or the header's text) may act: nobody with a larger one has been here. */
  admits(token: bigint | string | undefined): boolean {
    const value =
      typeof token === 'bigint' ? token : /^\d{1,19}$/.test(token ?? '') ? BigInt(token as string) : undefined
    if (value === undefined || value < this.#largest) return false
    this.#largest = value
    return true
  }
}
