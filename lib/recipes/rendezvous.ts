/** Which of several a key belongs to: decided alike by everybody, without a word. */
import { stableHash } from '../stable-hash.ts'

/**
 * The one of `candidates` that `key` belongs to (rendezvous hashing): the same for everybody who sees the same
 * candidates, spread evenly over keys, and when a candidate goes only its own keys move.
 */
export function rendezvous<T>(key: string, candidates: Iterable<T>, nameOf: (candidate: T) => string): T | undefined {
  let best: T | undefined
  let bestName = ''
  let bestHash = -1
  for (const candidate of candidates) {
    const name = nameOf(candidate)
    const hash = stableHash(`${key}\n${name}`)
    if (hash < bestHash || (hash === bestHash && name >= bestName)) continue
    best = candidate
    bestName = name
    bestHash = hash
  }
  return best
}
