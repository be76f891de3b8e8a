/**
 * Lets a long job that nobody waits for run beside everything else, in a share of the time: it works for a while, then
 * pauses, and works the longer the later it gets its turn again. One slice a turn of the event loop would be too much
 * where nothing else is to be done, and too little where the turns are long.
 */
import type { Clock } from '../ports/clock.ts'

export interface Pace {
  /** How long each pause is, at the least. Milliseconds. */
  readonly pauseMs: number
  /** So much of the time that a pause took may be worked after it, */
  readonly share: number
  /** but no longer than this in one go, milliseconds; a slice that was begun is ended. */
  readonly workMsMax: number
}

export class Pacer {
  readonly #clock: Clock
  readonly #pace: Pace
  #worksUntil = 0

  constructor(clock: Clock, pace: Pace) {
    this.#clock = clock
    this.#pace = pace
  }

  /** To be awaited after each slice: resolves when the next one may begin. */
  async pause(): Promise<void> {
    const { pauseMs, share, workMsMax } = this.#pace
    const since = this.#clock.now()
    if (since < this.#worksUntil) return
    await new Promise<void>((resolve) => this.#clock.setTimer(pauseMs, resolve))
    const now = this.#clock.now()
    this.#worksUntil = now + Math.min((now - since) * share, workMsMax)
  }
}
