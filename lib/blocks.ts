/**
 * Bytes that are kept for a while and mostly go in the order in which they came, in blocks that are used again. Not each in
 * memory of its own: what lives a little longer than the collector's young generation stays until a full collection, and
 * bytes outside of the heap make that one come. (A busy member had two a second by that, for a heap of 12 MiB.)
 *
 * Whoever is given such bytes has them until they are let go: nobody else may keep them.
 */

export interface Block<T extends Uint8Array = Uint8Array> {
  readonly bytes: T
  /** So many from the start on; what comes next begins there. */
  used: number
  /** How many things in it are not let go. */
  held: number
}

/** The lengths of blocks: each is twice as long as the one before, from the least to the most. One thing may need more. */
export interface BlockLengths {
  readonly min: number
  readonly max: number
}

/** So many that nothing is left in are kept: what comes and what goes are not always in step. */
const sparesMax = 4

export class Blocks<T extends Uint8Array = Uint8Array> {
  readonly #lengths: BlockLengths
  readonly #make: (length: number) => T
  #length: number
  #last: Block<T> | undefined
  /** Those that nothing is left in. */
  readonly #spares: Block<T>[] = []

  constructor(lengths: BlockLengths, make: (length: number) => T) {
    this.#lengths = lengths
    this.#make = make
    this.#length = lengths.min
  }

  /** Where one more thing of so many bytes at the most is put, from `used` on; the caller adds to that what it takes. */
  hold(lengthMax: number): Block<T> {
    const block = this.#withRoom(lengthMax)
    block.held += 1
    return block
  }

  /** Lets one thing go. */
  release(block: Block<T>): void {
    block.held -= 1
    if (block.held > 0) return
    block.used = 0
    const isUseful = block.bytes.length >= this.#length / 2 && block.bytes.length <= this.#lengths.max
    if (block !== this.#last && isUseful && this.#spares.length < sparesMax) this.#spares.push(block)
  }

  #withRoom(length: number): Block<T> {
    const last = this.#last
    if (last !== undefined && last.used + length <= last.bytes.length) return last
    this.#last = this.#spare(length) ?? this.#another(length)
    return this.#last
  }

  #spare(length: number): Block<T> | undefined {
    const last = this.#spares.at(-1)
    return last !== undefined && length <= last.bytes.length ? this.#spares.pop() : undefined
  }

  #another(length: number): Block<T> {
    const bytes = this.#make(Math.max(length, this.#length))
    this.#length = Math.min(2 * this.#length, this.#lengths.max)
    return { bytes, used: 0, held: 0 }
  }
}
