/**
 * Delivers what comes over a session link to the application, in order (design D16). A reply resolves a promise, whose
 * continuations run as microtasks; an event calls listeners at once. So an event that follows a reply waits until the
 * reply's microtasks have run, or the application would see it first.
 */
import type { SessionItem } from '../ports/session-link.ts'

export class Dispatcher {
  readonly #deliver: (item: SessionItem) => void
  readonly #afterMicrotasks: (callback: () => void) => void
  #queue: SessionItem[] = []
  /** A reply was delivered whose microtasks have not run yet. */
  #replied = false

  constructor(deliver: (item: SessionItem) => void, afterMicrotasks: (callback: () => void) => void) {
    this.#deliver = deliver
    this.#afterMicrotasks = afterMicrotasks
  }

  /** Whether an answer given now keeps its place: nothing waits to be delivered. */
  get isIdle(): boolean {
    return this.#queue.length === 0
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
    if (item.kind === 'reply') this.noteReply()
    this.#deliver(item)
  }

  #drain(): void {
    this.#replied = false
    while (this.#queue.length > 0) {
      if (this.#replied && this.#queue[0]?.kind !== 'reply') return
      this.#dispatch(this.#queue.shift() as SessionItem)
    }
  }
}
