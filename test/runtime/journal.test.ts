import assert from 'node:assert/strict'
import type { Batch } from '../../lib/core/zab/batch.ts'
import type { CoreSnapshot } from '../../lib/core/zab/zab.ts'
import { type Zxid, zxidOf, zxidZero } from '../../lib/core/zab/zxid.ts'
import type { Storage, StorageChange } from '../../lib/ports/storage.ts'
import { Journal } from '../../lib/runtime/journal.ts'
import { decodeSnapshot } from '../../lib/wire/stored.ts'

/** A store whose commits end when the test says so. */
class SlowStore implements Storage {
  readonly durable = true
  readonly changes: StorageChange[] = []
  readonly #ends: { resolve(): void; reject(error: Error): void }[] = []

  async open(): Promise<never> {
    throw new Error('not used')
  }

  commit(change: StorageChange): Promise<void> {
    this.changes.push(change)
    return new Promise((resolve, reject) => this.#ends.push({ resolve, reject }))
  }

  async close(): Promise<void> {}

  async end(error?: Error): Promise<void> {
    const next = this.#ends.shift()
    assert.ok(next !== undefined, 'a commit is under way')
    if (error === undefined) next.resolve()
    else next.reject(error)
    await turn()
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function batch(counter: number, previous: Zxid): Batch {
  const first = zxidOf(1, counter)
  return { first, previous, timeMs: 0, clockMs: 0, settled: zxidZero, requests: [{ type: 'noop' }] }
}

describe('the journal', () => {
  let store: SlowStore
  let persisted: number[]
  let failure: unknown
  let journal: Journal

  beforeEach(() => {
    store = new SlowStore()
    persisted = []
    failure = undefined
    journal = new Journal(store, {
      persisted: (tokens) => persisted.push(...tokens),
      failed: (error) => {
        failure = error
      },
      nextTurn: turn,
    })
  })

  it('gathers what comes in one turn, and while a commit runs, into one commit each', async () => {
    journal.persist(1, { append: batch(1, zxidZero) })
    journal.persist(2, { append: batch(2, zxidOf(1, 1)) })
    await turn()
    journal.persist(3, { append: batch(3, zxidOf(1, 2)) })
    journal.persist(4, { epochs: { accepted: 2, acceptedFrom: undefined, current: 1 } })
    await turn()
    assert.deepEqual(
      store.changes.map(({ append }) => append?.length),
      [2],
    )
    assert.deepEqual(persisted, [], 'nothing is persisted before the store says so')
    await store.end()
    assert.deepEqual(persisted, [1, 2])
    await store.end()
    assert.deepEqual(persisted, [1, 2, 3, 4])
    assert.deepEqual(
      store.changes.map(({ append }) => append?.length),
      [2, 1],
    )
    assert.ok(store.changes[1]?.values?.has('epochs'), 'the epoch is in the commit of what came before it')
  })

  it('cuts in a commit of its own after an append: in one change a store cuts first', async () => {
    journal.persist(1, { append: batch(1, zxidZero) })
    journal.persist(2, { truncateAfter: zxidZero })
    journal.persist(3, { append: batch(2, zxidZero) })
    await turn()
    await store.end()
    await store.end()
    assert.deepEqual(
      store.changes.map(({ append, truncateAfter }) => [append?.length, truncateAfter]),
      [
        [1, undefined],
        [1, 0n],
      ],
    )
    assert.deepEqual(persisted, [1, 2, 3])
  })

  const snapshotOf = (nodes: number): CoreSnapshot => ({
    zxid: zxidOf(1, 1),
    configurations: [],
    marks: [],
    records: Array.from(
      { length: nodes },
      () => ({ kind: 'header', zxid: zxidOf(1, 1), clockMs: 0, version: 1 }) as const,
    ),
  })

  it('makes a checkpoint in slices, while what comes after goes on', async () => {
    const done = journal.checkpoint(snapshotOf(5_000))
    journal.persist(1, { append: batch(1, zxidZero) })
    await turn()
    await store.end()
    assert.deepEqual(persisted, [1])
    assert.equal(store.changes[0]?.checkpoint, undefined)
    await done
    await turn()
    await store.end()
    const { checkpoint, purgeThrough } = store.changes[1] as StorageChange
    assert.equal(decodeSnapshot(checkpoint?.chunks ?? []).records.length, 5_000)
    assert.equal(purgeThrough, zxidOf(1, 1))
  })

  it('drops a checkpoint that is not done when a snapshot comes, or at the end', async () => {
    const overtaken = journal.checkpoint(snapshotOf(5_000))
    journal.persist(1, { install: snapshotOf(1) })
    await overtaken
    await turn()
    await turn()
    await turn()
    await store.end()
    assert.deepEqual(persisted, [1])
    assert.equal(decodeSnapshot(store.changes[0]?.checkpoint?.chunks ?? []).records.length, 1)
    const atTheEnd = journal.checkpoint(snapshotOf(5_000))
    await journal.drain()
    await atTheEnd
    assert.equal(store.changes.length, 1)
  })

  it('persists nothing more after a commit that failed, and says so once', async () => {
    journal.persist(1, { append: batch(1, zxidZero) })
    await turn()
    journal.persist(2, { append: batch(2, zxidOf(1, 1)) })
    await store.end(new Error('no space'))
    journal.persist(3, { append: batch(3, zxidOf(1, 2)) })
    await turn()
    assert.match(String(failure), /no space/)
    assert.deepEqual(persisted, [])
    assert.equal(store.changes.length, 1)
  })
})
