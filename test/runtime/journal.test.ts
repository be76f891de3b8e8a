import assert from 'node:assert/strict'
import type { ReplicatedState } from '../../lib/core/tree/apply.ts'
import type { Batch } from '../../lib/core/zab/batch.ts'
import type { CoreSnapshot } from '../../lib/core/zab/zab.ts'
import { type Zxid, zxidOf, zxidZero } from '../../lib/core/zab/zxid.ts'
import type { Storage, StorageChange } from '../../lib/ports/storage.ts'
import { Journal } from '../../lib/runtime/journal.ts'
import { decodeRecords } from '../../lib/wire/stored.ts'
import { Fixture } from '../core/tree/fixture.ts'

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

  get isBusy(): boolean {
    return this.#ends.length > 0
  }

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
  let urgencies: boolean[]
  let journal: Journal

  beforeEach(() => {
    store = new SlowStore()
    persisted = []
    failure = undefined
    urgencies = []
    journal = new Journal(store, {
      persisted: (tokens) => persisted.push(...tokens),
      failed: (error) => {
        failure = error
      },
      nextTurn: turn,
      pacing: {
        pause: (isUrgent) => {
          urgencies.push(isUrgent)
          return turn()
        },
        attend: (write) => write,
      },
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

  function stateOf(nodes: number): ReplicatedState {
    const fixture = new Fixture()
    for (let number = 0; number < nodes; number += 1) fixture.create(`/node-${number}`)
    return fixture.state
  }

  const snapshotOf = (nodes: number): CoreSnapshot => frozen(stateOf(nodes))

  function frozen(state: ReplicatedState): CoreSnapshot {
    return { zxid: state.lastZxid, configurations: [], marks: [], state: state.freeze() }
  }

  /** Ends whatever is under way until `done` is. Returns how many commits it took. */
  async function endAll(done: Promise<unknown>): Promise<number> {
    let isDone = false
    const before = store.changes.length
    void done.then(() => {
      isDone = true
    })
    for (let idle = 0; idle < 3; idle = isDone && !store.isBusy ? idle + 1 : 0) {
      if (store.isBusy) await store.end()
      else await turn()
    }
    return store.changes.length - before
  }

  it('makes a checkpoint in slices, while what comes after goes on', async () => {
    const snapshot = snapshotOf(20_000)
    const done = journal.checkpoint(snapshot)
    journal.persist(1, { append: batch(1, zxidZero) })
    await turn()
    await store.end()
    assert.deepEqual(persisted, [1])
    assert.equal(store.changes[0]?.checkpoint, undefined)
    assert.ok(!snapshot.state.isDone)
    const commits = await endAll(done)
    const [, ...slices] = store.changes.flatMap(({ stage }) => stage?.chunks ?? [])
    assert.equal(
      slices.reduce((sum, slice) => sum + decodeRecords(slice).length, 0),
      snapshot.state.total,
    )
    assert.ok(commits > 2, 'parts, and what puts them in force')
    assert.equal(await done, true)
    const { checkpoint, purgeThrough } = store.changes.at(-1) as StorageChange
    const staged = store.changes.flatMap(({ stage }) => stage?.chunks ?? []).length
    assert.deepEqual([checkpoint, purgeThrough], [{ zxid: snapshot.zxid, chunks: staged }, snapshot.zxid])
    assert.ok(store.changes.every(({ stage }) => stage === undefined || stage.zxid === snapshot.zxid))
  })

  it('begins the next checkpoint behind the change that makes the one before it count', async () => {
    const first = snapshotOf(10)
    const done = journal.checkpoint(first)
    await turn()
    await store.end()
    await turn()
    // While the last of it is staged a write comes: what makes it count waits behind that, and so does the next one.
    journal.persist(1, { append: batch(1, zxidZero) })
    await store.end()
    await done
    const next = snapshotOf(20)
    await endAll(journal.checkpoint(next))
    const order = store.changes.flatMap(({ stage, checkpoint }) => [
      ...(stage === undefined ? [] : [['stage', stage.zxid]]),
      ...(checkpoint === undefined ? [] : [['checkpoint', checkpoint.zxid]]),
    ])
    assert.deepEqual(order, [
      ['stage', first.zxid],
      ['stage', first.zxid],
      ['checkpoint', first.zxid],
      ['stage', next.zxid],
      ['stage', next.zxid],
      ['checkpoint', next.zxid],
    ])
  })

  it('writes more of a checkpoint at a time where commits take long, and never very much', async () => {
    const done = journal.checkpoint(snapshotOf(40_000))
    while (!store.isBusy) await turn()
    for (let turns = 0; turns < 50; turns += 1) await turn()
    await store.end()
    while (!store.isBusy) await turn()
    const [first, second] = store.changes.map(({ stage }) => stage?.chunks.length)
    assert.deepEqual([first, second], [1, 16])
    await endAll(done)
    assert.equal(await done, true)
  })

  it('hurries with a checkpoint as soon as somebody else wants to read the state', async () => {
    const state = stateOf(20_000)
    const done = journal.checkpoint(frozen(state))
    while (!store.isBusy) await turn()
    assert.deepEqual([...new Set(urgencies)], [false])
    const before = urgencies.length
    assert.equal(state.tryFreeze(), undefined)
    await endAll(done)
    assert.deepEqual([...new Set(urgencies.slice(before))], [true])
    const next = state.tryFreeze()
    assert.equal(next?.isAwaited, false)
  })

  it('drops a checkpoint that is not done when a snapshot comes, or at the end', async () => {
    const overtaken = snapshotOf(5_000)
    const done = journal.checkpoint(overtaken)
    const install = snapshotOf(1)
    journal.persist(1, { install })
    await endAll(done)
    assert.deepEqual(persisted, [1])
    assert.deepEqual(store.changes.at(-1)?.checkpoint, { zxid: install.zxid, chunks: 2 })
    assert.ok(overtaken.state.isDone, 'it is released')
    assert.equal(await done, false)
    const atTheEnd = snapshotOf(5_000)
    const dropped = journal.checkpoint(atTheEnd)
    const before = store.changes.length
    await journal.drain()
    await dropped
    assert.ok(atTheEnd.state.isDone)
    assert.equal(store.changes.length, before)
  })

  it('releases a checkpoint when it stops in the middle of it', async () => {
    const snapshot = snapshotOf(20_000)
    const done = journal.checkpoint(snapshot)
    while (!store.isBusy) await turn()
    journal.stop()
    await store.end()
    await done
    assert.ok(snapshot.state.isDone)
    assert.ok(store.changes.every(({ checkpoint }) => checkpoint === undefined))
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
