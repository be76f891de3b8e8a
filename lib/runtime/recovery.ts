/**
 * What the core starts from, out of what the store held: decoded and built in slices, so that the application's event
 * loop goes on while a large store is read back. What makes no sense together is COORD_STORE_DAMAGED.
 */
import type { PeerStart } from '../core/peer.ts'
import { ReplicatedState } from '../core/tree/apply.ts'
import { Restoration } from '../core/tree/restoration.ts'
import { type Batch, countOf, lastOf, packed } from '../core/zab/batch.ts'
import type { StoredState } from '../ports/storage.ts'
import { decodeBatch } from '../wire/log.ts'
import { decodeBelonging, decodeEpochs, decodeRecords, decodeSnapshotHead } from '../wire/stored.ts'

/** So many entries of the log are decoded in one go, and the record in which the last of them is. */
const entriesAtOnce = 1000

export interface RecoveryHandlers {
  /** Resolves when what else waits has had its turn. */
  nextTurn(): Promise<void>
  /** Chunks of the checkpoint and records of the log: how many of how many. */
  progress(done: number, total: number): void
}

export async function recoverStart(
  { values, checkpoint, records }: StoredState,
  handlers: RecoveryHandlers,
): Promise<Omit<PeerStart, 'self'>> {
  const [headBytes, ...chunks] = checkpoint?.chunks ?? []
  const total = chunks.length + records.length
  const head = headBytes === undefined ? undefined : decodeSnapshotHead(headBytes)
  const restoration = new Restoration()
  let done = 0
  for (const chunk of chunks) {
    for (const record of decodeRecords(chunk)) restoration.add(record)
    done += 1
    handlers.progress(done, total)
    await handlers.nextTurn()
  }
  const batches: Batch[] = []
  let entries = 0
  for (const { bytes } of records) {
    const batch = decodeBatch(bytes)
    // Decoded to see that it can be; whoever applies it decodes it again.
    if (lastOf(batch) > (head?.zxid ?? 0n)) batches.push(packed(batch))
    done += 1
    entries += countOf(batch)
    if (entries < entriesAtOnce && done < total) continue
    entries = 0
    handlers.progress(done, total)
    await handlers.nextTurn()
  }
  const epochs = values.get('epochs')
  const belonging = values.get('belonging')
  return {
    epochs: epochs === undefined ? undefined : decodeEpochs(epochs),
    belonging: belonging === undefined ? undefined : decodeBelonging(belonging),
    configurations: head?.configurations,
    marks: head?.marks,
    state: head === undefined ? undefined : new ReplicatedState(restoration.finish()),
    batches,
  }
}
