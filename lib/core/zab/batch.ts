/**
 * A batch: the unit of the log, of a proposal frame and of a synced write (design D4). Its requests have consecutive
 * zxids of one epoch. A batch is never changed and never split: members that hold its last zxid hold all of it, so log
 * ends are always batch ends.
 */
import type { MultiOperation, Operation, TreeRequest } from '../tree/operation.ts'
import type { Configuration } from './configuration.ts'
import { type Zxid, zxidPlus } from './zxid.ts'

/** Changes the configuration (configuration.ts). Proposed by leaders alone. */
export interface ReconfigureRequest {
  readonly type: 'reconfigure'
  readonly configuration: Configuration
}

/** An entry that does nothing: a leader's first one of its own epoch, and the carrier of a header. */
export interface NoopRequest {
  readonly type: 'noop'
}

export type LogRequest = TreeRequest | ReconfigureRequest | NoopRequest

export interface Batch {
  /** The zxid of the first request. */
  readonly first: Zxid
  /** The last zxid of the batch before: the log is contiguous or it is refused. */
  readonly previous: Zxid
  /** The leader's wall clock, milliseconds since 1970. */
  readonly timeMs: number
  /** The log clock, milliseconds (design D2). */
  readonly clockMs: number
  /** The last configuration entry that both its quorums have acknowledged (design D8). */
  readonly settled: Zxid
  readonly requests: readonly LogRequest[]
  /** Through which zxid each voter of the configuration before this batch had acknowledged the log, as the leader knew (marks.ts). */
  readonly acknowledged?: readonly Zxid[] | undefined
  /** The bytes of this batch, once somebody has made or received them: encoded once, sent and stored many times. */
  encoded?: Uint8Array | undefined
}

export function lastOf(batch: Batch): Zxid {
  return zxidPlus(batch.first, batch.requests.length - 1)
}

const weightPerRequest = 64

/** About how many bytes a request takes: for limits, not exact. */
export function weightOfRequest(request: LogRequest): number {
  if (request.type !== 'write') return weightPerRequest * 4
  const operation = request.operation
  if (operation.type === 'multi') {
    return operation.operations.reduce((sum, sub) => sum + weightOfOperation(sub), weightPerRequest)
  }
  return weightPerRequest + weightOfOperation(operation)
}

function weightOfOperation(operation: Exclude<Operation, MultiOperation>): number {
  if (operation.type === 'closeSession') return weightPerRequest
  const data = 'data' in operation ? (operation.data?.length ?? 0) : 0
  return weightPerRequest + operation.path.length + data
}

export function weightOf(batch: Batch): number {
  if (batch.encoded !== undefined) return batch.encoded.length
  return batch.requests.reduce((sum, request) => sum + weightOfRequest(request), weightPerRequest)
}
