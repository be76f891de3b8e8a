/**
 * The store of a member without one: it forgets, so it keeps nothing. The tail of the log that a DIFF is served from is in
 * the member's memory already (core/zab/log.ts).
 */
import type { Storage, StoredState } from '../ports/storage.ts'

export class VolatileStorage implements Storage {
  readonly durable = false

  async open(): Promise<StoredState> {
    return { values: new Map(), checkpoint: undefined, records: [] }
  }

  async commit(): Promise<void> {}

  async close(): Promise<void> {}
}
