/**
 * The nodes that changed last. They hold their fields as objects, since what changed once is likely to change again;
 * whichever so many others came after is packed (packed-node.ts).
 */
import type { Znode } from './znode.ts'

/** A node among them that is deleted is kept until then: none has a long value. */
export const recentNodesMax = 64

export class RecentNodes {
  readonly #nodes: Znode[] = []
  #next = 0

  /** A node that was not packable a moment ago, or was packed. */
  add(node: Znode): void {
    this.#nodes[this.#next]?.pack()
    this.#nodes[this.#next] = node
    this.#next = (this.#next + 1) % recentNodesMax
  }
}
