/**
 * A member's log as the core sees it: the tail of batches in memory, and how far it is durable and committed here.
 * Older batches are only in the checkpoint. The log never has a hole: `append` demands that a batch names the one it
 * follows. Writing is the journal's; the core learns of it by `persisted`, and a write from before a truncation
 * never counts (`fence`).
 */
import { type Block, type BlockLengths, Blocks } from '../../blocks.ts'
import { assert } from '../../errors.ts'
import { type Batch, countOf, lastOf, PackedBatch, weightOf } from './batch.ts'
import { formatZxid, type Zxid } from './zxid.ts'

/** How much of the log stays in memory behind what was applied, for DIFF. */
export interface LogTail {
  readonly entries: number
  readonly bytes: number
}

interface Held {
  batch: Batch
  /** As reckoned when it came. */
  readonly weight: number
  /** Where its bytes are, once it was applied. */
  block: Block | undefined
}

/** The bytes of what was applied are in blocks of these fractions of the tail: with the defaults, of 64 KiB to 1 MiB. */
const blocksPerTail = { min: 16, max: 256 } as const

function blockLengths({ bytes }: LogTail): BlockLengths {
  return { min: Math.ceil(bytes / blocksPerTail.max), max: Math.ceil(bytes / blocksPerTail.min) }
}

export class Log {
  /** Everything up to here is in the state that the member started from, or was trimmed. */
  #base: Zxid
  #held: Held[] = []
  /** What was applied lives here: long enough to cost the garbage collector dear, in frames of its own. */
  readonly #memory: Blocks
  readonly #tail: LogTail
  #bytes = 0
  #entries = 0
  #last: Zxid
  #durable: Zxid
  #fence = 0

  /** `tail`: how much of what was applied stays. */
  constructor(base: Zxid, tail: LogTail) {
    this.#tail = tail
    this.#memory = new Blocks(blockLengths(tail), (length) => new Uint8Array(length))
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
    return this.#held.at(-1)?.batch.clockMs ?? 0
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
    this.#held.push({ batch, weight, block: undefined })
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
    const held = this.#held[index]
    return held !== undefined && lastOf(held.batch) === zxid
  }

  /** The highest batch end at or below `zxid`; `undefined` where that is older than what is held. */
  lastBatchEndUpTo(zxid: Zxid): Zxid | undefined {
    if (zxid < this.#base) return undefined
    const ends = this.#held.slice(0, this.#indexAfter(zxid)).findLast(({ batch }) => lastOf(batch) <= zxid)
    return ends === undefined ? this.#base : lastOf(ends.batch)
  }

  /** The batches after a batch end. To be used at once: the bytes of those that are applied go when the log is trimmed. */
  after(zxid: Zxid): readonly Batch[] {
    return this.#held.slice(this.#indexAfter(zxid)).map(({ batch }) => batch)
  }

  entriesAfter(zxid: Zxid): number {
    let entries = 0
    for (let index = this.#indexAfter(zxid); index < this.#held.length; index += 1) {
      entries += countOf((this.#held[index] as Held).batch)
    }
    return entries
  }

  /** Cuts everything after a batch end that is held. */
  truncateAfter(zxid: Zxid): void {
    assert(this.isBatchEnd(zxid), () => `cannot cut the log at ${formatZxid(zxid)}`)
    this.#drop(this.#indexAfter(zxid))
    this.#last = zxid
    if (this.#durable > zxid) this.#durable = zxid
    this.#fence += 1
  }

  /** Starts over behind a snapshot that is in force now. */
  reset(base: Zxid): void {
    this.#base = base
    this.#last = base
    this.#durable = base
    this.#drop(0)
    this.#fence += 1
  }

  /** What was applied is kept as bytes alone, where there are any. */
  pack(applied: Zxid): void {
    let index = this.#indexAfter(applied) - 1
    while (index >= 0 && this.#pack(this.#held[index] as Held)) index -= 1
  }

  /** Returns whether it was still to be done. */
  #pack(held: Held): boolean {
    const { batch } = held
    if (held.block !== undefined || batch.encoded === undefined) return false
    const { bytes } = batch.encoded
    const block = this.#memory.hold(bytes.length)
    const copy = block.bytes.subarray(block.used, block.used + bytes.length)
    copy.set(bytes)
    block.used += bytes.length
    held.block = block
    held.batch = new PackedBatch(batch, batch.encoded.at(copy))
    return true
  }

  /** Drops old batches, none after `applied`, until the rest fits the tail. Returns whether any went. */
  trim(applied: Zxid): boolean {
    const { entries, bytes } = this.#tail
    let isTrimmed = false
    while (this.#entries > entries || this.#bytes > bytes) {
      const first = this.#held[0]
      if (first === undefined || lastOf(first.batch) > applied) break
      // Not by `splice`, which moves all that stay: thousands, where each batch is a single write.
      this.#held.shift()
      this.#forget(first)
      this.#base = lastOf(first.batch)
      isTrimmed = true
    }
    return isTrimmed
  }

  #drop(start: number): void {
    for (const held of this.#held.splice(start)) this.#forget(held)
  }

  #forget({ batch, weight, block }: Held): void {
    this.#entries -= countOf(batch)
    this.#bytes -= weight
    if (block !== undefined) this.#memory.release(block)
  }

  /** The index of the first batch that begins after `zxid`. */
  #indexAfter(zxid: Zxid): number {
    let low = 0
    let high = this.#held.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#held[middle] as Held).batch.first <= zxid) low = middle + 1
      else high = middle
    }
    return low
  }
}
