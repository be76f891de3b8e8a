/**
 * The `Storage` port over an abstract-level database: it opens the database, reads it back, writes one atomic batch per
 * commit and closes it. The database is the storage's from then on; keys of others in it are left alone.
 *
 * Durable means that the batch is synced before `commit` resolves (`sync: true`, as LevelDB has it). That is the default
 * for every database that says that it keeps what is written (`supports.permanence`): all but `MemoryLevel`. A database
 * that has no such option must sync by itself, or be declared `durable: false`.
 */
import type { CoordError } from '../../lib/errors.ts'
import type { Storage, StorageChange, StoredState } from '../../lib/ports/index.ts'
import { Finding } from '../storage-shared/finding.ts'
import { GuardedStorage, type Store } from '../storage-shared/guarded-storage.ts'
import { type Operation, stageChange } from './change.ts'
import { asCoordError } from './failures.ts'
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
  const durable = options.durable ?? db.supports.permanence ?? true
  return new GuardedStorage(new LevelStore(db, durable), durable)
}

class LevelStore implements Store {
  readonly place: string
  readonly #durable: boolean
  readonly #db: Level
  #ledger: Ledger = emptyLedger()
  #isDamaged = false

  constructor(db: Level, durable: boolean) {
    this.#db = db
    this.#durable = durable
    this.place = placeOf(db)
    // A database opens by itself, a moment after it was made; what is left of a store must not be taken for a new one.
    if (this.#missingFile() !== undefined) void this.#db.close().catch(() => {})
  }

  #missingFile(): string | undefined {
    return 'location' in this.#db && typeof this.#db.location === 'string' ? missingFile(this.#db.location) : undefined
  }

  async open(isAgain: boolean): Promise<StoredState> {
    this.#isDamaged = true
    if (isAgain) await this.#db.close()
    const missing = this.#missingFile()
    if (missing !== undefined) throw new Finding(`its file ${missing} is missing`)
    await this.#db.open()
    const { state, ledger } = await recover(this.#db)
    this.#ledger = ledger
    this.#isDamaged = false
    return state
  }

  asCoordError(error: unknown): CoordError {
    return asCoordError(error, this.place)
  }

  write(change: StorageChange): Promise<void> {
    return this.#write(this.#ledger, change)
  }

  async #write(ledger: Ledger, change: StorageChange, before: readonly Operation[] = []): Promise<void> {
    const options = { keyEncoding: 'utf8', valueEncoding: 'view', sync: this.#durable } as const
    await this.#db.batch([...before, ...stageChange(ledger, change)] as never[], options)
  }

  /** In one batch. */
  async writeAnew(change: StorageChange): Promise<void> {
    const removals = await this.#removeAll()
    const ledger = emptyLedger()
    await this.#write(ledger, change, removals)
    this.#ledger = ledger
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
      await destroy(this.place)
      await this.#db.open()
      return []
    }
  }

  close(): Promise<void> {
    return this.#db.close()
  }
}

/** ClassicLevel and its kin say where they are; others are named by their kind. */
function placeOf(db: Level): string {
  return 'location' in db && typeof db.location === 'string' ? db.location : db.constructor.name
}
