/**
 * The random numbers of the simulator: those of the test ensembles (lib/testing/random.ts), and the few distributions that
 * only a world of the core needs. Each concern draws from a stream of its own.
 */
import { Random } from '../../lib/testing/random.ts'

export class Prng extends Random {
  /** Any number from `min` to `max`. */
  real(min: number, max: number): number {
    return min + this.random() * (max - min)
  }

  /** Mostly small, seldom large. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.random())
  }

  shuffled<T>(list: readonly T[]): T[] {
    const result = [...list]
    for (let index = result.length - 1; index > 0; index -= 1) {
      const other = this.between(0, index)
      const kept = result[index] as T
      result[index] = result[other] as T
      result[other] = kept
    }
    return result
  }
}
