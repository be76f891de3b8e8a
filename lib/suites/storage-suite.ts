/**
 * Proves a `Storage`. Every test writes, closes, opens a new storage over the same place and compares everything that it
 * gives back.
 *
 * What a storage promises is declared on itself: one with `durable: false` may come back blank, but what it does give
 * back must be right. A fixture that can crash its storage gets the tests that only a crash can tell.
 */
import assert from 'node:assert/strict'
import type { Checkpoint, LogRecord, StagedChunks, Storage, StorageChange, StoredState } from '../ports/index.ts'
import type { TestFunction } from './runner.ts'

/** One place that holds a store, empty at first. */
export interface StorageFixture {
  /** A new storage over the place, not opened yet. The one before it has been closed, or has crashed. */
  storage(): Storage
  /** Ends the storage in use as a crash of process and host would, without closing it. */
  crash?(): Promise<void>
  /** Removes the place. The storage in use has been closed. */
  dispose?(): Promise<void>
}

export interface StorageSuiteOptions {
  readonly test: TestFunction
  readonly factory: () => StorageFixture | Promise<StorageFixture>
}

export function storageSuite({ test, factory }: StorageSuiteOptions): void {
  const withStore = (name: string, run: (store: Store) => Promise<void>): unknown =>
    test(name, async () => {
      const store = new Store(await factory())
      try {
        await run(store)
      } finally {
        await store.dispose()
      }
    })
  lifecycleTests(withStore)
  valueTests(withStore)
  logTests(withStore)
  checkpointTests(withStore)
  atomicityTests(withStore)
}

type WithStore = (name: string, run: (store: Store) => Promise<void>) => unknown

function lifecycleTests(test: WithStore): void {
  test('a new store is blank', async (store) => {
    await store.holds({})
  })

  test('close is idempotent, and possible before open', async (store) => {
    const storage = store.unopened()
    await Promise.all([storage.close(), storage.close()])
    await storage.close()
  })

  test('a closed storage neither opens nor commits', async (store) => {
    const storage = await store.open()
    await storage.close()
    await assert.rejects(storage.commit({ values: new Map([['late', bytes(1)]]) }))
    await assert.rejects(storage.open())
    await store.holds({})
  })

  test('close waits for the commit under way', async (store) => {
    const storage = await store.open()
    let isSettled = false
    const commit = storage.commit({ append: records(1, 500) }).finally(() => {
      isSettled = true
    })
    await storage.close()
    assert(isSettled, 'close resolved before the commit settled')
    await commit
    await store.holds({ records: records(1, 500) })
  })

  test('what was committed survives many openings', async (store) => {
    for (let round = 1; round <= 5; round += 1) {
      await store.commit({ append: [record(round)] })
      await store.holds({ records: records(1, round) })
    }
  })
}

function valueTests(test: WithStore): void {
  test('values are kept, replaced and removed by name', async (store) => {
    await store.commit({ values: values('a', 'b', 'c') })
    await store.commit({
      values: new Map<string, Uint8Array | undefined>([
        ['b', bytes(7, 7)],
        ['c', undefined],
        ['never-there', undefined],
      ]),
    })
    await store.holds({ values: new Map([...values('a'), ['b', bytes(7, 7)]]) })
  })

  test('a value may be empty, and its name any text', async (store) => {
    const odd = new Map(['', '/', 'a/b', '\u0000', '~', 'größe', '名前'].map((name) => [name, bytes()]))
    await store.commit({ values: odd })
    await store.holds({ values: odd })
  })

  test('a view is stored as what it shows', async (store) => {
    const whole = bytes(0, 1, 2, 3, 4, 5, 6, 7)
    await store.commit({ values: new Map([['view', whole.subarray(2, 5)]]) })
    await store.holds({ values: new Map([['view', bytes(2, 3, 4)]]) })
  })

  test('bytes handed out are the caller’s own', async (store) => {
    const change = { values: values('a'), append: [record(1)], ...staged(1, 'state') }
    await store.commit(change)
    const state = await store.reopen()
    for (const each of state.values.values()) each.fill(0xff)
    for (const each of state.records) each.bytes.fill(0xff)
    for (const each of state.checkpoint?.chunks ?? []) each.fill(0xff)
    await store.holds({ values: values('a'), records: [record(1)], checkpoint: checkpoint(1, 'state') })
  })
}

function logTests(test: WithStore): void {
  test('records come back in the order of their zxids', async (store) => {
    const zxids = [1n, 9n, 0xan, 0xffn, 0x100n, 0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffff_ffff_fffen]
    const log = zxids.map((zxid) => ({ first: zxid, last: zxid, bytes: bytes(Number(zxid & 0xffn)) }))
    for (const each of log) await store.commit({ append: [each] })
    await store.holds({ records: log })
  })

  test('many small records', async (store) => {
    await store.commit({ append: records(1, 5_000) })
    for (let zxid = 5_001; zxid <= 5_050; zxid += 1) await store.commit({ append: [record(zxid)] })
    await store.holds({ records: records(1, 5_050) })
  })

  test('an empty record and a big one', async (store) => {
    const log = [
      { first: 1n, last: 1n, bytes: bytes() },
      { first: 2n, last: 9n, bytes: new Uint8Array(4 * 1024 * 1024).map((_, index) => index % 251) },
    ]
    await store.commit({ append: log })
    await store.holds({ records: log })
  })

  test('truncateAfter drops every record that reaches above', async (store) => {
    await store.commit({ append: [range(1, 3), range(4, 6), range(7, 9)] })
    await store.commit({ truncateAfter: 5n })
    await store.holds({ records: [range(1, 3)] })
  })

  test('truncateAfter comes before append', async (store) => {
    await store.commit({ append: records(1, 6) })
    const replacement = [3, 4].map((zxid) => ({ ...record(zxid), bytes: bytes(99, zxid) }))
    await store.commit({ truncateAfter: 2n, append: replacement })
    await store.holds({ records: [...records(1, 2), ...replacement] })
  })

  test('a log cut to nothing goes on', async (store) => {
    await store.commit({ append: records(1, 3) })
    await store.commit({ truncateAfter: 0n })
    await store.holds({})
    await store.commit({ append: records(2, 4) })
    await store.holds({ records: records(2, 4) })
  })

  test('purgeThrough drops every record that ends at or below', async (store) => {
    await store.commit({ append: [range(1, 3), range(4, 6), range(7, 9)] })
    await store.commit({ purgeThrough: 5n })
    await store.holds({ records: [range(4, 6), range(7, 9)] })
    await store.commit({ purgeThrough: 6n })
    await store.holds({ records: [range(7, 9)] })
  })

  test('a log purged to nothing goes on', async (store) => {
    await store.commit({ append: records(1, 3) })
    await store.commit({ purgeThrough: 3n })
    await store.holds({})
    await store.commit({ append: records(4, 6) })
    await store.commit({ purgeThrough: 4n, truncateAfter: 5n })
    await store.holds({ records: records(5, 5) })
  })

  test('cuts that concern no record change nothing', async (store) => {
    await store.commit({ truncateAfter: 7n, purgeThrough: 7n })
    await store.commit({ append: records(5, 6) })
    await store.commit({ truncateAfter: 6n, purgeThrough: 4n })
    await store.holds({ records: records(5, 6) })
  })
}

function checkpointTests(test: WithStore): void {
  test('a checkpoint replaces the one before, longer or shorter', async (store) => {
    for (const [zxid, chunks] of [['a', 'b'], ['c', 'd', 'e'], ['f']].entries()) {
      await store.commit(staged(zxid, ...chunks))
      await store.holds({ checkpoint: checkpoint(zxid, ...chunks) })
    }
  })

  test('a checkpoint of no chunks, and one with an empty chunk', async (store) => {
    await store.commit(staged(1))
    await store.holds({ checkpoint: checkpoint(1) })
    await store.commit(staged(2, '', 'b'))
    await store.holds({ checkpoint: checkpoint(2, '', 'b') })
  })

  test('many chunks keep their order', async (store) => {
    const many = Array.from({ length: 300 }, (_, index) => `chunk ${index}`)
    await store.commit(staged(1, ...many))
    await store.holds({ checkpoint: checkpoint(1, ...many) })
  })

  test('what is staged counts for nothing until it is named', async (store) => {
    await store.commit(staged(1, 'a', 'b'))
    await store.commit({ stage: stage(2, 0, 'c', 'd'), append: [record(5)] })
    await store.holds({ checkpoint: checkpoint(1, 'a', 'b'), records: [record(5)] })
    // Whoever opens a store has staged nothing: it begins anew, with less than was left there.
    await store.commit({ stage: stage(3, 0, 'e') })
    await store.commit({ checkpoint: { zxid: 3n, chunks: 1 } })
    await store.holds({ checkpoint: checkpoint(3, 'e'), records: [record(5)] })
  })

  test('a checkpoint is staged in several changes, and begun anew', async (store) => {
    await store.commit(staged(1, 'a', 'b'))
    await store.commit({ stage: stage(2, 0, 'c', 'd') })
    await store.commit({ stage: stage(2, 2, 'e'), append: [record(5)] })
    await store.commit({ stage: stage(3, 0, 'f') })
    await store.commit({ stage: stage(3, 1, 'g', 'h') })
    await store.commit({ stage: stage(3, 3, 'i'), checkpoint: { zxid: 3n, chunks: 4 }, purgeThrough: 3n })
    await store.holds({ checkpoint: checkpoint(3, 'f', 'g', 'h', 'i'), records: [record(5)] })
  })
}

function atomicityTests(test: WithStore): void {
  const before: StorageChange = { values: values('epoch'), append: records(1, 9), ...staged(1, 'old') }
  const change: StorageChange = {
    values: new Map([['epoch', bytes(2)]]),
    truncateAfter: 7n,
    ...staged(5, 'new', 'er'),
    purgeThrough: 5n,
    append: [record(8)],
  }
  const after: Holdings = {
    values: new Map([['epoch', bytes(2)]]),
    checkpoint: checkpoint(5, 'new', 'er'),
    records: records(6, 8),
  }

  test('all parts of one change take effect', async (store) => {
    await store.commit(before)
    await store.commit(change)
    await store.holds(after)
  })

  test('an empty change is a change like any other', async (store) => {
    await store.commit(before)
    await store.commit({})
    await store.commit({ values: new Map(), append: [] })
    await store.holds({ values: values('epoch'), records: records(1, 9), checkpoint: checkpoint(1, 'old') })
  })

  test('a reset drops everything before it, and keeps what its own change says', async (store) => {
    await store.commit(before)
    await store.commit({ reset: true, values: values('new'), ...staged(20, 'x'), append: [record(21)] })
    await store.holds({ values: values('new'), checkpoint: checkpoint(20, 'x'), records: [record(21)] })
    await store.commit({ append: [record(22)] })
    await store.commit({ reset: true })
    await store.holds({})
  })

  test('a crash loses nothing that was committed', async (store) => {
    await store.commit(before)
    await store.commit(change)
    await store.crash()
    await store.holds(after)
  })

  test('a crash in a commit leaves all of it or nothing', async (store) => {
    await store.commit(before)
    const outcome = store.commit(change).catch(() => {})
    await store.crash()
    await outcome
    const beforeIt = { values: values('epoch'), records: records(1, 9), checkpoint: checkpoint(1, 'old') }
    await store.holds(after, beforeIt)
  })
}

/** What a state is expected to hold; what is left out, nothing. */
type Holdings = Partial<StoredState>

/** A fixture in use: opens a storage when one is needed, and remembers to close it. */
class Store {
  readonly #fixture: StorageFixture
  #storage: Storage | undefined
  #state: StoredState | undefined

  constructor(fixture: StorageFixture) {
    this.#fixture = fixture
  }

  unopened(): Storage {
    this.#storage = this.#fixture.storage()
    return this.#storage
  }

  async open(): Promise<Storage> {
    const storage = this.unopened()
    this.#state = await storage.open()
    return storage
  }

  async reopen(): Promise<StoredState> {
    await this.#storage?.close()
    await this.open()
    return this.#state as StoredState
  }

  async commit(change: StorageChange): Promise<void> {
    const storage = this.#storage ?? (await this.open())
    await storage.commit(change)
  }

  /** Where the fixture cannot crash its storage, closing it is the next best. */
  async crash(): Promise<void> {
    const end = this.#fixture.crash?.bind(this.#fixture) ?? (() => this.#storage?.close())
    await end()
    this.#storage = undefined
  }

  /** Opens the store anew and compares it with each of what it may hold. */
  async holds(...allowed: readonly Holdings[]): Promise<void> {
    const found = plain(await this.reopen())
    const isDurable = this.#storage?.durable === true
    const expected = [...allowed, ...(isDurable ? [] : [{}])].map(plain)
    const fits = expected.some((each) => JSON.stringify(each) === JSON.stringify(found))
    if (!fits) assert.deepEqual(found, expected[0])
  }

  async dispose(): Promise<void> {
    await this.#storage?.close()
    await this.#fixture.dispose?.()
  }
}

const text = (each: Uint8Array): string => Buffer.from(each).toString('latin1')

/** A state in a form that compares by content and reads well in a message. */
function plain({ values: named = new Map(), checkpoint: last, records: log = [] }: Holdings): object {
  return {
    values: [...named].map(([name, value]) => `${name}: ${text(value)}`).sort(),
    checkpoint: last === undefined ? 'none' : [`at ${last.zxid}`, ...last.chunks.map(text)],
    records: log.map((each) => `${each.first}-${each.last}: ${text(each.bytes)}`),
  }
}

const bytes = (...each: number[]): Uint8Array => Uint8Array.from(each)

const values = (...names: string[]): Map<string, Uint8Array> =>
  new Map(names.map((name) => [name, new TextEncoder().encode(`value of ${name}`)]))

const range = (first: number, last: number): LogRecord => ({
  first: BigInt(first),
  last: BigInt(last),
  bytes: new TextEncoder().encode(`entries ${first} to ${last}`),
})

const record = (zxid: number): LogRecord => range(zxid, zxid)

const records = (from: number, to: number): LogRecord[] =>
  Array.from({ length: to - from + 1 }, (_, index) => record(from + index))

const stage = (zxid: number, from: number, ...chunks: string[]): StagedChunks => ({
  zxid: BigInt(zxid),
  from,
  chunks: chunks.map((chunk) => new TextEncoder().encode(chunk)),
})

/** A whole checkpoint in one change. */
const staged = (zxid: number, ...chunks: string[]): Pick<StorageChange, 'stage' | 'checkpoint'> => ({
  stage: stage(zxid, 0, ...chunks),
  checkpoint: { zxid: BigInt(zxid), chunks: chunks.length },
})

const checkpoint = (zxid: number, ...chunks: string[]): Checkpoint => ({
  zxid: BigInt(zxid),
  chunks: chunks.map((chunk) => new TextEncoder().encode(chunk)),
})
