/**
 * Reads CBOR (RFC 8949) item by item, as a schema asks for them: no array or object is made that nobody keeps. It knows
 * what `cbor.ts` writes: whole numbers, texts, bytes, lists of a known length, true, false, null and undefined. Whatever
 * else comes, ends early, or is not what was asked for is malformed; nothing is allocated by a length that was only claimed.
 */
import { CoordError } from '../errors.ts'

export function malformed(what: string): never {
  throw new CoordError('COORD_PROTOCOL', `malformed: ${what}`)
}

/** The upper three bits of an item's first byte. */
const major = { natural: 0, negative: 1, bytes: 2, text: 3, list: 4 } as const
/** First bytes that stand for themselves. */
const simple = { false: 0xf4, true: 0xf5, null: 0xf6, undefined: 0xf7, float: 0xfb } as const
/** A whole number of eight bytes. */
const wide = (major.natural << 5) | 27

export class Source {
  readonly #bytes: Buffer
  /** For what Buffer is slow at. */
  readonly #view: DataView
  #at = 0

  constructor({ buffer, byteOffset, length }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, length)
    this.#view = new DataView(buffer, byteOffset, length)
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Passes a null or an undefined, if one comes next. */
  takeNothing(): boolean {
    const first = this.#bytes[this.#at]
    if (first !== simple.undefined && first !== simple.null) return false
    this.#at += 1
    return true
  }

  boolean(): boolean {
    const first = this.#bytes[this.#at]
    if (first !== simple.true && first !== simple.false) malformed('not a boolean')
    this.#at += 1
    return first === simple.true
  }

  /** A whole number that is safe. */
  integer(): number {
    const first = this.#first()
    if (first < 24) {
      this.#at += 1
      return first
    }
    const value = first === simple.float ? this.#float() : this.#wholeNumber(first)
    return Number.isSafeInteger(value) ? value : malformed('not an integer')
  }

  /** A whole number from 0 to 2⁶⁴−1, as it comes: what is small may have been a number. */
  long(): bigint {
    if (this.#first() !== wide) return BigInt(this.integer())
    const start = this.#take(9) + 1
    return this.#view.getBigUint64(start)
  }

  text(lengthMax: number): string {
    const length = this.#length(major.text, 'text')
    // A character has up to three bytes, and up to two of its units have four.
    if (length > 3 * lengthMax) malformed('a text that is too long')
    const start = this.#take(length)
    const text = this.#bytes.toString('utf8', start, start + length)
    return text.length <= lengthMax ? text : malformed('a text that is too long')
  }

  /** They are those of the frame. */
  bytes(lengthMax: number): Uint8Array {
    const length = this.#length(major.bytes, 'bytes')
    if (length > lengthMax) malformed('too many bytes')
    const { buffer, byteOffset } = this.#bytes
    return new Uint8Array(buffer, byteOffset + this.#take(length), length)
  }

  /** How many items follow that belong to the list. */
  list(countMax: number): number {
    const count = this.#length(major.list, 'list')
    // Each takes a byte at the least.
    return count <= countMax && count <= this.#bytes.length - this.#at ? count : malformed('a list that is too long')
  }

  #first(): number {
    return this.#bytes[this.#at] ?? malformed('it ends early')
  }

  #wholeNumber(first: number): number {
    const type = first >> 5
    if (type === major.natural) return this.#argument()
    return type === major.negative ? -1 - this.#argument() : malformed('not a number')
  }

  #float(): number {
    return this.#view.getFloat64(this.#take(9) + 1)
  }

  #length(type: number, what: string): number {
    return this.#first() >> 5 === type ? this.#argument() : malformed(`no ${what}`)
  }

  /** The number in an item's head. */
  #argument(): number {
    const bytes = this.#bytes
    switch ((bytes[this.#at] as number) & 31) {
      case 24:
        return bytes[this.#take(2) + 1] as number
      case 25:
        return bytes.readUInt16BE(this.#take(3) + 1)
      case 26:
        return bytes.readUInt32BE(this.#take(5) + 1)
      case 27:
        return Number(this.#view.getBigUint64(this.#take(9) + 1))
      default: {
        const value = (bytes[this.#take(1)] as number) & 31
        return value < 24 ? value : malformed('a length that is not known')
      }
    }
  }

  /** Passes so many bytes, and returns where they begin. */
  #take(count: number): number {
    const start = this.#at
    if (count > this.#bytes.length - start) malformed('it ends early')
    this.#at += count
    return start
  }
}
