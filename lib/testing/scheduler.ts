/**
 * Virtual time: events in the order of (time, sequence), one after the other, each with all its microtasks before the
 * next. What is due now runs by itself; time moves on only by `advance`. Nothing here waits in real time.
 */
import { assert } from '../errors.ts'
import { SystemClock } from '../runtime/system-clock.ts'
import { EventQueue } from './event-queue.ts'

/** More than this without any time passing is a loop that never ends. */
const eventsPerInstantMax = 100_000

export class Scheduler {
  readonly #real = new SystemClock()
  readonly #events = new EventQueue()
  #now = 0
  #running: Promise<void> | undefined
  /** How many events have run. */
  count = 0

  get now(): number {
    return this.#now
  }

  /** When the next event is due; infinite if there is none. */
  get next(): number {
    return this.#events.nextTime
  }

  /** Runs `run` `delayMs` from now; without a delay in this very instant, after what is due before it. */
  schedule(delayMs: number, run: () => void): void {
    this.#events.add(this.#now + Math.max(0, delayMs), run)
    if (delayMs <= 0) this.#wake()
  }

  afterMicrotasks(callback: () => void): void {
    this.#real.afterMicrotasks(callback)
  }

  /** Runs everything that is due within the next `ms`, in order, and moves the clock there. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.settle()
    while (this.next <= until) {
      this.#now = Math.max(this.#now, this.next)
      await this.settle()
    }
    this.#now = until
  }

  /** Waits until nothing is due in this instant any more. */
  async settle(): Promise<void> {
    for (;;) {
      await this.#turn()
      if (this.#running !== undefined) await this.#running
      else if (this.next > this.#now) return
      else this.#wake()
    }
  }

  /** All microtasks, and what they scheduled in the same instant. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#real.afterMicrotasks(resolve))
  }

  #wake(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async #run(): Promise<void> {
    await this.#turn()
    const limit = this.count + eventsPerInstantMax
    while (this.next <= this.#now) {
      this.count += 1
      assert(this.count < limit, `${eventsPerInstantMax} events at ${this.#now} ms: the world does not come to rest`)
      this.#events.take()?.action()
      await this.#turn()
    }
  }
}
