/**
 * The manners of the `Storage` port, whatever the store beneath: opened once, and again after a failure alone; one commit
 * at a time; nothing written after one that failed; of a damaged store, nothing but a reset; nothing at all once it is
 * closed. The store is called one call after the other, and need not look.
 */
import { assert, CoordError } from '../../lib/errors.ts'
import type { Storage, StorageChange, StoredState } from '../../lib/ports/index.ts'

/** What is guarded. */
export interface Store {
  /** Where it is, for messages. */
  readonly place: string
  /** `isAgain`: a commit or an opening before has failed, so nothing that is in memory counts. */
  open(isAgain: boolean): Promise<StoredState>
  /** When it rejects, it is called no more before the next opening. */
  write(change: StorageChange): Promise<void>
  /** What is there goes, and what the change says takes its place. Also called when opening found damage. */
  writeAnew(change: StorageChange): Promise<void>
  close(): Promise<void>
  /** What `open` is to reject with. */
  asCoordError(error: unknown): CoordError
}

export class GuardedStorage implements Storage {
  readonly durable: boolean
  readonly #store: Store
  #opening: Promise<StoredState> | undefined
  #isOpen = false
  #writing: Promise<void> | undefined
  #closing: Promise<void> | undefined
  /** Why nothing is written any more. */
  #failure: unknown
  /** Then one change is still possible: a reset. */
  #isDamaged = false

  constructor(store: Store, durable: boolean) {
    this.#store = store
    this.durable = durable
  }

  async open(): Promise<StoredState> {
    this.#assertNotClosed()
    const isAgain = this.#opening !== undefined
    assert(!isAgain || this.#failure !== undefined, 'a storage is opened once, and again after a failure alone')
    this.#opening = this.#open(isAgain)
    return this.#opening
  }

  async #open(isAgain: boolean): Promise<StoredState> {
    this.#failure = undefined
    this.#isOpen = false
    this.#isDamaged = false
    try {
      const state = await this.#store.open(isAgain)
      this.#isOpen = true
      return state
    } catch (error) {
      const failure = this.#store.asCoordError(error)
      this.#failure = failure
      this.#isDamaged = failure.code === 'COORD_STORE_DAMAGED'
      throw failure
    }
  }

  async commit(change: StorageChange): Promise<void> {
    this.#assertNotClosed()
    const isReset = change.reset === true
    if (this.#failure !== undefined && !(isReset && this.#isDamaged)) throw this.#failed()
    assert(this.#isOpen || this.#isDamaged, 'a storage is opened before it is written')
    assert(this.#writing === undefined, 'a commit waits for the one before it')
    this.#writing = isReset ? this.#writeAnew(change) : this.#store.write(change)
    try {
      await this.#writing
    } catch (error) {
      // Whether it was written is unknown, and what is in memory is ahead of the store: no second attempt.
      this.#failure = error
      throw this.#failed()
    } finally {
      this.#writing = undefined
    }
  }

  async #writeAnew(change: StorageChange): Promise<void> {
    await this.#store.writeAnew(change)
    this.#isOpen = true
    this.#failure = undefined
    this.#isDamaged = false
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // Their failures belong to those who called them.
    await Promise.allSettled([this.#opening, this.#writing])
    await this.#store.close()
  }

  #assertNotClosed(): void {
    if (this.#closing !== undefined) throw new CoordError('COORD_CLOSED', `the store ${this.#store.place} is closed`)
  }

  #failed(): CoordError {
    const cause = this.#failure
    const reason = cause instanceof Error ? cause.message : String(cause)
    const prefix = `the store ${this.#store.place} `
    // What the store itself has put in words is not said twice.
    const message = reason.startsWith(prefix) ? reason : `${prefix}failed: ${reason}`
    // That another one has taken the store is no failure of the disk.
    const isLocked = cause instanceof CoordError && cause.code === 'COORD_STORE_LOCKED'
    return new CoordError(isLocked ? cause.code : 'COORD_STORE_FAILED', message, { cause })
  }
}
