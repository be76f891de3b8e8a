/** Waiting with a bound. */
import type { Clock } from '../ports/clock.ts'

/** Settles as a promise does, or resolves when `ms` have passed before that; without `ms`, however long it takes. */
export function atMost(clock: Clock, ms: number | undefined, waited: Promise<unknown>): Promise<unknown> {
  if (ms === undefined) return waited
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(ms, () => resolve(undefined))
    const settle = (act: () => void): void => {
      timer.cancel()
      act()
    }
    waited.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
  })
}
