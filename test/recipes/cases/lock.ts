/** Locks and semaphores, on any stage. */
import assert from 'node:assert/strict'
import type { Client } from '../../../lib/client.ts'
import type { Lock } from '../../../lib/recipes/index.ts'
import { rejectsWith } from '../../join/fixture.ts'
import type { OpenStage } from '../stage.ts'

/** The names in a lock's folder; none where the folder has gone. */
async function contenders(coord: Client, path: string): Promise<string[]> {
  await coord.sync()
  return (await coord.exists(path)) === undefined ? [] : (await coord.getChildren(path)).children
}

export function lockCases(open: OpenStage): void {
  describe('lock', () => {
    it('is held by one at a time, in the order in which they asked', async () => {
      await using stage = await open({ size: 3 })
      const order: string[] = []
      let inside = 0
      const tasks = stage.clients.flatMap((coord, member) =>
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
      await stage.until(Promise.all(tasks))
      assert.equal(order.length, 9)
      await stage.within(0, async () => assert.deepEqual(await contenders(stage.clients[0], '/locks/l'), []))
    })

    it('has a token that grows with each holder, and ifHeld that fails when it is lost', async () => {
      await using stage = await open({ size: 3 })
      const [a, b] = stage.clients
      const first = await stage.until(a.lock('/l'))
      await stage.until(a.multi([{ type: 'create', path: '/done' }], { ifHeld: first }))
      const releasing = first.release()
      assert.equal(first.held, false, 'before anybody else can have it')
      await stage.until(releasing)
      const second = await stage.until(b.lock('/l'))
      assert.ok(second.token > first.token)
      assert.equal(first.held, false)
      assert.throws(() => first.assertHeld(), { code: 'COORD_LOCK_LOST' })
      await rejectsWith('COORD_LOCK_LOST', stage.until(a.multi([{ type: 'delete', path: '/done' }], { ifHeld: first })))
      await second.release()
    })

    it('wakes one waiter of many when it is released', async () => {
      await using stage = await open({ size: 3 })
      const [a, b] = stage.clients
      const held = await stage.until(a.lock('/l'))
      const acquired: Lock[] = []
      // Whoever is woken looks at the folder again: the count of reads is the count of those woken.
      let looks = 0
      const session = b.session
      const original = session.getChildren.bind(session)
      session.getChildren = ((...given: Parameters<typeof original>) => {
        looks += 1
        return original(...given)
      }) as typeof session.getChildren
      const count = stage.isVirtual ? 200 : 40
      const waiting = Array.from({ length: count }, async () => {
        const lock = await b.lock('/l')
        acquired.push(lock)
      })
      await stage.within(100, async () => {
        assert.equal((await contenders(a, '/l')).length, count + 1)
        assert.equal(looks, count)
      })
      looks = 0
      await stage.until(held.release())
      await stage.within(100, () => assert.equal(acquired.length, 1))
      await stage.quiet(100)
      assert.deepEqual([acquired.length, looks], [1, 1])
      for (let next = 0; next < count; next += 1) {
        await stage.within(1, () => assert.ok(acquired[next] !== undefined, `waiter ${next} sleeps`))
        await stage.until((acquired[next] as Lock).release())
      }
      await stage.until(Promise.all(waiting))
      await stage.within(0, async () => assert.deepEqual(await contenders(a, '/l'), []))
    })

    it('is shared among those who share it, and nobody is overtaken', async () => {
      await using stage = await open({ size: 3 })
      const [a, b, c] = stage.clients
      const readers = [
        await stage.until(a.lock('/rw', { shared: true })),
        await stage.until(b.lock('/rw', { shared: true })),
      ]
      let written = false
      const writer = c.lock('/rw').then((lock) => {
        written = true
        return lock
      })
      await stage.within(10, async () => assert.equal((await contenders(a, '/rw')).length, 3))
      let readLate = false
      const late = a.lock('/rw', { shared: true }).then((lock) => {
        readLate = true
        return lock
      })
      await stage.within(10, async () => assert.equal((await contenders(a, '/rw')).length, 4))
      await stage.quiet(100)
      assert.deepEqual([written, readLate], [false, false])
      for (const reader of readers) await stage.until(reader.release())
      const lock = await stage.until(writer)
      await stage.quiet(100)
      assert.equal(readLate, false)
      await stage.until(lock.release())
      await stage.until((await stage.until(late)).release())
    })

    it('gives up when its time is over or its signal aborts, and leaves nothing behind', async () => {
      await using stage = await open({ size: 3 })
      const [a, b] = stage.clients
      const held = await stage.until(a.lock('/l'))
      const late = b.lock('/l', { timeoutMs: 1000 })
      await stage.until(rejectsWith('COORD_TIMEOUT', late))
      const controller = new AbortController()
      const aborted = assert.rejects(b.lock('/l', { signal: controller.signal }), { code: 'ABORT_ERR' })
      await stage.quiet(10)
      controller.abort()
      await aborted
      assert.equal(await stage.until(b.tryLock('/l')), undefined)
      await stage.within(100, async () => assert.equal((await contenders(a, '/l')).length, 1))
      await stage.until(held.release())
      const tried = await stage.until(b.tryLock('/l'))
      assert.equal(tried?.held, true)
      await tried?.release()
    })

    it('is lost with its session: the holder knows before the next one has it', async () => {
      await using stage = await open({ size: 3, sessionTimeoutMs: 4000 })
      const [a, b] = stage.clients
      const held = await stage.until(a.lock('/l'))
      let lostAt: number | undefined
      held.signal.addEventListener('abort', () => {
        lostAt = stage.now
      })
      let takenAt: number | undefined
      const next = b.lock('/l').then((lock) => {
        takenAt = stage.now
        return lock
      })
      stage.cutOff(a)
      await stage.within(20_000, () => assert.ok(takenAt !== undefined, 'the next one has it'))
      assert.ok(lostAt !== undefined && lostAt < (takenAt ?? 0), `lost at ${lostAt}, taken at ${takenAt}`)
      assert.equal(held.held, false)
      stage.heal()
      await stage.quiet(5000)
      await stage.until((await next).release())
      await stage.within(0, async () => assert.deepEqual(await contenders(b, '/l'), []))
    })

    it('is not held by who was paused for too long, from the first look at it', async () => {
      await using stage = await open({ size: 3, sessionTimeoutMs: 4000 })
      const [a, b] = stage.clients
      const held = await stage.until(a.lock('/l'))
      const next = b.lock('/l')
      await stage.pause(a, 10_000)
      assert.equal(held.held, false)
      assert.ok(held.signal.aborted)
      assert.ok((await stage.until(next)).held)
    })

    it('is not held any more when its coord closes, before anything is sent', async () => {
      await using stage = await open({ size: 3 })
      const [a, b] = stage.clients
      const held = await stage.until(a.lock('/l'))
      const next = b.lock('/l')
      const closing = a.close()
      assert.equal(held.held, false)
      await stage.until(closing)
      assert.ok((await stage.until(next)).held)
    })

    it('takes several in one order, or none', async () => {
      await using stage = await open({ size: 3 })
      const [a, b] = stage.clients
      const both = ['/x', '/y']
      const tasks = [a, b, a, b].map(async (coord, index) => {
        const locks = await coord.lockAll(index % 2 === 0 ? both : [...both].reverse())
        assert.ok(locks.held)
        await locks.release()
        assert.equal(locks.held, false)
      })
      await stage.until(Promise.all(tasks))
      const held = await stage.until(b.lock('/y'))
      await stage.until(rejectsWith('COORD_TIMEOUT', a.lockAll(both, { timeoutMs: 500 })))
      await stage.within(0, async () => assert.deepEqual(await contenders(a, '/x'), []))
      await held.release()
    })
  })

  describe('semaphore', () => {
    it('gives so many leases at a time, in order', async () => {
      await using stage = await open({ size: 3 })
      const leases: Lock[] = []
      const tasks = Array.from({ length: 7 }, async (_, index) => {
        const lease = await stage.clients[index % 3]?.semaphore('/s', 3).acquire()
        if (lease !== undefined) leases.push(lease)
      })
      for (let given = 0; given < 4; given += 1) {
        await stage.within(100, () => assert.equal(leases.length, 3 + given))
        await stage.until(leases[given]?.release() as Promise<void>)
      }
      await stage.until(Promise.all(tasks))
      await stage.until(Promise.all(leases.map((lease) => lease.release())))
      await stage.within(0, async () => assert.deepEqual(await contenders(stage.clients[0], '/s/leases'), []))
      await stage.within(0, async () => assert.deepEqual(await contenders(stage.clients[0], '/s/line'), []))
    })

    it('can be resized', async () => {
      await using stage = await open({ size: 3 })
      const [a, b] = stage.clients
      const first = await stage.until(a.semaphore('/s', 1).acquire())
      assert.equal(await stage.until(b.semaphore('/s', 1).tryAcquire()), undefined)
      const second = b.semaphore('/s', 1).acquire()
      await stage.quiet(100)
      await stage.until(a.semaphore('/s', 1).resize(2))
      assert.ok((await stage.until(second)).held)
      assert.ok(first.held)
    })

    it('refuses what is no number of permits', async () => {
      await using stage = await open({ size: 1 })
      for (const permits of [0, -1, 1.5, Number.NaN]) {
        assert.throws(() => stage.clients[0].semaphore('/s', permits), RangeError)
      }
    })
  })
}
