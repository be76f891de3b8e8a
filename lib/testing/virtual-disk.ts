/**
 * The disk of a process of the test world, as a Storage port: a commit is written at once, and durable after the sync,
 * which takes a while. A crash may lose what was not synced. A volatile one forgets everything.
 */
import { CoordError } from '../errors.ts'
import type { Checkpoint, LogRecord, Storage, StorageChange, StoredState } from '../ports/storage.ts'
import type { VirtualProcess } from './process.ts'

interface Image {
  readonly values: Map<string, Uint8Array>
  checkpoint: Checkpoint | undefined
  records: LogRecord[]
}

const blank = (): Image => ({ values: new Map(), checkpoint: undefined, records: [] })

const copyOf = ({ values, checkpoint, records }: Image): Image => ({
  values: new Map(values),
  checkpoint,
  records: [...records],
})

function apply(image: Image, change: StorageChange): void {
  const { values, truncateAfter, checkpoint, purgeThrough, append } = change
  for (const [name, value] of values ?? []) {
    if (value === undefined) image.values.delete(name)
    else image.values.set(name, value)
  }
  if (truncateAfter !== undefined) image.records = image.records.filter(({ last }) => last <= truncateAfter)
  if (checkpoint !== undefined) image.checkpoint = checkpoint
  if (purgeThrough !== undefined) image.records = image.records.filter(({ last }) => last > purgeThrough)
  if (append !== undefined) image.records.push(...append)
}

export class VirtualDisk {
  readonly durable: boolean
  /** How long a sync takes, milliseconds. */
  syncMs: () => number
  #synced = blank()
  /** Written, and not synced yet. */
  #cache: StorageChange[] = []
  #failures = 0

  constructor(durable: boolean, syncMs: () => number = () => 0) {
    this.durable = durable
    this.syncMs = syncMs
  }

  /** The next commit fails, with its outcome unknown. */
  failNextCommit(): void {
    this.#failures += 1
  }

  /** The process that used it is gone. `loseUnsynced`: the host, too. */
  crash(loseUnsynced: boolean): void {
    if (!this.durable) this.#synced = blank()
    else if (!loseUnsynced) for (const change of this.#cache) apply(this.#synced, change)
    this.#cache = []
  }

  /** The disk as a process uses it. */
  storage(process: VirtualProcess): Storage {
    return {
      durable: this.durable,
      open: async (): Promise<StoredState> => copyOf(this.#synced),
      commit: (change) => this.#commit(process, change),
      close: async () => this.crash(false),
    }
  }

  #commit(process: VirtualProcess, change: StorageChange): Promise<void> {
    this.#cache.push(change)
    return new Promise((resolve, reject) => {
      const syncMs = this.syncMs()
      const synced = (): void => {
        if (this.#failures > 0) {
          this.#failures -= 1
          reject(new CoordError('COORD_STORE_FAILED', 'the sync failed: input/output error'))
          return
        }
        apply(this.#synced, change)
        this.#cache = this.#cache.filter((cached) => cached !== change)
        resolve()
      }
      // Without a delay no time passes at all, and nobody need advance the clock.
      if (syncMs === 0) process.clock.defer(synced)
      else process.clock.setTimer(syncMs, synced)
    })
  }
}
