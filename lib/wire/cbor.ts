/**
 * Bytes: the one place that knows cbor-x, which writes them; they are read where a schema asks for them (source.ts).
 * Positional arrays only: no maps, no records, no shared structures (which fail silently where two versions differ), no tags.
 */
// Not from 'cbor-x': that loads a native addon, which costs 5 MiB and makes nothing here faster.
import { Encoder } from 'cbor-x/encode'
import { CoordError } from '../errors.ts'
import type { Schema } from './schema.ts'
import { malformed, Source } from './source.ts'

const cbor = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false, variableMapSize: true })

export function encode<T>(schema: Schema<T>, value: T): Uint8Array {
  return cbor.encode(schema.write(value))
}

/** Throws a CoordError COORD_PROTOCOL for everything that is not exactly one value of the schema. */
export function decode<T>(schema: Schema<T>, bytes: Uint8Array): T {
  return decodeItems(bytes, (source) => schema.read(source))
}

/** Several values, one after the other: `read` reads them all. */
export function decodeItems<T>(bytes: Uint8Array, read: (source: Source) => T): T {
  return orMalformed(() => {
    const source = new Source(bytes)
    const value = read(source)
    return source.isAtEnd ? value : malformed('more than was expected')
  })
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
