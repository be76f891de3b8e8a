/**
 * A process of the test world: it has a clock of its own (offset and rate), can be paused, and can be killed. Everything
 * that would run in it runs through `enter`: while it is paused it waits, and when it is dead it never runs.
 */
import type { Clock, Timer } from '../ports/clock.ts'
import type { Scheduler } from './scheduler.ts'

export interface ProcessOptions {
  /** What its monotonic clock showed when the world began. */
  readonly offsetMs: number
  /** How fast its clocks run: 1 is true time. */
  readonly rate: number
  /** On waking: whether timers run before the input that waited. Both happen on real machines. */
  readonly timersFirst: boolean
}

/** Timers fire a little late, and never early by a rounding of the clock's rate. */
const timerGrainMs = 0.001

type Kind = 'timer' | 'input'

export class VirtualProcess {
  readonly name: string
  readonly clock: Clock
  readonly #scheduler: Scheduler
  readonly #options: ProcessOptions
  #first: Kind
  #held: { readonly kind: Kind; readonly run: () => void }[] = []
  #pausedUntil = -1
  #dead = false
  #wallJumpMs = 0

  constructor(name: string, scheduler: Scheduler, options: ProcessOptions) {
    this.name = name
    this.#scheduler = scheduler
    this.#options = options
    this.#first = options.timersFirst ? 'timer' : 'input'
    this.clock = this.#newClock()
  }

  get isDead(): boolean {
    return this.#dead
  }

  get isPaused(): boolean {
    return this.#scheduler.now < this.#pausedUntil
  }

  /** It runs, and whatever waited for its waking has run. */
  get isAwake(): boolean {
    return !this.#dead && this.#scheduler.now > this.#pausedUntil
  }

  /** Nothing of it runs any more. */
  kill(): void {
    this.#dead = true
    this.#held = []
  }

  /** It does nothing for `ms`; what comes meanwhile waits. On waking, timers or input come first, or as the process has it. */
  pause(ms: number, first?: 'timer' | 'input'): void {
    this.#first = first ?? this.#first
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#scheduler.now + ms)
    this.#scheduler.schedule(this.#pausedUntil - this.#scheduler.now, () => this.#resume())
  }

  /** Its wall clock jumps. */
  jumpWallClock(ms: number): void {
    this.#wallJumpMs += ms
  }

  /** Runs something in this process, now or when it wakes. */
  enter(kind: Kind, run: () => void): void {
    if (this.#dead) return
    if (this.isPaused || this.#held.length > 0) this.#held.push({ kind, run })
    else run()
  }

  #resume(): void {
    if (this.isPaused || this.#dead) return
    const held = this.#held
    this.#held = []
    const first = this.#first
    const ordered = [...held.filter(({ kind }) => kind === first), ...held.filter(({ kind }) => kind !== first)]
    for (const { kind, run } of ordered) this.#scheduler.schedule(0, () => this.enter(kind, run))
  }

  #newClock(): Clock {
    const { offsetMs, rate } = this.#options
    const monotonic = (): number => offsetMs + this.#scheduler.now * rate
    return {
      now: monotonic,
      // The world began on 2026-01-01 UTC.
      wallNow: () => 1_767_225_600_000 + Math.floor(this.#scheduler.now * rate) + this.#wallJumpMs,
      setTimer: (delayMs, callback) => this.#setTimer(delayMs / rate, callback),
      defer: (callback) => this.#scheduler.schedule(0, () => this.enter('input', callback)),
      afterMicrotasks: (callback) => this.#scheduler.afterMicrotasks(callback),
      setRef: () => {},
    }
  }

  #setTimer(delayMs: number, callback: () => void): Timer {
    let cancelled = false
    this.#scheduler.schedule(delayMs + timerGrainMs, () => {
      this.enter('timer', () => {
        if (!cancelled) callback()
      })
    })
    return {
      cancel: () => {
        cancelled = true
      },
    }
  }
}
