/**
 * A member's virtual disk: changes become durable one after the other, each as a whole and after a delay. What a crash
 * leaves is a prefix of the changes that left; a disk of a volatile member leaves nothing.
 */
import type { PeerStart } from '../../lib/core/peer.ts'
import { ReplicatedState } from '../../lib/core/tree/apply.ts'
import type { SnapshotRecord } from '../../lib/core/tree/operation.ts'
import { type Batch, lastOf } from '../../lib/core/zab/batch.ts'
import type { MemberRecord } from '../../lib/core/zab/configuration.ts'
import type { Belonging, Epochs, PersistChange, SnapshotHead } from '../../lib/core/zab/zab.ts'
import { type Zxid, zxidZero } from '../../lib/core/zab/zxid.ts'
import { Violation } from './invariants/invariant.ts'

/** A snapshot as it lies on the disk. */
export interface StoredSnapshot extends SnapshotHead {
  readonly records: readonly SnapshotRecord[]
}

/** A checkpoint of what is applied: the runtime's own business, not the core's. */
export interface DiskJob {
  readonly token: number | undefined
  readonly change: Omit<PersistChange, 'install'> & {
    readonly install?: StoredSnapshot | undefined
    readonly checkpoint?: StoredSnapshot | undefined
  }
}

/** What is durable. */
export class DiskImage {
  epochs: Epochs | undefined
  belonging: Belonging | undefined
  snapshot: StoredSnapshot | undefined
  /** What the store holds: the log behind the checkpoint. */
  batches: Batch[] = []
  readonly #ends = new Set<Zxid>()

  /** Another one with the same content: for a world that branches. */
  copy(): DiskImage {
    const copy = new DiskImage()
    copy.epochs = this.epochs
    copy.belonging = this.belonging
    copy.snapshot = this.snapshot
    copy.batches = [...this.batches]
    for (const end of this.#ends) copy.#ends.add(end)
    return copy
  }

  get lastZxid(): Zxid {
    const last = this.batches.at(-1)
    return last === undefined ? (this.snapshot?.zxid ?? zxidZero) : lastOf(last)
  }

  holds(zxid: Zxid): boolean {
    return zxid <= (this.snapshot?.zxid ?? zxidZero) || this.#ends.has(zxid)
  }

  apply({ change }: DiskJob): void {
    const { truncateAfter, install, append, checkpoint } = change
    if (truncateAfter !== undefined) {
      if (truncateAfter < (this.snapshot?.zxid ?? zxidZero)) {
        throw new Violation('CommittedLogDurability', 'the log is cut below the checkpoint')
      }
      this.#keep((end) => end <= truncateAfter)
      if (this.lastZxid !== truncateAfter) throw new Violation('Disk', 'the log is cut where no batch ends')
    }
    if (install !== undefined) {
      this.snapshot = install
      this.#keep(() => false)
    }
    if (append !== undefined) {
      if (append.previous !== this.lastZxid) throw new Violation('Disk', 'a hole in the log')
      this.batches.push(append)
      this.#ends.add(lastOf(append))
    }
    if (checkpoint !== undefined && checkpoint.zxid > (this.snapshot?.zxid ?? zxidZero)) {
      this.snapshot = checkpoint
      this.#keep((end) => end > checkpoint.zxid)
    }
    if (change.epochs !== undefined) this.epochs = change.epochs
    if (change.belonging !== undefined) this.belonging = change.belonging
  }

  #keep(isKept: (end: Zxid) => boolean): void {
    this.batches = this.batches.filter((batch) => isKept(lastOf(batch)))
    for (const end of this.#ends) if (!isKept(end)) this.#ends.delete(end)
  }

  startOf(self: MemberRecord): PeerStart {
    return {
      self,
      epochs: this.epochs,
      belonging: this.belonging,
      configurations: this.snapshot?.configurations,
      marks: this.snapshot?.marks,
      state: this.snapshot === undefined ? undefined : ReplicatedState.fromSnapshot(this.snapshot.records),
      batches: [...this.batches],
    }
  }
}

export class Disk {
  image: DiskImage = new DiskImage()
  /** Called instead of the completion of the next commit. */
  failNext: (() => void) | undefined
  readonly #queue: DiskJob[] = []
  #isBusy = false

  /** How many changes have left and are not durable. */
  get backlog(): number {
    return this.#queue.length
  }

  /** Takes a change in. `later` runs an action after this disk's delay, unless the member crashed meanwhile. */
  write(job: DiskJob, later: (action: () => void) => void, done: (job: DiskJob) => void): void {
    this.#queue.push(job)
    if (!this.#isBusy) this.#run(later, done)
  }

  /** All that waits is written together, as the journal does. */
  #run(later: (action: () => void) => void, done: (job: DiskJob) => void): void {
    this.#isBusy = true
    const count = this.#queue.length
    later(() => {
      const { failNext } = this
      this.failNext = undefined
      if (failNext !== undefined) {
        failNext()
        return
      }
      const jobs = this.#queue.splice(0, count)
      for (const job of jobs) this.image.apply(job)
      this.#isBusy = false
      if (this.#queue.length > 0) this.#run(later, done)
      for (const job of jobs) done(job)
    })
  }

  /** The power fails: of what was on its way, the first `kept` changes made it. */
  crash(kept: number): void {
    this.failNext = undefined
    for (const job of this.#queue.splice(0, this.#queue.length).slice(0, kept)) this.image.apply(job)
    this.#isBusy = false
  }

  wipe(): void {
    this.#queue.length = 0
    this.#isBusy = false
    this.image = new DiskImage()
  }
}
