/** The bytes of what is in a snapshot file (runtime/snapshot-file.ts says how it is put together). */
import type { SnapshotRecord } from '../core/tree/operation.ts'
import type { Zxid } from '../core/zab/zxid.ts'
import { decode, encode } from './cbor.ts'
import { snapshotRecord, zxid } from './log.ts'
import { copied, list, natural, struct, text } from './schema.ts'

/** What comes first. */
export interface SnapshotFileHead {
  /** The ensemble whose tree this is. */
  readonly cluster: string
  readonly zxid: Zxid
  /** When it was taken, wall clock of the member. */
  readonly wallMs: number
  /** How many records follow. */
  readonly records: number
}

/** What comes last: without it a file is cut short. */
export interface SnapshotFileTail {
  readonly chunks: number
  /** SHA-256 of everything before the tail. */
  readonly digest: Uint8Array
}

const head = struct<SnapshotFileHead>({ cluster: text(128), zxid, wallMs: natural, records: natural })
const tail = struct<SnapshotFileTail>({ chunks: natural, digest: copied(32) })
const chunk = list(snapshotRecord, 0x1_0000)

export const encodeFileHead = (value: SnapshotFileHead): Uint8Array => encode(head, value)
export const decodeFileHead = (bytes: Uint8Array): SnapshotFileHead => decode(head, bytes)
export const encodeFileTail = (value: SnapshotFileTail): Uint8Array => encode(tail, value)
export const decodeFileTail = (bytes: Uint8Array): SnapshotFileTail => decode(tail, bytes)
export const encodeFileChunk = (value: readonly SnapshotRecord[]): Uint8Array => encode(chunk, value)
export const decodeFileChunk = (bytes: Uint8Array): readonly SnapshotRecord[] => decode(chunk, bytes)
