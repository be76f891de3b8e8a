/**
 * Time, as the runtime gets it. A test world passes a virtual one; nothing in lib reads the ambient clock.
 *
 * Contract: `now` never goes back and is not bound to wall time. A timer never fires early; it may fire late
 * (a busy event loop), and callers must expect that. Callbacks never run inside the call that scheduled them.
 */
export interface Timer {
  /** Idempotent; after it the callback does not run. */
  cancel(): void
}

export interface Clock {
  /** Monotonic milliseconds, fractions allowed. */
  now(): number
  /** Wall clock, whole milliseconds since 1970. It may jump. */
  wallNow(): number
  /** Runs `callback` once, `delayMs` from now. Any finite delay ≥ 0 is allowed, also beyond 2³¹ ms. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Runs `callback` after the I/O that is ready now has been read: the end of this turn. */
  defer(callback: () => void): void
  /** Runs `callback` when every microtask that is due now has run, before any I/O. */
  afterMicrotasks(callback: () => void): void
  /** Whether timers and sockets of this owner hold the process: called by `unref()` and `ref()`. */
  setRef(held: boolean): void
}
