/**
 * What a store holds, as far as the next frame must know: all values, the checkpoint in force, and which segment each
 * record is in. Recovery fills one, each commit goes on with it.
 *
 * The ledger is ahead of the files until a commit is done; when that fails, the store is read back, so nothing is ever
 * rolled back.
 */
import { assert } from '../../lib/errors.ts'
import type { LogRecord } from '../../lib/ports/index.ts'
import type { CheckpointReference, JournalChange } from './change.ts'
import { hex } from './layout.ts'

/** `R`: what is kept of a record. */
export class Ledger<R extends { readonly last: bigint }> {
  readonly values: Map<string, Uint8Array>
  checkpoint: CheckpointReference | undefined
  /** Ascending. */
  readonly #records: { readonly kept: R; readonly segment: number }[]
  readonly #keep: (record: LogRecord) => R

  constructor(keep: (record: LogRecord) => R, before?: Ledger<{ readonly last: bigint }>) {
    this.#keep = keep
    this.values = before?.values ?? new Map()
    this.checkpoint = before?.checkpoint
    this.#records = []
  }

  get records(): R[] {
    return this.#records.map(({ kept }) => kept)
  }

  /** The same, with less kept of each record. */
  map<S extends { readonly last: bigint }>(keep: (record: LogRecord) => S, narrow: (kept: R) => S): Ledger<S> {
    const ledger = new Ledger<S>(keep, this)
    for (const { kept, segment } of this.#records) ledger.#records.push({ kept: narrow(kept), segment })
    return ledger
  }

  /** The first segment of which something is needed while `current` is written to. */
  oldestSegment(current: number): number {
    return this.#records[0]?.segment ?? current
  }

  /** Of a change that is in a segment; the order of the effects is that of the port. */
  apply({ isBase, values, truncateAfter, checkpoint, purgeThrough, append }: JournalChange, segment: number): void {
    if (isBase) this.values.clear()
    for (const [name, value] of values) {
      if (value === undefined) this.values.delete(name)
      else this.values.set(name, value)
    }
    if (isBase || checkpoint !== undefined) this.checkpoint = checkpoint
    if (truncateAfter !== undefined) this.#records.splice(this.#firstAbove(truncateAfter))
    if (purgeThrough !== undefined) this.#records.splice(0, this.#firstAbove(purgeThrough))
    let newest = this.#records.at(-1)?.kept.last
    for (const record of append) {
      const { first, last } = record
      assert(first <= last, () => `a record ends before it begins: ${hex(first)} to ${hex(last)}`)
      assert(newest === undefined || newest < first, () => `a record from ${hex(first)} on does not follow the log`)
      this.#records.push({ kept: this.#keep(record), segment })
      newest = last
    }
  }

  #firstAbove(zxid: bigint): number {
    let low = 0
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#records[middle]?.kept.last ?? zxid) > zxid) high = middle
      else low = middle + 1
    }
    return low
  }
}
