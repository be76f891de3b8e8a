/** Session ids: random positive 63-bit numbers chosen by the requester, so that a retried open is the same session. */
import { assert } from '../../errors.ts'

declare const brand: unique symbol

export type SessionId = bigint & { readonly [brand]: 'SessionId' }

/** No session: what a persistent node has as its owner. */
export const noSession: SessionId = 0n as SessionId

export function sessionIdFrom(value: bigint): SessionId {
  assert(value > 0n && value >> 63n === 0n, () => `not a session id: ${value}`)
  return value as SessionId
}
