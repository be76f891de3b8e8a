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
}

export class ChangeWindow {
  readonly #limits: WindowLimits
  /** The changes of all entries, one behind the other, and the zxid of each: thousands of lists of one would cost more. */
  #changes: TreeChange[] = []
  #zxids: Zxid[] = []
  /** The changes before this index are forgotten; they are cut off now and then. */
  #head = 0
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
    for (const change of changes) {
      this.#changes.push(change)
      this.#zxids.push(zxid)
      this.#bytes += weightOf(change)
    }
    while (this.#changes.length - this.#head > this.#limits.changes || this.#bytes > this.#limits.bytes) {
      this.#forgetFirst()
    }
  }

  /** Nothing before `start` is known: a snapshot took the place of entries. */
  reset(start: Zxid): void {
    this.#changes = []
    this.#zxids = []
    this.#head = 0
    this.#bytes = 0
    this.#start = start
  }

  /** The first entry after a zxid that changed anything. Only for one that the window still reaches back to. */
  next(after: Zxid): WindowEntry | undefined {
    let low = this.#head
    let high = this.#zxids.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#zxids[middle] as Zxid) > after) high = middle
      else low = middle + 1
    }
    const zxid = this.#zxids[low]
    return zxid === undefined ? undefined : { zxid, changes: this.#changes.slice(low, this.#endOfEntry(low)) }
  }

  #endOfEntry(start: number): number {
    let end = start + 1
    while (this.#zxids[end] === this.#zxids[start]) end += 1
    return end
  }

  /** Whole entries alone: a stream tells all of one, or nothing. */
  #forgetFirst(): void {
    const end = this.#endOfEntry(this.#head)
    this.#start = this.#zxids[this.#head] as Zxid
    for (let index = this.#head; index < end; index += 1) this.#bytes -= weightOf(this.#changes[index] as TreeChange)
    this.#head = end
    if (this.#head < 1024 || this.#head < this.#changes.length / 2) return
    this.#changes = this.#changes.slice(this.#head)
    this.#zxids = this.#zxids.slice(this.#head)
    this.#head = 0
  }
}

const bytesPerChange = 64

function weightOf({ path, data }: TreeChange): number {
  return bytesPerChange + path.length + (data?.length ?? 0)
}
