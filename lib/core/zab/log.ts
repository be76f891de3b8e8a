/**
 * A member's log as the core sees it: the tail of batches in memory, and how far it is durable and committed here.
 * Older batches are only in the checkpoint. The log never has a hole: `append` demands that a batch names the one it
 * follows. Writing is the journal's; the core learns of it by `persisted`, and a write from before a truncation
 * never counts (`fence`).
 */
import { assert } from '../../errors.ts'
import { type Batch, countOf, lastOf, packed, weightOf } from './batch.ts'
import { formatZxid, type Zxid } from './zxid.ts'

/** How much of the log stays in memory behind what was applied, for DIFF. */
export interface LogTail {
  readonly entries: number
  readonly bytes: number
}

export class Log {
  /** Everything up to here is in the state that the member started from, or was trimmed. */
  #base: Zxid
  #batches: Batch[] = []
  /** Of each batch, as reckoned when it came. */
  #weights: number[] = []
  #bytes = 0
  #entries = 0
  #last: Zxid
  #durable: Zxid
  #fence = 0

  constructor(base: Zxid) {
    this.#base = base
    this.#last = base
    this.#durable = base
  }

  /** The oldest zxid from which a DIFF can be served: batches after it are here. */
  get base(): Zxid {
    return this.#base
  }

  /** The last zxid in the log, whether durable yet or not. */
  get last(): Zxid {
    return this.#last
  }

  /** Through which zxid this member's own store is known to hold the log. */
  get durable(): Zxid {
    return this.#durable
  }

  /** Counts truncations: a write issued under an older fence says nothing about this log. */
  get fence(): number {
    return this.#fence
  }

  /** The log clock at its last entry; 0 where no batch is held. */
  get clockMs(): number {
    return this.#batches.at(-1)?.clockMs ?? 0
  }

  /** What the batches that are held weigh. */
  get bytes(): number {
    return this.#bytes
  }

  append(batch: Batch): void {
    assert(countOf(batch) > 0, 'a batch has at least one request')
    assert(
      batch.previous === this.#last && batch.first > this.#last,
      () =>
        `a hole in the log: ${formatZxid(batch.first)} follows ${formatZxid(batch.previous)}, the log ends at ${formatZxid(this.#last)}`,
    )
    const weight = weightOf(batch)
    this.#batches.push(batch)
    this.#weights.push(weight)
    this.#entries += countOf(batch)
    this.#bytes += weight
    this.#last = lastOf(batch)
  }

  /** Called for a write of the current fence alone. */
  markDurable(through: Zxid): void {
    assert(through <= this.#last, () => `durable beyond the log: ${formatZxid(through)}`)
    if (through > this.#durable) this.#durable = through
  }

  /** Whether the log ends, or could be cut, exactly here. */
  isBatchEnd(zxid: Zxid): boolean {
    if (zxid === this.#base) return true
    const index = this.#indexAfter(zxid) - 1
    const batch = this.#batches[index]
    return batch !== undefined && lastOf(batch) === zxid
  }

  /** The highest batch end at or below `zxid`; `undefined` where that is older than what is held. */
  lastBatchEndUpTo(zxid: Zxid): Zxid | undefined {
    if (zxid < this.#base) return undefined
    const ends = this.#batches.slice(0, this.#indexAfter(zxid)).findLast((batch) => lastOf(batch) <= zxid)
    return ends === undefined ? this.#base : lastOf(ends)
  }

  /** The batches after a batch end. */
  after(zxid: Zxid): readonly Batch[] {
    return this.#batches.slice(this.#indexAfter(zxid))
  }

  entriesAfter(zxid: Zxid): number {
    let entries = 0
    for (let index = this.#indexAfter(zxid); index < this.#batches.length; index += 1) {
      entries += countOf(this.#batches[index] as Batch)
    }
    return entries
  }

  /** Cuts everything after a batch end that is held. */
  truncateAfter(zxid: Zxid): void {
    assert(this.isBatchEnd(zxid), () => `cannot cut the log at ${formatZxid(zxid)}`)
    this.#drop(this.#indexAfter(zxid), this.#batches.length)
    this.#last = zxid
    if (this.#durable > zxid) this.#durable = zxid
    this.#fence += 1
  }

  /** Starts over behind a snapshot that is in force now. */
  reset(base: Zxid): void {
    this.#base = base
    this.#last = base
    this.#durable = base
    this.#drop(0, this.#batches.length)
    this.#fence += 1
  }

  /** What was applied is kept as bytes alone, where there are any. */
  pack(applied: Zxid): void {
    for (let index = this.#indexAfter(applied) - 1; index >= 0; index -= 1) {
      const batch = this.#batches[index] as Batch
      const after = packed(batch)
      if (after === batch) return
      this.#batches[index] = after
    }
  }

  /** Drops old batches, none after `applied`, until the rest fits the tail. Returns whether any went. */
  trim(applied: Zxid, tail: LogTail): boolean {
    let isTrimmed = false
    while (this.#entries > tail.entries || this.#bytes > tail.bytes) {
      const batch = this.#batches[0]
      if (batch === undefined || lastOf(batch) > applied) break
      // Not by `splice`, which moves all that stay: thousands, where each batch is a single write.
      this.#batches.shift()
      this.#bytes -= this.#weights.shift() as number
      this.#entries -= countOf(batch)
      this.#base = lastOf(batch)
      isTrimmed = true
    }
    return isTrimmed
  }

  #drop(start: number, end: number): void {
    for (const batch of this.#batches.splice(start, end - start)) this.#entries -= countOf(batch)
    for (const weight of this.#weights.splice(start, end - start)) this.#bytes -= weight
  }

  /** The index of the first batch that begins after `zxid`. */
  #indexAfter(zxid: Zxid): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#batches[middle] as Batch).first <= zxid) low = middle + 1
      else high = middle
    }
    return low
  }
}
