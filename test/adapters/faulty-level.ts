/**
 * A MemoryLevel that a test can make fail: a batch may be refused, or be written and refused all the same, and a crash
 * takes everything that was not synced. It remembers how each batch was written.
 */
import { MemoryLevel } from 'memory-level'

export type Fault = 'fails' | 'fails after it was written'

interface BatchOptions {
  readonly sync?: boolean
}
type Batch = (operations: unknown, options: BatchOptions) => Promise<void>

export class FaultyLevel extends MemoryLevel<string, Uint8Array> {
  fault: Fault | undefined
  readonly batches: { sync: boolean | undefined }[] = []
  #synced: [string, Uint8Array][] = []

  constructor() {
    super({ valueEncoding: 'view' })
    const write = this.batch.bind(this) as Batch
    this.batch = ((operations: unknown, options: BatchOptions) => this.#batch(write, operations, options)) as never
  }

  async #batch(write: Batch, operations: unknown, options: BatchOptions): Promise<void> {
    this.batches.push({ sync: options.sync })
    if (this.fault !== 'fails') await write(operations, options)
    if (this.fault !== undefined) throw new Error('no space left on device')
    if (options.sync === true) this.#synced = await this.iterator().all()
  }

  /** What is there after a crash now. */
  async afterCrash(): Promise<FaultyLevel> {
    const survivor = new FaultyLevel()
    const operations = this.#synced.map(([key, value]) => ({ type: 'put', key, value }) as const)
    await survivor.batch(operations, { sync: true } as object)
    return survivor
  }
}
