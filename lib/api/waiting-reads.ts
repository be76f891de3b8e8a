/**
 * Plain reads of one session that were made one after the other before their turn came: they go as one call, and share
 * one promise. What a call of its own costs for each (two records, a promise with its functions, entries in maps) is
 * several times what the read does, and lives just long enough to be moved by the garbage collector.
 */
import type { CallResult, NodeRead, NodeReadResult } from '../ports/session-link.ts'

/** So many go together: they are answered in one go, which must not take long. */
const readsMax = 100

export class WaitingReads {
  readonly reads: NodeRead[] = []
  /** Of each read, in their order, once they are answered. Never rejects. */
  readonly results: Promise<readonly NodeReadResult[]>
  #resolve!: (results: readonly NodeReadResult[]) => void

  constructor() {
    this.results = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  get isFull(): boolean {
    return this.reads.length >= readsMax
  }

  add(read: NodeRead): void {
    this.reads.push(read)
  }

  /** What the call came to: where it failed as a whole, each of them did. */
  settle(result: CallResult): void {
    if (result.type === 'reads') this.#resolve(result.results)
    else this.#resolve(this.reads.map(() => result as NodeReadResult))
  }
}
