/**
 * Jute, ZooKeeper's binary notation: big-endian numbers, lengths before texts and bytes (-1 is null), no tags, no names.
 * What a record holds is known from its schema alone, so a schema here is a pair of functions, and bigger ones are made
 * of smaller ones.
 *
 * A reader trusts nothing: no length beyond what is there, no count beyond what could be there, no recursion that the
 * bytes decide on. What does not fit throws a `MarshallingError`. Bytes handed out are copies.
 */

const nullLength = -1

/** The bytes are not what the schema says. */
export class MarshallingError extends Error {
  override get name(): string {
    return 'MarshallingError'
  }
}

export class JuteReader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  bool(): boolean {
    return this.#bytes[this.#take(1)] !== 0
  }

  buffer(): Uint8Array | undefined {
    const length = this.#length()
    if (length === nullLength) return undefined
    const start = this.#take(length)
    return new Uint8Array(this.#bytes.subarray(start, start + length))
  }

  /** What is not UTF-8 becomes U+FFFD, as in ZooKeeper. */
  text(): string | undefined {
    const length = this.#length()
    if (length === nullLength) return undefined
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  /** How many elements follow, each of which takes at least `bytesMin` bytes; -1 for a null. */
  count(bytesMin: number): number {
    const count = this.int()
    if (count < nullLength || count * bytesMin > this.remaining) throw new MarshallingError(`${count} elements`)
    return count
  }

  #length(): number {
    const length = this.int()
    if (length < nullLength) throw new MarshallingError(`a length of ${length}`)
    return length
  }

  #take(length: number): number {
    if (length > this.remaining) throw new MarshallingError(`${length} bytes wanted, ${this.remaining} left`)
    const start = this.#offset
    this.#offset += length
    return start
  }
}

const initialCapacity = 256

export class JuteWriter {
  #bytes: Buffer
  #length: number

  /** The first `reserved` bytes are left free, for whoever knows them later. */
  constructor(reserved = 0) {
    this.#bytes = Buffer.allocUnsafe(Math.max(initialCapacity, reserved))
    this.#length = reserved
  }

  int(value: number): void {
    const start = this.#grow(4)
    this.#bytes.writeInt32BE(value, start)
  }

  long(value: bigint): void {
    const start = this.#grow(8)
    this.#bytes.writeBigInt64BE(value, start)
  }

  bool(value: boolean): void {
    const start = this.#grow(1)
    this.#bytes[start] = value ? 1 : 0
  }

  buffer(value: Uint8Array | undefined): void {
    if (value === undefined) {
      this.int(nullLength)
      return
    }
    this.int(value.length)
    const start = this.#grow(value.length)
    this.#bytes.set(value, start)
  }

  text(value: string | undefined): void {
    if (value === undefined) {
      this.int(nullLength)
      return
    }
    const length = Buffer.byteLength(value)
    this.int(length)
    const start = this.#grow(length)
    this.#bytes.write(value, start, 'utf8')
  }

  /** All that was written, the reserved bytes first. Nothing may be written after it. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #grow(by: number): number {
    const start = this.#length
    this.#length += by
    if (this.#length > this.#bytes.length) {
      const bigger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(bigger, 0, 0, start)
      this.#bytes = bigger
    }
    return start
  }
}

/** How one kind of value is read and written. */
export interface Schema<T> {
  /** The least number of bytes that a value takes. */
  readonly bytesMin: number
  read(reader: JuteReader): T
  write(writer: JuteWriter, value: T): void
}

export const int: Schema<number> = {
  bytesMin: 4,
  read: (reader) => reader.int(),
  write: (writer, value) => writer.int(value),
}

export const long: Schema<bigint> = {
  bytesMin: 8,
  read: (reader) => reader.long(),
  write: (writer, value) => writer.long(value),
}

/** A long that is a time or a duration in milliseconds: a number here, with the precision that one has. */
export const millis: Schema<number> = {
  bytesMin: 8,
  read: (reader) => Number(reader.long()),
  write: (writer, value) => writer.long(BigInt(value)),
}

export const bool: Schema<boolean> = {
  bytesMin: 1,
  read: (reader) => reader.bool(),
  write: (writer, value) => writer.bool(value),
}

/** `undefined` is null. */
export const buffer: Schema<Uint8Array | undefined> = {
  bytesMin: 4,
  read: (reader) => reader.buffer(),
  write: (writer, value) => writer.buffer(value),
}

/** A null text is read as an empty one: nothing in the protocol tells them apart but `nullableText`. */
export const text: Schema<string> = {
  bytesMin: 4,
  read: (reader) => reader.text() ?? '',
  write: (writer, value) => writer.text(value),
}

export const nullableText: Schema<string | undefined> = {
  bytesMin: 4,
  read: (reader) => reader.text(),
  write: (writer, value) => writer.text(value),
}

/** A null vector is read as an empty one. */
export function vector<T>(element: Schema<T>): Schema<readonly T[]> {
  return {
    bytesMin: 4,
    read: (reader) => {
      const elements: T[] = []
      for (let left = reader.count(element.bytesMin); left > 0; left -= 1) elements.push(element.read(reader))
      return elements
    },
    write: (writer, elements) => {
      writer.int(elements.length)
      for (const one of elements) element.write(writer, one)
    },
  }
}

/** Fields one after the other, in the order of `fields`. */
export function record<T extends object>(fields: { readonly [K in keyof T]-?: Schema<T[K]> }): Schema<T> {
  const entries = Object.entries(fields) as [keyof T, Schema<T[keyof T]>][]
  return {
    bytesMin: entries.reduce((sum, [, schema]) => sum + schema.bytesMin, 0),
    read: (reader) => {
      const value: Partial<T> = {}
      for (const [name, schema] of entries) value[name] = schema.read(reader)
      return value as T
    },
    write: (writer, value) => {
      for (const [name, schema] of entries) schema.write(writer, value[name])
    },
  }
}

/** Nothing at all. */
export const nothing: Schema<undefined> = { bytesMin: 0, read: () => undefined, write: () => {} }
