/** The recipes as functions of a strict session, which does not renew itself: what it holds, and what ends with it. */
import assert from 'node:assert/strict'
import type { Session } from '../../lib/index.ts'
import * as recipes from '../../lib/recipes/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { rejectsWith } from '../join/fixture.ts'
import { warningsDuring } from '../uncaught.ts'

describe('a recipe of a session', () => {
  it('is that of a client: one session, whatever its values are', async () => {
    await using ensemble = await createTestEnsemble({ size: 1, valueEncoding: 'json' })
    const [a] = ensemble.coords
    const session: Session<unknown> = await ensemble.until(a.openSession())
    const lock = await ensemble.until(recipes.lock(session, '/lock'))
    assert.equal((await a.exists(lock.path))?.ephemeralOwner, session.id)
    assert.equal(await a.tryLock('/lock'), undefined)
    await session.multi([{ type: 'create', path: '/guarded', data: { by: 'lock' } }], { ifHeld: lock })
    await lock.release()
    assert.ok((await recipes.tryLock(session, '/lock'))?.held)

    await recipes.queue(session, '/jobs').put({ work: 1 })
    const item = await recipes.queue(session, '/jobs').take()
    assert.deepEqual(item.value, { work: 1 })
    await item.done()
    await recipes.priorityQueue(session, '/urgent').put('x', { priority: 1 })
    assert.equal((await a.priorityQueue('/urgent').take()).value, 'x')
    assert.equal(await recipes.counter(session, '/count').add(2), 2)
    assert.equal(await recipes.claim(session, 'once'), true)
    assert.equal(await recipes.names(session, '/names').ids().next(), 1)
    await recipes.barrier(session, '/gate').wait()
    assert.ok((await recipes.semaphore(session, '/permits', 1).acquire()).held)
    const cache = await recipes.cache<unknown>(session, '/value')
    await cache.set({ is: 'json' })
    await ensemble.advance(10)
    assert.deepEqual([cache.value, (await a.getData('/value')).data], [{ is: 'json' }, { is: 'json' }])
    const membership = await recipes.group(session, '/crew').join({ zone: 1 })
    assert.deepEqual(membership.members[0]?.data, { zone: 1 })
    await recipes.services(session).register('api', { address: 'here', port: 1 })
    const terms: string[] = []
    recipes.elect(session, '/lead', { onElected: () => terms.push('led') })
    await ensemble.advance(10)
    assert.deepEqual(terms, ['led'])

    const warnings = await warningsDuring(() => ensemble.until(session.close()))
    assert.deepEqual(warnings, [])
    for (const path of ['/crew', '/services/api', '/lead', '/permits/leases'])
      assert.equal((await a.exists(path))?.numChildren ?? 0, 0, path)
    assert.throws(() => recipes.counter(session, '/count'), { code: 'COORD_CLOSED' })
  })

  it('ends with it: what is held is lost, who waits is told, and nothing is begun anew', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 4_000 })
    const [a, b, c] = ensemble.coords
    const session = await ensemble.until(a.openSession())
    const held = await ensemble.until(recipes.lock(session, '/mine'))
    await ensemble.until(b.lock('/theirs'))
    await ensemble.until(b.barrier('/gate').set())
    await ensemble.until(a.sync())
    let terms = 0
    const election = recipes.elect(session, '/lead', {
      onElected: () => {
        terms += 1
      },
    })
    const waiting = [
      rejectsWith('COORD_SESSION_EXPIRED', recipes.lock(session, '/theirs')),
      rejectsWith('COORD_SESSION_EXPIRED', recipes.barrier(session, '/gate').wait()),
      rejectsWith('COORD_SESSION_EXPIRED', recipes.queue(session, '/jobs').take()),
      rejectsWith('COORD_SESSION_EXPIRED', recipes.doubleBarrier(session, '/start', 2).enter()),
    ]
    await ensemble.advance(100)
    assert.deepEqual([held.held, terms], [true, 1])
    ensemble.partition([a], [b, c])
    await ensemble.advance(10_000)
    assert.deepEqual([held.held, held.signal.aborted, election.isLeader], [false, true, false])
    ensemble.heal()
    await ensemble.until(Promise.all(waiting))
    await ensemble.advance(10_000)
    assert.equal(terms, 1)
    await ensemble.until(election.close())
    await rejectsWith('COORD_SESSION_EXPIRED', ensemble.until(recipes.counter(session, '/count').add()))
    await ensemble.until(session.close())
    assert.equal((await ensemble.until(b.exists('/mine')))?.numChildren ?? 0, 0)
  })

  it('is bounded when it closes, also where a callback never settles', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const session = await ensemble.until(ensemble.coords[0].openSession())
    const election = recipes.elect(session, '/lead', { onElected: () => new Promise(() => {}) })
    await ensemble.advance(10)
    assert.ok(election.isLeader)
    await ensemble.until(session.close({ timeoutMs: 500 }))
  })
})
