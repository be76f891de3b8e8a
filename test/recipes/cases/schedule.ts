/** Schedules and claims, on any stage. */
import assert from 'node:assert/strict'
import type { Firing } from '../../../lib/recipes/index.ts'
import type { OpenStage } from '../stage.ts'

export function scheduleCases(open: OpenStage): void {
  describe('schedule', () => {
    it('fires once in the whole ensemble, on time', async () => {
      await using stage = await open({ size: 3 })
      const everyMs = stage.isVirtual ? 60_000 : 200
      const fired: Firing[] = []
      for (const coord of stage.clients) coord.schedule('tick', { everyMs }, (firing) => fired.push(firing))
      await stage.within(10 * 60_000 + 1000, () => assert.ok(fired.length >= 10))
      if (stage.isVirtual) assert.equal(fired.length, 10)
      fired.slice(1).forEach((firing, index) => {
        const before = fired[index] as Firing
        const passedMs = firing.scheduledAt.getTime() - before.scheduledAt.getTime()
        // Where time is real, a firing may be missed.
        if (stage.isVirtual) assert.equal(passedMs, everyMs)
        else assert.ok(passedMs > 0 && passedMs % everyMs === 0, `${passedMs} ms`)
        assert.ok(firing.token > before.token)
      })
    })

    it('goes on where the leader was killed, without a firing twice', async () => {
      await using stage = await open({ size: 3, sessionTimeoutMs: 4000, seed: 5 })
      const fired = new Map<number, number>()
      const note = ({ scheduledAt }: Firing): void => {
        fired.set(scheduledAt.getTime(), (fired.get(scheduledAt.getTime()) ?? 0) + 1)
      }
      const everyMs = stage.isVirtual ? 10_000 : 500
      const schedules = stage.clients.map((coord) => coord.schedule('tick', { everyMs }, note, { missed: 'all' }))
      await stage.within(35_000, () => assert.ok(fired.size >= 3))
      const leader = schedules.findIndex(({ isLeader }) => isLeader)
      stage.crash(stage.clients[leader] as (typeof stage.clients)[number])
      const isLed = (): boolean => schedules.some((schedule, index) => index !== leader && schedule.isLeader)
      await stage.within(60_000, () => assert.ok(fired.size >= 8 && isLed(), `${fired.size} firings`))
      const times = [...fired.keys()].sort((x, y) => x - y)
      assert.ok([...fired.values()].every((count) => count === 1))
      // All were made up for: none is left out, save perhaps the one that died with its leader.
      const holes = times.slice(1).filter((at, index) => at - (times[index] as number) > everyMs)
      assert.ok(holes.length <= 1, `${holes.length} holes`)
    })

    it('does not fire while the job of the last firing runs, and tells what was missed', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      let running = 0
      let calls = 0
      let finish: (() => void) | undefined
      const missed: number[] = []
      const everyMs = stage.isVirtual ? 10_000 : 100
      const schedule = a.schedule('slow', { everyMs }, async () => {
        calls += 1
        running += 1
        assert.equal(running, 1)
        if (calls === 1) await new Promise<void>((resolve) => (finish = resolve))
        running -= 1
      })
      schedule.on('missed', (times) => missed.push(times.length))
      await stage.within(0, () => assert.ok(schedule.isLeader))
      const since = stage.now
      await stage.within(48_000, () => assert.ok(calls > 0 && stage.now - since >= 4.8 * everyMs))
      assert.equal(calls, 1)
      finish?.()
      await stage.within(3000, () => assert.ok(calls >= 2))
      if (stage.isVirtual) assert.equal(calls, 2)
      assert.ok(missed.length > 0)
      const history = await stage.until(schedule.history())
      assert.equal(history[0]?.outcome, 'done')
    })

    it('says that a job failed, and goes on', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      const failures: string[] = []
      const everyMs = stage.isVirtual ? 1000 : 100
      const schedule = a.schedule('bad', { everyMs }, () => Promise.reject(new Error('no')))
      schedule.on('failed', (error) => failures.push((error as Error).message))
      await stage.within(5500, () => assert.ok(failures.length >= 4))
      assert.equal((await stage.until(schedule.history()))[0]?.outcome, 'failed')
      await stage.until(schedule.close())
    })

    it('takes cron expressions with a time zone', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      const fired: string[] = []
      // Hours pass only where time is virtual. India's are half an hour away from those of UTC.
      const timeZone = 'Asia/Kolkata'
      const [cron, at, count] = stage.isVirtual
        ? (['0 */3 * * *', /T\d\d:30:00\.000Z$/, 2] as const)
        : (['* * * * * *', /\.000Z$/, 1] as const)
      a.schedule('nightly', cron, ({ scheduledAt }) => fired.push(scheduledAt.toISOString()), { timeZone })
      await stage.within(6 * 3_600_000, () => assert.ok(fired.length >= count))
      if (stage.isVirtual) assert.equal(fired.length, count)
      for (const each of fired) assert.match(each, at)
    })

    it('refuses what is no schedule', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      const job = (): void => undefined
      assert.throws(() => a.schedule('x', 'every tuesday', job), TypeError)
      assert.throws(() => a.schedule('x', '0 3 * * *', job, { timeZone: 'Middle/Earth' }), TypeError)
      assert.throws(() => a.schedule('x', { everyMs: 0 }, job), RangeError)
      assert.throws(() => a.schedule('a/b', { everyMs: 1 }, job), TypeError)
      assert.throws(() => a.schedule('x', { everyMs: 1 }, undefined as never), TypeError)
      assert.throws(() => a.schedule('x', { everyMs: 1 }, job, { missed: 'some' as never }), TypeError)
    })
  })

  describe('claim', () => {
    it('gives a key to one of many, once', async () => {
      await using stage = await open({ size: 3 })
      const claims = stage.clients.flatMap((coord) => [coord.claim('job:1'), coord.claim('job:1')])
      const got = await stage.until(Promise.all(claims))
      assert.equal(got.filter((one) => one).length, 1)
      assert.equal(await stage.until(stage.clients[0].claim('job:2/with slash')), true)
    })

    it('is forgotten after its time', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      assert.equal(await stage.until(a.claim('k', { keptMs: 1000 })), true)
      await stage.within(130_000, async () => assert.equal(await stage.until(a.claim('k', { keptMs: 1000 })), true))
    })
  })
}
