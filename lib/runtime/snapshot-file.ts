/**
 * Snapshot files: the tree at one zxid, as a backup. Written in slices to a file beside, synced, and renamed, so that
 * under its name there is a whole file or none. Integers are big-endian.
 *
 *     0  "ECSNAP\r\n"   8  u16 format   10  u16 zero   12  u32 CRC of bytes 0-11
 *     16 parts: head, chunks of records, tail; each  u32 length · u32 CRC of the CRC before, the length and the body · body
 *
 * The CRCs are a chain, so that a part that is damaged, missing, repeated or out of order shows; the SHA-256 in the tail
 * is over everything before it. Whoever reads trusts no length, and restores the records as it goes: a file is sound only
 * if they make a tree.
 */
import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { FrozenState } from '../core/tree/frozen-state.ts'
import { historyOrigin } from '../core/tree/history-digest.ts'
import type { SnapshotRecord } from '../core/tree/operation.ts'
import { unpackFields } from '../core/tree/packed-node.ts'
import { Restoration as TreeRestoration } from '../core/tree/restoration.ts'
import type { Restoration } from '../core/zab/zab.ts'
import type { Zxid } from '../core/zab/zxid.ts'
import { CoordError } from '../errors.ts'
import {
  decodeFileChunk,
  decodeFileHead,
  decodeFileTail,
  encodeFileChunk,
  encodeFileHead,
  encodeFileTail,
  type SnapshotFileHead,
} from '../wire/snapshot-file.ts'

/** What is known of a snapshot file that was written or verified. */
export interface SnapshotInfo {
  /** The ensemble whose tree it is. */
  readonly clusterId: string
  /** The tree is that after this entry of the log. */
  readonly zxid: bigint
  /** When it was taken, by the clock of the member that took it: milliseconds since 1970. */
  readonly takenAt: number
  readonly nodes: number
  /** Of the file. */
  readonly bytes: number
  /** SHA-256 of what is in it, hexadecimal. */
  readonly digest: string
}

/** How far the writing or reading of a snapshot file is. */
export interface SnapshotProgress {
  /** Sessions and nodes so far, and how many there are. */
  readonly records: number
  readonly totalRecords: number
  /** Of the file, so far. */
  readonly bytes: number
}

export interface SnapshotFileOptions {
  readonly signal?: AbortSignal | undefined
  /** Called after each slice. */
  readonly onProgress?: ((progress: SnapshotProgress) => void) | undefined
}

/** A tree to write: it is read in slices while it is written, and released at the end, whatever that is. */
export interface SnapshotSource {
  readonly cluster: string
  readonly wallMs: number
  readonly state: FrozenState
  /** Whether it still is not known to be another one than the other members have. */
  readonly isSound: () => boolean
}

const magic = 'ECSNAP\r\n'
const format = 1
const preambleBytes = 16
const partHeadBytes = 8
/** A slice: small enough for a few milliseconds of encoding. */
const chunkBytesAim = 64 * 1024
/** No part that we write comes near. */
const partBytesMax = 64 * 1024 * 1024

/** Writes a file, whole or not at all. Rejects with COORD_SNAPSHOT_FAILED, or with the reason of the signal. */
export async function writeSnapshotFile(
  file: string,
  source: SnapshotSource,
  { signal, onProgress }: SnapshotFileOptions = {},
): Promise<SnapshotInfo> {
  attempts += 1
  const beside = join(dirname(file), `.${basename(file)}.${process.pid}-${attempts}.part`)
  let handle: FileHandle | undefined
  try {
    handle = await open(beside, 'wx')
    const info = await writeParts(new PartWriter(handle), source, signal, onProgress)
    await handle.sync()
    await handle.close()
    handle = undefined
    signal?.throwIfAborted()
    await rename(beside, file)
    await syncDirectory(dirname(file))
    return info
  } catch (error) {
    await handle?.close().catch(() => {})
    await rm(beside, { force: true }).catch(() => {})
    throw asFailure(error, `the snapshot could not be written to ${file}`, signal)
  } finally {
    source.state.release()
  }
}

/** In this process: two at a time do not meet. */
let attempts = 0

async function writeParts(
  out: PartWriter,
  { cluster, wallMs, state, isSound }: SnapshotSource,
  signal: AbortSignal | undefined,
  onProgress: SnapshotFileOptions['onProgress'],
): Promise<SnapshotInfo> {
  const { zxid, total } = state
  await out.begin()
  await out.part(encodeFileHead({ cluster, zxid, wallMs, records: total }))
  let nodes = 0
  let chunks = 0
  signal?.throwIfAborted()
  while (!state.isDone) {
    const slice = state.take(chunkBytesAim)
    for (const { kind } of slice) if (kind === 'node') nodes += 1
    await out.part(encodeFileChunk(slice))
    chunks += 1
    signal?.throwIfAborted()
    onProgress?.({ records: state.records, totalRecords: total, bytes: out.bytes })
  }
  if (!isSound()) throw new Error('the state of this member turned out not to be that of the others')
  const digest = out.digest()
  await out.part(encodeFileTail({ chunks, digest }))
  return { clusterId: cluster, zxid, takenAt: wallMs, nodes, bytes: out.bytes, digest: hex(digest) }
}

class PartWriter {
  readonly #handle: FileHandle
  readonly #hash: Hash = createHash('sha256')
  #crc = 0
  bytes = 0

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async begin(): Promise<void> {
    const preamble = Buffer.alloc(preambleBytes)
    preamble.write(magic, 'latin1')
    preamble.writeUInt16BE(format, 8)
    this.#crc = crc32(preamble.subarray(0, 12))
    preamble.writeUInt32BE(this.#crc, 12)
    await this.#write(preamble)
  }

  async part(body: Uint8Array): Promise<void> {
    const head = Buffer.alloc(partHeadBytes)
    head.writeUInt32BE(body.length, 0)
    this.#crc = crcOf(this.#crc, head.subarray(0, 4), body)
    head.writeUInt32BE(this.#crc, 4)
    await this.#write(Buffer.concat([head, body]))
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest())
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#hash.update(bytes)
    this.bytes += bytes.length
    for (let start = 0; start < bytes.length; ) {
      start += (await this.#handle.write(bytes, start)).bytesWritten
    }
  }
}

/** A rename is durable only with its directory. Where a directory cannot be opened (Windows), there is nothing to do. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined)
  try {
    await handle?.sync().catch(() => {})
  } finally {
    await handle?.close()
  }
}

/**
 * Reads a whole file and proves it. Rejects with COORD_SNAPSHOT_DAMAGED, COORD_SNAPSHOT_UNKNOWN (a later format),
 * COORD_SNAPSHOT_FAILED (it cannot be read), or with the reason of the signal.
 */
export async function verifySnapshotFile(file: string, options: SnapshotFileOptions = {}): Promise<SnapshotInfo> {
  return readSnapshotFile(file, options, () => {})
}

/** What an ensemble can be founded with: without the sessions of before, and without the nodes that they owned. */
export async function readRestoration(file: string, options: SnapshotFileOptions = {}): Promise<Restoration> {
  const records: SnapshotRecord[] = []
  const { digest, zxid } = await readSnapshotFile(file, options, (record) => {
    if (record.kind === 'header') records.push({ ...record, history: record.history ?? historyOrigin })
    else if (record.kind === 'node' && unpackFields(record.packed).mode !== 'ephemeral') records.push(record)
  })
  return { id: digest.slice(0, 16), zxid: zxid as Zxid, records }
}

async function readSnapshotFile(
  file: string,
  { signal, onProgress }: SnapshotFileOptions,
  onRecord: (record: SnapshotRecord) => void,
): Promise<SnapshotInfo> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, 'r')
    return await readParts(new PartReader(handle), signal, onProgress, onRecord)
  } catch (error) {
    throw asFailure(error, `the snapshot ${file} could not be read`, signal)
  } finally {
    await handle?.close()
  }
}

async function readParts(
  source: PartReader,
  signal: AbortSignal | undefined,
  onProgress: SnapshotFileOptions['onProgress'],
  onRecord: (record: SnapshotRecord) => void,
): Promise<SnapshotInfo> {
  await source.begin()
  const head = reading('its head', await source.part(), decodeFileHead)
  const tree = new TreeRestoration()
  let read = 0
  let nodes = 0
  let chunks = 0
  while (read < head.records) {
    signal?.throwIfAborted()
    for (const record of reading(`chunk ${chunks}`, await source.part(), decodeFileChunk)) {
      if (record.kind === 'header') requireSame(record.zxid === head.zxid, 'its zxid')
      reading('its tree', record, (one) => tree.add(one))
      onRecord(record)
      read += 1
      if (record.kind === 'node') nodes += 1
    }
    chunks += 1
    onProgress?.({ records: read, totalRecords: head.records, bytes: source.bytes })
  }
  const digest = source.digest()
  const tail = reading('its tail', await source.part(), decodeFileTail)
  requireSame(read === head.records && tail.chunks === chunks, 'the number of its records')
  requireSame(Buffer.compare(tail.digest, digest) === 0, 'its digest')
  await source.end()
  reading('its tree', undefined, () => tree.finish())
  return infoOf(head, nodes, source.bytes, digest)
}

function infoOf(head: SnapshotFileHead, nodes: number, bytes: number, digest: Uint8Array): SnapshotInfo {
  return { clusterId: head.cluster, zxid: head.zxid, takenAt: head.wallMs, nodes, bytes, digest: hex(digest) }
}

class PartReader {
  readonly #handle: FileHandle
  readonly #hash: Hash = createHash('sha256')
  #crc = 0
  bytes = 0

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async begin(): Promise<void> {
    const preamble = await this.#read(preambleBytes, 'its beginning')
    requireSame(preamble.toString('latin1', 0, 8) === magic, 'it is none')
    this.#crc = crc32(preamble.subarray(0, 12))
    requireSame(this.#crc === preamble.readUInt32BE(12), 'its beginning')
    const found = preamble.readUInt16BE(8)
    // The same in every format: so this is a sound file of another release.
    if (found === format) return
    throw new CoordError('COORD_SNAPSHOT_UNKNOWN', `the snapshot has format ${found}, this release reads ${format}`)
  }

  async part(): Promise<Buffer> {
    const head = await this.#read(partHeadBytes, 'the head of a part')
    const length = head.readUInt32BE(0)
    requireSame(length <= partBytesMax, 'the length of a part')
    const body = await this.#read(length, 'a part')
    this.#crc = crcOf(this.#crc, head.subarray(0, 4), body)
    requireSame(this.#crc === head.readUInt32BE(4), `the checksum of the part before byte ${this.bytes}`)
    return body
  }

  async end(): Promise<void> {
    const { bytesRead } = await this.#handle.read(Buffer.alloc(1), 0, 1, this.bytes)
    requireSame(bytesRead === 0, 'something comes after its end')
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest())
  }

  /** No more is allocated than the file has. */
  async #read(length: number, what: string): Promise<Buffer> {
    const { size } = await this.#handle.stat()
    requireSame(this.bytes + length <= size, `it ends in the middle of ${what}`)
    const bytes = Buffer.alloc(length)
    for (let start = 0; start < length; ) {
      const { bytesRead } = await this.#handle.read(bytes, start, length - start, this.bytes + start)
      requireSame(bytesRead > 0, `it ends in the middle of ${what}`)
      start += bytesRead
    }
    this.bytes += length
    this.#hash.update(bytes)
    return bytes
  }
}

function crcOf(before: number, length: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(length, before))
}

function requireSame(isSame: boolean, what: string): void {
  if (!isSame) throw new CoordError('COORD_SNAPSHOT_DAMAGED', `the snapshot file is damaged: ${what}`)
}

/** Whatever cannot be made sense of is damage, although each checksum is right. */
function reading<T, R>(what: string, from: T, read: (from: T) => R): R {
  try {
    return read(from)
  } catch (cause) {
    throw new CoordError('COORD_SNAPSHOT_DAMAGED', `the snapshot file is damaged: ${what}`, { cause })
  }
}

function asFailure(error: unknown, what: string, signal: AbortSignal | undefined): unknown {
  if (error instanceof CoordError || (signal?.aborted === true && error === signal.reason)) return error
  const why = error instanceof Error ? error.message : String(error)
  return new CoordError('COORD_SNAPSHOT_FAILED', `${what}: ${why}`, { cause: error })
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
