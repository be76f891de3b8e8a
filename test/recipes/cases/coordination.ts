/** Barriers, counters, names and ids, on any stage. */
import assert from 'node:assert/strict'
import { rejectsWith } from '../../join/fixture.ts'
import type { OpenStage } from '../stage.ts'

export function coordinationCases(open: OpenStage): void {
  describe('a barrier', () => {
    it('holds everybody back until it is removed, through lost sessions', async () => {
      await using stage = await open({ size: 3, seed: 1, sessionTimeoutMs: 4_000 })
      const [a, b, c] = stage.clients
      await a.barrier('/gate').set()
      await a.barrier('/gate').set()
      await stage.until(Promise.all([b.sync(), c.sync()]))
      let passed = 0
      const waiting = [b, c].map((coord) =>
        coord
          .barrier('/gate')
          .wait()
          .then(() => (passed += 1)),
      )
      await stage.quiet(1_000)
      const { id } = b.session
      await stage.expireSession(b)
      await stage.within(20_000, () => assert.notEqual(b.session.id, id))
      await stage.quiet(1_000)
      assert.equal(passed, 0)
      await a.barrier('/gate').remove()
      await a.barrier('/gate').remove()
      await stage.until(Promise.all(waiting))
      await stage.until(b.barrier('/gate').wait())
    })

    it('lets a waiter go that has had enough', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      await a.barrier('/gate').set()
      const abort = new AbortController()
      const waiting = a.barrier('/gate').wait({ signal: abort.signal })
      await stage.quiet(10)
      abort.abort(new Error('enough'))
      await assert.rejects(waiting, { name: 'AbortError' })
    })

    it('ends a wait when its client is closed', async () => {
      await using stage = await open({ size: 1 })
      const namespace = stage.clients[0].namespace('/app')
      await namespace.barrier('/gate').set()
      const waiting = namespace.barrier('/gate').wait()
      await stage.quiet(10)
      await namespace.close()
      await rejectsWith('COORD_CLOSED', waiting)
    })
  })

  describe('a double barrier', () => {
    it('begins and ends together, round after round', async () => {
      await using stage = await open({ size: 3, seed: 2, networkDelayMs: { min: 1, max: 9 } })
      const barriers = stage.clients.map((coord) => coord.doubleBarrier('/start', 3))
      for (let round = 0; round < 3; round++) {
        let inside = 0
        const entering = barriers.map((barrier) => barrier.enter().then(() => (inside += 1)))
        assert.equal(inside, 0)
        await stage.until(Promise.all(entering))
        let left = 0
        const leaving = barriers.slice(0, 2).map((barrier) => barrier.leave().then(() => (left += 1)))
        await stage.quiet(2_000)
        assert.equal(left, 0, 'somebody left while another was inside')
        await stage.until(Promise.all([...leaving, barriers[2]?.leave()]))
      }
      await stage.until(stage.clients[0].sync())
      await stage.within(0, async () => assert.deepEqual((await stage.clients[0].getChildren('/start')).children, []))
    })

    it('does not begin with too few, also where one came and died', async () => {
      await using stage = await open({ size: 3, seed: 3, sessionTimeoutMs: 4_000 })
      const [a, b, c] = stage.clients
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
      const members = async (): Promise<number> => {
        await a.sync()
        return (await a.exists('/start/round'))?.numChildren ?? 0
      }
      await stage.within(100, async () => assert.equal(await members(), 1))
      stage.crash(c)
      await stage.within(30_000, async () => assert.equal(await members(), 0))
      const first = enter(a)
      await stage.quiet(5_000)
      assert.equal(inside, 0)
      await stage.until(Promise.all([first, enter(b)]))
      assert.equal(inside, 2)
    })

    it('lets the others leave when one dies inside, and does not stay open', async () => {
      await using stage = await open({ size: 3, seed: 4, sessionTimeoutMs: 4_000 })
      const [a, b, c] = stage.clients
      const [one, two] = [a.doubleBarrier('/start', 2), b.doubleBarrier('/start', 2)]
      await stage.until(Promise.all([one.enter(), two.enter()]))
      const leaving = one.leave()
      stage.crash(b)
      await stage.until(leaving)
      let isIn = false
      const late = c.doubleBarrier('/start', 2)
      const entering = late.enter().then(() => {
        isIn = true
      })
      await stage.quiet(20_000)
      assert.equal(isIn, false)
      await stage.until(Promise.all([entering, one.enter()]))
    })

    it('is over when all who were in it have lost their sessions: nobody gets through on their account', async () => {
      await using stage = await open({ size: 3, seed: 5 })
      const [a, b, c] = stage.clients
      const [one, two] = [a.doubleBarrier('/start', 2), b.doubleBarrier('/start', 2)]
      await stage.until(Promise.all([one.enter(), two.enter()]))
      await stage.expireSession(a)
      await stage.expireSession(b)
      await stage.quiet(5_000)
      let isIn = false
      const entering = c
        .doubleBarrier('/start', 2)
        .enter()
        .then(() => {
          isIn = true
        })
      await stage.quiet(5_000)
      assert.equal(isIn, false)
      await stage.until(Promise.all([one.leave(), two.leave()]))
      await stage.until(Promise.all([entering, one.enter()]))
    })

    it('does not enter any more when it is closed', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      const barrier = a.doubleBarrier('/start', 2)
      const entering = rejectsWith('COORD_CLOSED', barrier.enter())
      await stage.within(10, async () => assert.equal((await a.exists('/start/round'))?.numChildren, 1))
      await stage.until(barrier.close())
      await stage.until(entering)
      await stage.quiet(100)
      assert.deepEqual((await a.getChildren('/start')).children, [])
    })

    it('forgets who gives up', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      const abort = new AbortController()
      const entering = a.doubleBarrier('/start', 2).enter({ signal: abort.signal })
      await stage.within(10, async () => assert.equal((await a.exists('/start/round'))?.numChildren, 1))
      abort.abort()
      await assert.rejects(entering, { name: 'AbortError' })
      await stage.within(10, async () => assert.deepEqual((await a.getChildren('/start')).children, []))
      assert.throws(() => a.doubleBarrier('/start', 0), RangeError)
    })
  })

  describe('a counter', () => {
    it('counts every addition of all members once', async () => {
      await using stage = await open({ size: 3, seed: 5, networkDelayMs: { min: 1, max: 9 } })
      const counters = stage.clients.map((coord) => coord.counter('/hits'))
      const sums = await stage.until(
        Promise.all(counters.flatMap((counter) => Array.from({ length: 20 }, () => counter.add(2)))),
      )
      assert.equal(new Set(sums).size, 60)
      assert.equal(Math.max(...sums), 120)
      const count = await stage.linearizable(stage.clients[0], (consistency) =>
        stage.clients[0].counter('/hits').get({ consistency }),
      )
      assert.equal(count, 120)
    })

    it('compares and sets what is there now, also where this member has an old value', async () => {
      await using stage = await open({ size: 3, seed: 6 })
      const [a, b] = stage.clients
      assert.equal(await a.counter('/stock').get(), 0)
      assert.equal(await stage.until(a.counter('/stock').compareAndSet(0, 5)), true)
      assert.equal(await stage.until(b.counter('/stock').compareAndSet(0, 6)), false)
      assert.equal(await stage.until(b.counter('/stock').compareAndSet(5, 4)), true)
      assert.equal(await stage.until(a.counter('/stock').add(-4)), 0)
    })

    it('refuses what is no count', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'utf8' })
      const [a] = stage.clients
      await assert.rejects(a.counter('/hits').add(0.5), RangeError)
      await assert.rejects(a.counter('/hits').compareAndSet('0' as never, 1), TypeError)
      await a.counter('/hits').add(Number.MAX_SAFE_INTEGER)
      await assert.rejects(a.counter('/hits').add(), RangeError)
      await a.create('/text', 'none')
      await rejectsWith('COORD_BAD_DATA', a.counter('/text').add())
    })
  })

  describe('names', () => {
    it('are bound to one target each, resolved and followed', async () => {
      await using stage = await open({ size: 3, seed: 7 })
      const [a, b] = stage.clients
      const names = a.names('/names')
      await names.bind('ledger', '/ledgers/7')
      await names.bind('ledger', '/ledgers/7')
      await rejectsWith('COORD_NODE_EXISTS', names.bind('ledger', '/ledgers/8'))
      await b.sync()
      const watched = await stage.until(b.names('/names').watch('ledger'))
      const changes: unknown[] = []
      watched.on('change', (target, previous) => changes.push([previous, target]))
      assert.equal(watched.target, '/ledgers/7')
      await rejectsWith('COORD_BAD_VERSION', names.rebind('ledger', '/ledgers/9', { from: '/ledgers/8' }))
      await names.rebind('ledger', '/ledgers/9', { from: '/ledgers/7' })
      await stage.within(10, () => assert.equal(watched.target, '/ledgers/9'))
      // Whoever was faster decides: it is compared with what is there then.
      const { session } = a
      const original = session.getData.bind(session)
      let isFirst = true
      session.getData = (async (...given: Parameters<typeof original>) => {
        const read = await original(...given)
        if (isFirst) {
          isFirst = false
          await names.unbind('ledger')
          await names.bind('ledger', '/ledgers/9')
        }
        return read
      }) as typeof session.getData
      await names.rebind('ledger', '/ledgers/10', { from: '/ledgers/9' })
      isFirst = true
      await rejectsWith('COORD_BAD_VERSION', names.rebind('ledger', '/ledgers/11', { from: '/ledgers/10' }))
      session.getData = original as typeof session.getData
      assert.equal(await names.resolve('ledger'), '/ledgers/9')
      await names.unbind('ledger')
      await names.unbind('ledger')
      await stage.within(10, () =>
        assert.deepEqual(
          [changes[0], changes.at(-1)],
          [
            ['/ledgers/7', '/ledgers/9'],
            ['/ledgers/9', undefined],
          ],
        ),
      )
      assert.equal(await names.resolve('ledger'), undefined)
      await rejectsWith('COORD_NO_NODE', names.rebind('ledger', '/x'))
      await assert.rejects(names.bind('.ids', '/x'), TypeError)
      await watched.close()
    })

    it('give ids that nobody else gets, most of them without a message', async () => {
      await using stage = await open({ size: 3, seed: 8 })
      const sources = stage.clients.map((coord) => coord.names('/names').ids({ block: 10 }))
      const ids = await stage.until(
        Promise.all(sources.flatMap((source) => Array.from({ length: 25 }, () => source.next()))),
      )
      assert.equal(new Set(ids).size, 75)
      assert.ok(
        ids.every((id) => id >= 1 && id <= 90),
        ids.join(),
      )
      // Nine blocks: the counter was made with the first, and changed for each other.
      await stage.until(stage.clients[0].sync())
      assert.ok(((await stage.clients[0].exists('/names/.ids'))?.version ?? 99) <= 8)
    })
  })
}
