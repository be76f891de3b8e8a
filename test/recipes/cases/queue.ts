/** Queues, on any stage. */
import assert from 'node:assert/strict'
import { rejectsWith } from '../../join/fixture.ts'
import type { OpenStage } from '../stage.ts'

export function queueCases(open: OpenStage): void {
  describe('a queue', () => {
    it('gives items out in the order in which they were put, each once', async () => {
      await using stage = await open({ size: 3, seed: 1, valueEncoding: 'json' })
      const [a, b] = stage.clients
      const queue = a.queue('/jobs')
      for (const value of ['one', 'two', 'three']) await queue.put(value)
      await b.sync()
      assert.equal(await b.queue('/jobs').size(), 3)
      const taken: unknown[] = []
      for (let count = 0; count < 3; count++) {
        const item = await stage.until(b.queue('/jobs').take())
        assert.equal(item.attempt, 1)
        taken.push(item.value)
        await item.done()
        await item.done()
        await item.release()
      }
      assert.deepEqual(taken, ['one', 'two', 'three'])
      assert.equal(await b.queue('/jobs').tryTake(), undefined)
      assert.equal(await b.queue('/jobs').size(), 0)
    })

    it('gives the item of a consumer that died to another one, as a further attempt with a greater token', async () => {
      await using stage = await open({ size: 3, seed: 2, valueEncoding: 'json', sessionTimeoutMs: 4_000 })
      const [a, b, c] = stage.clients
      await a.queue('/jobs').put('work')
      await b.sync()
      const first = await stage.until(b.queue('/jobs').take())
      const waiting = c.queue('/jobs').take()
      stage.cutOff(b)
      const second = await stage.until(waiting)
      assert.deepEqual([second.value, second.attempt, first.held, first.signal.aborted], ['work', 2, false, true])
      assert.ok(second.token > first.token)
      stage.heal()
      await stage.quiet(5_000)
      await rejectsWith('COORD_LOCK_LOST', first.done())
      assert.throws(() => first.assertHeld(), { code: 'COORD_LOCK_LOST' })
      await second.done()
    })

    it('gives an item back on release, and when its handle is disposed of', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      const [a] = stage.clients
      const queue = a.queue('/jobs')
      await queue.put('work')
      await (await queue.take()).release()
      {
        await using item = await queue.take()
        assert.equal(item.attempt, 2)
      }
      const third = await queue.take()
      assert.equal(third.attempt, 3)
      assert.ok(third.held)
      await third.done()
      await stage.within(0, async () => assert.deepEqual((await a.getChildren('/jobs/taken')).children, []))
    })

    it('hands a put over to one of many who wait, and wakes no other', async () => {
      await using stage = await open({ size: 1, seed: 3, valueEncoding: 'json' })
      const [a] = stage.clients
      const consumers = Array.from({ length: 50 }, () => a.queue('/jobs').take())
      await stage.within(100, async () => assert.equal((await a.exists('/jobs/line'))?.numChildren, 50))
      // Reads cost nothing here, but every waiter that is woken has to read: count those that read the items.
      let listings = 0
      const { session } = a
      const getChildren = session.getChildren.bind(session)
      session.getChildren = (path, options) => {
        if (path.endsWith('/jobs/items')) listings += 1
        return getChildren(path, options)
      }
      await a.queue('/jobs').put('work')
      const first = await stage.until(Promise.race(consumers))
      await stage.quiet(100)
      assert.equal(first.value, 'work')
      // The one that took it, and the next one, which is first in line now.
      assert.ok(listings <= 4, `${listings} listings for one put with 50 waiters`)
      for (let count = 1; count < 50; count++) await a.queue('/jobs').put(count)
      const all = await stage.until(Promise.all(consumers))
      assert.equal(new Set(all.map(({ value }) => value)).size, 50)
      await stage.within(0, async () => assert.deepEqual((await a.getChildren('/jobs/line')).children, []))
    })

    it('leaves nothing behind when a take is aborted, wherever it is', async () => {
      await using stage = await open({
        size: 3,
        seed: 4,
        valueEncoding: 'json',
        networkDelayMs: { min: 5, max: 20 },
      })
      const [a, b] = stage.clients
      await stage.until(a.queue('/jobs').put('work'))
      await stage.until(b.sync())
      for (let ms = 0; ms < 150; ms += 7) {
        const abort = new AbortController()
        const taking = b.queue('/jobs').take({ signal: abort.signal })
        await stage.quiet(ms)
        abort.abort(new Error('enough'))
        const item = await stage.until(taking.catch((error: Error) => assert.equal(error.name, 'AbortError')))
        if (item !== undefined) await stage.until(item.release())
        await stage.within(500, async () => {
          assert.equal((await b.exists('/jobs/taken'))?.numChildren ?? 0, 0, `after ${ms} ms`)
          assert.equal((await b.exists('/jobs/line'))?.numChildren ?? 0, 0)
        })
      }
      const item = await stage.until(b.queue('/jobs').take())
      assert.equal(item.value, 'work')
    })

    it('gives out what does not decode, so that it can be dropped', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      const [a] = stage.clients
      await a.namespace('/', { valueEncoding: 'utf8' }).queue('/jobs').put('no json')
      const item = await a.queue('/jobs').take()
      assert.throws(() => item.value, { code: 'COORD_BAD_DATA' })
      await item.done()
      assert.equal(await a.queue('/jobs').size(), 0)
    })

    it('works in a namespace, where an item can be named with ifHeld', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      const orders = stage.clients[0].namespace<number>('/orders')
      await orders.queue('/jobs').put(7)
      const item = await orders.queue('/jobs').take()
      await orders.multi([{ type: 'create', path: '/result', data: 1 }], { ifHeld: item })
      await item.done()
      await rejectsWith('COORD_LOCK_LOST', orders.multi([{ type: 'delete', path: '/result' }], { ifHeld: item }))
    })

    it('by priority: the least first, of equals the oldest', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      const queue = stage.clients[0].priorityQueue('/jobs')
      for (const [value, priority] of [
        ['d', 10],
        ['b', 2],
        ['c', 2],
        ['a', 0],
      ] as const)
        await queue.put(value, { priority })
      const values: unknown[] = []
      for (let count = 0; count < 4; count++) {
        const item = await queue.take()
        values.push(item.value)
        await item.done()
        if (count === 1) await queue.put('urgent')
      }
      assert.deepEqual(values, ['a', 'b', 'urgent', 'c'])
      await assert.rejects(queue.put('x', { priority: -1 }), RangeError)
      await assert.rejects(stage.clients[0].queue('/q').put('x', { priority: 1 }), TypeError)
    })
  })

  describe('a synchronous queue', () => {
    it('lets a put go on when a consumer has the value', async () => {
      await using stage = await open({ size: 3, seed: 5, valueEncoding: 'json' })
      const [a, b] = stage.clients
      let isOver = false
      const putting = a
        .synchronousQueue('/hand')
        .put('value')
        .then(() => {
          isOver = true
        })
      await stage.quiet(5_000)
      assert.equal(isOver, false)
      assert.equal(await stage.until(b.synchronousQueue('/hand').take()), 'value')
      await stage.until(putting)
      const taking = b.synchronousQueue('/hand').take()
      await stage.quiet(100)
      await stage.until(a.synchronousQueue('/hand').put('next'))
      assert.equal(await stage.until(taking), 'next')
    })

    it('forgets the offer of a producer that gave up or died', async () => {
      await using stage = await open({ size: 3, seed: 6, valueEncoding: 'json', sessionTimeoutMs: 4_000 })
      const [a, b, c] = stage.clients
      const abort = new AbortController()
      const given = a.synchronousQueue('/hand').put('given up', { signal: abort.signal })
      const lost = b.synchronousQueue('/hand').put('lost')
      await stage.within(100, async () => {
        await c.sync()
        assert.equal((await c.exists('/hand/offers'))?.numChildren, 2)
      })
      abort.abort()
      await assert.rejects(given, { name: 'AbortError' })
      stage.cutOff(b)
      await stage.until(rejectsWith('COORD_CONNECTION_LOSS', lost))
      await stage.within(30_000, async () => assert.deepEqual((await c.getChildren('/hand/offers')).children, []))
    })
  })
}
