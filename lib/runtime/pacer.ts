/**
 * Lets a long job that nobody waits for run beside everything else, in a share of the time: it works for a while, then
 * pauses, and works the longer the later it gets its turn again. One slice a turn of the event loop would be too much
 * where nothing else is to be done, and too little where the turns are long.
 *
 * What it writes takes its turn of the disk in the same way: after a write it rests for some times as long as that took.
 * So a disk that is slow, or busy, or sorts what it was given (LevelDB), is given less.
 */
import type { Clock } from '../ports/clock.ts'

export interface Pace {
  /** How long each pause is, at the least. Milliseconds. */
  readonly pauseMs: number
  /** So much of the time that a pause took may be worked after it, */
  readonly share: number
  /** but no longer than this in one go, milliseconds; a slice that was begun is ended. */
  readonly workMsMax: number
  /** So many times as long as the write before it took is a pause, at the least, */
  readonly restPerWrite: number
  /** but no longer than this for its sake, milliseconds. */
  readonly restMsMax: number
}

/** What a job needs of its pacer. */
export interface Pacing {
  /** To be awaited after each slice: resolves when the next one may begin. Where it is urgent the disk gets no rest. */
  pause(isUrgent: boolean): Promise<void>
  /** What the job writes: the next pause begins when it has ended. Returns what it was given. */
  attend(write: Promise<void>): Promise<void>
}

export class Pacer implements Pacing {
  readonly #clock: Clock
  readonly #pace: Pace
  #worksUntil = 0
  #writing: Promise<void> = Promise.resolve()
  /** How long the last write took. */
  #writeMs = 0

  constructor(clock: Clock, pace: Pace) {
    this.#clock = clock
    this.#pace = pace
  }

  async pause(isUrgent: boolean): Promise<void> {
    const { pauseMs, share, workMsMax } = this.#pace
    const since = this.#clock.now()
    if (since < this.#worksUntil) return
    const restMs = isUrgent ? 0 : await this.#restOfDisk()
    await new Promise<void>((resolve) => this.#clock.setTimer(Math.max(pauseMs, restMs), resolve))
    const now = this.#clock.now()
    this.#worksUntil = now + Math.min((now - since) * share, workMsMax)
  }

  async #restOfDisk(): Promise<number> {
    const { restPerWrite, restMsMax } = this.#pace
    await this.#writing
    const restMs = Math.min(this.#writeMs * restPerWrite, restMsMax)
    this.#writeMs = 0
    return restMs
  }

  attend(write: Promise<void>): Promise<void> {
    const since = this.#clock.now()
    const ended = (): void => {
      this.#writeMs = this.#clock.now() - since
    }
    // Whether it failed is for whoever writes.
    this.#writing = write.then(ended, ended)
    return write
  }
}
