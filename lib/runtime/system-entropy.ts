/** The real randomness: cryptographic bytes, and ordinary numbers for jitter. */
import { randomBytes } from 'node:crypto'
import type { Entropy } from '../ports/entropy.ts'

export class SystemEntropy implements Entropy {
  bytes(length: number): Uint8Array {
    return new Uint8Array(randomBytes(length))
  }

  random(): number {
    return Math.random()
  }
}
