/**
 * One file of the journal: a page that says what it is, then frames, then whatever was there before. Its whole length is
 * written, zeros or an earlier use, before it is named: so a frame needs nothing of the file system but its own bytes,
 * and a file that is shorter than it says was cut by somebody else.
 *
 *     0  8 bytes  magic      12  u32      number of the segment     24  u64  bytes of the file
 *     8  u32      version    16  8 bytes  identity of the store     32  u32  CRC of bytes 0-31
 *
 * Frames begin on a page of their own (4096): what says what the file is, is never written again with them.
 */

import { Finding } from '../storage-shared/finding.ts'
import { crcOf } from './crc.ts'
import type { Files, OpenFile } from './files.ts'
import { journalName } from './layout.ts'

const magic = Buffer.from('emcoordj')
const version = 1
const crcOffset = 32
export const pageBytes = 4096
/** Zeros are written, and files are read, in pieces of so many bytes. */
const pieceBytes = 0x10_0000

/** What a segment is. */
export interface Segment {
  readonly number: number
  /** Of the store, in hex. A reset makes another one. */
  readonly store: string
  readonly bytes: number
}

/** What the CRC of each header in it begins with. */
export const seedOf = (segment: Segment): number => crcOf(headerPage(segment).subarray(0, crcOffset))

export function headerPage({ number, store, bytes }: Segment): Buffer {
  const page = Buffer.alloc(pageBytes)
  page.set(magic, 0)
  page.writeUInt32BE(version, 8)
  page.writeUInt32BE(number, 12)
  page.set(Buffer.from(store, 'hex'), 16)
  page.writeBigUInt64BE(BigInt(bytes), 24)
  page.writeUInt32BE(crcOf(page.subarray(0, crcOffset)), crcOffset)
  return page
}

/** Checks what the page in front says. */
export function decodeHeaderPage(page: Buffer, name: string): Segment {
  if (page.length < pageBytes) throw new Finding(`${name} is cut short (${page.length} bytes)`)
  if (crcOf(page.subarray(0, crcOffset)) !== page.readUInt32BE(crcOffset)) {
    throw new Finding(`the header of ${name} does not match its checksum (offset 0)`)
  }
  if (!page.subarray(0, magic.length).equals(magic)) throw new Finding(`${name} is no journal of a store`)
  // What the CRC covers is the same in every version, so this is a sound file of another release: not damage.
  if (page.readUInt32BE(8) !== version) {
    const reason = `${name} has format ${page.readUInt32BE(8)}, this release reads ${version}`
    throw new Finding(reason, 'COORD_STORE_FAILED')
  }
  return {
    number: page.readUInt32BE(12),
    store: page.toString('hex', 16, 24),
    bytes: Number(page.readBigUInt64BE(24)),
  }
}

/** Makes the whole file, under any name, with a first frame in it or none. What it is counts once it is renamed. */
export async function writeSegment(
  files: Files,
  name: string,
  segment: Segment,
  first: readonly Uint8Array[] = [],
): Promise<void> {
  await withFile(files, name, 'new', async (file) => {
    const firstBytes = first.reduce((sum, { length }) => sum + length, 0)
    await file.write([headerPage(segment), ...first], 0)
    const zeros = Buffer.alloc(Math.min(pieceBytes, segment.bytes))
    for (let at = pageBytes + firstBytes; at < segment.bytes; at += zeros.length) {
      await file.write([zeros.subarray(0, segment.bytes - at)], at)
      // A little at a time: who writes the log beside it waits for little.
      await file.sync()
    }
    await file.sync()
  })
}

/** Turns a file that was a segment of the same length into another one: the frames in it are none of that. */
export async function rewriteSegment(files: Files, name: string, segment: Segment): Promise<void> {
  await withFile(files, name, 'edit', async (file) => {
    await file.write([headerPage(segment)], 0)
    await file.sync()
  })
}

/** A segment as it is read: its bytes come as they are asked for. */
export class SegmentReader {
  readonly segment: Segment
  readonly name: string
  readonly bytes: Buffer
  readonly #file: OpenFile
  #loaded: number

  private constructor(file: OpenFile, name: string, segment: Segment, page: Buffer) {
    this.#file = file
    this.name = name
    this.segment = segment
    // Not all at once in memory that nobody has touched: a segment that has just begun costs what is read of it.
    this.bytes = Buffer.allocUnsafeSlow(segment.bytes)
    this.bytes.set(page)
    this.#loaded = page.length
  }

  static async open(files: Files, number: number): Promise<SegmentReader> {
    const name = journalName(number)
    const file = await files.open(name, 'read')
    try {
      const page = Buffer.alloc(pageBytes)
      const filled = await file.read(page, 0)
      const segment = decodeHeaderPage(page.subarray(0, filled), name)
      if (segment.number !== number) throw new Finding(`${name} was made as ${journalName(segment.number)}`)
      const size = await file.size()
      if (size !== segment.bytes) throw new Finding(`${name} has ${size} bytes, and was made with ${segment.bytes}`)
      return new SegmentReader(file, name, segment, page)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** All before this offset is in `bytes` then. */
  async load(end: number): Promise<void> {
    while (this.#loaded < Math.min(end, this.bytes.length)) {
      const piece = this.bytes.subarray(this.#loaded, this.#loaded + pieceBytes)
      const filled = await this.#file.read(piece, this.#loaded)
      if (filled < piece.length) throw new Finding(`${this.name} ends at offset ${this.#loaded + filled}`)
      this.#loaded += piece.length
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

async function withFile(
  files: Files,
  name: string,
  mode: 'new' | 'edit',
  use: (file: OpenFile) => Promise<void>,
): Promise<void> {
  const file = await files.open(name, mode)
  try {
    await use(file)
  } finally {
    await file.close()
  }
}
