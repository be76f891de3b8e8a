import assert from 'node:assert/strict'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('the recipes', () => {
  it('queue', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'json' })
    const [a, b] = ensemble.coords
    await a.queue('/q').put('one')
    await a.queue('/q').put('two')
    const one = await ensemble.until(b.queue('/q').take())
    assert.equal(one.value, 'one')
    assert.equal(one.attempt, 1)
    const two = await ensemble.until(a.queue('/q').take())
    assert.equal(two.value, 'two')
    await one.release()
    await two.done()
    const again = await ensemble.until(a.queue('/q').take())
    assert.equal(again.value, 'one')
    assert.equal(again.attempt, 2)
    await again.done()
    const waiting = b.queue('/q').take()
    await ensemble.advance(100)
    await a.queue('/q').put('three')
    const three = await ensemble.until(waiting)
    assert.equal(three.value, 'three')
    await three.done()
    assert.equal(await a.queue('/q').size(), 0)
  })
  it('sync queue', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'json' })
    const [a, b] = ensemble.coords
    const put = a.synchronousQueue('/q').put('x')
    await ensemble.advance(10)
    assert.equal(await ensemble.until(b.synchronousQueue('/q').take()), 'x')
    await ensemble.until(put)
    const take = b.synchronousQueue('/q').take()
    await ensemble.advance(10)
    await ensemble.until(a.synchronousQueue('/q').put('y'))
    assert.equal(await ensemble.until(take), 'y')
  })
  it('barriers', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'json' })
    const [a, b, c] = ensemble.coords
    await a.barrier('/b').set()
    await b.sync()
    const w = b.barrier('/b').wait()
    await ensemble.advance(10)
    await a.barrier('/b').remove()
    await ensemble.until(w)
    const ds = [a, b, c].map((x) => x.doubleBarrier('/d', 3))
    for (let round = 0; round < 3; round++) {
      await ensemble.until(Promise.all(ds.map((d) => d.enter())))
      await ensemble.until(Promise.all(ds.map((d) => d.leave())))
    }
    assert.deepEqual((await a.getChildren('/d')).children, [])
  })
  it('counter, names', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'json' })
    const [a, b, c] = ensemble.coords
    await ensemble.until(
      Promise.all(
        [a, b, c].flatMap((x) => {
          const k = x.counter('/c')
          return [1, 2, 3, 4, 5].map(() => k.add())
        }),
      ),
    )
    assert.equal(await a.counter('/c').get({ consistency: 'linearizable' }), 15)
    assert.equal(await a.counter('/c').compareAndSet(15, 3), true)
    assert.equal(await a.counter('/c').compareAndSet(15, 4), false)
    const ids = [a, b].map((x) => x.names('/n').ids({ block: 3 }))
    const all = await ensemble.until(Promise.all(ids.flatMap((x) => [1, 2, 3, 4, 5].map(() => x.next()))))
    assert.equal(new Set(all).size, 10)
    await a.names('/n').bind('db', '/x')
    const w = await ensemble.until(b.names('/n').watch('db'))
    assert.equal(w.target, '/x')
    await a.names('/n').rebind('db', '/y')
    await ensemble.advance(10)
    assert.equal(w.target, '/y')
  })
  it('cache', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'json' })
    const [a, b] = ensemble.coords
    const cache = await ensemble.until(
      a.cache('/config/app', {
        parse: (v) => {
          if (typeof v !== 'number') throw new Error('no')
          return v
        },
        default: 7,
      }),
    )
    const log: unknown[] = []
    cache.on('change', (n, p) => log.push([p, n]))
    cache.on('invalid', (e) => log.push(String(e)))
    assert.equal(cache.value, 7)
    await b.create('/config/app', 8, { parents: true })
    await b.setData('/config/app', 'x')
    await ensemble.advance(10)
    assert.equal(cache.value, 8)
    const r = await cache.set(9)
    await ensemble.advance(10)
    assert.equal(cache.value, 9)
    await cache.set(10)
    await cache.rollback(r)
    await ensemble.advance(10)
    assert.equal(cache.value, 9)
    await cache.rollOut(11, { members: ['a'] })
    await ensemble.advance(10)
    assert.equal(cache.value, 11)
    await cache.cancelRollOut()
    await ensemble.advance(10)
    assert.equal(cache.value, 9)
    assert.deepEqual(log, [[7, 8], 'Error: no', [8, 9], [9, 10], [10, 9], [9, 11], [11, 9]])
    const tree = await ensemble.until(b.treeCache<number>('/t'))
    await tree.publish({ 'a/b': 1, c: 2 })
    await ensemble.advance(10)
    assert.deepEqual(tree.entries(), [
      ['a/b', 1],
      ['c', 2],
    ])
  })
  it('group, services', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'json' })
    const [a, b, c] = ensemble.coords
    const view = await ensemble.until(c.group('/g').watch())
    const log: string[] = []
    view.on('joined', (m) => log.push(`+${m.name}`))
    view.on('left', (m) => log.push(`-${m.name}`))
    const ma = await ensemble.until(a.group('/g').join({ x: 1 }, { name: 'a' }))
    const mb = await ensemble.until(b.group('/g').join({ x: 1 }, { name: 'b' }))
    assert.equal(mb.size, 2)
    await ensemble.advance(10)
    await ma.leave()
    await ensemble.advance(10)
    assert.deepEqual(log, ['+a', '+b', '-a'])
    ensemble.expireSession(b)
    await ensemble.advance(1000)
    assert.deepEqual(log, ['+a', '+b', '-a', '-b', '+b'])
    const sv = await ensemble.until(c.services.watch('api'))
    const pick = sv.pick()
    await ensemble.advance(100)
    const reg = await ensemble.until(a.services.register('api', { address: 'h', port: 1 }))
    assert.equal((await ensemble.until(pick)).port, 1)
    await reg.drain()
    await ensemble.advance(10)
    assert.equal(sv.pickNow(), undefined)
  })
  it('workers', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'json' })
    const [a, b, c] = ensemble.coords
    const log: string[] = []
    const worker = (x: typeof a) =>
      x.workers('/w').work(async (value, run) => {
        log.push(`${x.member.name}:${String(value)}`)
        await run.report('half')
        await ensemble.sleep(100)
        log.push(`${x.member.name} done ${String(value)}`)
      })
    const wa = await ensemble.until(worker(a))
    const wb = await ensemble.until(worker(b))
    const tasks = await ensemble.until(Promise.all([1, 2, 3, 4].map((n) => c.workers('/w').submit(n))))
    await ensemble.advance(50)
    for (const t of tasks) assert.equal(await ensemble.until(t.finished()), 'done')
    await ensemble.until(wa.close())
    await ensemble.until(wb.close())
  })
})
