/**
 * The disk of a machine of the test world: an abstract-level database with a write cache. A batch is written at once and
 * durable after its sync, which takes a while; a crash of the machine loses what was not synced. LevelDB applies a batch
 * as a whole and in order, so what survives of the cache is a beginning of it: a torn batch is as good as none.
 *
 * The store on top is the one that applications use (adapters/storage-level), so its checks are in the game, too.
 */
import type { Level } from '../../adapters/storage-level/index.ts'
import type { VirtualProcess } from './process.ts'

/** A disk as it was at some moment. */
export type DiskImage = ReadonlyMap<string, Uint8Array>

/** How a sync fails: whether the batch is on the disk all the same. Either happens on real machines. */
export type SyncError = 'written' | 'lost'

/** Of a batch: just written to the cache; still there, about to be synced; on the disk. */
export type DiskStep = 'written' | 'syncing' | 'synced'

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }
type Batch = readonly Operation[]

/** The database as one process has it open. */
interface Handle {
  /** After a failed batch: what lies here and has not been read back since. */
  unread: Set<string> | undefined
}

export class VirtualDisk {
  readonly durable: boolean
  /** How long a sync takes, milliseconds. */
  syncMs: () => number
  /** Nothing more fits: a batch fails and is not written. */
  isFull = false
  /** Told of every sync that failed. */
  onFailed: (reason: string) => void = () => {}
  /** Told at each step of a batch, before its process is. It may crash the machine there. */
  onStep: (step: DiskStep) => void = () => {}
  /** Batches that were tried after a failed one before everything that lies here was read back: there must be none. */
  writesAfterFailure = 0
  #entries = new Map<string, Uint8Array>()
  /** Written, and not synced yet: in order. */
  #cache: Batch[] = []
  #errors: SyncError[] = []

  #hurry: (() => void) | undefined

  constructor(durable: boolean, syncMs: () => number = () => 0) {
    this.durable = durable
    this.syncMs = syncMs
  }

  get unsynced(): number {
    return this.#cache.length
  }

  /** The next commit fails, with its outcome unknown to whoever made it. */
  failNextCommit(error: SyncError = 'lost'): void {
    this.#errors.push(error)
  }

  /**
   * The process that used it is gone. With `kept`, the machine, too: so many batches of the cache had reached the disk.
   * `torn`: and half of the next one, which no database should let happen.
   */
  crash(kept: number = this.#cache.length, torn = false): void {
    const next = this.#cache[kept]
    if (!this.durable) this.#entries.clear()
    else for (const batch of this.#cache.slice(0, kept)) this.#write(batch)
    if (this.durable && torn && next !== undefined) this.#write(next.slice(0, Math.ceil(next.length / 2)))
    this.#cache = []
  }

  /** Everything on it is gone: another disk. */
  wipe(): void {
    this.#entries.clear()
    this.#cache = []
  }

  /** An image of what lies there now, as a backup or a virtual machine's snapshot holds it. */
  image(): DiskImage {
    return new Map(this.#entries)
  }

  /** Everything is as it was in the image. */
  restore(image: DiskImage): void {
    this.#entries = new Map(image)
    this.#cache = []
  }

  /** Flips one bit of what lies there; `at` in [0, 1) says where. Whether there was anything. */
  flipBit(at: number): boolean {
    const keys = [...this.#entries.keys()].sort()
    const key = keys[Math.floor(at * keys.length)]
    const value = key === undefined ? undefined : this.#entries.get(key)?.slice()
    if (key === undefined || value === undefined || value.length === 0) return false
    const position = Math.floor(at * keys.length * value.length) % value.length
    value[position] = (value[position] as number) ^ (1 << (position % 8))
    this.#entries.set(key, value)
    return true
  }

  /** The database as one process has it open. */
  level(process: VirtualProcess): Level {
    const handle: Handle = { unread: undefined }
    return {
      supports: { permanence: this.durable },
      open: async () => {},
      close: async () => this.crash(),
      get: async (key) => {
        handle.unread?.delete(key)
        return this.#entries.get(key)
      },
      iterator: ({ gte, lt }) => {
        let rest: [string, Uint8Array][] | undefined
        const noted = (found: [string, Uint8Array][]): [string, Uint8Array][] => {
          for (const [key] of found) handle.unread?.delete(key)
          return found
        }
        return {
          all: async () => noted(this.#range(gte, lt)),
          nextv: async (size) => {
            rest ??= this.#range(gte, lt)
            return noted(rest.splice(0, size))
          },
          close: async () => {},
        }
      },
      keys: ({ gte, lt }) => ({
        all: async () => {
          const keys = this.#range(gte, lt).map(([key]) => key)
          for (const key of keys) handle.unread?.delete(key)
          return keys
        },
      }),
      batch: (operations) => this.#commit(process, operations as unknown as Batch, handle),
    }
  }

  #range(gte: string, lt: string): [string, Uint8Array][] {
    return [...this.#entries].filter(([key]) => key >= gte && key < lt).sort(([a], [b]) => (a < b ? -1 : 1))
  }

  #write(batch: Batch): void {
    for (const operation of batch) {
      if (operation.type === 'put') this.#entries.set(operation.key, operation.value)
      else this.#entries.delete(operation.key)
    }
  }

  /** A sync that is under way takes no longer: the disk is no longer slow. */
  hurry(): void {
    this.#hurry?.()
  }

  #commit(process: VirtualProcess, batch: Batch, handle: Handle): Promise<void> {
    // Whoever is gone writes nothing more, although promises of it may still be under way here.
    if (process.isDead) return new Promise(() => {})
    if (handle.unread !== undefined && handle.unread.size > 0) this.writesAfterFailure += 1
    handle.unread = undefined
    if (!this.isFull) this.#cache.push(batch)
    this.onStep('written')
    return new Promise((resolve, reject) => {
      if (process.isDead) return
      const fail = (reason: string): void => {
        handle.unread = new Set(this.#entries.keys())
        this.onFailed(reason)
        reject(new Error(reason))
      }
      const synced = (): void => {
        this.#hurry = undefined
        this.onStep('syncing')
        if (process.isDead) return
        const error = this.#errors.shift()
        const index = this.#cache.indexOf(batch)
        if (index !== -1) this.#cache.splice(index, 1)
        if (index === -1) fail('no space left on device')
        else if (error === 'lost') fail('the sync failed: input/output error')
        else {
          this.#write(batch)
          this.onStep('synced')
          if (process.isDead) return
          if (error === undefined) resolve()
          else fail('the sync failed after the write: input/output error')
        }
      }
      const syncMs = this.syncMs()
      // Without a delay no time passes at all, and nobody need advance the clock.
      if (syncMs === 0) {
        process.clock.defer(synced)
        return
      }
      const timer = process.clock.setTimer(syncMs, synced)
      this.#hurry = (): void => {
        timer.cancel()
        this.#hurry = undefined
        if (!process.isDead) process.clock.defer(synced)
      }
    })
  }
}
