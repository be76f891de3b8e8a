/**
 * The `Storage` port over an abstract-level database: it opens the database, reads it back, writes one atomic batch per
 * commit and closes it. The database is the storage's from then on; keys of others in it are left alone.
 *
 * Durable means that the batch is synced before `commit` resolves (`sync: true`, as LevelDB has it). That is the default
 * for every database that says that it keeps what is written (`supports.permanence`): all but `MemoryLevel`. A database
 * that has no such option must sync by itself, or be declared `durable: false`.
 */
import { assert, CoordError } from '../../lib/errors.ts'
import type { Storage, StorageChange, StoredState } from '../../lib/ports/index.ts'
import { stageChange } from './change.ts'
import { asCoordError } from './failures.ts'
import type { Ledger } from './ledger.ts'
import { type Level, recover } from './recover.ts'

export type { Level } from './recover.ts'

export interface LevelStorageOptions {
  /** Whether a commit is synced to disk before it counts. Default: whether the database is permanent. */
  readonly durable?: boolean | undefined
}

/** Keeps a member's state in an abstract-level database. Opens it, and closes it with the storage. */
export function levelStorage(db: Level, options: LevelStorageOptions = {}): Storage {
  return new LevelStorage(db, options.durable ?? db.supports.permanence ?? true)
}

class LevelStorage implements Storage {
  readonly durable: boolean
  readonly #db: Level
  readonly #place: string
  #ledger: Ledger | undefined
  #opening: Promise<StoredState> | undefined
  #writing: Promise<void> | undefined
  #closing: Promise<void> | undefined
  /** Why nothing is written any more. */
  #failure: unknown

  constructor(db: Level, durable: boolean) {
    this.#db = db
    this.#place = placeOf(db)
    this.durable = durable
  }

  async open(): Promise<StoredState> {
    this.#assertNotClosed()
    assert(this.#opening === undefined, 'a storage is opened once')
    this.#opening = this.#open()
    return this.#opening
  }

  async #open(): Promise<StoredState> {
    try {
      await this.#db.open()
      const { state, ledger } = await recover(this.#db)
      this.#ledger = ledger
      return state
    } catch (error) {
      throw asCoordError(error, this.#place)
    }
  }

  async commit(change: StorageChange): Promise<void> {
    this.#assertNotClosed()
    if (this.#failure !== undefined) throw this.#failed()
    assert(this.#ledger !== undefined, 'a storage is opened before it is written')
    assert(this.#writing === undefined, 'a commit waits for the one before it')
    this.#writing = this.#write(this.#ledger, change)
    try {
      await this.#writing
    } catch (error) {
      // Whether the batch was written is unknown, and the ledger is ahead of the store: no second attempt.
      this.#failure = error
      throw this.#failed()
    } finally {
      this.#writing = undefined
    }
  }

  async #write(ledger: Ledger, change: StorageChange): Promise<void> {
    const options = { keyEncoding: 'utf8', valueEncoding: 'view', sync: this.durable } as const
    await this.#db.batch(stageChange(ledger, change) as never[], options)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // Their failures belong to those who called them.
    await Promise.allSettled([this.#opening, this.#writing])
    await this.#db.close()
  }

  #assertNotClosed(): void {
    if (this.#closing !== undefined) throw new CoordError('COORD_CLOSED', `the store ${this.#place} is closed`)
  }

  #failed(): CoordError {
    const reason = this.#failure instanceof Error ? this.#failure.message : String(this.#failure)
    return new CoordError('COORD_STORE_FAILED', `the store ${this.#place} failed: ${reason}`, { cause: this.#failure })
  }
}

/** ClassicLevel and its kin say where they are; others are named by their kind. */
function placeOf(db: Level): string {
  return 'location' in db && typeof db.location === 'string' ? db.location : db.constructor.name
}
