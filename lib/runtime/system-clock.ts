/** The real clock. Monotonic time decides; wall time is for `ctime` and `mtime` alone (design D10). */
import type { Clock, Timer } from '../ports/clock.ts'

/** `setTimeout` fires at once beyond this. */
const delayMaxMs = 0x7fff_ffff

export class SystemClock implements Clock {
  readonly #timers = new Set<NodeJS.Timeout>()
  #held = true

  now(): number {
    return performance.now()
  }

  wallNow(): number {
    return Date.now()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    let timer: NodeJS.Timeout | undefined
    const at = this.now() + delayMs
    const arm = (): void => {
      timer = setTimeout(
        () => {
          if (timer !== undefined) this.#timers.delete(timer)
          // Node's timers are long at most, and may fire up to a millisecond early: then a little is left.
          if (this.now() < at) arm()
          else callback()
        },
        Math.min(at - this.now(), delayMaxMs),
      )
      if (!this.#held) timer.unref()
      this.#timers.add(timer)
    }
    arm()
    return {
      cancel: () => {
        clearTimeout(timer)
        if (timer !== undefined) this.#timers.delete(timer)
      },
    }
  }

  defer(callback: () => void): void {
    setImmediate(callback)
  }

  afterMicrotasks(callback: () => void): void {
    // From a microtask, `nextTick` runs when all microtasks are done; from elsewhere it would run before them.
    queueMicrotask(() => process.nextTick(callback))
  }

  setRef(held: boolean): void {
    this.#held = held
    for (const timer of this.#timers) {
      if (held) timer.ref()
      else timer.unref()
    }
  }
}
