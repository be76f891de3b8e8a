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
import type { CoreSnapshot, PersistChange } from '../core/zab/zab.ts'
import type { LogRecord, StagedChunks, Storage, StorageChange } from '../ports/storage.ts'
import { encodeBatch } from '../wire/log.ts'
import { encodeBelonging, encodeEpochs, encodeRecords, encodeSnapshotHead } from '../wire/stored.ts'
import type { Pacing } from './pacer.ts'

/** A slice of a snapshot is of about so many bytes. */
const sliceBytes = 0x1_0000
/** So many are written in one commit where commits take long: others wait for them. */
const slicesPerCommitMax = 16

/** What a member has written to its store. */
export interface StoreWrites {
  /** Writes that waited for the disk. */
  readonly commits: number
  /** Entries of the log in them. */
  readonly entries: number
}

export interface JournalHandlers {
  persisted(tokens: readonly number[]): void
  failed(error: unknown): void
  /** Resolves when what else waits has had its turn: a long job is done in slices. */
  nextTurn(): Promise<void>
  /** Of a job that nobody waits for: it leaves the processor and the disk to others. */
  readonly pacing: Pacing
}

/** Changes that become durable together. */
interface Group {
  tokens: number[]
  values: Map<string, Uint8Array | undefined>
  truncateAfter: bigint | undefined
  stage: StagedChunks | undefined
  checkpoint: StorageChange['checkpoint']
  /** Becomes the checkpoint before the commit: it comes from a leader, and nothing goes on without it. */
  install: CoreSnapshot | undefined
  purgeThrough: bigint | undefined
  append: LogRecord[]
  /** Called when the commit has ended, or will never begin. */
  ended: (() => void)[]
}

const emptyGroup = (): Group => ({
  tokens: [],
  values: new Map(),
  truncateAfter: undefined,
  stage: undefined,
  checkpoint: undefined,
  install: undefined,
  purgeThrough: undefined,
  append: [],
  ended: [],
})

export class Journal {
  readonly #storage: Storage
  readonly #handlers: JournalHandlers
  readonly #groups: Group[] = []
  #running: Promise<void> | undefined
  /** The turn in which the first change came has not ended. */
  #isGathering = false
  #failed = false
  /** While the store waits to be repaired: the values that it is to hold then. */
  #held: Map<string, Uint8Array | undefined> | undefined
  /** Counts what is encoded apart from the commits: an older one is dropped. */
  #encoding = 0
  #isCheckpointing = false
  /** Of the last checkpoint that was made, or is in the store; 0 before the first. */
  checkpointBytes = 0
  /** What it wrote so far. */
  readonly written: { commits: number; entries: number }

  /** `written`: before this one, which goes on counting. */
  constructor(
    storage: Storage,
    handlers: JournalHandlers,
    repairs = false,
    written: StoreWrites = { commits: 0, entries: 0 },
  ) {
    this.written = { ...written }
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
    if (this.#storage.durable) this.#take(group, change)
    else change.install?.state.release()
    this.#run()
  }

  #take(group: Group, change: PersistChange): void {
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

  /**
   * Persists a checkpoint of what is applied, and lets go of the log behind it. It is read, encoded and written in slices,
   * while other changes go on becoming durable, and counts with the last one. One that a snapshot of the leader overtakes,
   * or that is not done at the end, is dropped: false.
   */
  async checkpoint(snapshot: CoreSnapshot): Promise<boolean> {
    const encoding = this.#beginEncoding(true)
    const isWanted = (): boolean => this.#encoding === encoding
    const { zxid } = snapshot
    const { pacing } = this.#handlers
    const staging = new Staging(async (chunks, from) => {
      if (isWanted()) await pacing.attend(this.#commitStage({ zxid, from, chunks }))
    })
    const pause = (): Promise<void> => pacing.pause(snapshot.state.isAwaited)
    for await (const chunk of this.#chunks(snapshot, isWanted, pause)) await staging.add(chunk)
    await staging.end()
    if (!isWanted()) return false
    this.#isCheckpointing = false
    this.checkpointBytes = staging.bytes
    if (this.#failed) return false
    const group = this.#openGroup(false)
    group.checkpoint = { zxid, chunks: staging.chunks }
    group.purgeThrough = zxid
    this.#run()
    return true
  }

  /** What is being made of a state is not wanted any more; the checkpoint in force stays. */
  abandonCheckpoint(): void {
    if (this.#isCheckpointing) this.#beginEncoding(false)
  }

  /** With what else waits to be committed. */
  #commitStage(stage: StagedChunks): Promise<void> {
    if (this.#failed) return Promise.resolve()
    const group = this.#openGroup(false, true)
    group.stage = stage
    return new Promise((resolve) => {
      group.ended.push(resolve)
      this.#run()
    })
  }

  /** Whether the bytes of a checkpoint are being made: another one would only take its place. */
  get isCheckpointing(): boolean {
    return this.#isCheckpointing
  }

  #beginEncoding(isCheckpointing: boolean): number {
    this.#isCheckpointing = isCheckpointing
    this.#encoding += 1
    return this.#encoding
  }

  /** A snapshot's chunks; others get their turn after each. Ends early when it is not wanted. */
  async *#chunks(
    snapshot: CoreSnapshot,
    isWanted: () => boolean,
    yieldToOthers: () => Promise<void>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { state } = snapshot
    try {
      yield encodeSnapshotHead(snapshot)
      while (!state.isDone && isWanted()) {
        yield encodeRecords(state.take(sliceBytes))
        await yieldToOthers()
      }
    } finally {
      state.release()
    }
  }

  /** Writes nothing more, and reports nothing: what is under way ends by itself. */
  stop(): void {
    this.#failed = true
    this.#beginEncoding(false)
    for (const { install, ended } of this.#groups.splice(0)) {
      install?.state.release()
      for (const end of ended) end()
    }
  }

  /** Waits until nothing is under way any more. */
  async drain(): Promise<void> {
    this.#beginEncoding(false)
    this.begin()
    while (this.#running !== undefined) await this.#running
  }

  #install(group: Group, snapshot: CoreSnapshot): void {
    this.#beginEncoding(false)
    group.truncateAfter = 0n
    group.purgeThrough = undefined
    group.checkpoint = undefined
    group.stage = undefined
    group.install = snapshot
  }

  /**
   * In one change the store truncates before it appends, and stages before it changes over to what is staged: what cuts after
   * an append, or is staged of the next checkpoint, needs a change of its own.
   */
  #openGroup(cuts: boolean, stages = false): Group {
    const last = this.#groups.at(-1)
    if (last !== undefined) {
      const { install, append, checkpoint } = last
      const isInOrder = !(cuts && append.length > 0) && !(stages && checkpoint !== undefined)
      if (install === undefined && isInOrder) return last
    }
    const group = emptyGroup()
    this.#groups.push(group)
    return group
  }

  /** A turn's changes gather before the first of them is written. */
  #run(): void {
    if (this.#running !== undefined || this.#isGathering || this.#failed) return
    this.#isGathering = true
    queueMicrotask(() => this.begin())
  }

  /** What has gathered is written now: whatever else the turn has to do, the disk need not wait for it. */
  begin(): void {
    if (!this.#isGathering) return
    this.#isGathering = false
    if (this.#groups.length > 0) this.#running = this.#commitAll()
  }

  async #commitAll(): Promise<void> {
    try {
      for (;;) {
        const group = this.#groups.shift()
        if (group === undefined || !(await this.#commitGroup(group))) return
        await Promise.resolve()
      }
    } finally {
      // In the moment in which it was seen that nothing waits: whoever comes next runs it again.
      this.#running = undefined
    }
  }

  /** Returns whether there may be more. */
  async #commitGroup(group: Group): Promise<boolean> {
    try {
      if (group.install !== undefined) await this.#stageInstall(group, group.install)
      if (this.#failed) return false
      if (this.#held !== undefined) await this.#commitRepair(group, this.#held)
      else if (this.#storage.durable) await this.#storage.commit(group)
      if (this.#failed) return false
    } catch (error) {
      if (this.#failed) return false
      this.#failed = true
      this.#handlers.failed(error)
      return false
    } finally {
      for (const end of group.ended) end()
    }
    if (this.#storage.durable) this.#countCommit(group)
    this.#handlers.persisted(group.tokens)
    return true
  }

  #countCommit({ append }: Group): void {
    this.written.commits += 1
    for (const { first, last } of append) this.written.entries += Number(last - first) + 1
  }

  /** Nothing else is written meanwhile: all that follows is of the log behind the snapshot. */
  async #stageInstall(group: Group, install: CoreSnapshot): Promise<void> {
    const { zxid } = install
    const held: Uint8Array[] = []
    const staging = new Staging((chunks, from) => this.#storage.commit({ stage: { zxid, from, chunks } }))
    const isWanted = (): boolean => !this.#failed
    for await (const chunk of this.#chunks(install, isWanted, () => this.#handlers.nextTurn())) {
      // A store that is to be repaired stays as it is until the whole is here.
      if (this.#held !== undefined) held.push(chunk)
      else await staging.add(chunk)
    }
    await staging.end()
    this.checkpointBytes = staging.bytes + bytesOf(held)
    if (held.length > 0) group.stage = { zxid, from: 0, chunks: held }
    group.checkpoint = { zxid, chunks: staging.chunks + held.length }
  }

  async #commitRepair(group: Group, held: Map<string, Uint8Array | undefined>): Promise<void> {
    for (const [name, value] of group.values) held.set(name, value)
    if (isEmpty(group)) return
    await this.#storage.commit({ ...group, values: held, reset: true })
    this.#held = undefined
  }
}

/**
 * Chunks on their way to the store, beside the checkpoint in force: while some of them are committed, others gather. So a
 * commit takes one where commits are fast, and nobody waits long behind it; and many where everybody waits for it anyway.
 */
class Staging {
  readonly #commit: (chunks: readonly Uint8Array[], from: number) => Promise<void>
  #waiting: Uint8Array[] = []
  #committed: Promise<void> = Promise.resolve()
  #isCommitting = false
  /** So many were handed over to be committed. */
  chunks = 0
  bytes = 0

  constructor(commit: (chunks: readonly Uint8Array[], from: number) => Promise<void>) {
    this.#commit = commit
  }

  /** Rejects where a commit has failed. */
  async add(chunk: Uint8Array): Promise<void> {
    this.#waiting.push(chunk)
    this.bytes += chunk.length
    if (this.#isCommitting && this.#waiting.length < slicesPerCommitMax) return
    await this.#committed
    this.#begin()
  }

  /** All of them are committed. */
  async end(): Promise<void> {
    await this.#committed
    if (this.#waiting.length > 0) this.#begin()
    await this.#committed
  }

  #begin(): void {
    const from = this.chunks
    const chunks = this.#waiting
    this.chunks += chunks.length
    this.#waiting = []
    this.#isCommitting = true
    this.#committed = this.#commit(chunks, from).finally(() => {
      this.#isCommitting = false
    })
    // Whoever adds the next one is told.
    this.#committed.catch(() => {})
  }
}

function bytesOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}

function isEmpty({ stage, checkpoint, append }: Group): boolean {
  return stage === undefined && checkpoint === undefined && append.length === 0
}

function recordOf(batch: Batch): LogRecord {
  return { first: batch.first, last: lastOf(batch), bytes: encodeBatch(batch) }
}
