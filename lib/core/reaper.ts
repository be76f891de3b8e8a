/**
 * The leader's search for what ends by itself: containers whose children are gone, and nodes past their time to live. It
 * only names candidates, by entries; whether they are deleted is decided where those are applied (evaluate.ts), by the
 * log clock, so that no wall clock that jumps and no change of leaders deletes anything early.
 */
import type { DataTree } from './tree/data-tree.ts'
import { isReapable } from './tree/evaluate.ts'
import type { ReapRequest } from './tree/operation.ts'

/** At one check; what is left over waits for the next one. */
const reapsPerCheck = 10_000

export class Reaper {
  readonly #intervalMs: number
  #checkAt = 0

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** A term begins. */
  begin(now: number): void {
    this.#checkAt = now + this.#intervalMs
  }

  /** When a check is due; never where nothing can end by itself. */
  nextCheck(tree: DataTree): number {
    return tree.hasMortals ? this.#checkAt : Number.POSITIVE_INFINITY
  }

  /** If a check is due: what is to be reaped by now, in no particular order. */
  takeReapable(tree: DataTree, clockMs: number, now: number): readonly ReapRequest[] {
    if (now < this.#checkAt) return []
    this.#checkAt = now + this.#intervalMs
    const reapable: ReapRequest[] = []
    for (const [path, node] of tree.mortals()) {
      if (reapable.length === reapsPerCheck) break
      if (isReapable(node, clockMs)) reapable.push({ type: 'reap', path, czxid: node.czxid })
    }
    return reapable
  }
}
