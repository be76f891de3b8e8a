/** Caches: live configuration, on any stage. */
import assert from 'node:assert/strict'
import { rejectsWith } from '../../join/fixture.ts'
import type { OpenStage } from '../stage.ts'

const parseRate = (value: unknown): number => {
  if (typeof value !== 'number' || value < 0) throw new RangeError(`no rate: ${JSON.stringify(value)}`)
  return value
}

export function configurationCases(open: OpenStage): void {
  describe('a cache', () => {
    it('has the default where there is nothing, and follows what comes', async () => {
      await using stage = await open({ size: 3, seed: 1, valueEncoding: 'json' })
      const [a, b] = stage.clients
      await using rate = await stage.until(a.cache('/config/rate', { parse: parseRate, default: 100 }))
      const changes: unknown[] = []
      rate.on('change', (next, previous) => changes.push([previous, next]))
      assert.equal(rate.value, 100)
      await b.create('/config/rate', 5, { parents: true })
      await b.setData('/config/rate', 6)
      await stage.within(10, () => assert.equal(rate.value, 6))
      await b.delete('/config/rate')
      await stage.within(10, () => assert.deepEqual(changes.at(-1), [6, 100]))
      assert.equal(rate.value, 100)
    })

    it('keeps the last good value when a new one does not parse, or does not decode', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      const [a] = stage.clients
      await using rate = await a.cache('/rate', { parse: parseRate, default: 100 })
      const invalid: string[] = []
      rate.on('invalid', (error) => invalid.push(String(error)))
      await a.create('/rate', 7)
      await stage.within(0, () => assert.equal(rate.value, 7))
      await a.setData('/rate', -1)
      await stage.within(0, () => assert.equal(invalid.length, 1))
      await a.namespace('/', { valueEncoding: 'utf8' }).setData('/rate', '{')
      await stage.within(10, () => assert.equal(invalid.length, 2))
      assert.equal(rate.value, 7)
      assert.match(invalid[0] as string, /no rate: -1/)
      assert.match(String(rate.error), /does not decode as json/)
      await a.setData('/rate', 8)
      await stage.within(10, () => assert.deepEqual([rate.value, rate.error], [8, undefined]))
    })

    it('serves while cut off, says that it is stale, and catches up in another session', async () => {
      await using stage = await open({ size: 3, seed: 2, valueEncoding: 'json', sessionTimeoutMs: 4_000 })
      const [, b, c] = stage.clients
      await c.create('/rate', 1)
      await b.sync()
      await using rate = await stage.until(b.cache<number>('/rate'))
      const { id } = b.session
      stage.cutOff(b)
      await stage.within(15_000, () => assert.notEqual(b.session.id, id))
      await stage.until(c.setData('/rate', 2))
      assert.deepEqual([rate.value, rate.stale], [1, true])
      stage.heal()
      await stage.within(5_000, () => assert.deepEqual([rate.value, rate.stale], [2, false]))
    })

    it('rejects where it cannot be read, and an abort leaves nothing behind', async () => {
      await using stage = await open({ size: 3, seed: 3, valueEncoding: 'json' })
      const [a] = stage.clients
      stage.cutOff(a)
      await stage.quiet(4_000)
      const abort = new AbortController()
      const opening = a.cache('/rate', { signal: abort.signal })
      abort.abort()
      await assert.rejects(opening, { name: 'AbortError' })
      await assert.rejects(a.cache('/rate', { parse: 'none' as never }), TypeError)
      stage.heal()
      await stage.quiet(20_000)
      await using cache = await stage.until(a.cache('/rate'))
      await cache.close()
    })

    it('takes null for a value, and nothing for the default', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      await using limit = await stage.clients[0].cache<number | null>('/limit', { default: 5 })
      const changes: unknown[] = []
      limit.on('change', (next, previous) => changes.push([previous, next]))
      await limit.set(null)
      await stage.within(10, () => assert.equal(limit.value, null))
      await limit.set(undefined)
      await stage.within(10, () => assert.equal(limit.value, 5))
      assert.deepEqual(changes, [
        [5, null],
        [null, 5],
      ])
    })

    it('publishes, lists revisions, and goes back to any of them that is kept', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      await using rate = await stage.clients[0].cache<number>('/rate')
      const numbers: number[] = []
      for (let value = 1; value <= 25; value++) numbers.push(await rate.set(value))
      assert.deepEqual(numbers.slice(0, 3), [1, 2, 3])
      assert.equal(await rate.rollback(20), 26)
      await stage.within(10, () => assert.equal(rate.value, 20))
      // Going back is a revision, too.
      await rate.rollback(25)
      await stage.within(10, () => assert.equal(rate.value, 25))
      const revisions = await rate.revisions()
      assert.equal(revisions.length, 20)
      assert.deepEqual(revisions.at(-1)?.number, 27)
      await rejectsWith('COORD_NO_NODE', rate.rollback(2))
      await rejectsWith('COORD_NO_NODE', rate.rollback(99))
      await assert.rejects(rate.rollback(-1), RangeError)
    })

    it('is rolled out to some members first, by name or percentage, and then to all, or to none', async () => {
      await using stage = await open({ size: 3, seed: 4, valueEncoding: 'json' })
      const caches = await stage.until(
        Promise.all(
          stage.clients.map((coord, index) =>
            coord.cache<number>('/limit', { default: 0, member: stage.memberOptions[index] }),
          ),
        ),
      )
      const become = (...expected: number[]): Promise<void> =>
        stage.within(50, () =>
          assert.deepEqual(
            caches.map(({ value }) => value),
            expected,
          ),
        )
      const [first] = caches
      assert.ok(first !== undefined)
      await stage.until(first.set(1))
      await stage.until(first.rollOut(2, { members: ['b'] }))
      await become(1, 2, 1)
      await stage.until(first.widenRollOut({ members: ['b', 'c'] }))
      await become(1, 2, 2)
      await stage.until(first.cancelRollOut())
      await stage.until(first.cancelRollOut())
      await become(1, 1, 1)
      await stage.until(first.rollOut(3, { percent: 100 }))
      await become(3, 3, 3)
      await stage.until(first.completeRollOut())
      await become(3, 3, 3)
      await rejectsWith('COORD_NO_NODE', stage.until(first.completeRollOut()))
      await stage.until(first.rollback(1))
      await become(1, 1, 1)
      await assert.rejects(first.rollOut(1, { percent: 200 }), RangeError)
    })
  })

  describe('a tree cache', () => {
    it('has every key below a node, and all keys of a publication at once', async () => {
      await using stage = await open({ size: 3, seed: 5, valueEncoding: 'json' })
      const [a, b] = stage.clients
      await using tree = await stage.until(a.treeCache<number>('/config'))
      const updates: unknown[] = []
      tree.on('update', (changes) => updates.push(changes.map(({ key, next }) => [key, next])))
      tree.on('change', (key) => assert.equal(tree.get('db/pool'), tree.get('db/timeout'), key))
      await using writer = await stage.until(b.treeCache<number>('/config'))
      await writer.publish({ 'db/pool': 1, 'db/timeout': 1 })
      await stage.within(0, () => assert.equal(tree.get('db/pool'), 1))
      await writer.publish({ 'db/pool': 2, 'db/timeout': 2, debug: 3 })
      await stage.within(0, () => assert.equal(tree.get('debug'), 3))
      await writer.publish({ debug: undefined })
      await stage.within(10, () =>
        assert.deepEqual(tree.entries(), [
          ['db/pool', 2],
          ['db/timeout', 2],
        ]),
      )
      assert.deepEqual([tree.size, tree.has('db'), tree.has('debug'), tree.keys().length], [2, false, false, 2])
      await writer.rollback(1)
      await stage.within(10, () => assert.equal(tree.get('db/pool'), 1))
      await writer.rollback(0)
      await stage.within(10, () => assert.equal(tree.size, 0))
      assert.ok(updates.length >= 4)
      await assert.rejects(writer.publish({ '.history': 1 }), TypeError)
      await assert.rejects(writer.publish({ 'a//b': 1 }), TypeError)
    })

    it('of two publications at a time makes one go on top of the other', async () => {
      await using stage = await open({ size: 3, seed: 6, valueEncoding: 'json' })
      const trees = await stage.until(Promise.all(stage.clients.map((coord) => coord.treeCache<number>('/config'))))
      const numbers = await stage.until(Promise.all(trees.map((tree, index) => tree.publish({ a: index, b: index }))))
      assert.deepEqual(
        [...new Set(numbers)].sort((one, other) => one - other),
        [1, 2, 3],
      )
      await stage.within(50, () => assert.equal(new Set(trees.map((tree) => tree.get('a'))).size, 1))
      for (const tree of trees) assert.equal(tree.get('a'), tree.get('b'))
    })

    it('keeps the good keys of a publication whose other keys do not parse', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      await using tree = await stage.clients[0].treeCache('/config', { parse: parseRate })
      const invalid: string[] = []
      tree.on('invalid', (key) => invalid.push(key))
      await tree.publish({ good: 1, bad: 1 })
      await stage.within(0, () => assert.equal(tree.size, 2))
      await tree.publish({ good: 2, bad: 'x' })
      await stage.within(10, () => assert.deepEqual(invalid, ['bad']))
      assert.deepEqual(tree.entries(), [
        ['bad', 1],
        ['good', 2],
      ])
    })
  })
}
