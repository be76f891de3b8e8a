/** Recipes of a session that is lost, or of a client that is closed: nobody waits for what cannot come any more. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import * as recipes from '../../lib/recipes/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { rejectsWith } from '../join/fixture.ts'

describe('a recipe whose session is lost', () => {
  it('tells whoever waits for it, then and later', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 4000 })
    const [a, b, c] = ensemble.coords
    const session = await ensemble.until(a.openSession())
    const registration = await ensemble.until(recipes.services(session).register('own', { address: 'here', port: 1 }))
    const membership = await ensemble.until(recipes.group(session, '/crew').join())
    const view = await ensemble.until(recipes.services(session).watch('nobody'))
    const picking = rejectsWith('COORD_SESSION_EXPIRED', view.pick())
    ensemble.partition([a], [b, c])
    await ensemble.advance(1000)
    // It was under way when the session was lost.
    const updating = rejectsWith('COORD_CONNECTION_LOSS', registration.update({ port: 2 }))
    await ensemble.advance(10_000)
    assert.equal(session.state, 'lost')
    await ensemble.until(Promise.all([picking, updating]))
    const late: Promise<unknown>[] = [
      registration.update({ port: 3 }),
      registration.drain(),
      membership.update(undefined),
      view.pick(),
      recipes.services(session).register('other', { address: 'here', port: 1 }),
      recipes.services(session).watch('other'),
      recipes.group(session, '/crew').join(),
      recipes.cache(session, '/value'),
      recipes.workers(session, '/jobs').work(() => {}),
    ]
    await ensemble.until(Promise.all(late.map((call) => rejectsWith('COORD_SESSION_EXPIRED', call))))
  })
})

describe('a recipe of a client that is closed', () => {
  it('begins nothing, though the session goes on', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const orders = a.namespace('/orders')
    const [group, services, jobs] = [orders.group('/crew'), orders.services, orders.workers('/jobs')]
    await orders.close()
    const late: Promise<unknown>[] = [
      group.join(),
      group.watch(),
      services.register('api', { address: 'here', port: 1 }),
      services.watch('api'),
      jobs.work(() => {}),
    ]
    await ensemble.until(Promise.all(late.map((call) => rejectsWith('COORD_CLOSED', call))))
    await ensemble.advance(1000)
    assert.equal(await a.exists('/orders'), undefined)
    assert.deepEqual(await a.getEphemerals(), [])
  })
})

describe('a signal that lives as long as the process', () => {
  it('is let go of by every call', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const { signal } = new AbortController()
    const held = await a.lock('/l', { signal, timeoutMs: 1000 })
    const late = rejectsWith('COORD_TIMEOUT', a.lock('/l', { signal, timeoutMs: 10 }))
    await ensemble.until(late)
    await held.release()
    await (await a.semaphore('/s', 1).acquire({ signal, timeoutMs: 1000 })).release()
    const barrier = a.doubleBarrier('/d', 1)
    await ensemble.until(barrier.enter({ signal }))
    await ensemble.until(barrier.leave({ signal }))
    await a.counter('/c').add(1, { signal })
    await a.names('/n').ids().next({ signal })
    await a.queue('/q').put(new Uint8Array(1), { signal })
    await (await a.queue('/q').take({ signal })).done()
    await (await a.group('/crew').join(undefined, { signal })).close()
    const watch = a.watch('/', { signal })
    await watch.next()
    await watch.close()
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })
})

describe('an update of a registration that is refused', () => {
  it('changes nothing, now or later: the instance stays listed as it was, also in the next session', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const registration = await a.services.register('api', { address: 'here', port: 1 })
    const view = await a.services.watch('api')
    const ports = (): readonly number[] => view.instances.map(({ port }) => port)
    const meta = { text: 'x'.repeat(2_000_000) }
    await ensemble.until(rejectsWith('COORD_TOO_LARGE', registration.update({ port: 2, meta })))
    await a.setQuota('/services', { hardBytes: 200 })
    const large = { text: 'x'.repeat(300) }
    await ensemble.until(rejectsWith('COORD_QUOTA_EXCEEDED', registration.update({ port: 2, meta: large })))
    await a.deleteQuota('/services')
    await ensemble.advance(5000)
    assert.deepEqual(ports(), [1])
    ensemble.expireSession(a)
    await ensemble.advance(5000)
    assert.deepEqual(ports(), [1])
    await ensemble.until(registration.update({ port: 3 }))
    await ensemble.advance(10)
    assert.deepEqual(ports(), [3])
    assert.equal(view.instances[0]?.meta, undefined)
  })
})
