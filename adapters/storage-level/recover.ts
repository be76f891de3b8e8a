/**
 * Reads a store back, once, and proves it: each entry by its CRC, each record and chunk by its link to the one before,
 * and all of them together by the seal. Whatever does not fit is a `Finding` that names it; nothing is skipped.
 *
 * A change that was torn never shows here: the database applies a batch as a whole or not at all. What does show is a
 * batch that is missing in the middle, and entries that changed where they lay.
 */
import type { Checkpoint, LogRecord, StoredState } from '../../lib/ports/index.ts'
import { Finding } from '../storage-shared/finding.ts'
import { decodeFrame, type Frame, type Kind } from './frame.ts'
import { generationPrefix, hex, indexOf, logPrefix, manifestKey, rangeOf, sealKey, valuePrefix } from './layout.ts'
import { decodeGeneration, decodeSeal, emptyLedger, type Ledger, type Summary, summaryOf } from './ledger.ts'

/**
 * Any abstract-level database, whatever encodings it has by default: what is used of it, in its own terms. (Its class
 * type takes encodings in both directions, so no instance of it takes them all.)
 */
export interface Level {
  readonly supports: { readonly permanence?: boolean | undefined }
  open(): Promise<void>
  close(): Promise<void>
  get(key: string, options: Encodings): Promise<unknown>
  keys(options: Range & { readonly keyEncoding: 'utf8' }): { all(): Promise<unknown[]> }
  iterator(options: Range & Encodings): {
    all(): Promise<[unknown, unknown][]>
    nextv(size: number): Promise<[unknown, unknown][]>
    close(): Promise<void>
  }
  batch(operations: never[], options: object): Promise<void>
}

interface Range {
  readonly gte: string
  readonly lt: string
}

interface Encodings {
  readonly keyEncoding: 'utf8'
  readonly valueEncoding: 'view'
}

export interface Recovered {
  readonly state: StoredState
  readonly ledger: Ledger
}

interface KeyedFrame {
  readonly key: string
  readonly frame: Frame
}

export async function recover(db: Level): Promise<Recovered> {
  const ledger = emptyLedger()
  const seal = await readOne(db, sealKey, 'seal')
  const sealed = seal === undefined ? summaryOf(ledger) : decodeSeal(seal)
  ledger.commits = seal?.first ?? 0n
  ledger.base = sealed.base
  const state: StoredState = {
    values: await readValues(db, ledger),
    checkpoint: await readCheckpoint(db, ledger),
    records: await readRecords(db, ledger),
  }
  compareWithSeal(summaryOf(ledger), sealed)
  return { state, ledger }
}

async function readValues(db: Level, ledger: Ledger): Promise<Map<string, Uint8Array>> {
  const values = new Map<string, Uint8Array>()
  for (const { key, frame } of await readRange(db, valuePrefix, 'value')) {
    const name = key.slice(valuePrefix.length)
    ledger.values.set(name, frame.crc)
    values.set(name, frame.body)
  }
  return values
}

async function readCheckpoint(db: Level, ledger: Ledger): Promise<Checkpoint | undefined> {
  const manifest = await readOne(db, manifestKey, 'manifest')
  if (manifest !== undefined) ledger.generation = decodeGeneration(manifest)
  // What was staged for a checkpoint that never came about. It goes with the next one.
  ledger.extent = await extentOf(db, generationPrefix(ledger.generation + 1))
  const chunks = (await readRange(db, generationPrefix(ledger.generation), 'chunk')).reverse()
  const expected = Number(manifest?.last ?? 0n)
  if (chunks.length !== expected) {
    throw new Finding(`the checkpoint has ${chunks.length} chunks, its manifest says ${expected}`)
  }
  let link = 0
  for (const { key, frame } of chunks) {
    if (frame.link !== link) throw new Finding(`${key} does not follow the chunk before it`)
    link = frame.crc
  }
  ledger.chunks = chunks.length
  if (manifest === undefined) return undefined
  if (manifest.link !== link) throw new Finding('the manifest is of another checkpoint than the chunks')
  ledger.manifest = manifest.crc
  return { zxid: manifest.first, chunks: chunks.map(({ frame }) => frame.body) }
}

async function readRecords(db: Level, ledger: Ledger): Promise<LogRecord[]> {
  let link = ledger.base
  let before = 'where it was purged'
  const records: LogRecord[] = []
  for (const { frame } of await readRange(db, logPrefix, 'record')) {
    if (frame.link !== link) throw new Finding(`the log is broken between ${before} and ${hex(frame.first)}`)
    link = frame.crc
    before = hex(frame.last)
    ledger.records.push({ last: frame.last, crc: frame.crc })
    records.push({ first: frame.first, last: frame.last, bytes: frame.body })
  }
  return records
}

/** Where the log begins is not among them: the link of its first record has proved that. */
type Compared = Exclude<keyof Summary, 'base'>

const differences: Readonly<Record<Compared, string>> = {
  records: 'the number of log records differs from the seal',
  head: 'the log does not end where the seal says',
  values: 'a value is missing or of another moment than the seal',
  manifest: 'the checkpoint is missing or of another moment than the seal',
}

function compareWithSeal(found: Summary, sealed: Summary): void {
  for (const [field, difference] of Object.entries(differences) as [Compared, string][]) {
    if (found[field] !== sealed[field]) throw new Finding(difference)
  }
}

const encodings: Encodings = { keyEncoding: 'utf8', valueEncoding: 'view' }

async function readOne(db: Level, key: string, kind: Kind): Promise<Frame | undefined> {
  const stored = await db.get(key, encodings)
  return stored === undefined ? undefined : decodeFrame(key, kind, stored as Uint8Array)
}

/** So many entries are proved in one go. */
const entriesAtOnce = 64

async function readRange(db: Level, prefix: string, kind: Kind): Promise<KeyedFrame[]> {
  const frames: KeyedFrame[] = []
  const iterator = db.iterator({ ...rangeOf(prefix), ...encodings })
  try {
    for (;;) {
      const entries = (await iterator.nextv(entriesAtOnce)) as [string, Uint8Array][]
      if (entries.length === 0) return frames
      for (const [key, stored] of entries) frames.push({ key, frame: decodeFrame(key, kind, stored) })
    }
  } finally {
    await iterator.close()
  }
}

/** The highest index of a chunk below the prefix, and one. */
async function extentOf(db: Level, prefix: string): Promise<number> {
  const [highest] = (await db.keys({ ...rangeOf(prefix), keyEncoding: 'utf8' }).all()) as string[]
  return highest === undefined ? 0 : indexOf(highest) + 1
}
