/** The builder for `multi`: the operations in order, then `commit`. A builder commits once. */
import type { CreateOptions, MultiOperation, MultiOptions, MultiResult } from './znodes.ts'

/** What one operation gave: its `type` tells which. */
type Result<V> = MultiResult<MultiOperation<V>>

type Commit<V> = (operations: readonly MultiOperation<V>[], options?: MultiOptions) => Promise<readonly Result<V>[]>

export class Transaction<V> {
  readonly #commit: Commit<V>
  readonly #operations: MultiOperation<V>[] = []
  #committed = false

  constructor(commit: Commit<V>) {
    this.#commit = commit
  }

  check(path: string, version?: number): this {
    return this.#add({ type: 'check', path, version })
  }

  create(path: string, data?: V, options?: Omit<CreateOptions, 'signal' | 'parents'>): this {
    return this.#add({ type: 'create', path, data, ...options })
  }

  setData(path: string, data: V | undefined, version?: number): this {
    return this.#add({ type: 'setData', path, data, version })
  }

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
