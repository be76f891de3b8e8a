import assert from 'node:assert/strict'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { rejectsWith } from '../join/fixture.ts'

describe('a barrier', () => {
  it('holds everybody back until it is removed, through lost sessions', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 1 })
    const [a, b, c] = ensemble.coords
    await a.barrier('/gate').set()
    await a.barrier('/gate').set()
    await ensemble.until(Promise.all([b.sync(), c.sync()]))
    let passed = 0
    const waiting = [b, c].map((coord) =>
      coord
        .barrier('/gate')
        .wait()
        .then(() => (passed += 1)),
    )
    await ensemble.advance(1_000)
    ensemble.expireSession(b)
    await ensemble.advance(20_000)
    assert.equal(passed, 0)
    await a.barrier('/gate').remove()
    await a.barrier('/gate').remove()
    await ensemble.until(Promise.all(waiting))
    await ensemble.until(b.barrier('/gate').wait())
  })

  it('lets a waiter go that has had enough', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    await a.barrier('/gate').set()
    const abort = new AbortController()
    const waiting = a.barrier('/gate').wait({ signal: abort.signal })
    await ensemble.advance(10)
    abort.abort(new Error('enough'))
    await assert.rejects(waiting, { name: 'AbortError' })
  })

  it('ends a wait when its client is closed', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const namespace = ensemble.coords[0].namespace('/app')
    await namespace.barrier('/gate').set()
    const waiting = namespace.barrier('/gate').wait()
    await ensemble.advance(10)
    await namespace.close()
    await rejectsWith('COORD_CLOSED', waiting)
  })
})

describe('a double barrier', () => {
  it('begins and ends together, round after round', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 2, networkDelayMs: { min: 1, max: 9 } })
    const barriers = ensemble.coords.map((coord) => coord.doubleBarrier('/start', 3))
    for (let round = 0; round < 3; round++) {
      let inside = 0
      const entering = barriers.map((barrier) => barrier.enter().then(() => (inside += 1)))
      assert.equal(inside, 0)
      await ensemble.until(Promise.all(entering))
      let left = 0
      const leaving = barriers.slice(0, 2).map((barrier) => barrier.leave().then(() => (left += 1)))
      await ensemble.advance(2_000)
      assert.equal(left, 0, 'somebody left while another was inside')
      await ensemble.until(Promise.all([...leaving, barriers[2]?.leave()]))
    }
    await ensemble.until(ensemble.coords[0].sync())
    assert.deepEqual((await ensemble.coords[0].getChildren('/start')).children, [])
  })

  it('does not begin with too few, also where one came and died', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 3 })
    const [a, b, c] = ensemble.coords
    let inside = 0
    const enter = (coord: typeof a) =>
      coord
        .doubleBarrier('/start', 2)
        .enter()
        .then(
          () => (inside += 1),
          () => {},
        )
    void enter(c)
    await ensemble.advance(100)
    ensemble.crash(c)
    await ensemble.advance(30_000)
    const first = enter(a)
    await ensemble.advance(5_000)
    assert.equal(inside, 0)
    await ensemble.until(Promise.all([first, enter(b)]))
    assert.equal(inside, 2)
  })

  it('lets the others leave when one dies inside, and does not stay open', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 4 })
    const [a, b, c] = ensemble.coords
    const [one, two] = [a.doubleBarrier('/start', 2), b.doubleBarrier('/start', 2)]
    await ensemble.until(Promise.all([one.enter(), two.enter()]))
    const leaving = one.leave()
    ensemble.crash(b)
    await ensemble.until(leaving)
    let isIn = false
    const late = c.doubleBarrier('/start', 2)
    const entering = late.enter().then(() => {
      isIn = true
    })
    await ensemble.advance(20_000)
    assert.equal(isIn, false)
    await ensemble.until(Promise.all([entering, one.enter()]))
  })

  it('is over when all who were in it have lost their sessions: nobody gets through on their account', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 5 })
    const [a, b, c] = ensemble.coords
    const [one, two] = [a.doubleBarrier('/start', 2), b.doubleBarrier('/start', 2)]
    await ensemble.until(Promise.all([one.enter(), two.enter()]))
    ensemble.expireSession(a)
    ensemble.expireSession(b)
    await ensemble.advance(5_000)
    let isIn = false
    const entering = c
      .doubleBarrier('/start', 2)
      .enter()
      .then(() => {
        isIn = true
      })
    await ensemble.advance(5_000)
    assert.equal(isIn, false)
    await ensemble.until(Promise.all([one.leave(), two.leave()]))
    await ensemble.until(Promise.all([entering, one.enter()]))
  })

  it('forgets who gives up', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const abort = new AbortController()
    const entering = a.doubleBarrier('/start', 2).enter({ signal: abort.signal })
    await ensemble.advance(10)
    abort.abort()
    await assert.rejects(entering, { name: 'AbortError' })
    await ensemble.advance(10)
    assert.deepEqual((await a.getChildren('/start')).children, [])
    assert.throws(() => a.doubleBarrier('/start', 0), RangeError)
  })
})

describe('a counter', () => {
  it('counts every addition of all members once', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 5, networkDelayMs: { min: 1, max: 9 } })
    const counters = ensemble.coords.map((coord) => coord.counter('/hits'))
    const sums = await ensemble.until(
      Promise.all(counters.flatMap((counter) => Array.from({ length: 20 }, () => counter.add(2)))),
    )
    assert.equal(new Set(sums).size, 60)
    assert.equal(Math.max(...sums), 120)
    assert.equal(await ensemble.until(counters[0]?.get({ consistency: 'linearizable' }) as Promise<number>), 120)
  })

  it('compares and sets what is there now, also where this member has an old value', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 6 })
    const [a, b] = ensemble.coords
    assert.equal(await a.counter('/stock').get(), 0)
    assert.equal(await ensemble.until(a.counter('/stock').compareAndSet(0, 5)), true)
    assert.equal(await ensemble.until(b.counter('/stock').compareAndSet(0, 6)), false)
    assert.equal(await ensemble.until(b.counter('/stock').compareAndSet(5, 4)), true)
    assert.equal(await ensemble.until(a.counter('/stock').add(-4)), 0)
  })

  it('refuses what is no count', async () => {
    await using ensemble = await createTestEnsemble({ size: 1, valueEncoding: 'utf8' })
    const [a] = ensemble.coords
    assert.throws(() => void a.counter('/hits').add(0.5), RangeError)
    await assert.rejects(a.counter('/hits').compareAndSet('0' as never, 1), TypeError)
    await a.counter('/hits').add(Number.MAX_SAFE_INTEGER)
    await assert.rejects(a.counter('/hits').add(), RangeError)
    await a.create('/text', 'none')
    await rejectsWith('COORD_BAD_DATA', a.counter('/text').add())
  })
})

describe('names', () => {
  it('are bound to one target each, resolved and followed', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 7 })
    const [a, b] = ensemble.coords
    const names = a.names('/names')
    await names.bind('ledger', '/ledgers/7')
    await names.bind('ledger', '/ledgers/7')
    await rejectsWith('COORD_NODE_EXISTS', names.bind('ledger', '/ledgers/8'))
    await b.sync()
    const watched = await ensemble.until(b.names('/names').watch('ledger'))
    const changes: unknown[] = []
    watched.on('change', (target, previous) => changes.push([previous, target]))
    assert.equal(watched.target, '/ledgers/7')
    await rejectsWith('COORD_BAD_VERSION', names.rebind('ledger', '/ledgers/9', { from: '/ledgers/8' }))
    await names.rebind('ledger', '/ledgers/9', { from: '/ledgers/7' })
    await ensemble.advance(10)
    await names.unbind('ledger')
    await names.unbind('ledger')
    await ensemble.advance(10)
    assert.deepEqual(changes, [
      ['/ledgers/7', '/ledgers/9'],
      ['/ledgers/9', undefined],
    ])
    assert.equal(await names.resolve('ledger'), undefined)
    await rejectsWith('COORD_NO_NODE', names.rebind('ledger', '/x'))
    await assert.rejects(names.bind('.ids', '/x'), TypeError)
    await watched.close()
  })

  it('give ids that nobody else gets, most of them without a message', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 8 })
    const sources = ensemble.coords.map((coord) => coord.names('/names').ids({ block: 10 }))
    const before = ensemble.coords[0].member.lastZxid
    const ids = await ensemble.until(
      Promise.all(sources.flatMap((source) => Array.from({ length: 25 }, () => source.next()))),
    )
    assert.equal(new Set(ids).size, 75)
    assert.ok(
      ids.every((id) => id >= 1 && id <= 90),
      ids.join(),
    )
    // Nine blocks, and what three members lose to each other.
    assert.ok(Number(ensemble.coords[0].member.lastZxid - before) <= 40)
  })
})
