/**
 * Opens a store of files, writes each change as one frame, and puts what a reset says in place of everything.
 *
 * What is staged of a checkpoint is in no frame: it counts for nothing until a frame names it, which is written when the
 * file is on the disk. A reset is a file of its own, whole before it gets its name: until then, everything is as it was.
 */
import { randomBytes } from 'node:crypto'
import type { CoordError } from '../../lib/errors.ts'
import type { StorageChange, StoredState } from '../../lib/ports/index.ts'
import { Finding } from '../storage-shared/finding.ts'
import type { Store } from '../storage-shared/guarded-storage.ts'
import { type CheckpointReference, encodeChange, type JournalChange } from './change.ts'
import { Staging } from './checkpoint-file.ts'
import { asCoordError } from './failures.ts'
import { type Files, removeByPieces } from './files.ts'
import { encodeFrame, spanOf } from './frame.ts'
import { firstSegmentBytes, Journal, type Position } from './journal.ts'
import { checkpointName, journalName, type Listing, listingOf, spareName, stagingName } from './layout.ts'
import { Ledger } from './ledger.ts'
import type { Lock } from './lock.ts'
import { Owner } from './owner.ts'
import { type Recovered, recover } from './recover.ts'
import { pageBytes, seedOf, writeSegment } from './segment.ts'

interface Held {
  readonly last: bigint
}
const keep = ({ last }: Held): Held => ({ last })

/** What is open. */
interface Opened {
  readonly ledger: Ledger<Held>
  readonly journal: Journal
  readonly staging: Staging
  /** Nothing of it is unknown: until a change has failed. */
  isSound: boolean
}

const nothing: JournalChange = {
  isBase: true,
  values: new Map(),
  truncateAfter: undefined,
  checkpoint: undefined,
  purgeThrough: undefined,
  append: [],
}

export class FileStore implements Store {
  readonly #files: Files
  readonly #segmentBytes: number
  readonly #lockDirectory: () => Promise<Lock>
  readonly #owner: Owner
  #lock: Lock | undefined
  #opened: Opened | undefined
  /** Another one has opened the store: it is not ours any more, whatever is there. */
  #lost: CoordError | undefined

  /** `segmentBytes`: a multiple of 4096. */
  constructor(files: Files, segmentBytes: number, lockDirectory: () => Promise<Lock>) {
    this.#files = files
    this.#segmentBytes = segmentBytes
    this.#lockDirectory = lockDirectory
    this.#owner = new Owner(files)
  }

  get place(): string {
    return this.#files.directory
  }

  asCoordError(error: unknown): CoordError {
    return asCoordError(error, this.place)
  }

  async open(isAgain: boolean): Promise<StoredState> {
    if (this.#lost !== undefined) throw this.#lost
    if (isAgain) await this.#shut()
    await this.#files.makeDirectory()
    this.#lock ??= await this.#lockDirectory()
    const listing = listingOf(await this.#files.list())
    if (listing.journals.length === 0) await this.#create(listing)
    return this.#goOn(await recover(this.#files, listingOf(await this.#files.list())))
  }

  /** The first file has a beginning when it gets its name: so a store without one is damaged, not new. */
  async #create({ hasOwner, checkpoints, foreign, leftovers }: Listing): Promise<void> {
    if (hasOwner || checkpoints.length > 0) throw new Finding('its journal is missing')
    if (foreign.length > 0)
      throw new Finding(`the directory holds something else (${someOf(foreign)})`, 'COORD_STORE_FAILED')
    for (const name of leftovers) await this.#files.remove(name)
    await this.#writeFirst(1, randomBytes(8).toString('hex'), nothing)
  }

  /** Makes a segment that needs none before it. */
  async #writeFirst(number: number, store: string, change: JournalChange): Promise<Position> {
    const payload = encodeChange(change)
    const segment = { number, store, bytes: firstSegmentBytes(bytesOf(payload), this.#segmentBytes) }
    const frame = encodeFrame(seedOf(segment), { sequence: 1, oldest: number, link: 0 }, payload)
    await writeSegment(this.#files, spareName(number), segment, frame.parts)
    await this.#files.rename(spareName(number), journalName(number))
    await this.#files.syncDirectory()
    return { segment, offset: pageBytes + spanOf(frame.bytes), sequence: 1, crc: frame.crc }
  }

  async #goOn({ ledger, checkpoint, end, last, oldest }: Recovered): Promise<StoredState> {
    const listing = listingOf(await this.#files.list())
    const { number, store } = end.segment
    const journal = await Journal.open(this.#files, this.#segmentBytes, end, oldest)
    const staging = new Staging(this.#files, store, listing.checkpoints.at(-1) ?? 0)
    this.#opened = { ledger: ledger.map(keep, keep), journal, staging, isSound: false }
    await this.#owner.take()
    // A crash, or a failure, may have left it in the memory of the host alone.
    await journal.writeAgain(last.bytes, last.offset)
    await this.#tidy(listing, (journalNumber) => journalNumber < oldest || journalNumber > number, ledger.checkpoint)
    await mark(this.#opened)
    this.#opened.isSound = true
    return { values: copied(ledger.values), checkpoint, records: ledger.records }
  }

  /** Removes what a crash has left. */
  async #tidy(
    { journals, checkpoints, leftovers }: Listing,
    isDue: (journal: number) => boolean,
    checkpoint: CheckpointReference | undefined,
  ): Promise<void> {
    for (const name of leftovers) await this.#files.remove(name)
    for (const number of journals.filter(isDue)) await this.#files.remove(journalName(number))
    for (const number of checkpoints) {
      if (number !== checkpoint?.number) await this.#files.remove(checkpointName(number))
    }
    await this.#files.syncDirectory()
  }

  async write(change: StorageChange): Promise<void> {
    const opened = this.#opened as Opened
    try {
      await this.#write(opened, change)
    } catch (error) {
      opened.isSound = false
      const failure = this.asCoordError(error)
      if (failure.code === 'COORD_STORE_LOCKED') this.#lost = failure
      throw failure
    }
  }

  async #write(opened: Opened, change: StorageChange): Promise<void> {
    const { stage, checkpoint } = change
    // Beside the frame, unless that names it.
    const staged = stage === undefined ? Promise.resolve() : opened.staging.add(stage)
    if (checkpoint !== undefined) await staged
    const frame = isStageAlone(change) ? undefined : this.#writeFrame(opened, change)
    // Nothing is under way any more when the commit rejects.
    const outcomes = await Promise.allSettled([staged, frame])
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  async #writeFrame(opened: Opened, change: StorageChange): Promise<void> {
    const { ledger, journal, staging } = opened
    const { checkpoint: named, values = [], truncateAfter, purgeThrough, append = [] } = change
    const before = ledger.checkpoint
    let checkpoint: CheckpointReference | undefined
    if (named !== undefined) {
      await this.#owner.check()
      checkpoint = await staging.finish(named)
    }
    const all = { isBase: false, values: copied(values), truncateAfter, checkpoint, purgeThrough, append }
    await this.#append(opened, all)
    if (checkpoint !== undefined && before !== undefined) {
      journal.later(() => removeByPieces(this.#files, checkpointName(before.number)))
    }
  }

  async #append({ ledger, journal }: Opened, change: JournalChange): Promise<void> {
    const payload = encodeChange(change)
    if (journal.fits(bytesOf(payload))) {
      ledger.apply(change, journal.segment)
      await journal.write(payload, ledger.oldestSegment(journal.segment))
      return
    }
    const segment = journal.segment + 1
    ledger.apply(change, segment)
    const base = encodeChange({ ...change, isBase: true, values: ledger.values, checkpoint: ledger.checkpoint })
    await this.#owner.check()
    await journal.beginSegment(bytesOf(base))
    await journal.write(base, ledger.oldestSegment(segment))
  }

  async writeAnew(change: StorageChange): Promise<void> {
    await this.#shut()
    await this.#owner.take()
    const listing = listingOf(await this.#files.list())
    const store = randomBytes(8).toString('hex')
    const staging = new Staging(this.#files, store, listing.checkpoints.at(-1) ?? 0)
    try {
      const checkpoint = await stagedAs(staging, change)
      const number = (listing.journals.at(-1) ?? 0) + 1
      const values = copied(change.values ?? [])
      const all: JournalChange = { ...nothing, values, checkpoint, append: change.append ?? [] }
      const ledger = new Ledger<Held>(keep)
      ledger.apply(all, number)
      const end = await this.#writeFirst(number, store, all)
      const journal = await Journal.open(this.#files, this.#segmentBytes, end, number)
      this.#opened = { ledger, journal, staging, isSound: true }
      // What is staged from now on is not left over.
      const leftovers = listing.leftovers.filter((name) => name !== stagingName)
      journal.later(() => this.#tidy({ ...listing, leftovers }, (each) => each !== number, checkpoint))
    } catch (error) {
      await staging.close().catch(() => {})
      throw error
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened
    try {
      if (opened?.isSound === true) await mark(opened)
    } catch {
      // It need not be there.
    } finally {
      await this.#shut()
      await this.#lock?.release()
    }
  }

  /** Whatever fails with it, nothing of it is used any more. */
  async #shut(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    await opened?.staging.close().catch(() => {})
    await opened?.journal.close().catch(() => {})
  }
}

/** The checkpoint that one change stages and names. */
async function stagedAs(
  staging: Staging,
  { stage, checkpoint }: StorageChange,
): Promise<CheckpointReference | undefined> {
  if (stage !== undefined) await staging.add(stage)
  return checkpoint === undefined ? undefined : staging.finish(checkpoint)
}

/**
 * A change that changes nothing: what is before it is never taken for torn, and what was torn there is gone. Where there is
 * no room for it nothing was torn, for that had less; and it begins no segment.
 */
async function mark({ ledger, journal }: Opened): Promise<void> {
  const payload = encodeChange({ ...nothing, isBase: false })
  if (journal.fits(bytesOf(payload))) await journal.write(payload, ledger.oldestSegment(journal.segment))
}

function isStageAlone({ stage, checkpoint, values, truncateAfter, purgeThrough, append }: StorageChange): boolean {
  if (stage === undefined || checkpoint !== undefined) return false
  return isEmpty(values?.size) && isEmpty(append?.length) && truncateAfter === undefined && purgeThrough === undefined
}

const isEmpty = (size: number | undefined): boolean => (size ?? 0) === 0

const bytesOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0)

function copied<V extends Uint8Array | undefined>(values: Iterable<readonly [string, V]>): Map<string, V> {
  return new Map([...values].map(([name, value]) => [name, value?.slice() as V]))
}

/** The first few of some names. */
function someOf(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 3).join(', ')}, …` : names.join(', ')
}
