/**
 * One timer that knows when it is late (design D10). After a stall of the event loop, timers fire before the I/O that
 * waited is read: whoever then declares a silent peer dead is wrong. A late timer here lets that I/O be read first.
 */
import type { Clock, Timer } from '../ports/clock.ts'

/** Later than this is a stall, not the ordinary imprecision of timers. */
const latenessMs = 20

export class LagAwareTimer {
  readonly #clock: Clock
  readonly #callback: (lateMs: number) => void
  #timer: Timer | undefined
  #at = Number.POSITIVE_INFINITY

  /** `callback` gets how late it was, or 0. */
  constructor(clock: Clock, callback: (lateMs: number) => void) {
    this.#clock = clock
    this.#callback = callback
  }

  /** Fires at `at`, monotonic milliseconds; infinite cancels. */
  set(at: number): void {
    if (at === this.#at) return
    this.cancel()
    if (at === Number.POSITIVE_INFINITY) return
    this.#at = at
    this.#timer = this.#clock.setTimer(Math.max(0, at - this.#clock.now()), () => this.#fire(at))
  }

  /** Fires at `at`, if that is earlier than what is set. */
  setEarlier(at: number): void {
    if (at < this.#at) this.set(at)
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#at = Number.POSITIVE_INFINITY
  }

  #fire(at: number): void {
    const lateMs = this.#clock.now() - at
    if (lateMs <= latenessMs) {
      this.#finish(at, 0)
      return
    }
    this.#clock.defer(() => {
      if (this.#at === at) this.#finish(at, lateMs)
    })
  }

  #finish(at: number, lateMs: number): void {
    if (this.#at !== at) return
    this.#at = Number.POSITIVE_INFINITY
    this.#timer = undefined
    this.#callback(lateMs)
  }
}
