/** The bytes of what a store keeps beside the log: identity, epochs, belonging, and checkpoints. */
import type { SnapshotRecord } from '../core/tree/operation.ts'
import { presenceStates } from '../core/zab/message.ts'
import type { Belonging, Epochs, SnapshotHead } from '../core/zab/zab.ts'
import { decode, encode } from './cbor.ts'
import { loggedConfiguration, markOf, memberId, preparation, snapshotRecord, zxid } from './log.ts'
import { list, natural, oneOf, optional, ownedText, struct } from './schema.ts'

const countMax = 0x10_0000

const epochs = struct<Epochs>({ accepted: natural, acceptedFrom: optional(memberId), current: natural })
const belonging = struct<Belonging>({
  presence: oneOf(presenceStates),
  cluster: ownedText(128),
  since: natural,
  preparation: optional(preparation),
  founded: optional(preparation),
  founders: list(ownedText(1024), 1024),
})
const snapshotHead = struct<SnapshotHead>({
  zxid,
  configurations: list(loggedConfiguration, 16),
  marks: list(markOf, 1024),
})
const records = list(snapshotRecord, countMax)

export const encodeEpochs = (value: Epochs): Uint8Array => encode(epochs, value)
export const decodeEpochs = (bytes: Uint8Array): Epochs => decode(epochs, bytes)
export const encodeBelonging = (value: Belonging): Uint8Array => encode(belonging, value)
export const decodeBelonging = (bytes: Uint8Array): Belonging => decode(belonging, bytes)

/** A snapshot is kept in chunks: the head, then its records in pieces. */
export const encodeSnapshotHead = (value: SnapshotHead): Uint8Array => encode(snapshotHead, value)
export const encodeRecords = (value: readonly SnapshotRecord[]): Uint8Array => encode(records, value)
export const decodeSnapshotHead = (bytes: Uint8Array): SnapshotHead => decode(snapshotHead, bytes)
export const decodeRecords = (bytes: Uint8Array): readonly SnapshotRecord[] => decode(records, bytes)
