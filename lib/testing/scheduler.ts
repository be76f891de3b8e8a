/**
 * Virtual time: events in the order of (time, sequence), one after the other, each with all its microtasks before the
 * next. What is due now runs by itself; time moves on only by `advance`. Nothing here waits in real time.
 */
import { assert } from '../errors.ts'
import { SystemClock } from '../runtime/system-clock.ts'

/** More than this without any time passing is a loop that never ends. */
const eventsPerInstantMax = 100_000

interface Event {
  readonly at: number
  readonly sequence: number
  readonly run: () => void
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.sequence < b.sequence)

export class Scheduler {
  readonly #real = new SystemClock()
  /** A binary heap. */
  readonly #events: Event[] = []
  #now = 0
  #sequence = 0
  #running: Promise<void> | undefined
  /** How many events have run. */
  count = 0

  get now(): number {
    return this.#now
  }

  /** When the next event is due; infinite if there is none. */
  get next(): number {
    return this.#events[0]?.at ?? Number.POSITIVE_INFINITY
  }

  /** Runs `run` `delayMs` from now; without a delay in this very instant, after what is due before it. */
  schedule(delayMs: number, run: () => void): void {
    this.#sequence += 1
    this.#push({ at: this.#now + Math.max(0, delayMs), sequence: this.#sequence, run })
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
      this.#pop().run()
      await this.#turn()
    }
  }

  #push(event: Event): void {
    const heap = this.#events
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (!isBefore(event, heap[parent] as Event)) break
      heap[index] = heap[parent] as Event
      index = parent
    }
    heap[index] = event
  }

  #pop(): Event {
    const heap = this.#events
    const top = heap[0] as Event
    const last = heap.pop() as Event
    if (heap.length === 0) return top
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1
      if (!isBefore(heap[child] as Event, last)) break
      heap[index] = heap[child] as Event
      index = child
    }
    heap[index] = last
    return top
  }
}
