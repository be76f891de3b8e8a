/** Groups and services, on any stage. */
import assert from 'node:assert/strict'
import { rejectsWith } from '../../join/fixture.ts'
import type { OpenStage } from '../stage.ts'

export function presenceCases(open: OpenStage): void {
  describe('a group', () => {
    it('tells who is there, who joins and who leaves, with views that agree', async () => {
      await using stage = await open({ size: 3, seed: 1, valueEncoding: 'json' })
      const [a, b, c] = stage.clients
      const log: string[] = []
      await using view = await stage.until(c.group('/crew').watch())
      view.on('joined', ({ name }) => log.push(`${name} joined`))
      view.on('left', ({ name }) => log.push(`${name} left`))
      view.on('updated', ({ data }, previous) =>
        log.push(`${JSON.stringify(previous.data)} is ${JSON.stringify(data)}`),
      )
      const first = await stage.until(a.group('/crew').join({ zone: 1 }, { name: 'ann' }))
      const second = await stage.until(b.group('/crew').join(undefined, { name: 'bob' }))
      await stage.within(0, () => assert.deepEqual(log, ['ann joined', 'bob joined']))
      await first.update({ zone: 2 })
      await stage.within(10, () =>
        assert.deepEqual(
          view.members.map(({ name, data }) => [name, data]),
          [
            ['ann', { zone: 2 }],
            ['bob', undefined],
          ],
        ),
      )
      assert.deepEqual(
        view.members.map(({ id }) => id),
        [first.id, second.id],
      )
      assert.ok(view.zxid >= (view.members[1]?.joinedZxid ?? 0n))
      await first.leave()
      await first.close()
      await stage.within(10, () =>
        assert.deepEqual(log, ['ann joined', 'bob joined', '{"zone":1} is {"zone":2}', 'ann left']),
      )
      await rejectsWith('COORD_CLOSED', first.update(1 as never))
      await stage.within(0, () => assert.equal(second.size, 1))
      assert.match(JSON.stringify(second.members), /"joinedZxid":"\d+"/)
    })

    it('drops a member that died within its session timeout, and has one again that lost its session', async () => {
      await using stage = await open({
        size: 3,
        seed: 2,
        valueEncoding: 'json',
        sessionTimeoutMs: 4_000,
      })
      const [a, b, c] = stage.clients
      await using view = await stage.until(c.group('/crew').watch())
      const mine = await stage.until(a.group('/crew').join('a'))
      await stage.until(b.group('/crew').join('b'))
      await stage.within(0, () => assert.equal(view.size, 2))
      const before = view.members.find(({ id }) => id === mine.id)?.joinedZxid ?? 0n
      stage.crash(b)
      await stage.expireSession(a)
      await stage.within(15_000, () => {
        assert.deepEqual(
          view.members.map(({ data }) => data),
          ['a'],
        )
        assert.ok((view.members[0]?.joinedZxid ?? 0n) > before)
        assert.equal(mine.members[0]?.id, mine.id)
      })
    })

    it('leaves no member behind when a join is aborted', async () => {
      await using stage = await open({ size: 3, seed: 3, networkDelayMs: { min: 5, max: 20 } })
      const [a] = stage.clients
      for (let ms = 0; ms < 120; ms += 9) {
        const abort = new AbortController()
        const joining = a.group('/crew').join(undefined, { signal: abort.signal })
        await stage.quiet(ms)
        abort.abort()
        const joined = await stage.until(joining.catch((error: Error) => assert.equal(error.name, 'AbortError')))
        if (joined !== undefined) await stage.until(joined.close())
        await stage.within(1_000, async () =>
          assert.equal((await a.exists('/crew'))?.numChildren ?? 0, 0, `after ${ms} ms`),
        )
      }
    })

    it('refuses a name that is none, and its client closes all the same', async () => {
      await using stage = await open({ size: 1 })
      const namespace = stage.clients[0].namespace('/app')
      await assert.rejects(namespace.group('/crew').join(undefined, { name: 'a~b' }), TypeError)
      await stage.until(namespace.close())
    })

    it('lets go of everything when its client is closed', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      const namespace = a.namespace('/app')
      await namespace.group('/crew').join()
      await namespace.services.register('api', { address: 'here', port: 1 })
      await namespace.close()
      assert.deepEqual((await a.getChildren('/app/crew')).children, [])
      assert.deepEqual((await a.getChildren('/app/services/api')).children, [])
      assert.throws(() => namespace.group('/crew'), { code: 'COORD_CLOSED' })
    })
  })

  describe('services', () => {
    it('are registered, picked in turn, drained and deregistered', async () => {
      await using stage = await open({ size: 3, seed: 4 })
      const [a, b, c] = stage.clients
      await using view = await stage.until(c.services.watch('api'))
      const log: string[] = []
      view.on('added', ({ port }) => log.push(`+${port}`))
      view.on('removed', ({ port }) => log.push(`-${port}`))
      view.on('updated', ({ port, draining }) => log.push(`${port} ${draining ? 'drains' : 'changed'}`))
      const picking = view.pick()
      await stage.quiet(1_000)
      const one = await stage.until(a.services.register('api', { address: 'a', port: 1, meta: { zone: 'x' } }))
      const picked = await stage.until(picking)
      assert.deepEqual([picked.address, picked.port, picked.meta, picked.id], ['a', 1, { zone: 'x' }, one.id])
      picked.release()
      const two = await stage.until(b.services.register('api', { address: 'b', port: 2 }))
      await stage.within(10, () => assert.equal(view.instances.length, 2))
      const ports = new Set([1, 2, 3, 4].map(() => view.pickNow()?.port))
      assert.deepEqual(ports, new Set([1, 2]))
      await one.drain()
      await stage.within(10, () => assert.equal(log.at(-1), '1 drains'))
      assert.deepEqual([view.pickNow()?.port, view.pickNow()?.port, view.instances.length], [2, 2, 2])
      await one.close()
      await stage.within(0, () => assert.equal(log.at(-1), '-1'))
      await two.update({ weight: 3 })
      await stage.within(10, () => assert.deepEqual(log, ['+1', '+2', '1 drains', '-1', '2 changed']))
    })

    it('leave out an instance that was reported, for a while, and unless there is no other', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      await a.services.register('api', { address: 'a', port: 1 })
      await a.services.register('api', { address: 'b', port: 2 })
      const reportedMs = stage.isVirtual ? 5_000 : 500
      await using view = await a.services.watch('api', { reportedMs })
      const bad = await view.pick()
      bad.report()
      if (stage.isVirtual) assert.deepEqual(new Set([1, 2, 3].map(() => view.pickNow()?.id)).has(bad.id), false)
      await stage.within(reportedMs + 1, () =>
        assert.deepEqual(new Set([1, 2, 3].map(() => view.pickNow()?.id)).has(bad.id), true),
      )
      for (const instance of view.instances) view.report(instance)
      assert.ok(view.pickNow() !== undefined)
    })

    it('are registered anew after a lost session, and gone with a process that dies', async () => {
      await using stage = await open({ size: 3, seed: 5, sessionTimeoutMs: 4_000 })
      const [a, b, c] = stage.clients
      await using view = await stage.until(c.services.watch('api', { strategy: 'sticky' }))
      const kept = await stage.until(a.services.register('api', { address: 'a', port: 1 }))
      await stage.until(b.services.register('api', { address: 'b', port: 2 }))
      const listed = (): number[] => view.instances.map(({ port }) => port)
      await stage.within(0, () => assert.equal(listed().length, 2))
      stage.cutOff(a)
      await stage.within(12_000, () => assert.deepEqual(listed(), [2]))
      stage.heal()
      await stage.within(5_000, () => assert.equal(listed().length, 2))
      assert.ok(view.instances.some(({ id }) => id === kept.id))
      stage.crash(b)
      await stage.within(15_000, () => assert.deepEqual(listed(), [1]))
    })

    it('end a wait for an instance with the view, and refuse what is no instance', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      const view = await a.services.watch('api', { filter: ({ port }) => port > 1_000 })
      const picking = view.pick()
      const abort = new AbortController()
      const aborted = view.pick({ signal: abort.signal })
      abort.abort()
      await assert.rejects(aborted, { name: 'AbortError' })
      await a.services.register('api', { address: 'a', port: 80 })
      await a.create('/services/api/strange', new Uint8Array([1, 2]))
      await stage.quiet(100)
      assert.deepEqual(view.instances, [])
      await view.close()
      await rejectsWith('COORD_CLOSED', picking)
      await assert.rejects(a.services.register('api', { address: '', port: 1 }), TypeError)
      await assert.rejects(a.services.register('api', { address: 'a', port: 70_000 }), RangeError)
      await assert.rejects(a.services.register('a/b', { address: 'a', port: 1 }), TypeError)
      await assert.rejects(a.services.watch('api', { strategy: 'best' as never }), TypeError)
    })
  })
}
