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
  /**
   * The changes of all entries, one behind the other, and the zxid of each: thousands of lists of one would cost more. Change
   * `n` is at `n` modulo the limit, so that what comes takes the place of what goes.
   */
  readonly #changes: (TreeChange | undefined)[] = []
  readonly #zxids: Zxid[] = []
  /** The first change that is here, and the one behind the last. */
  #first = 0
  #end = 0
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
    const { changes: changesMax, bytes: bytesMax } = this.#limits
    while (this.#first < this.#end && this.#end - this.#first + changes.length > changesMax) this.#forgetFirst()
    if (changes.length > changesMax) {
      this.#start = zxid
      return
    }
    for (const change of changes) {
      this.#changes[this.#end % changesMax] = change
      this.#zxids[this.#end % changesMax] = zxid
      this.#end += 1
      this.#bytes += weightOf(change)
    }
    while (this.#bytes > bytesMax) this.#forgetFirst()
  }

  /** Nothing before `start` is known: a snapshot took the place of entries. */
  reset(start: Zxid): void {
    while (this.#first < this.#end) this.#forgetFirst()
    this.#start = start
  }

  /** The first entry after a zxid that changed anything. Only for one that the window still reaches back to. */
  next(after: Zxid): WindowEntry | undefined {
    let low = this.#first
    let high = this.#end
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.#zxidOf(middle) > after) high = middle
      else low = middle + 1
    }
    if (low === this.#end) return undefined
    const changes: TreeChange[] = []
    const end = this.#endOfEntry(low)
    for (let index = low; index < end; index += 1) changes.push(this.#changeOf(index))
    return { zxid: this.#zxidOf(low), changes }
  }

  #zxidOf(index: number): Zxid {
    return this.#zxids[index % this.#limits.changes] as Zxid
  }

  #changeOf(index: number): TreeChange {
    return this.#changes[index % this.#limits.changes] as TreeChange
  }

  #endOfEntry(start: number): number {
    const zxid = this.#zxidOf(start)
    let end = start + 1
    while (end < this.#end && this.#zxidOf(end) === zxid) end += 1
    return end
  }

  /** Whole entries alone: a stream tells all of one, or nothing. */
  #forgetFirst(): void {
    const end = this.#endOfEntry(this.#first)
    this.#start = this.#zxidOf(this.#first)
    for (; this.#first < end; this.#first += 1) {
      this.#bytes -= weightOf(this.#changeOf(this.#first))
      this.#changes[this.#first % this.#limits.changes] = undefined
    }
  }
}

const bytesPerChange = 64

function weightOf({ path, data }: TreeChange): number {
  return bytesPerChange + path.length + (data?.length ?? 0)
}
