/**
 * Notices when this process stood still: by timers that fire late, or are due and have not fired. It wraps the clock that
 * everything of a member uses, so it needs no timer of its own; and as some timer of a member is always near, what it
 * finds is short of the truth by less than half a second.
 */
import type { Clock, Timer } from '../ports/clock.ts'

interface Stall {
  /** When it ended, monotonic milliseconds. */
  readonly at: number
  readonly ms: number
}

/** Less is the ordinary imprecision of timers and of a busy event loop. */
const stallMs = 100

/** So many of the last stalls are remembered. */
const stallsMax = 16

export class StallWatch {
  /** The clock to use. */
  readonly clock: Clock
  readonly #clock: Clock
  readonly #onStall: (ms: number) => void
  /** When each pending timer is due. */
  readonly #due = new Set<{ readonly at: number }>()
  #stalls: Stall[] = []

  /** `onStall` hears of each, once the process runs again. */
  constructor(clock: Clock, onStall: (ms: number) => void) {
    this.#clock = clock
    this.#onStall = onStall
    this.clock = {
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      setTimer: (delayMs, callback) => this.#setTimer(delayMs, callback),
      defer: (callback) => clock.defer(callback),
      afterMicrotasks: (callback) => clock.afterMicrotasks(callback),
      setRef: (held) => clock.setRef(held),
    }
  }

  /** The longest stall of the last `withinMs`, one that is not over included: milliseconds, 0 if there was none. */
  longest(withinMs: number): number {
    const now = this.#clock.now()
    let longest = 0
    for (const { at, ms } of this.#stalls) if (now - at <= withinMs) longest = Math.max(longest, ms)
    for (const { at } of this.#due) longest = Math.max(longest, now - at)
    return longest >= stallMs ? longest : 0
  }

  #setTimer(delayMs: number, callback: () => void): Timer {
    const due = { at: this.#clock.now() + delayMs }
    this.#due.add(due)
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#due.delete(due)
      this.#note(this.#clock.now(), this.#clock.now() - due.at)
      callback()
    })
    return {
      cancel: () => {
        this.#due.delete(due)
        timer.cancel()
      },
    }
  }

  #note(now: number, ms: number): void {
    if (ms < stallMs) return
    const last = this.#stalls.at(-1)
    // Every timer that was due in it tells of the same stall.
    const isSame = last !== undefined && now - last.at < ms
    if (isSame && ms <= last.ms) return
    if (isSame) this.#stalls.pop()
    this.#stalls = [...this.#stalls.slice(1 - stallsMax), { at: now, ms }]
    if (!isSame) this.#onStall(ms)
  }
}
