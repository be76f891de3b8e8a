/** A namespace: what it opened ends with it, though its session goes on; and what is opened from it is below it. */
import assert from 'node:assert/strict'
import type { Coord, WatchEvent } from '../../lib/index.ts'
import type { Hosting } from '../../lib/ports/hosting.ts'
import * as recipes from '../../lib/recipes/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { rejectsWith } from '../join/fixture.ts'

const watchesAt = (coord: Coord): number => (coord as unknown as { readonly hosting: Hosting }).hosting.watches().length

describe('a namespace that is closed', () => {
  for (const path of ['/orders', '/']) {
    it(`of ${path}: its watches are gone, those of others are not`, async () => {
      await using ensemble = await createTestEnsemble({ size: 1 })
      const [a] = ensemble.coords
      await a.create('/orders')
      const orders = a.namespace(path)
      const heard: string[] = []
      const listener = (event: WatchEvent): unknown => heard.push(event.path)
      await orders.exists('/x', { watch: listener })
      await orders.addWatch('/', 'persistent-recursive', listener)
      const pending = orders.getChildren('/', { watch: listener, consistency: 'linearizable' })
      const others: string[] = []
      await a.exists('/orders/x', { watch: (event) => others.push(event.path) })
      await ensemble.until(orders.close())
      await ensemble.until(pending)
      await a.create('/orders/x')
      await a.create('/x')
      assert.deepEqual([heard, others], [[], ['/orders/x']])
      assert.equal(watchesAt(a), 0)
    })
  }

  it('ends the loops over its streams, and leaves none at the member', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    await a.create('/orders')
    const orders = a.namespace('/orders')
    const heard: string[] = []
    const looping = (async () => {
      for await (const event of orders.watch('/')) heard.push(event.type)
      heard.push('end')
    })()
    await ensemble.advance(10)
    assert.deepEqual(heard, ['created', 'synced'])
    await ensemble.until(orders.close())
    await a.setData('/orders', new Uint8Array(1))
    await ensemble.until(looping)
    assert.deepEqual(heard, ['created', 'synced', 'end'])
  })

  it('gives back what is held by it, and what it took from a queue', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const orders = a.namespace('/orders')
    await a.queue('/orders/jobs').put(new Uint8Array(1))
    const lock = await ensemble.until(orders.lock('/lock'))
    const lease = await ensemble.until(orders.semaphore('/permits', 1).acquire())
    const item = await ensemble.until(orders.queue('/jobs').take())
    const closing = orders.close()
    assert.deepEqual([lock.held, lease.held, item.held], [false, false, false])
    await ensemble.until(closing)
    assert.ok((await a.tryLock('/orders/lock'))?.held)
    assert.ok((await a.semaphore('/orders/permits', 1).tryAcquire())?.held)
    assert.equal((await ensemble.until(a.queue('/orders/jobs').take())).attempt, 2)
  })

  it('says so, to its listeners and to whoever waits, also where a callback never settles', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    await a.lock('/orders/taken')
    const orders = a.namespace('/orders')
    const states: string[] = []
    orders.on('state', (next, previous) => states.push(`${previous} → ${next}`, orders.state))
    orders.singleton('stubborn', () => new Promise(() => {}))
    const waiting = rejectsWith('COORD_CLOSED', orders.lock('/taken'))
    await ensemble.advance(10)
    void orders.close()
    await ensemble.until(waiting)
    assert.deepEqual([states, orders.state, a.state], [['connected → closed', 'closed'], 'closed', 'connected'])
  })

  it('makes no more calls, by itself or by a recipe that was made before', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const orders = a.namespace('/orders')
    const [queue, counter, semaphore, names] = [
      orders.queue('/q'),
      orders.counter('/c'),
      orders.semaphore('/s', 1),
      orders.names('/n'),
    ]
    const [barrier, jobs, hand] = [orders.barrier('/b'), orders.workers('/w'), orders.synchronousQueue('/h')]
    await orders.close()
    const calls: Record<string, () => Promise<unknown>> = {
      create: () => orders.create('/x'),
      lock: () => orders.lock('/l'),
      tryLock: () => orders.tryLock('/l'),
      withLock: () => orders.withLock('/l', () => 1),
      lockAll: () => orders.lockAll(['/l']),
      claim: () => orders.claim('key'),
      cache: () => orders.cache('/v'),
      'recipes.lock': () => recipes.lock(orders, '/l'),
      'recipes.claim': () => recipes.claim(orders, 'key'),
      put: () => queue.put(new Uint8Array(1)),
      take: () => queue.take(),
      tryTake: () => queue.tryTake(),
      get: () => counter.get(),
      add: () => counter.add(),
      acquire: () => semaphore.acquire(),
      tryAcquire: () => semaphore.tryAcquire(),
      resize: () => semaphore.resize(2),
      bind: () => names.bind('x', 'y'),
      next: () => names.ids().next(),
      set: () => barrier.set(),
      wait: () => barrier.wait(),
      submit: () => jobs.submit(new Uint8Array(1)),
      handOver: () => hand.put(new Uint8Array(1)),
    }
    for (const [name, call] of Object.entries(calls)) {
      let promise: Promise<unknown> | undefined
      assert.doesNotThrow(() => {
        promise = call()
      }, name)
      await ensemble.until(rejectsWith('COORD_CLOSED', promise as Promise<unknown>))
    }
    await ensemble.advance(10)
    assert.deepEqual((await a.getChildren('/')).children, ['zookeeper'])
  })
})

describe('a session of a namespace', () => {
  it('has its paths, for calls and for recipes', async () => {
    await using ensemble = await createTestEnsemble({ size: 1, namespace: '/app', valueEncoding: 'utf8' })
    const [app] = ensemble.coords
    const orders = app.namespace('/orders')
    const session = await ensemble.until(orders.openSession())
    assert.equal(await session.create('/1', 'one', { parents: true, mode: 'ephemeral' }), '/1')
    assert.equal((await app.getData('/orders/1')).data, 'one')
    assert.deepEqual(await session.getEphemerals(), ['/1'])
    const paths: string[] = []
    await session.getData('/1', { watch: ({ path }) => paths.push(path) })
    await app.setData('/orders/1', 'two')
    assert.deepEqual(paths, ['/1'])
    const lock = await ensemble.until(recipes.lock(session, '/lock'))
    assert.ok(lock.path.startsWith('/lock/'))
    await session.multi([{ type: 'create', path: '/guarded' }], { ifHeld: lock })
    await orders.multi([{ type: 'check', path: '/guarded' }], { ifHeld: lock })
    await rejectsWith('COORD_NODE_EXISTS', app.create('/orders/guarded'))
  })

  it('opens also where its path may not be read without a proof', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    await a.addAuth('digest', 'ann:secret')
    const acl = [{ scheme: 'auth', id: '', permissions: 'cdrwa' }]
    await a.create('/private', new Uint8Array(1), { acl })
    const session = await ensemble.until(a.namespace('/private').openSession())
    await rejectsWith('COORD_NO_AUTH', session.getData('/'))
    await session.addAuth('digest', 'ann:secret')
    assert.equal((await session.getData('/')).stat.version, 0)
  })
})
