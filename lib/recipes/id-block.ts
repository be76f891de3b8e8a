/** A block of numbers that was reserved for one process, given out one by one. */
export class IdBlock {
  readonly #end: number
  #next: number

  /** The numbers from `first` on, `size` of them. */
  constructor(first: number, size: number) {
    this.#next = first
    this.#end = first + size
  }

  /** How many are left. */
  get left(): number {
    return this.#end - this.#next
  }

  /** The next number; `undefined` when the block is used up. */
  take(): number | undefined {
    if (this.#next >= this.#end) return undefined
    this.#next += 1
    return this.#next - 1
  }
}
