/** What will happen, in the order of (virtual time, order of scheduling): a binary heap. */
export interface Event {
  readonly time: number
  readonly sequence: number
  readonly action: () => void
}

export class EventQueue {
  readonly #heap: Event[] = []
  #sequence = 0

  get size(): number {
    return this.#heap.length
  }

  get nextTime(): number {
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY
  }

  add(time: number, action: () => void): void {
    this.#sequence += 1
    const heap = this.#heap
    heap.push({ time, sequence: this.#sequence, action })
    let index = heap.length - 1
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (!this.#isBefore(index, parent)) break
      this.#swap(index, parent)
      index = parent
    }
  }

  take(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    heap[0] = last
    let index = 0
    for (;;) {
      const left = index * 2 + 1
      const right = left + 1
      let least = index
      if (left < heap.length && this.#isBefore(left, least)) least = left
      if (right < heap.length && this.#isBefore(right, least)) least = right
      if (least === index) return first
      this.#swap(index, least)
      index = least
    }
  }

  #isBefore(a: number, b: number): boolean {
    const left = this.#heap[a] as Event
    const right = this.#heap[b] as Event
    return left.time < right.time || (left.time === right.time && left.sequence < right.sequence)
  }

  #swap(a: number, b: number): void {
    const kept = this.#heap[a] as Event
    this.#heap[a] = this.#heap[b] as Event
    this.#heap[b] = kept
  }
}
