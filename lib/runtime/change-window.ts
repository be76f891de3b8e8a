/**
 * The changes of the last entries, as long as they fit: what streams of events go on from when their consumer is slow or
 * comes back. The data in it is the tree's own.
 */
import type { TreeChange } from '../core/tree/operation.ts'
import type { Zxid } from '../core/zab/zxid.ts'

export interface WindowLimits {
  readonly changes: number
  readonly bytes: number
}

export interface WindowEntry {
  readonly zxid: Zxid
  readonly changes: readonly TreeChange[]
  readonly bytes: number
}

const bytesPerChange = 64

export class ChangeWindow {
  readonly #limits: WindowLimits
  #entries: WindowEntry[] = []
  /** The entries before this index are forgotten; they are cut off now and then. */
  #head = 0
  #changes = 0
  #bytes = 0
  #start: Zxid

  /** `start`: the last entry before the first one that will be noted. */
  constructor(limits: WindowLimits, start: Zxid) {
    this.#limits = limits
    this.#start = start
  }

  /** Every change after this zxid is here. */
  get start(): Zxid {
    return this.#start
  }

  push(zxid: Zxid, changes: readonly TreeChange[]): void {
    const bytes = changes.reduce((sum, { path, data }) => sum + bytesPerChange + path.length + (data?.length ?? 0), 0)
    this.#entries.push({ zxid, changes, bytes })
    this.#changes += changes.length
    this.#bytes += bytes
    while (this.#changes > this.#limits.changes || this.#bytes > this.#limits.bytes) this.#forgetFirst()
  }

  /** Nothing before `start` is known: a snapshot took the place of entries. */
  reset(start: Zxid): void {
    this.#entries = []
    this.#head = 0
    this.#changes = 0
    this.#bytes = 0
    this.#start = start
  }

  /** The first entry after a zxid. Only for one that the window still reaches back to. */
  next(after: Zxid): WindowEntry | undefined {
    let low = this.#head
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle] as WindowEntry).zxid > after) high = middle
      else low = middle + 1
    }
    return this.#entries[low]
  }

  #forgetFirst(): void {
    const first = this.#entries[this.#head] as WindowEntry
    this.#head += 1
    this.#changes -= first.changes.length
    this.#bytes -= first.bytes
    this.#start = first.zxid
    if (this.#head < 1024 || this.#head < this.#entries.length / 2) return
    this.#entries = this.#entries.slice(this.#head)
    this.#head = 0
  }
}
