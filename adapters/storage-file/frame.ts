/**
 * One change as it is stored: a header of 32 bytes, then the payload; the next one begins at a multiple of 8. Integers
 * are big-endian.
 *
 *     0  u32  magic                          20  u32  link: the header CRC of the frame before this one
 *     4  u32  length of the payload          24  u32  CRC of the payload
 *     8  u64  sequence number                28  u32  CRC of bytes 0-27, begun with that of the segment
 *    16  u32  oldest segment that is needed  32  ...  payload
 *
 * The CRC of a header begins with that of its segment's header, so what another segment left in a file that is used
 * again is no frame here. It covers the CRC of the payload: as a link it stands for the whole frame. A frame is begun only
 * when the one before it is on the disk: a header that is sound therefore proves all that was written before it.
 */
import { crcOf } from './crc.ts'

const magic = 0xec0f_4a52
export const frameHeaderBytes = 32
const crcOffset = 28

export interface FrameHeader {
  readonly length: number
  readonly sequence: number
  readonly oldest: number
  readonly link: number
  readonly payloadCrc: number
  /** What the next frame links to. */
  readonly crc: number
}

export interface EncodedFrame {
  readonly parts: readonly Uint8Array[]
  readonly bytes: number
  readonly crc: number
}

/** Up to so many bytes it is cheaper to copy the parts together than to hand them to the system one by one. */
const copiedBytesMax = 0x1_0000

export function encodeFrame(
  seed: number,
  { sequence, oldest, link }: Pick<FrameHeader, 'sequence' | 'oldest' | 'link'>,
  payload: readonly Uint8Array[],
): EncodedFrame {
  const length = payload.reduce((sum, part) => sum + part.length, 0)
  const isCopied = length <= copiedBytesMax
  const head = Buffer.allocUnsafe(frameHeaderBytes + (isCopied ? length : 0))
  let payloadCrc = 0
  let at = frameHeaderBytes
  if (isCopied) {
    for (const part of payload) {
      head.set(part, at)
      at += part.length
    }
    payloadCrc = crcOf(head.subarray(frameHeaderBytes))
  } else for (const part of payload) payloadCrc = crcOf(part, payloadCrc)
  head.writeUInt32BE(magic, 0)
  head.writeUInt32BE(length, 4)
  head.writeBigUInt64BE(BigInt(sequence), 8)
  head.writeUInt32BE(oldest, 16)
  head.writeUInt32BE(link, 20)
  head.writeUInt32BE(payloadCrc, 24)
  const crc = crcOf(head.subarray(0, crcOffset), seed)
  head.writeUInt32BE(crc, crcOffset)
  return { parts: isCopied ? [head] : [head, ...payload], bytes: frameHeaderBytes + length, crc }
}

/** Where the frame after one of so many bytes begins, if that begins at 0. */
export const spanOf = (frameBytes: number): number => Math.ceil(frameBytes / 8) * 8

/** The header that is there, if there is a sound one of this segment. */
export function headerAt(bytes: Buffer, offset: number, seed: number): FrameHeader | undefined {
  if (offset + frameHeaderBytes > bytes.length || bytes.readUInt32BE(offset) !== magic) return undefined
  const crc = bytes.readUInt32BE(offset + crcOffset)
  if (crcOf(bytes.subarray(offset, offset + crcOffset), seed) !== crc) return undefined
  return {
    length: bytes.readUInt32BE(offset + 4),
    sequence: Number(bytes.readBigUInt64BE(offset + 8)),
    oldest: bytes.readUInt32BE(offset + 16),
    link: bytes.readUInt32BE(offset + 20),
    payloadCrc: bytes.readUInt32BE(offset + 24),
    crc,
  }
}

const magicBytes = Buffer.from([magic >>> 24, (magic >>> 16) & 0xff, (magic >>> 8) & 0xff, magic & 0xff])

/** The first place from an offset on where a sound header of this segment is. */
export function findHeader(bytes: Buffer, from: number, seed: number): number | undefined {
  for (let at = bytes.indexOf(magicBytes, from); at !== -1; at = bytes.indexOf(magicBytes, at + 1)) {
    if (at % 8 === 0 && headerAt(bytes, at, seed) !== undefined) return at
  }
  return undefined
}
