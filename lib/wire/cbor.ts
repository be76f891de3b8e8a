/**
 * Bytes: the one place that knows cbor-x, which reads them; they are written by a writer of our own (writer.ts).
 * Positional arrays only: no maps, no records, no shared structures (which fail silently where two versions differ), no tags.
 */
// Not from 'cbor-x': that loads a native addon, which costs 5 MiB and makes nothing here faster.
import { Decoder } from 'cbor-x/decode'
import { assert, CoordError } from '../errors.ts'
import type { Schema } from './schema.ts'
import { Writer } from './writer.ts'

const cbor = new Decoder({ useRecords: false, mapsAsObjects: false })
/** One value at a time is written here. */
const writer = new Writer()

export function encode<T>(schema: Schema<T>, value: T): Uint8Array {
  return written((to) => schema.write(to, value))
}

/** Several items, one after the other. */
export function written(write: (writer: Writer) => void): Uint8Array {
  assert(writer.isEmpty, 'a value is encoded while another one is written')
  try {
    write(writer)
    return writer.take()
  } finally {
    writer.clear()
  }
}

/** Throws a CoordError COORD_PROTOCOL for everything that is not exactly one value of the schema. */
export function decode<T>(schema: Schema<T>, bytes: Uint8Array): T {
  return orMalformed(() => schema.read(cbor.decode(bytes as Buffer)))
}

/** Several values, one after the other; `read` gets them as they are. */
export function decodeItems<T>(bytes: Uint8Array, read: (items: readonly unknown[]) => T): T {
  return orMalformed(() => read(cbor.decodeMultiple(bytes as Buffer) as unknown[]))
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
