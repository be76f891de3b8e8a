/**
 * Bytes: the one place that knows cbor-x. Positional arrays only: no maps, no records, no shared structures (which fail
 * silently where two versions differ), no tags.
 */
import { Encoder } from 'cbor-x'
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

/** Several values, one after the other. */
export function decodeEach<T>(schema: Schema<T>, bytes: Uint8Array): readonly T[] {
  return orMalformed(() => (cbor.decodeMultiple(bytes as Buffer) as unknown[]).map((item) => schema.read(item)))
}

/** One value, and behind it any number of another kind. */
export function decodeHeaded<H, T>(
  headSchema: Schema<H>,
  schema: Schema<T>,
  bytes: Uint8Array,
): { readonly head: H; readonly rest: readonly T[] } {
  return orMalformed(() => {
    const [head, ...rest] = cbor.decodeMultiple(bytes as Buffer) as unknown[]
    return { head: headSchema.read(head), rest: rest.map((item) => schema.read(item)) }
  })
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
