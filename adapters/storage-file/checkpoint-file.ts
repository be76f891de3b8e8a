/**
 * A checkpoint is a file of its own. It is staged under a name that counts for nothing; once it is whole and on the disk
 * it gets its number, and the frame of the journal that names the number makes it count.
 *
 *     0  8 bytes  magic      12  u32      its number                24  u64  zxid
 *     8  u32      version    16  8 bytes  identity of the store     32  u32  CRC of bytes 0-31
 *    36  chunks, of each: u32 length, u32 CRC of the length and the bytes, begun with that of the chunk before; the bytes
 *
 * The journal knows how many chunks, how many bytes, and the last CRC: so nothing of it can be missing or of another one.
 */

import { assert } from '../../lib/errors.ts'
import type { Checkpoint, StagedChunks, StorageChange } from '../../lib/ports/index.ts'
import { Finding } from '../storage-shared/finding.ts'
import type { CheckpointReference } from './change.ts'
import { crcOf } from './crc.ts'
import type { Files, OpenFile } from './files.ts'
import { checkpointName, hex, stagingName } from './layout.ts'

const magic = Buffer.from('emcoordc')
const version = 1
const crcOffset = 32
const headerBytes = 36
const chunkHeadBytes = 8
/** What is staged goes to the disk in such portions, so that little is left to wait for at the end. */
const flushBytes = 0x10_0000
/** No more than so much is on its way. */
const unflushedBytesMax = 16 * 0x10_0000
const pieceBytes = 0x10_0000

interface Staged {
  readonly file: OpenFile
  readonly zxid: bigint
  readonly number: number
  count: number
  bytes: number
  crc: number
  flushedBytes: number
  isFlushing: boolean
  /** Resolves with the failure of a flush, if there was one. */
  flushing: Promise<{ readonly error: unknown } | undefined>
}

/** The checkpoint that is being made. */
export class Staging {
  readonly #files: Files
  readonly #store: string
  #number: number
  #staged: Staged | undefined

  /** `number`: of the newest file that there is. */
  constructor(files: Files, store: string, number: number) {
    this.#files = files
    this.#store = store
    this.#number = number
  }

  async add({ zxid, from, chunks }: StagedChunks): Promise<void> {
    if (from === 0) await this.#begin(zxid)
    const staged = this.#staged
    assert(staged?.zxid === zxid && staged.count === from, `chunk ${from} does not follow what is staged`)
    for (const portion of portionsOf(chunks)) await write(staged, portion)
  }

  /** Puts all of it on the disk, under its number. */
  async finish({ zxid, chunks }: NonNullable<StorageChange['checkpoint']>): Promise<CheckpointReference> {
    const staged = this.#staged
    const isStaged = staged?.zxid === zxid && staged.count === chunks
    assert(isStaged, () => `the checkpoint at ${hex(zxid)} is not what is staged`)
    await settled(staged)
    await staged.file.sync()
    this.#staged = undefined
    await staged.file.close()
    await this.#files.rename(stagingName, checkpointName(staged.number))
    await this.#files.syncDirectory()
    return { zxid, number: staged.number, chunks, bytes: staged.bytes, crc: staged.crc }
  }

  /** Drops what is staged. */
  async close(): Promise<void> {
    const staged = this.#staged
    this.#staged = undefined
    await staged?.flushing
    await staged?.file.close()
  }

  async #begin(zxid: bigint): Promise<void> {
    await this.close()
    this.#number += 1
    const header = Buffer.alloc(headerBytes)
    header.set(magic, 0)
    header.writeUInt32BE(version, 8)
    header.writeUInt32BE(this.#number, 12)
    header.set(Buffer.from(this.#store, 'hex'), 16)
    header.writeBigUInt64BE(zxid, 24)
    const crc = crcOf(header.subarray(0, crcOffset))
    header.writeUInt32BE(crc, crcOffset)
    const file = await this.#files.open(stagingName, 'new')
    this.#staged = {
      file,
      zxid,
      number: this.#number,
      count: 0,
      bytes: headerBytes,
      crc,
      flushedBytes: 0,
      isFlushing: false,
      flushing: Promise.resolve(undefined),
    }
    await file.write([header], 0)
  }
}

/** As many as make a piece, at a time: what else waits has its turn while they are written. */
function* portionsOf(chunks: readonly Uint8Array[]): Iterable<readonly Uint8Array[]> {
  let portion: Uint8Array[] = []
  let bytes = 0
  for (const chunk of chunks) {
    portion.push(chunk)
    bytes += chunk.length
    if (bytes < pieceBytes) continue
    yield portion
    portion = []
    bytes = 0
  }
  if (portion.length > 0) yield portion
}

async function write(staged: Staged, chunks: readonly Uint8Array[]): Promise<void> {
  const parts: Uint8Array[] = []
  const { bytes: offset } = staged
  for (const chunk of chunks) {
    const head = Buffer.allocUnsafe(chunkHeadBytes)
    head.writeUInt32BE(chunk.length, 0)
    staged.crc = crcOf(chunk, crcOf(head.subarray(0, 4), staged.crc))
    head.writeUInt32BE(staged.crc, 4)
    staged.bytes += chunkHeadBytes + chunk.length
    parts.push(head, chunk)
  }
  staged.count += chunks.length
  await staged.file.write(parts, offset)
  const unflushed = staged.bytes - staged.flushedBytes
  if (unflushed < flushBytes || (staged.isFlushing && unflushed < unflushedBytesMax)) return
  await settled(staged)
  flush(staged)
}

function flush(staged: Staged): void {
  staged.flushedBytes = staged.bytes
  staged.isFlushing = true
  staged.flushing = staged.file.sync().then(
    () => {
      staged.isFlushing = false
      return undefined
    },
    (error: unknown) => ({ error }),
  )
}

async function settled(staged: Staged): Promise<void> {
  const failure = await staged.flushing
  if (failure !== undefined) throw failure.error
}

/** Reads the one that the journal names, and proves it. */
export async function readCheckpoint(files: Files, store: string, reference: CheckpointReference): Promise<Checkpoint> {
  const { zxid, number } = reference
  const name = checkpointName(number)
  const file = await files.open(name, 'read')
  try {
    const size = await file.size()
    if (size !== reference.bytes) throw new Finding(`${name} has ${size} bytes, the journal says ${reference.bytes}`)
    const pieces = new Pieces(file, size)
    const header = await pieces.take(headerBytes)
    const crc = crcOf(header.subarray(0, crcOffset))
    const isWhole = header.readUInt32BE(crcOffset) === crc
    // What the CRC covers is the same in every version, so this is a sound file of another release: not damage.
    if (isWhole && header.readUInt32BE(8) !== version) {
      const reason = `${name} has format ${header.readUInt32BE(8)}, this release reads ${version}`
      throw new Finding(reason, 'COORD_STORE_FAILED')
    }
    const isSound =
      isWhole &&
      header.subarray(0, magic.length).equals(magic) &&
      header.readUInt32BE(12) === number &&
      header.toString('hex', 16, 24) === store &&
      header.readBigUInt64BE(24) === zxid
    if (!isSound) throw new Finding(`the header of ${name} is not that of the checkpoint at ${hex(zxid)} (offset 0)`)
    return { zxid, chunks: await readChunks(pieces, name, crc, reference) }
  } finally {
    await file.close()
  }
}

async function readChunks(
  pieces: Pieces,
  name: string,
  headerCrc: number,
  reference: CheckpointReference,
): Promise<Uint8Array[]> {
  let crc = headerCrc
  const chunks: Uint8Array[] = []
  while (chunks.length < reference.chunks) {
    const { offset } = pieces
    const wrong = (what: string): Finding => new Finding(`chunk ${chunks.length} of ${name} ${what} (offset ${offset})`)
    if (pieces.left < chunkHeadBytes) throw wrong('is missing')
    const head = await pieces.take(chunkHeadBytes)
    const length = head.readUInt32BE(0)
    if (length > pieces.left) throw wrong('is longer than the file')
    const chunk = new Uint8Array(await pieces.take(length))
    crc = crcOf(chunk, crcOf(head.subarray(0, 4), crc))
    if (head.readUInt32BE(4) !== crc) throw wrong('does not match its checksum')
    chunks.push(chunk)
  }
  if (pieces.left > 0) throw new Finding(`${name} has more than its ${chunks.length} chunks (offset ${pieces.offset})`)
  if (crc !== reference.crc) throw new Finding(`${name} is another checkpoint than the journal names`)
  return chunks
}

/** A file from its beginning to its end, read in pieces. */
class Pieces {
  readonly #file: OpenFile
  readonly #size: number
  #piece: Buffer = Buffer.alloc(0)
  /** Where the piece begins in the file. */
  #start = 0
  offset = 0

  constructor(file: OpenFile, size: number) {
    this.#file = file
    this.#size = size
  }

  get left(): number {
    return this.#size - this.offset
  }

  /** No more than is left. A view: what is kept of it is to be copied. */
  async take(bytes: number): Promise<Buffer> {
    const end = this.offset + bytes
    if (end > this.#start + this.#piece.length) {
      const wanted = Math.min(Math.max(bytes, pieceBytes), this.left)
      this.#piece = Buffer.allocUnsafe(wanted)
      this.#start = this.offset
      const filled = await this.#file.read(this.#piece, this.offset)
      if (filled < wanted) throw new Finding(`a file ends at offset ${this.offset + filled}, before its size`)
    }
    const found = this.#piece.subarray(this.offset - this.#start, end - this.#start)
    this.offset = end
    return found
  }
}
