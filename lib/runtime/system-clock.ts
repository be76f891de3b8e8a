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
    const arm = (remainingMs: number): void => {
      const delay = Math.min(remainingMs, delayMaxMs)
      timer = setTimeout(() => {
        if (timer !== undefined) this.#timers.delete(timer)
        if (remainingMs > delay) arm(remainingMs - delay)
        else callback()
      }, delay)
      if (!this.#held) timer.unref()
      this.#timers.add(timer)
    }
    arm(Math.max(0, delayMs))
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
