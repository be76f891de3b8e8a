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
  /** When `#timer` fires: at `#at` or earlier. */
  #armedFor = Number.POSITIVE_INFINITY
  #at = Number.POSITIVE_INFINITY

  /** `callback` gets how late it was, or 0. */
  constructor(clock: Clock, callback: (lateMs: number) => void) {
    this.#clock = clock
    this.#callback = callback
  }

  /** Fires at `at`, monotonic milliseconds; infinite cancels. */
  set(at: number): void {
    if (at === this.#at) return
    const isPutOff = at >= this.#armedFor && at !== Number.POSITIVE_INFINITY
    if (!isPutOff) this.cancel()
    this.#at = at
    // What is put off with each message that comes is not worth a new timer each time: the one that is set looks again.
    if (!isPutOff && at !== Number.POSITIVE_INFINITY) this.#arm(at)
  }

  /** Fires at `at`, if that is earlier than what is set. */
  setEarlier(at: number): void {
    if (at < this.#at) this.set(at)
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
    this.#at = Number.POSITIVE_INFINITY
  }

  #arm(at: number): void {
    this.#armedFor = at
    this.#timer = this.#clock.setTimer(Math.max(0, at - this.#clock.now()), () => this.#fire())
  }

  #fire(): void {
    this.#timer = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
    const at = this.#at
    const lateMs = this.#clock.now() - at
    if (lateMs < 0) {
      this.#arm(at)
    } else if (lateMs <= latenessMs) {
      this.#finish(at, 0)
    } else {
      this.#clock.defer(() => this.#finish(at, lateMs))
    }
  }

  #finish(at: number, lateMs: number): void {
    if (this.#at !== at) return
    this.#at = Number.POSITIVE_INFINITY
    this.#callback(lateMs)
  }
}
