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
import { type Operation, stageChange } from './change.ts'
import { asCoordError, Finding } from './failures.ts'
import { missingFile } from './files.ts'
import { everything } from './layout.ts'
import { emptyLedger, type Ledger } from './ledger.ts'
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
  /** Then one change is still possible: a reset. */
  #isDamaged = false

  constructor(db: Level, durable: boolean) {
    this.#db = db
    this.#place = placeOf(db)
    this.durable = durable
    // A database opens by itself, a moment after it was made; what is left of a store must not be taken for a new one.
    if (this.#missingFile() !== undefined) void this.#db.close().catch(() => {})
  }

  #missingFile(): string | undefined {
    return 'location' in this.#db && typeof this.#db.location === 'string' ? missingFile(this.#db.location) : undefined
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
    this.#ledger = undefined
    this.#isDamaged = false
    try {
      if (isAgain) await this.#db.close()
      const missing = this.#missingFile()
      if (missing !== undefined) throw new Finding(`its file ${missing} is missing`)
      await this.#db.open()
      const { state, ledger } = await recover(this.#db)
      this.#ledger = ledger
      return state
    } catch (error) {
      const failure = asCoordError(error, this.#place)
      this.#failure = failure
      this.#isDamaged = failure.code === 'COORD_STORE_DAMAGED'
      throw failure
    }
  }

  async commit(change: StorageChange): Promise<void> {
    this.#assertNotClosed()
    const isReset = change.reset === true
    if (this.#failure !== undefined && !(isReset && this.#isDamaged)) throw this.#failed()
    assert(this.#ledger !== undefined || this.#isDamaged, 'a storage is opened before it is written')
    assert(this.#writing === undefined, 'a commit waits for the one before it')
    this.#writing = isReset ? this.#writeAnew(change) : this.#write(this.#ledger as Ledger, change)
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

  async #write(ledger: Ledger, change: StorageChange, before: readonly Operation[] = []): Promise<void> {
    const options = { keyEncoding: 'utf8', valueEncoding: 'view', sync: this.durable } as const
    await this.#db.batch([...before, ...stageChange(ledger, change)] as never[], options)
  }

  /** In one batch: what is there goes, and what the change says takes its place. */
  async #writeAnew(change: StorageChange): Promise<void> {
    const removals = await this.#removeAll()
    const ledger = emptyLedger()
    await this.#write(ledger, change, removals)
    this.#ledger = ledger
    this.#failure = undefined
    this.#isDamaged = false
  }

  async #removeAll(): Promise<Operation[]> {
    try {
      const options = { ...everything, keyEncoding: 'utf8', valueEncoding: 'view' } as const
      const entries = await this.#db.iterator(options).all()
      return entries.map(([key]) => ({ type: 'del', key: key as string }))
    } catch (error) {
      // What the database itself can no longer read, it can only throw away as a whole.
      const { destroy } = this.#db.constructor as { destroy?: (location: string) => Promise<void> }
      if (!this.#isDamaged || destroy === undefined) throw error
      await this.#db.close()
      await destroy(this.#place)
      await this.#db.open()
      return []
    }
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
