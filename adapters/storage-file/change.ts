/**
 * The payload of a frame: what one change does to the values and the log, and which checkpoint is in force. Integers are
 * big-endian; what a flag does not announce is not there.
 *
 *     u8 flags (bits 0 to 5: base, values, truncateAfter, checkpoint, purgeThrough, append)
 *     values         u32 count, of each: u32 length of the name, u32 length of the value or 0xffffffff (removed), name, value
 *     truncateAfter  u64
 *     checkpoint     u64 zxid, u32 number of its file, u32 chunks, u64 bytes of the file, u32 CRC of its last chunk
 *     purgeThrough   u64
 *     append         u32 count, of each: u64 first, u64 last, u32 length; then the bytes of all
 *
 * A base begins a segment: its values are all there are, and its checkpoint is the one in force, or there is none. So
 * whatever the segments before it say of them is no longer needed.
 */
import type { LogRecord } from '../../lib/ports/index.ts'
import { Finding } from '../storage-shared/finding.ts'

/** A checkpoint as the journal names it. */
export interface CheckpointReference {
  readonly zxid: bigint
  /** Of its file. */
  readonly number: number
  readonly chunks: number
  readonly bytes: number
  readonly crc: number
}

export interface JournalChange {
  readonly isBase: boolean
  readonly values: ReadonlyMap<string, Uint8Array | undefined>
  readonly truncateAfter: bigint | undefined
  readonly checkpoint: CheckpointReference | undefined
  readonly purgeThrough: bigint | undefined
  readonly append: readonly LogRecord[]
}

const flag = { base: 1, values: 2, truncateAfter: 4, checkpoint: 8, purgeThrough: 16, append: 32 } as const
const allFlags = Object.values(flag).reduce((sum, bit) => sum | bit, 0)
const removed = 0xffff_ffff
const recordHeadBytes = 20
const checkpointBytes = 28

/** The bytes of values and records are not copied. */
export function encodeChange(change: JournalChange): Uint8Array[] {
  const { isBase, values, truncateAfter, checkpoint, purgeThrough, append } = change
  const named = [...values].map(([name, value]) => [Buffer.from(name), value] as const)
  const size =
    1 +
    (named.length > 0 ? 4 : 0) +
    named.reduce((sum, [name, value]) => sum + 8 + name.length + (value?.length ?? 0), 0) +
    (truncateAfter === undefined ? 0 : 8) +
    (checkpoint === undefined ? 0 : checkpointBytes) +
    (purgeThrough === undefined ? 0 : 8) +
    (append.length > 0 ? 4 + recordHeadBytes * append.length : 0)
  const head = Buffer.allocUnsafe(size)
  let at = head.writeUInt8(
    (isBase ? flag.base : 0) |
      (named.length > 0 ? flag.values : 0) |
      (truncateAfter === undefined ? 0 : flag.truncateAfter) |
      (checkpoint === undefined ? 0 : flag.checkpoint) |
      (purgeThrough === undefined ? 0 : flag.purgeThrough) |
      (append.length > 0 ? flag.append : 0),
    0,
  )
  if (named.length > 0) at = head.writeUInt32BE(named.length, at)
  for (const [name, value] of named) {
    at = head.writeUInt32BE(name.length, at)
    at = head.writeUInt32BE(value?.length ?? removed, at)
    head.set(name, at)
    at += name.length
    head.set(value ?? [], at)
    at += value?.length ?? 0
  }
  if (truncateAfter !== undefined) at = head.writeBigUInt64BE(truncateAfter, at)
  if (checkpoint !== undefined) {
    at = head.writeBigUInt64BE(checkpoint.zxid, at)
    at = head.writeUInt32BE(checkpoint.number, at)
    at = head.writeUInt32BE(checkpoint.chunks, at)
    at = head.writeBigUInt64BE(BigInt(checkpoint.bytes), at)
    at = head.writeUInt32BE(checkpoint.crc, at)
  }
  if (purgeThrough !== undefined) at = head.writeBigUInt64BE(purgeThrough, at)
  if (append.length > 0) at = head.writeUInt32BE(append.length, at)
  for (const { first, last, bytes } of append) {
    at = head.writeBigUInt64BE(first, at)
    at = head.writeBigUInt64BE(last, at)
    at = head.writeUInt32BE(bytes.length, at)
  }
  return [head, ...append.map(({ bytes }) => bytes)]
}

/** Of a payload whose CRC is right. What it hands out is copied. */
export function decodeChange(payload: Buffer): JournalChange {
  const reader = new Reader(payload)
  const flags = reader.u8()
  // The CRC is right, so this is a sound frame of another release: not damage.
  if ((flags & ~allFlags) !== 0) {
    throw new Finding(`a change has the flags ${flags}, which this release does not know`, 'COORD_STORE_FAILED')
  }
  const has = (bit: number): boolean => (flags & bit) !== 0
  const change: JournalChange = {
    isBase: has(flag.base),
    values: new Map(has(flag.values) ? valuesIn(reader) : []),
    truncateAfter: has(flag.truncateAfter) ? reader.u64() : undefined,
    checkpoint: has(flag.checkpoint) ? checkpointIn(reader) : undefined,
    purgeThrough: has(flag.purgeThrough) ? reader.u64() : undefined,
    append: has(flag.append) ? recordsIn(reader) : [],
  }
  if (reader.left > 0) throw new Finding(`a change is followed by ${reader.left} bytes too many`)
  return change
}

function* valuesIn(reader: Reader): Iterable<[string, Uint8Array | undefined]> {
  for (let left = reader.u32(); left > 0; left -= 1) {
    const nameLength = reader.u32()
    const valueLength = reader.u32()
    const name = Buffer.from(reader.bytes(nameLength)).toString()
    yield [name, valueLength === removed ? undefined : reader.bytes(valueLength)]
  }
}

function checkpointIn(reader: Reader): CheckpointReference {
  return {
    zxid: reader.u64(),
    number: reader.u32(),
    chunks: reader.u32(),
    bytes: Number(reader.u64()),
    crc: reader.u32(),
  }
}

function recordsIn(reader: Reader): LogRecord[] {
  const heads = Array.from({ length: reader.u32() }, () => ({
    first: reader.u64(),
    last: reader.u64(),
    length: reader.u32(),
  }))
  return heads.map(({ first, last, length }) => ({ first, last, bytes: reader.bytes(length) }))
}

class Reader {
  readonly #payload: Buffer
  #at = 0

  constructor(payload: Buffer) {
    this.#payload = payload
  }

  get left(): number {
    return this.#payload.length - this.#at
  }

  u8(): number {
    return this.#payload.readUInt8(this.#step(1))
  }

  u32(): number {
    return this.#payload.readUInt32BE(this.#step(4))
  }

  u64(): bigint {
    return this.#payload.readBigUInt64BE(this.#step(8))
  }

  bytes(length: number): Uint8Array {
    const start = this.#step(length)
    return new Uint8Array(this.#payload.subarray(start, start + length))
  }

  #step(length: number): number {
    if (length > this.left) throw new Finding('a change is shorter than it says')
    const at = this.#at
    this.#at += length
    return at
  }
}
