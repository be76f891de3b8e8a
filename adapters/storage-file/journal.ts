/**
 * Writes the journal: one frame after the other into the current segment, each in one write that is on the disk when it
 * resolves. The next segment is prepared while this one is written to, so that no frame waits for the file system to find
 * room or to keep a journal of its own; files that are no longer needed become the next ones.
 *
 * What runs in the background runs one after the other. Making the next segment may fail: then whoever needs it tries
 * again, and fails with it. Tidying up may fail, too, and be left to the next opening.
 */

import { type Files, type OpenFile, removeByPieces } from './files.ts'
import { encodeFrame, frameHeaderBytes, spanOf } from './frame.ts'
import { journalName, spareName } from './layout.ts'
import { pageBytes, rewriteSegment, type Segment, seedOf, writeSegment } from './segment.ts'

/** The first segment of a store: one that has little to write takes little of the disk. */
const firstBytesMax = 0x10_0000
/** So many files that are no longer needed wait to be used again. */
const sparesMax = 2

export interface Position {
  readonly segment: Segment
  /** Where the next frame begins. */
  readonly offset: number
  /** Of the frame before it. */
  readonly sequence: number
  readonly crc: number
}

/** How long the first segment of a store is, if it is to hold a frame with so many bytes of payload. */
export function firstSegmentBytes(payloadBytes: number, segmentBytes: number): number {
  return roomFor(payloadBytes, Math.min(firstBytesMax, segmentBytes))
}

function roomFor(payloadBytes: number, usual: number): number {
  const needed = pageBytes + frameHeaderBytes + payloadBytes
  return Math.max(usual, Math.ceil(needed / pageBytes) * pageBytes)
}

export class Journal {
  readonly #files: Files
  /** The usual length of a segment. */
  readonly #segmentBytes: number
  #segment: Segment
  #seed: number
  #file: OpenFile
  #offset: number
  #sequence: number
  #crc: number
  #next: Promise<Segment | undefined> | undefined
  #background: Promise<unknown> = Promise.resolve()
  /** The oldest segment of which there is a file. */
  #oldest: number
  #spares: { readonly name: string; readonly bytes: number }[] = []
  /** How long those segments are that may become spares. */
  readonly #lengths = new Map<number, number>()

  private constructor(files: Files, segmentBytes: number, position: Position, file: OpenFile, oldest: number) {
    this.#files = files
    this.#segmentBytes = segmentBytes
    this.#segment = position.segment
    this.#seed = seedOf(position.segment)
    this.#file = file
    this.#offset = position.offset
    this.#sequence = position.sequence
    this.#crc = position.crc
    this.#oldest = oldest
  }

  /** `oldest`: no segment before that is there any more. */
  static async open(files: Files, segmentBytes: number, position: Position, oldest: number): Promise<Journal> {
    const file = await files.open(journalName(position.segment.number), 'durable')
    return new Journal(files, segmentBytes, position, file, oldest)
  }

  get segment(): number {
    return this.#segment.number
  }

  /** Whether a frame with so many bytes of payload still fits. */
  fits(payloadBytes: number): boolean {
    return this.#offset + frameHeaderBytes + payloadBytes <= this.#segment.bytes
  }

  /** Writes what is there already once more: nobody knows that it has reached the disk. */
  async writeAgain(bytes: Uint8Array, offset: number): Promise<void> {
    await this.#file.write([bytes], offset)
  }

  /** `oldest`: the first segment that is needed when this frame counts. */
  async write(payload: readonly Uint8Array[], oldest: number): Promise<void> {
    const sequence = this.#sequence + 1
    const frame = encodeFrame(this.#seed, { sequence, oldest, link: this.#crc }, payload)
    await this.#file.write(frame.parts, this.#offset)
    this.#offset += spanOf(frame.bytes)
    this.#sequence = sequence
    this.#crc = frame.crc
    this.#prepareNext()
    if (oldest > this.#oldest) this.#letGo(oldest)
  }

  /** Goes on in the next segment, whose first frame has so many bytes of payload. */
  async beginSegment(payloadBytes: number): Promise<void> {
    this.#prepareNext()
    // What failed in the background may go well now.
    const prepared = (await this.#next) ?? (await this.#prepare())
    const needed = roomFor(payloadBytes, prepared.bytes)
    const segment = needed > prepared.bytes ? await this.#make({ ...prepared, bytes: needed }) : prepared
    const file = await this.#files.open(journalName(segment.number), 'durable')
    const before = this.#file
    this.#lengths.set(this.#segment.number, this.#segment.bytes)
    this.#segment = segment
    this.#seed = seedOf(segment)
    this.#file = file
    this.#offset = pageBytes
    this.#next = undefined
    await before.close()
  }

  /** Does something when what is under way in the background is done; it may fail. */
  later(job: () => Promise<void>): void {
    this.#background = this.#background.then(job).catch(() => {})
  }

  /** Waits for what is under way in the background. */
  async close(): Promise<void> {
    await this.#background
    await this.#file.close()
  }

  #prepareNext(): void {
    if (this.#next !== undefined) return
    this.#next = this.#background.then(() => this.#prepare()).catch(() => undefined)
    this.#background = this.#next
  }

  #prepare(): Promise<Segment> {
    const { number, store, bytes } = this.#segment
    return this.#make({ number: number + 1, store, bytes: Math.min(2 * bytes, this.#segmentBytes) })
  }

  /** From a spare file, or anew. */
  async #make(segment: Segment): Promise<Segment> {
    const index = this.#spares.findIndex(({ bytes }) => bytes === segment.bytes)
    const [spare] = index === -1 ? [] : this.#spares.splice(index, 1)
    const name = spare?.name ?? spareName(segment.number)
    try {
      if (spare === undefined) await writeSegment(this.#files, name, segment)
      else await rewriteSegment(this.#files, name, segment)
      await this.#files.rename(name, journalName(segment.number))
      await this.#files.syncDirectory()
      return segment
    } catch (error) {
      // Nothing that has failed is used again.
      await this.#files.remove(name).catch(() => {})
      throw error
    }
  }

  #letGo(oldest: number): void {
    const first = this.#oldest
    this.#oldest = oldest
    this.later(async () => {
      for (let number = first; number < oldest; number += 1) await this.#letGoOf(number)
    })
  }

  async #letGoOf(number: number): Promise<void> {
    const bytes = this.#lengths.get(number)
    this.#lengths.delete(number)
    if (bytes !== this.#segmentBytes || this.#spares.length >= sparesMax) {
      await removeByPieces(this.#files, journalName(number))
      return
    }
    const name = spareName(number)
    await this.#files.rename(journalName(number), name)
    this.#spares.push({ name, bytes })
  }
}
