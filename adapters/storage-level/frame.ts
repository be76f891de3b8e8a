/**
 * One entry as it is stored: a header of 32 bytes, then the body, untouched. Integers are big-endian.
 *
 *     0  u16  magic        4  u32  length of the body     24  u32  link: CRC of the entry before this one
 *     2  u8   version      8  u64  first                  28  u32  CRC of the key, bytes 0-27 and the body
 *     3  u8   kind        16  u64  last                   32  ...  body
 *
 * The database below is not trusted to notice damage (LevelDB gives back a flipped bit as data, and skips what its own
 * log has lost), so each entry proves itself. The CRC covers the key too: a sound entry in the wrong place is damage.
 * The link makes the entries of one kind a chain, in which a missing, stale or swapped one shows.
 */
import { crc32 } from 'node:zlib'
import { Finding } from '../storage-shared/finding.ts'

const magic = 0xec0d
const version = 2
const headerBytes = 32
const crcOffset = 28

/** What an entry is; the numbers are part of the format. */
export const kinds = { value: 1, record: 2, chunk: 3, manifest: 4, seal: 5 } as const
export type Kind = keyof typeof kinds

export interface FrameHeader {
  readonly kind: Kind
  /** The zxid range of a record; other kinds say in `layout.ts` what they keep here. */
  readonly first: bigint
  readonly last: bigint
  readonly link: number
}

export interface Frame extends FrameHeader {
  readonly crc: number
  readonly body: Uint8Array
}

export interface EncodedFrame {
  readonly bytes: Uint8Array
  readonly crc: number
}

export function encodeFrame(key: string, header: FrameHeader, body: Uint8Array): EncodedFrame {
  const bytes = Buffer.allocUnsafe(headerBytes + body.byteLength)
  bytes.writeUInt16BE(magic, 0)
  bytes.writeUInt8(version, 2)
  bytes.writeUInt8(kinds[header.kind], 3)
  bytes.writeUInt32BE(body.byteLength, 4)
  bytes.writeBigUInt64BE(header.first, 8)
  bytes.writeBigUInt64BE(header.last, 16)
  bytes.writeUInt32BE(header.link, 24)
  bytes.set(body, headerBytes)
  const crc = checksum(key, bytes)
  bytes.writeUInt32BE(crc, crcOffset)
  return { bytes, crc }
}

/** Checks one stored entry and gives it back, its body copied: what a memory store holds must stay its own. */
export function decodeFrame(key: string, kind: Kind, stored: Uint8Array): Frame {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  if (bytes.length < headerBytes) throw new Finding(`${key} is cut short (${bytes.length} bytes)`)
  const crc = bytes.readUInt32BE(crcOffset)
  if (checksum(key, bytes) !== crc) throw new Finding(`the checksum of ${key} does not match`)
  if (bytes.readUInt16BE(0) !== magic) throw new Finding(`${key} is no entry of a store`)
  // What the CRC covers is the same in every version, so this is a sound entry of another release: not damage.
  if (bytes.readUInt8(2) !== version) {
    throw new Finding(`${key} has format ${bytes.readUInt8(2)}, this release reads ${version}`, 'COORD_STORE_FAILED')
  }
  if (bytes.readUInt8(3) !== kinds[kind]) throw new Finding(`${key} is not a ${kind}`)
  if (bytes.readUInt32BE(4) !== bytes.length - headerBytes) throw new Finding(`the length of ${key} does not match`)
  return {
    kind,
    first: bytes.readBigUInt64BE(8),
    last: bytes.readBigUInt64BE(16),
    link: bytes.readUInt32BE(24),
    crc,
    body: new Uint8Array(bytes.subarray(headerBytes)),
  }
}

function checksum(key: string, bytes: Buffer): number {
  const header = crc32(bytes.subarray(0, crcOffset), crc32(key))
  return crc32(bytes.subarray(headerBytes), header)
}
