/**
 * Delivers what comes over a session link to the application, in order (design D16). A reply resolves a promise, whose
 * continuations run as microtasks; an event calls listeners at once. So an event that follows a reply waits until the
 * reply's microtasks have run, or the application would see it first.
 */
import type { SessionItem } from '../ports/session-link.ts'

/** So many microtasks pass until the caller of an async method that returns a call's promise goes on. */
const hopsOfCall = 3

export class Dispatcher {
  readonly #deliver: (item: SessionItem) => void
  readonly #afterMicrotasks: (callback: () => void) => void
  #queue: SessionItem[] = []
  /** A reply was delivered whose microtasks have not run yet. */
  #replied = false
  /** Microtasks that a call's promise may still take to tell its caller of the last reply. */
  #settlingHops = 0

  constructor(deliver: (item: SessionItem) => void, afterMicrotasks: (callback: () => void) => void) {
    this.#deliver = deliver
    this.#afterMicrotasks = afterMicrotasks
  }

  /**
   * Whether an answer given now keeps its place: nothing waits to be delivered, and what was delivered has been seen. (A
   * call's promise takes more microtasks than an answer that needs no call.)
   */
  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#settlingHops === 0
  }

  /** An answer was given without an item: what comes next waits for its microtasks, too. */
  noteReply(): void {
    if (this.#replied) return
    this.#replied = true
    this.#afterMicrotasks(() => this.#drain())
  }

  push(item: SessionItem): void {
    if (this.#queue.length > 0) this.#queue.push(item)
    else if (this.#replied && item.kind !== 'reply') this.#queue.push(item)
    else this.#dispatch(item)
  }

  #dispatch(item: SessionItem): void {
    if (item.kind === 'reply') {
      this.#noteSettling()
      this.noteReply()
    }
    this.#deliver(item)
  }

  /** Not when all microtasks have run: a loop that awaits one read after the other never gets there. */
  #noteSettling(): void {
    const isCounting = this.#settlingHops > 0
    this.#settlingHops = hopsOfCall
    if (!isCounting) queueMicrotask(() => this.#hop())
  }

  #hop(): void {
    this.#settlingHops -= 1
    if (this.#settlingHops > 0) queueMicrotask(() => this.#hop())
  }

  #drain(): void {
    this.#replied = false
    while (this.#queue.length > 0) {
      if (this.#replied && this.#queue[0]?.kind !== 'reply') return
      this.#dispatch(this.#queue.shift() as SessionItem)
    }
  }
}
