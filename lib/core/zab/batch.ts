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

/** Requests that travel together, from the member where they were made into a batch of the leader. */
export interface Parcel {
  readonly requests: readonly LogRequest[]
  /** Their bytes, where they came from another member: the batch that they become part of takes these over. */
  readonly encoded?: Uint8Array | undefined
}

/** The bytes of a batch, from which its requests can be read again. */
export interface EncodedBatch {
  readonly bytes: Uint8Array
  readRequests(): readonly LogRequest[]
  /** The same batch where a copy of its bytes is. */
  at(copy: Uint8Array): EncodedBatch
}

/** An entry that changes the configuration. */
export interface Reconfiguration {
  readonly zxid: Zxid
  readonly configuration: Configuration
}

const noReconfigurations: readonly Reconfiguration[] = []

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
  /** The requests as they came to the leader, where some came as bytes; until the batch is encoded. */
  parcels?: readonly Parcel[] | undefined
  /** Once somebody has made or received the bytes of this batch: encoded once, sent and stored many times. */
  encoded?: EncodedBatch | undefined
}

/**
 * A batch that waits, to be applied or to be sent to somebody who lacks it: its bytes are all that is needed of it.
 * Thousands of requests as objects, each just old enough to be moved by the garbage collector, cost more than everything
 * else that is done with them.
 */
export class PackedBatch implements Batch {
  readonly first: Zxid
  readonly previous: Zxid
  readonly timeMs: number
  readonly clockMs: number
  readonly settled: Zxid
  readonly acknowledged: readonly Zxid[] | undefined
  readonly encoded: EncodedBatch
  readonly count: number
  readonly reconfigurations: readonly Reconfiguration[]

  constructor(batch: Batch, encoded: EncodedBatch) {
    this.first = batch.first
    this.previous = batch.previous
    this.timeMs = batch.timeMs
    this.clockMs = batch.clockMs
    this.settled = batch.settled
    this.acknowledged = batch.acknowledged
    this.encoded = encoded
    this.count = countOf(batch)
    this.reconfigurations = reconfigurationsIn(batch)
  }

  /** Read again each time. */
  get requests(): readonly LogRequest[] {
    return this.encoded.readRequests()
  }
}

/** A batch as its bytes alone, where there are any. */
export function packed(batch: Batch): Batch {
  return batch.encoded === undefined || batch instanceof PackedBatch ? batch : new PackedBatch(batch, batch.encoded)
}

/** The entries of a batch that change the configuration. */
export function reconfigurationsIn(batch: Batch): readonly Reconfiguration[] {
  if (batch instanceof PackedBatch) return batch.reconfigurations
  let found: Reconfiguration[] | undefined
  batch.requests.forEach((request, index) => {
    if (request.type !== 'reconfigure') return
    found ??= []
    found.push({ zxid: zxidPlus(batch.first, index), configuration: request.configuration })
  })
  return found ?? noReconfigurations
}

/** How many entries a batch is. */
export function countOf(batch: Batch): number {
  return batch instanceof PackedBatch ? batch.count : batch.requests.length
}

export function lastOf(batch: Batch): Zxid {
  return zxidPlus(batch.first, countOf(batch) - 1)
}

/** What a batch may hold, of small requests: it is delivered in one go, which must not take long. */
export const batchEntriesMax = 1000

/** The same requests in parcels of about so many bytes: each fits a frame and a batch. */
export function parcelsOf(requests: readonly LogRequest[], bytesMax: number): Parcel[] {
  const parcels: Parcel[] = []
  let start = 0
  let bytes = 0
  requests.forEach((request, index) => {
    if (bytes >= bytesMax || index - start >= batchEntriesMax) {
      parcels.push({ requests: requests.slice(start, index) })
      start = index
      bytes = 0
    }
    bytes += weightOfRequest(request)
  })
  if (start < requests.length) parcels.push({ requests: start === 0 ? requests : requests.slice(start) })
  return parcels
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

export function weightOfParcel({ encoded, requests }: Parcel): number {
  return encoded?.length ?? requests.reduce((sum, request) => sum + weightOfRequest(request), 0)
}

export function weightOf(batch: Batch): number {
  return batch.encoded?.bytes.length ?? weightPerRequest + weightOfParcel({ requests: batch.requests })
}
