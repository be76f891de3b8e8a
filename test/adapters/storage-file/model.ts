/** What a store must hold, as the port says it; and states in a form that compares by content. */
import { crc32 } from 'node:zlib'
import type { Checkpoint, LogRecord, StorageChange, StoredState } from '../../../lib/ports/index.ts'

/** A state as text. */
export function plain({ values, checkpoint, records }: StoredState): string {
  return JSON.stringify({
    values: [...values].map(([name, value]) => `${name}: ${text(value)}`).sort(),
    checkpoint: checkpoint === undefined ? 'none' : [`${checkpoint.zxid}`, ...checkpoint.chunks.map(text)],
    records: records.map(({ first, last, bytes }) => `${first}-${last}: ${text(bytes)}`),
  })
}

const text = (bytes: Uint8Array): string =>
  bytes.length > 40 ? `${bytes.length} bytes, ${crc32(bytes)}` : Buffer.from(bytes).toString('latin1')

export class Model {
  readonly #values = new Map<string, Uint8Array>()
  #checkpoint: Checkpoint | undefined
  #staged: { zxid: bigint; chunks: Uint8Array[] } | undefined
  #records: LogRecord[] = []

  get state(): string {
    return plain({ values: this.#values, checkpoint: this.#checkpoint, records: this.#records })
  }

  apply(change: StorageChange): void {
    const { reset, values, truncateAfter, stage, checkpoint, purgeThrough, append } = change
    if (reset === true) {
      this.#values.clear()
      this.#checkpoint = undefined
      this.#staged = undefined
      this.#records = []
    }
    for (const [name, value] of values ?? []) {
      if (value === undefined) this.#values.delete(name)
      else this.#values.set(name, value)
    }
    if (truncateAfter !== undefined) this.#records = this.#records.filter(({ last }) => last <= truncateAfter)
    if (stage !== undefined) {
      if (stage.from === 0) this.#staged = { zxid: stage.zxid, chunks: [] }
      this.#staged?.chunks.push(...stage.chunks)
    }
    if (checkpoint !== undefined) this.#checkpoint = this.#staged as Checkpoint
    if (purgeThrough !== undefined) this.#records = this.#records.filter(({ last }) => last > purgeThrough)
    this.#records.push(...(append ?? []))
  }
}

const bytesOf = (seed: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (seed * 31 + index * 7) % 251)

export const record = (zxid: number, length = 40): LogRecord => ({
  first: BigInt(zxid),
  last: BigInt(zxid),
  bytes: bytesOf(zxid, length),
})

const value = (name: string, seed: number): Map<string, Uint8Array | undefined> => new Map([[name, bytesOf(seed, 24)]])

const stage = (zxid: number, from: number, ...lengths: number[]): StorageChange['stage'] => ({
  zxid: BigInt(zxid),
  from,
  chunks: lengths.map((length, index) => bytesOf(zxid + from + index, length)),
})

/** Everything that a store is asked to do, with files so small that the journal goes through several. */
export const script: readonly StorageChange[] = [
  { values: new Map([...value('identity', 1), ...value('epochs', 1)]) },
  { append: [record(1), record(2, 0), record(3, 700)] },
  { values: value('epochs', 2), append: [record(4, 1500)] },
  {},
  { truncateAfter: 3n },
  { append: [record(4, 900), record(5, 30)] },
  { append: [record(6, 2500)] },
  { stage: stage(5, 0, 300, 0, 900) },
  { stage: stage(5, 3, 600), append: [record(7, 1200)] },
  { checkpoint: { zxid: 5n, chunks: 4 }, purgeThrough: 5n },
  { append: [record(8, 3000)] },
  { append: [record(9, 3000)] },
  { values: new Map([['identity', undefined]]), truncateAfter: 8n, append: [record(9, 100)] },
  { append: [record(10, 9000)] },
  { append: [record(11, 30)] },
  { stage: stage(8, 0, 50) },
  { stage: stage(10, 0, 400) },
  { stage: stage(10, 1, 500), checkpoint: { zxid: 10n, chunks: 2 }, purgeThrough: 10n, append: [record(12, 20)] },
  { append: [record(13, 3000)] },
  { append: [record(14, 3000)] },
  { append: [record(15, 3000)] },
  { stage: stage(14, 0, 100), checkpoint: { zxid: 14n, chunks: 1 }, purgeThrough: 14n },
  { append: [record(16, 3000)] },
  { truncateAfter: 0n },
  { append: [record(20, 500)] },
  {
    reset: true,
    values: value('identity', 9),
    stage: stage(30, 0, 100, 200),
    checkpoint: { zxid: 30n, chunks: 2 },
    append: [record(31, 60)],
  },
  { append: [record(32, 3500)] },
  { append: [record(33, 3500)], values: value('epochs', 3) },
  { append: [record(34, 3500)] },
]
