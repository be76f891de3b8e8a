/**
 * Who is at the other end of a connection (design D13): the proofs of the handshake, without the connection. A proof is
 * an HMAC over everything that both sides said, keyed with the shared secret, and different in each direction, so that
 * it can neither be replayed nor reflected.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Entropy } from '../ports/entropy.ts'
import { encodeHandshake, type Introduction } from '../wire/handshake.ts'

/** A secret that shows in no log, error or inspection. */
export class Secret {
  readonly #value: string

  constructor(value: string | undefined) {
    this.#value = value ?? ''
  }

  prove(by: 'dialer' | 'acceptor', dialer: Introduction, acceptor: Introduction): Uint8Array {
    const hmac = createHmac('sha256', `embedded-coord ${this.#value}`)
    hmac.update(by)
    hmac.update(encodeHandshake({ type: 'hello', ...dialer }))
    hmac.update(encodeHandshake({ type: 'hello', ...acceptor }))
    return new Uint8Array(hmac.digest())
  }

  isProof(proof: Uint8Array, by: 'dialer' | 'acceptor', dialer: Introduction, acceptor: Introduction): boolean {
    const expected = this.prove(by, dialer, acceptor)
    return proof.length === expected.length && timingSafeEqual(proof, expected)
  }

  toJSON(): string {
    return '[secret]'
  }
}

/** What frames of a link begin with, so that those of another one are recognised: from both nonces. */
export function linkTag(dialer: Introduction, acceptor: Introduction): number {
  let tag = 0
  for (let index = 0; index < 4; index++) {
    tag = (tag << 8) | ((dialer.nonce[index] ?? 0) ^ (acceptor.nonce[index + 4] ?? 0))
  }
  return tag >>> 0
}

export function newNonce(entropy: Entropy): Uint8Array {
  return entropy.bytes(16)
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
