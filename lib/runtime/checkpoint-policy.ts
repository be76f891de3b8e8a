/**
 * When a durable member writes a checkpoint. A checkpoint costs what the state is large, and a restart what the checkpoint and the
 * log behind it are large. So the log may grow to a share of the state before another one is written, by entries or by
 * bytes, and to a minimum where the state is small: what is written for checkpoints stays in proportion to what is
 * written for entries (filling a tree writes three to four times as many records in checkpoints as it has in the end), and a
 * restart evaluates half as many entries as there are records, or the minimum, and what came while the last one was written.
 *
 * Members of one ensemble apply the same entries, and would all write at the same time: each goes before these limits, by a
 * part of them that differs from member to member and from time to time (ZooKeeper's servers do the same).
 */
import { stableHash } from '../stable-hash.ts'

export interface CheckpointLimits {
  /** So many entries make a checkpoint worthwhile. */
  readonly checkpointEntries: number
  /** Or so many bytes of log. */
  readonly checkpointBytes: number
  /** If they are this share of what the checkpoint will hold: of its records, or of the bytes of the one before. */
  readonly checkpointShare: number
  /** It may come before these limits by up to this share of them. */
  readonly checkpointSpread: number
}

/** What a store held when it was opened, in bytes. */
export interface StoredBytes {
  readonly checkpoint: number
  readonly log: number
}

export class CheckpointPolicy {
  readonly #limits: CheckpointLimits
  readonly #member: string
  /** How many began. */
  #begun = 0
  /** What is left of the limits for the next one. */
  #share: number
  /** Since the last checkpoint began. */
  #entries = 0
  #bytes: number
  #isOverdue = false

  /** `member` is one of its names: no two members are to have the same. `logBytes`: of the log that there is. */
  constructor(limits: CheckpointLimits, member: string, logBytes = 0) {
    this.#limits = limits
    this.#member = member
    this.#share = this.#nextShare()
    this.#bytes = logBytes
  }

  noteApplied(): void {
    this.#entries += 1
  }

  noteAppended(bytes: number): void {
    this.#bytes += bytes
  }

  /** What the store would give back is not to be built on: it gets a checkpoint of what is, however little there is. */
  demand(): void {
    this.#isOverdue = true
  }

  /** Whether it is time. `records`: how many the checkpoint would have; `bytes`: of the last one, 0 before the first. */
  isDue(records: number, bytes: number): boolean {
    const { checkpointEntries, checkpointBytes, checkpointShare } = this.#limits
    if (this.#isOverdue) return true
    return (
      this.#entries >= this.#share * Math.max(checkpointEntries, records * checkpointShare) ||
      this.#bytes >= this.#share * Math.max(checkpointBytes, bytes * checkpointShare)
    )
  }

  /** One is made of what is applied now. */
  begin(): void {
    this.#entries = 0
    this.#bytes = 0
    this.#isOverdue = false
    this.#begun += 1
    this.#share = this.#nextShare()
  }

  #nextShare(): number {
    return 1 - this.#limits.checkpointSpread * (stableHash(`${this.#member} ${this.#begun}`) / 2 ** 32)
  }
}
