/**
 * Orders, each counted exactly once: an order is a node under `/orders`, and the data of `/orders` is their number. Both
 * change in one transaction that checks the version of the number (compare-and-set), so no increment overwrites another;
 * and a repeated order finds its node there already, so asking again is always safe.
 */
import type { Coord } from 'embedded-coord'
import { hasCode } from './coord-errors.ts'

export interface Order {
  /** Chosen by the customer, and the same when the request is repeated. */
  readonly id: string
  readonly items: number
}

export class Orders {
  readonly #coord: Coord<unknown>
  readonly #path: string

  /** The node `path` has to exist, and to hold 0 at first. */
  constructor(coord: Coord<unknown>, path: string) {
    this.#coord = coord
    this.#path = path
  }

  /** Resolves once it is committed: with `false` where this order was counted before. */
  async count({ id, items }: Order): Promise<boolean> {
    for (;;) {
      const { data, stat } = await this.#coord.getData(this.#path)
      try {
        await this.#coord.multi([
          { type: 'create', path: `${this.#path}/${id}`, data: items },
          { type: 'setData', path: this.#path, data: Number(data) + 1, version: stat.version },
        ])
        return true
      } catch (error) {
        if (hasCode(error, 'COORD_NODE_EXISTS')) return false
        if (!hasCode(error, 'COORD_BAD_VERSION')) throw error
        // Another order came first. Our replica has seen it by now, so this time we read the number that it left.
      }
    }
  }

  /** Everything acknowledged before, at whichever process, is in here. */
  async list(): Promise<{ counter: number; ids: string[] }> {
    const { children } = await this.#coord.getChildren(this.#path, { consistency: 'linearizable' })
    const { data } = await this.#coord.getData(this.#path)
    return { counter: Number(data), ids: children }
  }

  /** What this process knows: a local read. */
  async summary(): Promise<{ counter: number; nodes: number }> {
    const { data, stat } = await this.#coord.getData(this.#path)
    return { counter: Number(data), nodes: stat.numChildren }
  }
}
