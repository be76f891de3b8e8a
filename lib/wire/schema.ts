/**
 * Schemas: how a value becomes a positional CBOR array and back. A value is written as it is walked, without an array of
 * its own for each structure: what a member writes is most of what it leaves to its collector. What is read is checked field by field: types, sizes
 * and counts; nothing is allocated by a count that was only claimed, no key comes from outside, and there is no
 * recursion that the input drives. What does not fit throws a CoordError COORD_PROTOCOL: the link that sent it closes.
 *
 * Bytes that are read alias the frame unless the schema says `copied`.
 */
import { copyOf, latin1Of, ownText } from '../bytes.ts'
import { CoordError } from '../errors.ts'
import type { Writer } from './writer.ts'

export interface Schema<T> {
  readonly write: (writer: Writer, value: T) => void
  read(plain: unknown): T
}

/** The type that a schema reads. */
export type TypeOf<S> = S extends Schema<infer T> ? T : never

export function malformed(what: string): never {
  throw new CoordError('COORD_PROTOCOL', `malformed: ${what}`)
}

export const boolean: Schema<boolean> = {
  write: (writer, value) => writer.boolean(value),
  read: (plain) => (typeof plain === 'boolean' ? plain : malformed('not a boolean')),
}

/** A whole number from 0 to 2⁵³−1. */
export const natural: Schema<number> = {
  write: (writer, value) => writer.number(value),
  read: (plain) =>
    Number.isSafeInteger(plain) && (plain as number) >= 0 ? (plain as number) : malformed('not a natural number'),
}

/** A whole number, also a negative one. */
export const integer: Schema<number> = {
  write: (writer, value) => writer.number(value),
  read: (plain) => (Number.isSafeInteger(plain) ? (plain as number) : malformed('not an integer')),
}

/** A positive signed 64-bit number. CBOR gives small ones back as numbers: the type is restored. */
export const long: Schema<bigint> = {
  write: (writer, value) => writer.long(value),
  read: (plain) => {
    const value = typeof plain === 'number' && Number.isSafeInteger(plain) ? BigInt(plain) : plain
    return typeof value === 'bigint' && value >= 0n && value >> 63n === 0n ? value : malformed('not a 64-bit number')
  },
}

/** The same numbers under a brand of their own. */
export function branded<T extends bigint>(from: (value: bigint) => T): Schema<T> {
  return { write: long.write, read: (plain) => from(long.read(plain)) }
}

export function text(lengthMax: number): Schema<string> {
  return {
    write: (writer, value) => writer.text(value),
    read: (plain) =>
      typeof plain === 'string' && plain.length <= lengthMax ? plain : malformed('not a text that short'),
  }
}

/** A text of its own, which outlives the frame. */
export function ownedText(lengthMax: number): Schema<string> {
  const aliased = text(lengthMax)
  return { write: aliased.write, read: (plain) => ownText(aliased.read(plain)) }
}

export function bytes(lengthMax: number): Schema<Uint8Array> {
  return {
    write: (writer, value) => writer.bytes(value),
    read: (plain) =>
      plain instanceof Uint8Array && plain.length <= lengthMax ? plain : malformed('not that few bytes'),
  }
}

/** Bytes of their own, which outlive the frame. */
export function copied(lengthMax: number): Schema<Uint8Array> {
  const aliased = bytes(lengthMax)
  return { write: aliased.write, read: (plain) => copyOf(aliased.read(plain)) }
}

/** Bytes that are kept as a string of one character each: sent as bytes. */
export function latin1(lengthMax: number): Schema<string> {
  const aliased = bytes(lengthMax)
  return {
    write: (writer, value) => writer.latin1(value),
    read: (plain) => latin1Of(aliased.read(plain)),
  }
}

/** An item by an index from outside: a text as index would reach the list's own properties. */
function itemAt<T>(items: readonly T[], index: unknown): T | undefined {
  return Number.isInteger(index) ? items[index as number] : undefined
}

/** One of a fixed list of texts, sent as its index: the list may only grow at its end. */
export function oneOf<const T extends string>(values: readonly T[]): Schema<T> {
  return {
    write: (writer, value) => writer.number(values.indexOf(value)),
    read: (plain) => itemAt(values, plain) ?? malformed(`not one of ${values.join(', ')}`),
  }
}

export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  return {
    write: (writer, value) => (value === undefined ? writer.nothing() : schema.write(writer, value)),
    read: (plain) => (plain === undefined || plain === null ? undefined : schema.read(plain)),
  }
}

export function list<T>(schema: Schema<T>, countMax: number): Schema<readonly T[]> {
  return {
    write: (writer, values) => {
      writer.array(values.length)
      for (const value of values) schema.write(writer, value)
    },
    read: (plain) => {
      if (!Array.isArray(plain) || plain.length > countMax) malformed(`not a list of at most ${countMax}`)
      return plain.map((item: unknown) => schema.read(item))
    },
  }
}

type Fields<T> = { readonly [K in keyof T]-?: Schema<T[K]> }

/** What can be read into an object that has a discriminant already. */
export interface Struct<T extends object> extends Schema<T> {
  readInto(value: object, plain: unknown): T
}

/**
 * Fields in the order in which they are written here. Undefined ones at the end are left out: so a new version may add
 * optional ones at the end, and a reader of before goes on as long as they are not set (docs/ARCHITECTURE.md, "Versions").
 */
export function struct<T extends object>(fields: Fields<T>): Struct<T> {
  const keys = Object.keys(fields) as (keyof T)[]
  const schemas = Object.values(fields) as Schema<unknown>[]
  // Plain loops: these two functions are a quarter of what a write costs a follower.
  const readInto = (target: object, plain: unknown): T => {
    if (!Array.isArray(plain) || plain.length > keys.length) malformed('not a structure of this version')
    const value = target as T
    for (let index = 0; index < keys.length; index += 1) {
      const field = (schemas[index] as Schema<unknown>).read(plain[index])
      if (field !== undefined) value[keys[index] as keyof T] = field as T[keyof T]
    }
    return value
  }
  return {
    write: (writer, value) => {
      let { length } = keys
      while (length > 0 && value[keys[length - 1] as keyof T] === undefined) length -= 1
      writer.array(length)
      for (let index = 0; index < length; index += 1) {
        ;(schemas[index] as Schema<unknown>).write(writer, value[keys[index] as keyof T])
      }
    },
    read: (plain) => readInto({}, plain),
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
    write: (writer, value) => {
      const index = indexOf.get(value[discriminant] as string)
      if (index === undefined) malformed(`no variant ${String(value[discriminant])}`)
      writer.array(2)
      writer.number(index)
      ;(schemas[index] as Struct<object>).write(writer, value)
    },
    read: (plain) => {
      const schema = Array.isArray(plain) && plain.length === 2 ? itemAt(schemas, plain[0]) : undefined
      if (schema === undefined) malformed(`not a variant of ${discriminant} of this version`)
      const [index, body] = plain as [number, unknown]
      // Not `{ [discriminant]: … }`, which takes three times as long.
      const value: Record<string, unknown> = {}
      value[discriminant] = names[index]
      return schema.readInto(value, body) as unknown as T
    },
  }
}
