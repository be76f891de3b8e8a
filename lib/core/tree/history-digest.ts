/**
 * A digest of everything that the entries so far came to on this member: two 32-bit lanes, mixed at each applied entry with
 * what its evaluation decided (the kind of result, the error, the path and the numbers of each node that it changed, and
 * what it says of the session). Members that evaluated the same entries alike have the same digest; from the first entry
 * on whose evaluation shows a difference, they never have it again. So the latest digests tell the whole history.
 *
 * It is one of the history, not of the state. A digest of the state would also find what no entry has touched yet, but each
 * change would have to hash again what was there before, or each node to remember its own; this one costs a fraction of
 * a microsecond an entry, no memory and nothing at restart. What was damaged in memory shows as soon as an entry meets
 * it. The bytes of the data are not in it: they come from the log, whose chain of hashes guards them.
 *
 * It goes on after a snapshot (the header carries it). A snapshot that was written without one makes it unknown: such a
 * member is compared with nobody. It finds divergence; it does not resist an adversary.
 */
import type { HistoryDigest, RequestResult, SubResult, TreeChange } from './operation.ts'
import type { QuotaWarning } from './quota.ts'
import type { Stat } from './stat.ts'

/** Before the first entry; and of an ensemble that begins with a snapshot without a digest. */
export const historyOrigin: HistoryDigest = { left: 0x811c9dc5, right: 0xcbf29ce4 }

/** What is decided is told apart by these: they may not change, or members of two releases would seem to differ. */
const tags = {
  created: 1,
  changed: 2,
  deleted: 3,
  create: 4,
  setData: 5,
  setAcl: 6,
  delete: 7,
  check: 8,
  closeSession: 9,
  multi: 10,
  error: 11,
  rolledBack: 12,
  attached: 13,
  gap: 14,
  void: 15,
  warning: 16,
  passed: 17,
} as const

export class History {
  #left: number
  #right: number
  readonly #isKnown: boolean

  /** Without a digest to go on from it is unknown, and stays so. */
  constructor(digest: HistoryDigest | undefined) {
    this.#isKnown = digest !== undefined
    this.#left = digest?.left ?? 0
    this.#right = digest?.right ?? 0
  }

  static begin(): History {
    return new History(historyOrigin)
  }

  get digest(): HistoryDigest | undefined {
    return this.#isKnown ? { left: this.#left >>> 0, right: this.#right >>> 0 } : undefined
  }

  /** An entry that is not for the tree. */
  notePassed(): void {
    this.#mix(tags.passed)
  }

  noteApplied(result: RequestResult, changes: readonly TreeChange[], warnings: readonly QuotaWarning[]): void {
    this.#addResult(result)
    this.#mix(changes.length)
    for (const { type, path, data } of changes) {
      this.#mix(tags[type])
      this.#addText(path)
      this.#mix(data === undefined ? -1 : data.length)
    }
    for (const { path, used, limit } of warnings) {
      this.#mix(tags.warning)
      this.#addText(path)
      this.#addNumber(used)
      this.#addNumber(limit)
    }
  }

  #addResult(result: RequestResult | SubResult): void {
    this.#mix(tags[result.type])
    switch (result.type) {
      // Its path is that of the change.
      case 'create':
      case 'setData':
      case 'setAcl':
        this.#addStat(result.stat)
        return
      case 'multi':
        this.#addResults(result.results)
        return
      case 'error':
        this.#addText(result.code)
        this.#mix(result.index ?? -1)
        if (result.results !== undefined) this.#addResults(result.results)
        return
      case 'attached':
        this.#addNumber(result.generation)
        this.#addNumber(result.timeoutMs)
        this.#addNumber(result.nextCxid)
        return
      case 'gap':
        this.#addNumber(result.nextCxid)
        return
      default:
        return
    }
  }

  #addResults(results: readonly SubResult[]): void {
    this.#mix(results.length)
    for (const result of results) this.#addResult(result)
  }

  /** The numbers that an entry counts up. Its zxids and times are those of entries. */
  #addStat({ version, cversion, aversion, dataLength, numChildren }: Stat): void {
    this.#mix(version)
    this.#mix(cversion)
    this.#mix(aversion)
    this.#mix(dataLength)
    this.#mix(numChildren)
  }

  #addText(text: string): void {
    const { length } = text
    this.#mix(length)
    let index = 1
    for (; index < length; index += 2) this.#mix((text.charCodeAt(index - 1) << 16) | text.charCodeAt(index))
    if (index === length) this.#mix(text.charCodeAt(index - 1))
  }

  /** Of up to 53 bits. */
  #addNumber(value: number): void {
    this.#mix(value)
    if (value > 0xffff_ffff) this.#mix(Math.floor(value / 0x1_0000_0000))
  }

  /** Its lower 32 bits: multiplied, rotated and multiplied again before they are taken in, as MurmurHash3 does it. */
  #mix(value: number): void {
    const left = Math.imul(value, 0xcc9e2d51)
    const right = Math.imul(value, 0x239b961b)
    this.#left = (Math.imul(rotate(this.#left ^ Math.imul(rotate(left, 15), 0x1b873593), 13), 5) + 0xe6546b64) | 0
    this.#right = (Math.imul(rotate(this.#right ^ Math.imul(rotate(right, 17), 0xab0e9789), 19), 5) + 0x561ccd1b) | 0
  }
}

function rotate(lane: number, by: number): number {
  return (lane << by) | (lane >>> (32 - by))
}
