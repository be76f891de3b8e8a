/** The bytes of what a store keeps beside the log: identity, epochs, belonging, and checkpoints. */
import type { SnapshotRecord } from '../core/tree/operation.ts'
import { presenceStates } from '../core/zab/message.ts'
import type { Belonging, CoreSnapshot, Epochs } from '../core/zab/zab.ts'
import { decode, encode } from './cbor.ts'
import { loggedConfiguration, markOf, memberId, preparation, snapshotRecord, zxid } from './log.ts'
import { list, natural, oneOf, optional, struct, text } from './schema.ts'

const countMax = 0x10_0000

const epochs = struct<Epochs>({ accepted: natural, acceptedFrom: optional(memberId), current: natural })
const belonging = struct<Belonging>({
  presence: oneOf(presenceStates),
  cluster: text(128),
  since: natural,
  preparation: optional(preparation),
  founded: optional(preparation),
  founders: list(text(1024), 1024),
})
const snapshotHead = struct<Omit<CoreSnapshot, 'records'>>({
  zxid,
  configurations: list(loggedConfiguration, 16),
  marks: list(markOf, 1024),
})
const records = list(snapshotRecord, countMax)

export const encodeEpochs = (value: Epochs): Uint8Array => encode(epochs, value)
export const decodeEpochs = (bytes: Uint8Array): Epochs => decode(epochs, bytes)
export const encodeBelonging = (value: Belonging): Uint8Array => encode(belonging, value)
export const decodeBelonging = (bytes: Uint8Array): Belonging => decode(belonging, bytes)

/** A snapshot as chunks, made one by one: the head, then its records in pieces of about `chunkRecords`. */
export function* snapshotChunks(snapshot: CoreSnapshot, chunkRecords = 512): Generator<Uint8Array, void, undefined> {
  yield encode(snapshotHead, snapshot)
  for (let start = 0; start < snapshot.records.length; start += chunkRecords) {
    yield encode(records, snapshot.records.slice(start, start + chunkRecords))
  }
}

export const encodeSnapshot = (snapshot: CoreSnapshot): Uint8Array[] => [...snapshotChunks(snapshot)]

export function decodeSnapshot(chunks: readonly Uint8Array[]): CoreSnapshot {
  const [first, ...rest] = chunks
  const head = decode(snapshotHead, first ?? new Uint8Array())
  const all: SnapshotRecord[] = []
  for (const chunk of rest) for (const record of decode(records, chunk)) all.push(record)
  return { ...head, records: all }
}
