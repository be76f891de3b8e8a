/**
 * Packets on a stream: four bytes of length, then so many bytes. Chunks may cut them anywhere; a chunk is copied only
 * where a packet spans several of them.
 */
import { JuteWriter, MarshallingError } from './jute.ts'

const lengthBytes = 4

/** Of a packet that comes in very small pieces: then they are joined. */
const chunksMax = 1024

export class FrameReader {
  readonly #bytesMax: number
  #chunks: Buffer[] = []
  #buffered = 0
  /** Of the packet that is arriving; undefined until its length has arrived. */
  #wanted: number | undefined

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Whether a packet has begun to arrive and is not complete. */
  get isInside(): boolean {
    return this.#buffered > 0 || this.#wanted !== undefined
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    if (this.#chunks.length > chunksMax) this.#chunks = [Buffer.concat(this.#chunks)]
    this.#buffered += chunk.length
  }

  /** The next packet, if it is complete. Throws a MarshallingError for a length that no packet has. */
  next(): Buffer | undefined {
    if (this.#wanted === undefined) {
      if (this.#buffered < lengthBytes) return undefined
      const length = this.#take(lengthBytes).readInt32BE(0)
      if (length < 0 || length > this.#bytesMax) throw new MarshallingError(`a packet of ${length} bytes`)
      this.#wanted = length
    }
    if (this.#buffered < this.#wanted) return undefined
    const packet = this.#take(this.#wanted)
    this.#wanted = undefined
    return packet
  }

  #take(length: number): Buffer {
    this.#buffered -= length
    const first = this.#chunks[0]
    if (first === undefined || length === 0) return Buffer.alloc(0)
    if (first.length > length) {
      this.#chunks[0] = first.subarray(length)
      return first.subarray(0, length)
    }
    if (first.length === length) {
      this.#chunks.shift()
      return first
    }
    const all = Buffer.concat(this.#chunks)
    this.#chunks = all.length > length ? [all.subarray(length)] : []
    return all.subarray(0, length)
  }
}

/** One packet: what `write` writes, with its length before it. */
export function frame(write: (writer: JuteWriter) => void): Buffer {
  const writer = new JuteWriter(lengthBytes)
  write(writer)
  const bytes = writer.finish()
  bytes.writeInt32BE(bytes.length - lengthBytes, 0)
  return bytes
}
