/**
 * Bytes: the one place that knows cbor-x. Positional arrays only: no maps, no records, no shared structures (which fail
 * silently where two versions differ), no tags.
 */
// Not from 'cbor-x': that loads a native addon, which costs 5 MiB and makes nothing here faster.
import { Encoder } from 'cbor-x/encode'
import { CoordError } from '../errors.ts'
import type { Schema } from './schema.ts'

const cbor = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false, variableMapSize: true })

export function encode<T>(schema: Schema<T>, value: T): Uint8Array {
  return cbor.encode(schema.write(value))
}

/** Throws a CoordError COORD_PROTOCOL for everything that is not exactly one value of the schema. */
export function decode<T>(schema: Schema<T>, bytes: Uint8Array): T {
  return orMalformed(() => schema.read(cbor.decode(bytes as Buffer)))
}

/** Several values, one after the other; `read` gets them as they are. */
export function decodeItems<T>(bytes: Uint8Array, read: (items: readonly unknown[]) => T): T {
  return orMalformed(() => read(cbor.decodeMultiple(bytes as Buffer) as unknown[]))
}

/** What stands before so many bytes where they are a value of their own: they are copied, not written. */
export function headOfBytes(length: number): Uint8Array {
  return Uint8Array.of(0x5a, length >>> 24, length >>> 16, length >>> 8, length)
}

/** Whatever goes wrong while bytes from outside are read is those bytes' fault. */
function orMalformed<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof CoordError) throw cause
    throw new CoordError('COORD_PROTOCOL', 'malformed: not what this version writes', { cause })
  }
}
