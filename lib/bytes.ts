/** Bytes that change hands. */

/** Small copies are cut from blocks of this size, as Node's own small buffers are: an array buffer for each costs more than what is in it. */
const blockBytes = 8192

let block = newBlock()
let used = 0

/** A copy. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const { length } = bytes
  if (length > blockBytes / 2) return new Uint8Array(bytes)
  if (used + length > blockBytes) {
    block = newBlock()
    used = 0
  }
  const copy = new Uint8Array(block, used, length)
  copy.set(bytes)
  // The next one is aligned, as Node's own are.
  used = (used + length + 7) & ~7
  return copy
}

/** Not filled with zeros: what is handed out of it is written first. */
function newBlock(): ArrayBuffer {
  return Buffer.allocUnsafeSlow(blockBytes).buffer
}

/** Big-endian, of bytes that are there. Not through a DataView: to make one takes longer than all the rest of a short frame. */
export function uint32At(bytes: Uint8Array, at: number): number {
  const byte = (index: number): number => bytes[at + index] as number
  return ((byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3)) >>> 0
}

export function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** The bytes as a text of one character each, which takes a byte each. */
export function latin1Of({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}

/** The bytes of such a text, from a character on. */
export function bytesOfLatin1(text: string, start: number): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.from(text, 'latin1')
  return new Uint8Array(buffer, byteOffset + start, length - start)
}

/** From this length on, V8 makes a part of a text a view of the whole, which keeps that in memory. */
const viewLengthMin = 13
const texts = Buffer.alloc(1024)

/** The same text, without the one that it was cut out of. For what is kept for long, or compared often: V8 compares parts slowly. */
export function ownText(text: string): string {
  if (text.length < viewLengthMin || text.length > texts.length / 3) return text
  return texts.toString('utf8', 0, texts.write(text, 'utf8'))
}

/** A place to write bytes to and read them from. */
export class Scratch {
  readonly #buffer: Buffer
  readonly view: DataView

  constructor(length: number) {
    this.#buffer = Buffer.alloc(length)
    this.view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, length)
  }

  set(bytes: Uint8Array, start: number): void {
    this.#buffer.set(bytes, start)
  }

  /** Its beginning becomes that of the text, as far as it goes. */
  load(text: string, length: number): void {
    this.#buffer.write(text, 0, length, 'latin1')
  }

  /** Its beginning, as a text. */
  text(length: number): string {
    return this.#buffer.toString('latin1', 0, length)
  }
}

/** Puts a text there, a byte for each character: to call the host takes longer for a short one. False if it has others than ASCII. */
export function putAscii(bytes: Uint8Array, offset: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code > 0x7f) return false
    bytes[offset + index] = code
  }
  return true
}
