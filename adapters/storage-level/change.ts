/**
 * Turns one change into the operations of one batch, and brings the ledger up to date on the way. The effects come in
 * the order of the operations: of two that concern one key, a database lets the later one win. Every body is copied into
 * its frame here, so that a store which keeps references (MemoryLevel does) shares no bytes with its caller.
 *
 * The ledger is ahead of the store until the batch is written; when that fails, the store is not used any more, so
 * nothing is ever rolled back.
 */
import { assert } from '../../lib/errors.ts'
import type { LogRecord, StagedChunks, StorageChange } from '../../lib/ports/index.ts'
import { encodeFrame, type FrameHeader } from './frame.ts'
import { chunkKey, hex, logKey, manifestKey, sealKey, valueKey } from './layout.ts'
import { encodeGeneration, encodeSeal, headOf, type Ledger, type LedgerRecord } from './ledger.ts'

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }

export function stageChange(ledger: Ledger, change: StorageChange): Operation[] {
  ledger.commits += 1n
  return [
    ...stageValues(ledger, change.values),
    ...stageTruncation(ledger, change.truncateAfter),
    ...stageChunks(ledger, change.stage),
    ...stageCheckpoint(ledger, change.checkpoint),
    ...stagePurge(ledger, change.purgeThrough),
    ...stageRecords(ledger, change.append),
    put(sealKey, encodeSeal(ledger).bytes),
  ]
}

const put = (key: string, value: Uint8Array): Operation => ({ type: 'put', key, value })
const del = (key: string): Operation => ({ type: 'del', key })

function* stageValues(ledger: Ledger, values: StorageChange['values']): Iterable<Operation> {
  for (const [name, value] of values ?? []) {
    const key = valueKey(name)
    if (value === undefined) {
      ledger.values.delete(name)
      yield del(key)
    } else {
      const frame = encodeFrame(key, { kind: 'value', first: 0n, last: 0n, link: 0 }, value)
      ledger.values.set(name, frame.crc)
      yield put(key, frame.bytes)
    }
  }
}

function stageTruncation(ledger: Ledger, after: bigint | undefined): Operation[] {
  if (after === undefined) return []
  const from = firstAbove(ledger.records, after)
  return ledger.records.splice(from).map((record) => del(logKey(record.last)))
}

function stagePurge(ledger: Ledger, through: bigint | undefined): Operation[] {
  if (through === undefined) return []
  const purged = ledger.records.splice(0, firstAbove(ledger.records, through))
  ledger.base = purged.at(-1)?.crc ?? ledger.base
  return purged.map((record) => del(logKey(record.last)))
}

function firstAbove(records: readonly LedgerRecord[], zxid: bigint): number {
  const index = records.findIndex((record) => record.last > zxid)
  return index === -1 ? records.length : index
}

function* stageChunks(ledger: Ledger, stage: StagedChunks | undefined): Iterable<Operation> {
  if (stage === undefined) return
  const { zxid, from, chunks } = stage
  if (from === 0) ledger.staged = { zxid, count: 0, link: 0 }
  const { staged } = ledger
  assert(staged?.zxid === zxid && staged.count === from, `chunk ${from} does not follow what is staged`)
  for (const chunk of chunks) {
    const key = chunkKey(ledger.generation + 1, staged.count)
    const header: FrameHeader = { kind: 'chunk', first: zxid, last: BigInt(staged.count), link: staged.link }
    const frame = encodeFrame(key, header, chunk)
    staged.link = frame.crc
    staged.count += 1
    yield put(key, frame.bytes)
  }
  ledger.extent = Math.max(ledger.extent, staged.count)
}

function* stageCheckpoint(ledger: Ledger, checkpoint: StorageChange['checkpoint']): Iterable<Operation> {
  if (checkpoint === undefined) return
  const { zxid, chunks } = checkpoint
  const { staged } = ledger
  assert(staged?.zxid === zxid && staged.count === chunks, `the checkpoint at ${hex(zxid)} is not what is staged`)
  yield* removeChunks(ledger.generation, 0, ledger.chunks)
  ledger.generation += 1
  ledger.chunks = chunks
  yield* removeChunks(ledger.generation, chunks, ledger.extent)
  ledger.extent = 0
  const header: FrameHeader = { kind: 'manifest', first: zxid, last: BigInt(chunks), link: staged.link }
  const manifest = encodeFrame(manifestKey, header, encodeGeneration(ledger.generation))
  ledger.manifest = manifest.crc
  ledger.staged = undefined
  yield put(manifestKey, manifest.bytes)
}

function* removeChunks(generation: number, from: number, to: number): Iterable<Operation> {
  for (let index = from; index < to; index += 1) yield del(chunkKey(generation, index))
}

function* stageRecords(ledger: Ledger, records: readonly LogRecord[] = []): Iterable<Operation> {
  for (const { first, last, bytes } of records) {
    const newest = ledger.records.at(-1)?.last
    assert(first <= last, `a record ends before it begins: ${hex(first)} to ${hex(last)}`)
    assert(newest === undefined || newest < first, `a record from ${hex(first)} on does not follow the log`)
    const key = logKey(last)
    const frame = encodeFrame(key, { kind: 'record', first, last, link: headOf(ledger) }, bytes)
    ledger.records.push({ last, crc: frame.crc })
    yield put(key, frame.bytes)
  }
}
