/**
 * Group commit over the Storage port (design D4, D5): while one commit runs, changes gather; the next commit takes them
 * all. Changes become durable in the order in which they came, and are reported in that order. A commit that fails is
 * unknown: the journal reports it once, and persists nothing more.
 *
 * A store that is to be repaired stays as it is until a whole snapshot of the peers is here: then one commit takes the
 * place of everything in it. What comes before that is kept in memory; nobody relies on it, since the member is new.
 *
 * To a store that forgets nothing is written: nobody would ever read it. What the member needs of its log is in memory.
 */

import type { Batch } from '../core/zab/batch.ts'
import { lastOf } from '../core/zab/batch.ts'
import type { PersistChange } from '../core/zab/zab.ts'
import type { LogRecord, Storage, StorageChange } from '../ports/storage.ts'
import { encodeBatch } from '../wire/log.ts'
import { encodeBelonging, encodeEpochs, encodeSnapshot } from '../wire/stored.ts'

export interface JournalHandlers {
  persisted(tokens: readonly number[]): void
  failed(error: unknown): void
}

/** Changes that become durable together. */
interface Group {
  tokens: number[]
  values: Map<string, Uint8Array | undefined>
  truncateAfter: bigint | undefined
  checkpoint: StorageChange['checkpoint']
  purgeThrough: bigint | undefined
  append: LogRecord[]
}

const emptyGroup = (): Group => ({
  tokens: [],
  values: new Map(),
  truncateAfter: undefined,
  checkpoint: undefined,
  purgeThrough: undefined,
  append: [],
})

export class Journal {
  readonly #storage: Storage
  readonly #handlers: JournalHandlers
  readonly #groups: Group[] = []
  #running: Promise<void> | undefined
  #failed = false
  /** While the store waits to be repaired: the values that it is to hold then. */
  #held: Map<string, Uint8Array | undefined> | undefined
  /** Commits and entries so far: how well they group. */
  commits = 0
  batches = 0

  constructor(storage: Storage, handlers: JournalHandlers, repairs = false) {
    this.#storage = storage
    this.#handlers = handlers
    this.#held = repairs ? new Map() : undefined
  }

  /** Whether the store still waits for what is to take its place. */
  get isRepairing(): boolean {
    return this.#held !== undefined
  }

  /** Begins to persist a change; `token` is reported once it is durable. */
  persist(token: number, change: PersistChange): void {
    const cuts = change.truncateAfter !== undefined || change.install !== undefined
    const group = this.#openGroup(cuts)
    group.tokens.push(token)
    if (this.#storage.durable) this.#stage(group, change)
    this.#run()
  }

  #stage(group: Group, change: PersistChange): void {
    if (change.epochs !== undefined) group.values.set('epochs', encodeEpochs(change.epochs))
    if (change.belonging !== undefined) group.values.set('belonging', encodeBelonging(change.belonging))
    if (change.truncateAfter !== undefined) group.truncateAfter = change.truncateAfter
    if (change.install !== undefined) this.#install(group, change.install)
    if (change.append !== undefined) group.append.push(recordOf(change.append))
  }

  /** Persists a small value of the runtime's own, beside the core's. */
  remember(name: string, value: Uint8Array): void {
    this.#openGroup(false).values.set(name, value)
    this.#run()
  }

  /** Persists a checkpoint of what is applied, and lets go of the log behind it. */
  checkpoint(snapshot: NonNullable<PersistChange['install']>): void {
    const group = this.#openGroup(false)
    group.checkpoint = { zxid: snapshot.zxid, chunks: encodeSnapshot(snapshot) }
    group.purgeThrough = snapshot.zxid
    this.#run()
  }

  /** Writes nothing more, and reports nothing: what is under way ends by itself. */
  stop(): void {
    this.#failed = true
    this.#groups.length = 0
  }

  /** Waits until nothing is under way any more. */
  async drain(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  #install(group: Group, snapshot: NonNullable<PersistChange['install']>): void {
    group.truncateAfter = 0n
    group.purgeThrough = undefined
    group.checkpoint = { zxid: snapshot.zxid, chunks: encodeSnapshot(snapshot) }
  }

  /** In one change the store truncates before it appends: what cuts after an append needs a change of its own. */
  #openGroup(cuts: boolean): Group {
    const last = this.#groups.at(-1)
    if (last !== undefined && !(cuts && last.append.length > 0)) return last
    const group = emptyGroup()
    this.#groups.push(group)
    return group
  }

  #run(): void {
    if (this.#running !== undefined || this.#failed) return
    this.#running = this.#commitAll().finally(() => {
      this.#running = undefined
    })
  }

  async #commitAll(): Promise<void> {
    for (;;) {
      // A turn's changes gather before the first of them is written.
      await Promise.resolve()
      const group = this.#groups.shift()
      if (group === undefined) return
      try {
        if (this.#held !== undefined) await this.#commitRepair(group, this.#held)
        else if (this.#storage.durable) await this.#storage.commit(group)
        if (this.#failed) return
      } catch (error) {
        if (this.#failed) return
        this.#failed = true
        this.#handlers.failed(error)
        return
      }
      this.commits += 1
      this.batches += group.append.length
      this.#handlers.persisted(group.tokens)
    }
  }

  async #commitRepair(group: Group, held: Map<string, Uint8Array | undefined>): Promise<void> {
    for (const [name, value] of group.values) held.set(name, value)
    if (isEmpty(group)) return
    await this.#storage.commit({ ...group, values: held, reset: true })
    this.#held = undefined
  }
}

function isEmpty({ checkpoint, append }: Group): boolean {
  return checkpoint === undefined && append.length === 0
}

function recordOf(batch: Batch): LogRecord {
  return { first: batch.first, last: lastOf(batch), bytes: encodeBatch(batch) }
}
