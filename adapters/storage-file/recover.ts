/**
 * Reads a store back and proves it: each frame by its CRCs, its sequence number and its link to the one before, across
 * all segments; the checkpoint by what the journal says of it. Nothing is written here, whatever is found.
 *
 * Only the last frame of all may be unsound, and only as far as nothing shows that another one was begun behind it: that
 * is a change that was torn, whose commit never resolved. Everything else that does not fit is a `Finding` that names the
 * file and the offset. That the last changes are gone altogether cannot be seen from here: that is for the peers, who
 * remember what this member acknowledged.
 */

import type { Checkpoint, LogRecord } from '../../lib/ports/index.ts'
import { Finding } from '../storage-shared/finding.ts'
import { decodeChange, type JournalChange } from './change.ts'
import { readCheckpoint } from './checkpoint-file.ts'
import { crcOf } from './crc.ts'
import type { Files } from './files.ts'
import { type FrameHeader, findHeader, frameHeaderBytes, headerAt, spanOf } from './frame.ts'
import type { Position } from './journal.ts'
import { checkpointName, journalName, type Listing } from './layout.ts'
import { Ledger } from './ledger.ts'
import { pageBytes, type Segment, SegmentReader, seedOf } from './segment.ts'

export interface Recovered {
  readonly ledger: Ledger<LogRecord>
  readonly checkpoint: Checkpoint | undefined
  /** Where the journal goes on. */
  readonly end: Position
  /** The last frame, as it is there. */
  readonly last: { readonly bytes: Uint8Array; readonly offset: number }
  /** The first segment that is needed. */
  readonly oldest: number
}

interface Frame {
  readonly header: FrameHeader
  readonly offset: number
  readonly change: JournalChange
}

interface Contents {
  readonly segment: Segment
  /** None: it was prepared, and nothing was written to it. */
  readonly frames: readonly Frame[]
  /** Where its last frame ends. */
  readonly end: number
  readonly lastBytes: Uint8Array
}

/** Of a directory with journals in it. */
export async function recover(files: Files, { journals }: Listing): Promise<Recovered> {
  const newest = await readNewest(files, journals)
  const last = newest.frames.at(-1) as Frame
  const { number } = newest.segment
  const { oldest } = last.header
  const ledger = new Ledger((record) => record)
  let before: Frame | undefined
  for (let each = oldest; each <= number; each += 1) {
    const contents = each === number ? newest : await readNeeded(files, each, journals)
    before = replay(ledger, contents, newest.segment, before)
  }
  const reference = ledger.checkpoint
  if (reference !== undefined && !(await files.list()).includes(checkpointName(reference.number))) {
    throw new Finding(`${checkpointName(reference.number)} is missing`)
  }
  return {
    ledger,
    checkpoint: reference && (await readCheckpoint(files, newest.segment.store, reference)),
    end: { segment: newest.segment, offset: newest.end, sequence: last.header.sequence, crc: last.header.crc },
    last: { bytes: newest.lastBytes, offset: last.offset },
    oldest,
  }
}

/** The last segment that has begun. Those behind it were prepared. */
async function readNewest(files: Files, journals: readonly number[]): Promise<Contents> {
  const prepared: Segment[] = []
  for (let number = journals.at(-1) ?? 0; number > 0; number -= 1) {
    const contents = await readNeeded(files, number, journals)
    if (contents.frames.length === 0) {
      prepared.push(contents.segment)
      continue
    }
    const stranger = prepared.find(({ store }) => store !== contents.segment.store)
    if (stranger !== undefined) throw new Finding(`${journalName(stranger.number)} is of another store`)
    return contents
  }
  throw new Finding('none of its journals has a beginning')
}

async function readNeeded(files: Files, number: number, journals: readonly number[]): Promise<Contents> {
  if (!journals.includes(number)) throw new Finding(`${journalName(number)} is missing`)
  const reader = await SegmentReader.open(files, number)
  try {
    return await readFrames(reader)
  } finally {
    await reader.close()
  }
}

async function readFrames(reader: SegmentReader): Promise<Contents> {
  const { segment, bytes, name } = reader
  const seed = seedOf(segment)
  const frames: Frame[] = []
  let offset = pageBytes
  let lastEnd = offset
  for (;;) {
    await reader.load(offset + frameHeaderBytes)
    const header = headerAt(bytes, offset, seed)
    if (header === undefined) break
    const before = frames.at(-1)?.header
    if (before !== undefined) assertFollows(header, before, name, offset)
    const end = offset + frameHeaderBytes + header.length
    if (end > bytes.length) break
    await reader.load(end)
    const payload = bytes.subarray(offset + frameHeaderBytes, end)
    if (crcOf(payload) !== header.payloadCrc) break
    const change = decodeChange(payload)
    if (change.isBase !== (before === undefined))
      throw new Finding(`${name} is no beginning, or has two (offset ${offset})`)
    frames.push({ header, offset, change })
    lastEnd = end
    offset += spanOf(end - offset)
  }
  await reader.load(bytes.length)
  const behind = findHeader(bytes, offset + 1, seed)
  if (behind !== undefined) {
    throw new Finding(`${name} has an unsound change at offset ${offset}, and one behind it at offset ${behind}`)
  }
  const lastBytes = new Uint8Array(bytes.subarray(frames.at(-1)?.offset ?? lastEnd, lastEnd))
  return { segment, frames, end: offset, lastBytes }
}

function assertFollows(header: FrameHeader, before: FrameHeader, name: string, offset: number): void {
  if (header.sequence === before.sequence + 1 && header.link === before.crc && header.oldest >= before.oldest) return
  const reason = `has change ${header.sequence} where that after ${before.sequence} belongs (offset ${offset})`
  throw new Finding(`${name} ${reason}`)
}

/** Returns the last frame. */
function replay(
  ledger: Ledger<LogRecord>,
  { segment, frames }: Contents,
  newest: Segment,
  before: Frame | undefined,
): Frame | undefined {
  const name = journalName(segment.number)
  if (segment.store !== newest.store)
    throw new Finding(`${name} is of another store than ${journalName(newest.number)}`)
  const [first] = frames
  if (first === undefined) throw new Finding(`${name} has no sound change at offset ${pageBytes}`)
  if (before !== undefined) assertFollows(first.header, before.header, name, first.offset)
  for (const { change } of frames) ledger.apply(change, segment.number)
  return frames.at(-1)
}
