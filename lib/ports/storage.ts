/**
 * Where a member keeps what it must not forget: who it is, the epochs it promised, its log and one checkpoint. The
 * adapter knows no protocol: records and values are opaque bytes with a zxid range.
 *
 * Contract ("durable when it says persisted" is stated here, once):
 * - `commit` applies one change atomically. Changes take effect in the order of the calls; the caller makes the next
 *   call only after the one before has settled. When it resolves, the change survives what the store promises to
 *   survive: a crash of host and process where `durable` is true (fsync done), nothing where it is false.
 * - A rejected `commit` is *unknown*: it may or may not have happened. Nothing is written after it, until `open` has
 *   told what is there: after a failure, and only then, it may be called again.
 * - `open` reads everything back and proves it: a record that is damaged, missing or out of order is reported as
 *   `CoordError` COORD_STORE_DAMAGED, never skipped. A torn last change (its commit never resolved) is cut silently.
 *   A store that another process uses: COORD_STORE_LOCKED.
 * - A damaged store takes one change, with `reset`: it makes the store whole again, with what that change says.
 * - Bytes handed over are not changed by the caller afterwards; bytes handed out belong to the caller.
 */
export interface LogRecord {
  /** First and last zxid that the record covers. */
  readonly first: bigint
  readonly last: bigint
  readonly bytes: Uint8Array
}

export interface Checkpoint {
  /** Everything up to this zxid is in it. */
  readonly zxid: bigint
  readonly chunks: readonly Uint8Array[]
}

/** Chunks of a checkpoint that is being made, in order. `from` 0 drops what was staged before. */
export interface StagedChunks {
  readonly zxid: bigint
  readonly from: number
  readonly chunks: readonly Uint8Array[]
}

export interface StorageChange {
  /** Before everything else: drops all that the store holds, sound or not. */
  readonly reset?: boolean | undefined
  /** Small named values: identity, epochs, founding. `undefined` removes one. */
  readonly values?: ReadonlyMap<string, Uint8Array | undefined> | undefined
  /** Drop every record whose `last` is above this zxid. Before `append` in effect. */
  readonly truncateAfter?: bigint | undefined
  /** A part of the next checkpoint, which counts for nothing until `checkpoint` names it. */
  readonly stage?: StagedChunks | undefined
  /** What was staged for it, in this change too, replaces the checkpoint before it. */
  readonly checkpoint?: { readonly zxid: bigint; readonly chunks: number } | undefined
  /** Drop every record whose `last` is at or below this zxid. */
  readonly purgeThrough?: bigint | undefined
  readonly append?: readonly LogRecord[] | undefined
}

export interface StoredState {
  readonly values: ReadonlyMap<string, Uint8Array>
  readonly checkpoint: Checkpoint | undefined
  /** Contiguous, ascending. */
  readonly records: readonly LogRecord[]
}

export interface Storage {
  /** Whether what was committed survives the process. */
  readonly durable: boolean
  open(): Promise<StoredState>
  commit(change: StorageChange): Promise<void>
  /** Idempotent; waits for a commit under way. */
  close(): Promise<void>
}
