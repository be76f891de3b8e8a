import assert from 'node:assert/strict'
import type { Coord } from '../../lib/index.ts'
import type { Lock } from '../../lib/recipes/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { rejectsWith } from '../join/fixture.ts'

/** The names in a lock's folder; none where the folder has gone. */
async function contenders(coord: Coord, path: string): Promise<string[]> {
  await coord.sync()
  return (await coord.exists(path)) === undefined ? [] : (await coord.getChildren(path)).children
}

describe('lock', () => {
  it('is held by one at a time, in the order in which they asked', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const order: string[] = []
    let inside = 0
    const tasks = ensemble.coords.flatMap((coord, member) =>
      [0, 1, 2].map(async (task) => {
        await coord.withLock('/locks/l', async (held) => {
          inside += 1
          assert.equal(inside, 1)
          assert.ok(held.held)
          await coord.setData('/locks/l', new Uint8Array([member, task]))
          order.push(`${member}${task}`)
          inside -= 1
        })
      }),
    )
    await ensemble.until(Promise.all(tasks))
    assert.equal(order.length, 9)
    assert.deepEqual(await contenders(ensemble.coords[0], '/locks/l'), [])
  })

  it('has a token that grows with each holder, and ifHeld that fails when it is lost', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b] = ensemble.coords
    const first = await ensemble.until(a.lock('/l'))
    await ensemble.until(a.multi([{ type: 'create', path: '/done' }], { ifHeld: first }))
    const releasing = first.release()
    assert.equal(first.held, false, 'before anybody else can have it')
    await ensemble.until(releasing)
    const second = await ensemble.until(b.lock('/l'))
    assert.ok(second.token > first.token)
    assert.equal(first.held, false)
    assert.throws(() => first.assertHeld(), { code: 'COORD_LOCK_LOST' })
    await rejectsWith(
      'COORD_LOCK_LOST',
      ensemble.until(a.multi([{ type: 'delete', path: '/done' }], { ifHeld: first })),
    )
    await second.release()
  })

  it('wakes one waiter of many when it is released', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b] = ensemble.coords
    const held = await ensemble.until(a.lock('/l'))
    const acquired: Lock[] = []
    const waiting = Array.from({ length: 200 }, async () => {
      const lock = await b.lock('/l')
      acquired.push(lock)
    })
    await ensemble.advance(100)
    assert.equal((await contenders(a, '/l')).length, 201)
    // Whoever is woken looks at the folder again: the count of reads is the count of those woken.
    let looks = 0
    const session = b.session
    const original = session.getChildren.bind(session)
    session.getChildren = ((...given: Parameters<typeof original>) => {
      looks += 1
      return original(...given)
    }) as typeof session.getChildren
    await ensemble.until(held.release())
    await ensemble.advance(100)
    assert.deepEqual([acquired.length, looks], [1, 1])
    for (let next = 0; next < 200; next += 1) {
      await ensemble.until(acquired[next]?.release() ?? Promise.reject(new Error(`waiter ${next} sleeps`)))
      await ensemble.advance(1)
    }
    await ensemble.until(Promise.all(waiting))
    assert.deepEqual(await contenders(a, '/l'), [])
  })

  it('is shared among those who share it, and nobody is overtaken', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b, c] = ensemble.coords
    const readers = [
      await ensemble.until(a.lock('/rw', { shared: true })),
      await ensemble.until(b.lock('/rw', { shared: true })),
    ]
    let written = false
    const writer = c.lock('/rw').then((lock) => {
      written = true
      return lock
    })
    await ensemble.advance(10)
    let readLate = false
    const late = a.lock('/rw', { shared: true }).then((lock) => {
      readLate = true
      return lock
    })
    await ensemble.advance(10)
    assert.deepEqual([written, readLate], [false, false])
    for (const reader of readers) await ensemble.until(reader.release())
    const lock = await ensemble.until(writer)
    await ensemble.advance(10)
    assert.equal(readLate, false)
    await ensemble.until(lock.release())
    await ensemble.until((await ensemble.until(late)).release())
  })

  it('gives up when its time is over or its signal aborts, and leaves nothing behind', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b] = ensemble.coords
    const held = await ensemble.until(a.lock('/l'))
    const late = b.lock('/l', { timeoutMs: 1000 })
    const refused = rejectsWith('COORD_TIMEOUT', late)
    await ensemble.advance(1100)
    await refused
    const controller = new AbortController()
    const aborted = assert.rejects(b.lock('/l', { signal: controller.signal }), { code: 'ABORT_ERR' })
    await ensemble.advance(10)
    controller.abort()
    await aborted
    assert.equal(await ensemble.until(b.tryLock('/l')), undefined)
    await ensemble.advance(100)
    assert.equal((await contenders(a, '/l')).length, 1)
    await ensemble.until(held.release())
    const tried = await ensemble.until(b.tryLock('/l'))
    assert.equal(tried?.held, true)
    await tried?.release()
  })

  it('is lost with its session: the holder knows before the next one has it', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 4000 })
    const [a, b, c] = ensemble.coords
    const held = await ensemble.until(a.lock('/l'))
    let lostAt: number | undefined
    held.signal.addEventListener('abort', () => {
      lostAt = ensemble.now
    })
    let takenAt: number | undefined
    const next = b.lock('/l').then((lock) => {
      takenAt = ensemble.now
      return lock
    })
    ensemble.partition([a], [b, c])
    await ensemble.advance(20_000)
    assert.ok(lostAt !== undefined && takenAt !== undefined, `lost at ${lostAt}, taken at ${takenAt}`)
    assert.ok(lostAt < takenAt, `lost at ${lostAt}, taken at ${takenAt}`)
    assert.equal(held.held, false)
    ensemble.heal()
    await ensemble.advance(5000)
    await ensemble.until((await next).release())
    assert.deepEqual(await contenders(b, '/l'), [])
  })

  it('is not held by who was paused for too long, from the first look at it', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 4000 })
    const [a, b] = ensemble.coords
    const held = await ensemble.until(a.lock('/l'))
    const next = b.lock('/l')
    ensemble.pause(a, 10_000)
    await ensemble.advance(12_000)
    assert.equal(held.held, false)
    assert.ok(held.signal.aborted)
    assert.ok((await ensemble.until(next)).held)
  })

  it('is not held any more when its coord closes, before anything is sent', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b] = ensemble.coords
    const held = await ensemble.until(a.lock('/l'))
    const next = b.lock('/l')
    const closing = a.close()
    assert.equal(held.held, false)
    await ensemble.until(closing)
    assert.ok((await ensemble.until(next)).held)
  })

  it('takes several in one order, or none', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b] = ensemble.coords
    const both = ['/x', '/y']
    const tasks = [a, b, a, b].map(async (coord, index) => {
      const locks = await coord.lockAll(index % 2 === 0 ? both : [...both].reverse())
      assert.ok(locks.held)
      await locks.release()
      assert.equal(locks.held, false)
    })
    await ensemble.until(Promise.all(tasks))
    const held = await ensemble.until(b.lock('/y'))
    const refused = rejectsWith('COORD_TIMEOUT', a.lockAll(both, { timeoutMs: 500 }))
    await ensemble.advance(600)
    await refused
    assert.deepEqual(await contenders(a, '/x'), [])
    await held.release()
  })
})

describe('semaphore', () => {
  it('gives so many leases at a time, in order', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const leases: Lock[] = []
    const tasks = Array.from({ length: 7 }, async (_, index) => {
      const lease = await ensemble.coords[index % 3]?.semaphore('/s', 3).acquire()
      if (lease !== undefined) leases.push(lease)
    })
    for (let given = 0; given < 4; given += 1) {
      await ensemble.advance(100)
      assert.equal(leases.length, 3 + given)
      await ensemble.until(leases[given]?.release() as Promise<void>)
    }
    await ensemble.until(Promise.all(tasks))
    await ensemble.until(Promise.all(leases.map((lease) => lease.release())))
    assert.deepEqual(await contenders(ensemble.coords[0], '/s/leases'), [])
    assert.deepEqual(await contenders(ensemble.coords[0], '/s/line'), [])
  })

  it('can be resized', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b] = ensemble.coords
    const first = await ensemble.until(a.semaphore('/s', 1).acquire())
    assert.equal(await ensemble.until(b.semaphore('/s', 1).tryAcquire()), undefined)
    const second = b.semaphore('/s', 1).acquire()
    await ensemble.advance(100)
    await ensemble.until(a.semaphore('/s', 1).resize(2))
    assert.ok((await ensemble.until(second)).held)
    assert.ok(first.held)
  })

  it('refuses what is no number of permits', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    for (const permits of [0, -1, 1.5, Number.NaN]) {
      assert.throws(() => ensemble.coords[0].semaphore('/s', permits), RangeError)
    }
  })
})
