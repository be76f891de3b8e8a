/** Randomness, as the runtime gets it. The default is cryptographic; a test world passes a seeded one. */
export interface Entropy {
  /** Unpredictable bytes for ids, nonces and passwords. */
  bytes(length: number): Uint8Array
  /** A number in [0, 1) for jitter. */
  random(): number
}
