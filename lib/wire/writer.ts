/**
 * Writes the items that schemas are made of, as CBOR (RFC 8949) in its shortest form; a number beyond 32 bits as a
 * double, so that it is read as a number. What is written is what cbor-x would write of the same values, which reads it.
 */

import { putAscii } from '../bytes.ts'

/** Major types, in the highest three bits of an item's first byte. */
const major = { natural: 0x00, negative: 0x20, bytes: 0x40, text: 0x60, array: 0x80 } as const
const simple = { false: 0xf4, true: 0xf5, undefined: 0xf7 } as const
const long = 0x1b
const double = 0xfb
/** What an item takes besides its text or bytes, at the most. */
const headBytesMax = 9
/** A character takes so many bytes at the most: of a pair, each two. */
const bytesPerCharacterMax = 3
/**
 * Texts shorter than this are written here: to call the host for them takes longer, and it would put another character in the
 * place of half a pair, which whoever evaluates its own request has not got.
 */
const shortText = 64

const firstBytes = 0x1_0000
/** A larger place is not kept. */
const keptBytesMax = 0x40_0000

export class Writer {
  #bytes = Buffer.allocUnsafeSlow(firstBytes)
  #view = viewOf(this.#bytes)
  #at = 0

  get isEmpty(): boolean {
    return this.#at === 0
  }

  /** What was written since the last time, as bytes of their own. */
  take(): Uint8Array {
    const taken = Buffer.allocUnsafe(this.#at)
    this.#bytes.copy(taken, 0, 0, this.#at)
    this.clear()
    return taken
  }

  /** What was written is not wanted. */
  clear(): void {
    this.#at = 0
    if (this.#bytes.length > keptBytesMax) this.#use(Buffer.allocUnsafeSlow(firstBytes))
  }

  nothing(): void {
    this.#byte(simple.undefined)
  }

  boolean(value: boolean): void {
    this.#byte(value ? simple.true : simple.false)
  }

  /** So many items follow, which are its own. */
  array(count: number): void {
    this.#reserve(headBytesMax)
    this.#head(major.array, count)
  }

  /** A whole number, up to 2⁵³. */
  number(value: number): void {
    this.#reserve(headBytesMax)
    if (value >= 0 && value <= 0xffff_ffff) this.#head(major.natural, value)
    else if (value < 0 && value >= -0x1_0000_0000) this.#head(major.negative, -1 - value)
    else {
      this.#bytes[this.#at] = double
      this.#view.setFloat64(this.#at + 1, value)
      this.#at += 9
    }
  }

  long(value: bigint): void {
    this.#reserve(headBytesMax)
    this.#bytes[this.#at] = long
    this.#view.setBigUint64(this.#at + 1, value)
    this.#at += 9
  }

  text(value: string): void {
    const { length } = value
    this.#reserve(headBytesMax + length * bytesPerCharacterMax)
    if (length >= shortText) this.#longText(value)
    else if (!this.#asciiText(value)) this.#shortText(value)
  }

  bytes(value: Uint8Array): void {
    this.headOfBytes(value.length)
    this.items(value)
  }

  /** What stands before so many bytes, which are put behind it by somebody else. */
  headOfBytes(length: number): void {
    this.#reserve(headBytesMax)
    this.#head(major.bytes, length)
  }

  /** A text of one byte a character, as bytes. */
  latin1(value: string): void {
    this.#reserve(headBytesMax + value.length)
    this.#head(major.bytes, value.length)
    this.#at += this.#bytes.write(value, this.#at, 'latin1')
  }

  /** Items that are written already. */
  items(written: Uint8Array): void {
    this.#reserve(written.length)
    this.#bytes.set(written, this.#at)
    this.#at += written.length
  }

  #asciiText(value: string): boolean {
    const start = this.#at
    this.#head(major.text, value.length)
    if (!putAscii(this.#bytes, this.#at, value)) {
      this.#at = start
      return false
    }
    this.#at += value.length
    return true
  }

  #shortText(value: string): void {
    const codes = Array.from(value, (character) => character.codePointAt(0) as number)
    this.#head(
      major.text,
      codes.reduce((sum, code) => sum + utf8BytesOf(code), 0),
    )
    for (const code of codes) this.#character(code)
  }

  /** Half of a pair as it is, in three bytes. */
  #character(code: number): void {
    const count = utf8BytesOf(code)
    this.#bytes[this.#at] = count === 1 ? code : ((0xf00 >> count) & 0xff) | (code >> (6 * (count - 1)))
    for (let index = 1; index < count; index += 1) {
      this.#bytes[this.#at + index] = 0x80 | ((code >> (6 * (count - 1 - index))) & 0x3f)
    }
    this.#at += count
  }

  #longText(value: string): void {
    this.#head(major.text, Buffer.byteLength(value))
    this.#at += this.#bytes.write(value, this.#at)
  }

  #head(type: number, value: number): void {
    const bytes = this.#bytes
    const at = this.#at
    if (value < 24) {
      bytes[at] = type | value
      this.#at = at + 1
    } else if (value <= 0xff) {
      bytes[at] = type | 24
      bytes[at + 1] = value
      this.#at = at + 2
    } else if (value <= 0xffff) {
      bytes[at] = type | 25
      this.#view.setUint16(at + 1, value)
      this.#at = at + 3
    } else {
      bytes[at] = type | 26
      this.#view.setUint32(at + 1, value)
      this.#at = at + 5
    }
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#at] = value
    this.#at += 1
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#at + length, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#use(larger)
  }

  #use(bytes: Buffer<ArrayBuffer>): void {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length)
}

function utf8BytesOf(code: number): number {
  if (code < 0x80) return 1
  if (code < 0x800) return 2
  return code < 0x1_0000 ? 3 : 4
}
