/** The builder for `multi`: the operations in order, then `commit`. A builder commits once. */
import type { CreateOptions, MultiOperation, MultiOptions, MultiResult } from './znodes.ts'

/** What one operation gave: its `type` tells which. */
type Result<V> = MultiResult<MultiOperation<V>>

type Commit<V> = (operations: readonly MultiOperation<V>[], options?: MultiOptions) => Promise<readonly Result<V>[]>

/** `coord.transaction().check('/a', 3).setData('/b', value).commit()`: the operations of one `multi`, one after the other. */
export class Transaction<V> {
  readonly #commit: Commit<V>
  readonly #operations: MultiOperation<V>[] = []
  #committed = false

  constructor(commit: Commit<V>) {
    this.#commit = commit
  }

  /** Fails unless the node has this version; without one, unless it is there. */
  check(path: string, version?: number): this {
    return this.#add({ type: 'check', path, version })
  }

  /** As `create`, without `parents`. */
  create(path: string, data?: V, options?: Omit<CreateOptions, 'signal' | 'parents'>): this {
    return this.#add({ type: 'create', path, data, ...options })
  }

  /** As `setData`; default for `version`: any. */
  setData(path: string, data: V | undefined, version?: number): this {
    return this.#add({ type: 'setData', path, data, version })
  }

  /** As `delete` of one node; default for `version`: any. */
  delete(path: string, version?: number): this {
    return this.#add({ type: 'delete', path, version })
  }

  /** One result per operation, or a CoordError with `index` and `results`. */
  async commit(options?: MultiOptions): Promise<readonly Result<V>[]> {
    if (this.#committed) throw new TypeError('this transaction was committed already: begin another one')
    this.#committed = true
    return this.#commit(this.#operations, options)
  }

  #add(operation: MultiOperation<V>): this {
    this.#operations.push(operation)
    return this
  }
}
