/** CRC-32 over several pieces. Node forgets what came before an empty piece that has no memory of its own. */
import { crc32 } from 'node:zlib'

/** The CRC of what `before` is the CRC of, followed by these bytes. */
export function crcOf(bytes: Uint8Array, before = 0): number {
  return bytes.length === 0 ? before : crc32(bytes, before)
}
