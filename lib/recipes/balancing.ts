/**
 * Which instance of a service the next request goes to. A strategy is one consumer's own: it remembers what that
 * consumer picked, and is asked with the instances as they are now.
 */
import { rendezvous } from './rendezvous.ts'

/** What a strategy needs to know of an instance. */
export interface Candidate {
  readonly id: string
  /** Its share under `'weighted'`, relative to the others'. Default 1; 0: only if there is no other. */
  readonly weight?: number | undefined
}

/**
 * - `'round-robin'`: one after the other.
 * - `'random'`: each as likely.
 * - `'least-used'`: the one with the fewest picks that have not been released; of equals, the one not picked longest.
 * - `'sticky'`: always the same for a key, as long as it is there; when it goes, only its keys move.
 * - `'weighted'`: by their weights, evenly interleaved.
 */
export const strategyNames = ['round-robin', 'random', 'least-used', 'sticky', 'weighted'] as const
export type StrategyName = (typeof strategyNames)[number]

export interface Strategy {
  /** One of `candidates`: at least one, sorted by id. `key` matters to `'sticky'` alone. */
  pick<C extends Candidate>(candidates: readonly C[], key: string): C
  /** A pick is no longer in use. */
  release(id: string): void
}

/** `random` gives a number in [0, 1). */
export function strategyOf(name: StrategyName, random: () => number): Strategy {
  switch (name) {
    case 'round-robin':
      return new RoundRobin()
    case 'random':
      return new RandomPick(random)
    case 'least-used':
      return new LeastUsed()
    case 'sticky':
      return new Sticky()
    case 'weighted':
      return new Weighted()
    default:
      throw new TypeError(`strategy must be one of ${strategyNames.join(', ')}, not ${String(name)}`)
  }
}

/** Remembers whom it picked, not where in the list: instances that come and go do not make it skip or repeat others. */
class RoundRobin implements Strategy {
  #last = ''

  pick<C extends Candidate>(candidates: readonly C[]): C {
    const picked = candidates.find(({ id }) => id > this.#last) ?? (candidates[0] as C)
    this.#last = picked.id
    return picked
  }

  release(): void {}
}

class RandomPick implements Strategy {
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  pick<C extends Candidate>(candidates: readonly C[]): C {
    return candidates[Math.floor(this.#random() * candidates.length)] as C
  }

  release(): void {}
}

class LeastUsed implements Strategy {
  readonly #inUse = new Map<string, number>()
  readonly #lastPick = new Map<string, number>()
  #picks = 0

  pick<C extends Candidate>(candidates: readonly C[]): C {
    const least = (best: C, next: C): C => (this.#isBefore(next.id, best.id) ? next : best)
    const { id } = candidates.reduce(least)
    this.#forgetGone(candidates)
    this.#picks += 1
    this.#lastPick.set(id, this.#picks)
    this.#inUse.set(id, this.#used(id) + 1)
    return candidates.find((candidate) => candidate.id === id) as C
  }

  release(id: string): void {
    const used = this.#used(id) - 1
    if (used > 0) this.#inUse.set(id, used)
    else this.#inUse.delete(id)
  }

  #used(id: string): number {
    return this.#inUse.get(id) ?? 0
  }

  #isBefore(one: string, other: string): boolean {
    const difference = this.#used(one) - this.#used(other)
    return difference < 0 || (difference === 0 && (this.#lastPick.get(one) ?? 0) < (this.#lastPick.get(other) ?? 0))
  }

  #forgetGone(candidates: readonly Candidate[]): void {
    if (this.#lastPick.size <= 2 * candidates.length) return
    const ids = new Set(candidates.map(({ id }) => id))
    for (const id of this.#lastPick.keys()) if (!ids.has(id)) this.#lastPick.delete(id)
  }
}

class Sticky implements Strategy {
  pick<C extends Candidate>(candidates: readonly C[], key: string): C {
    return rendezvous(key, candidates, ({ id }) => id) as C
  }

  release(): void {}
}

/** Smooth weighted round-robin: each gains its weight every time, the richest is picked and pays what all gained. */
class Weighted implements Strategy {
  #credits = new Map<string, number>()

  pick<C extends Candidate>(candidates: readonly C[]): C {
    const credits = new Map<string, number>()
    const total = candidates.reduce((sum, { weight = 1 }) => sum + weight, 0)
    let picked: C | undefined
    for (const candidate of candidates) {
      // Where nobody has any weight, all are alike.
      const weight = total === 0 ? 1 : (candidate.weight ?? 1)
      const credit = (this.#credits.get(candidate.id) ?? 0) + weight
      credits.set(candidate.id, credit)
      if (weight > 0 && (picked === undefined || credit > (credits.get(picked.id) as number))) picked = candidate
    }
    const { id } = picked as C
    credits.set(id, (credits.get(id) as number) - (total === 0 ? candidates.length : total))
    this.#credits = credits
    return picked as C
  }

  release(): void {}
}
