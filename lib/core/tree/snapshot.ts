/**
 * What the parts of a snapshot have in common: its version, and the check that a record makes sense. Whoever restores
 * a snapshot may have it from a disk or a peer, so nonsense in it is a damaged store, not a bug of ours.
 */
import { CoordError } from '../../errors.ts'
import type { SnapshotRecord } from './operation.ts'

/** The version in a snapshot's header. */
export const snapshotVersion = 1

/** About how many bytes a record takes: a piece of a snapshot is cut by that. */
export function weightOfRecord(record: SnapshotRecord): number {
  return record.kind === 'node' ? 64 + record.path.length + record.packed.length + (record.longData?.length ?? 0) : 128
}

export function requireIntact(condition: unknown, what: string | (() => string)): asserts condition {
  if (condition) return
  throw new CoordError('COORD_STORE_DAMAGED', `damaged snapshot: ${typeof what === 'string' ? what : what()}`)
}
