/**
 * Schemas: how a value becomes a positional CBOR array and is read back. What is read is checked field by field: types,
 * sizes and counts; nothing is allocated by a count that was only claimed, no key comes from outside, and there is no
 * recursion that the input drives. What does not fit throws a CoordError COORD_PROTOCOL: the link that sent it closes.
 *
 * Bytes that are read alias the frame unless the schema says `copied`.
 */
import { bytesOfLatin1, copyOf, latin1Of } from '../bytes.ts'
import { malformed, type Source } from './source.ts'

export interface Schema<T> {
  write(value: T): unknown
  read(source: Source): T
  /** Whether it may be left out at the end of a structure. */
  readonly isOptional?: boolean
}

/** The type that a schema reads. */
export type TypeOf<S> = S extends Schema<infer T> ? T : never

const same = (value: unknown): unknown => value

export const boolean: Schema<boolean> = { write: same, read: (source) => source.boolean() }

/** A whole number from 0 to 2⁵³−1. */
export const natural: Schema<number> = {
  write: same,
  read: (source) => {
    const value = source.integer()
    return value >= 0 ? value : malformed('not a natural number')
  },
}

/** A whole number, also a negative one. */
export const integer: Schema<number> = { write: same, read: (source) => source.integer() }

/** A positive signed 64-bit number. */
export const long: Schema<bigint> = {
  write: same,
  read: (source) => {
    const value = source.long()
    return value >= 0n && value <= longMax ? value : malformed('not a 64-bit number')
  },
}
const longMax = 2n ** 63n - 1n

/** The same numbers under a brand of their own. */
export function branded<T extends bigint>(from: (value: bigint) => T): Schema<T> {
  return { write: same, read: (source) => from(long.read(source)) }
}

export function text(lengthMax: number): Schema<string> {
  return { write: same, read: (source) => source.text(lengthMax) }
}

export function bytes(lengthMax: number): Schema<Uint8Array> {
  return { write: same, read: (source) => source.bytes(lengthMax) }
}

/** Bytes of their own, which outlive the frame. */
export function copied(lengthMax: number): Schema<Uint8Array> {
  return { write: same, read: (source) => copyOf(source.bytes(lengthMax)) }
}

/** Bytes that are kept as a string of one character each: sent as bytes. */
export function latin1(lengthMax: number): Schema<string> {
  return { write: (value) => bytesOfLatin1(value), read: (source) => latin1Of(source.bytes(lengthMax)) }
}

/** One of a fixed list of texts, sent as its index: the list may only grow at its end. */
export function oneOf<const T extends string>(values: readonly T[]): Schema<T> {
  return {
    write: (value) => values.indexOf(value),
    read: (source) => values[natural.read(source)] ?? malformed(`not one of ${values.join(', ')}`),
  }
}

export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  return {
    write: (value) => (value === undefined ? undefined : schema.write(value)),
    read: (source) => (source.takeNothing() ? undefined : schema.read(source)),
    isOptional: true,
  }
}

export function list<T>(schema: Schema<T>, countMax: number): Schema<readonly T[]> {
  return {
    write: (values) => values.map((value) => schema.write(value)),
    read: (source) => {
      const values: T[] = []
      for (let left = source.list(countMax); left > 0; left -= 1) values.push(schema.read(source))
      return values
    },
  }
}

type Fields<T> = { readonly [K in keyof T]-?: Schema<T[K]> }

/** What can be read into an object that has a discriminant already. */
export interface Struct<T extends object> extends Schema<T> {
  readInto(value: object, source: Source): T
}

/**
 * Fields in the order in which they are written here. Undefined ones at the end are left out: so a new version may add
 * optional ones at the end, and a reader of before goes on as long as they are not set (docs/ARCHITECTURE.md, "Versions").
 */
export function struct<T extends object>(fields: Fields<T>): Struct<T> {
  const keys = Object.keys(fields) as (keyof T)[]
  const schemas = Object.values(fields) as Schema<unknown>[]
  // Plain loops: these two functions are a quarter of what a write costs a follower.
  const readInto = (target: object, source: Source): T => {
    const value = target as T
    const count = source.list(keys.length)
    for (let index = 0; index < count; index += 1) {
      const field = (schemas[index] as Schema<unknown>).read(source)
      if (field !== undefined) value[keys[index] as keyof T] = field as T[keyof T]
    }
    for (let index = count; index < keys.length; index += 1)
      if (schemas[index]?.isOptional !== true) malformed(`no ${String(keys[index])}`)
    return value
  }
  return {
    write: (value) => {
      const plain: unknown[] = []
      let length = 0
      for (let index = 0; index < keys.length; index += 1) {
        const field = (schemas[index] as Schema<unknown>).write(value[keys[index] as keyof T])
        plain.push(field)
        if (field !== undefined) length = index + 1
      }
      if (length < keys.length) plain.length = length
      return plain
    },
    read: (source) => readInto({}, source),
    readInto,
  }
}

/** Values told apart by a constant field, sent as the index of its value: the list may only grow at its end. */
export function union<T extends object, D extends keyof T & string>(
  discriminant: D,
  variants: { readonly [K in T[D] & string]: Struct<Omit<Extract<T, Record<D, K>>, D>> },
): Schema<T> {
  const names = Object.keys(variants) as (T[D] & string)[]
  const schemas = names.map((name) => variants[name] as unknown as Struct<object>)
  const indexOf = new Map<string, number>(names.map((name, index) => [name, index]))
  return {
    write: (value) => {
      const index = indexOf.get(value[discriminant] as string)
      const schema = schemas[index as number]
      if (schema === undefined) malformed(`no variant ${String(value[discriminant])}`)
      return [index, schema.write(value)]
    },
    read: (source) => {
      if (source.list(2) !== 2) malformed(`not a variant of ${discriminant}`)
      const index = natural.read(source)
      const schema = schemas[index] ?? malformed(`not a variant of ${discriminant} of this version`)
      return schema.readInto({ [discriminant]: names[index] }, source) as unknown as T
    },
  }
}
