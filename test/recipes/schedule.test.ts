import assert from 'node:assert/strict'
import type { Firing } from '../../lib/recipes/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('schedule', () => {
  it('fires once in the whole ensemble, on time', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const fired: Firing[] = []
    for (const coord of ensemble.coords) coord.schedule('tick', { everyMs: 60_000 }, (firing) => fired.push(firing))
    await ensemble.advance(10 * 60_000 + 1000)
    assert.equal(fired.length, 10)
    fired.slice(1).forEach((firing, index) => {
      const before = fired[index] as Firing
      assert.equal(firing.scheduledAt.getTime() - before.scheduledAt.getTime(), 60_000)
      assert.ok(firing.token > before.token)
    })
  })

  it('goes on where the leader was killed, without a firing twice', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 4000, seed: 5 })
    const fired = new Map<number, number>()
    const note = ({ scheduledAt }: Firing): void => {
      fired.set(scheduledAt.getTime(), (fired.get(scheduledAt.getTime()) ?? 0) + 1)
    }
    const schedules = ensemble.coords.map((coord) =>
      coord.schedule('tick', { everyMs: 10_000 }, note, { missed: 'all' }),
    )
    await ensemble.advance(35_000)
    const leader = schedules.findIndex(({ isLeader }) => isLeader)
    ensemble.crash(ensemble.coords[leader] as (typeof ensemble.coords)[number])
    await ensemble.advance(60_000)
    const times = [...fired.keys()].sort((x, y) => x - y)
    assert.ok(times.length >= 8, `${times.length} firings`)
    assert.ok([...fired.values()].every((count) => count === 1))
    // All were made up for: none is left out, save perhaps the one that died with its leader.
    const holes = times.slice(1).filter((at, index) => at - (times[index] as number) > 10_000)
    assert.ok(holes.length <= 1, `${holes.length} holes`)
  })

  it('does not fire while the job of the last firing runs, and tells what was missed', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    let running = 0
    let calls = 0
    let finish: (() => void) | undefined
    const missed: number[] = []
    const schedule = a.schedule('slow', { everyMs: 10_000 }, async () => {
      calls += 1
      running += 1
      assert.equal(running, 1)
      if (calls === 1) await new Promise<void>((resolve) => (finish = resolve))
      running -= 1
    })
    schedule.on('missed', (times) => missed.push(times.length))
    await ensemble.advance(48_000)
    assert.equal(calls, 1)
    finish?.()
    await ensemble.advance(3000)
    assert.equal(calls, 2)
    assert.ok(missed.length > 0)
    const history = await ensemble.until(schedule.history())
    assert.equal(history[0]?.outcome, 'done')
  })

  it('says that a job failed, and goes on', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const failures: string[] = []
    const schedule = a.schedule('bad', { everyMs: 1000 }, () => Promise.reject(new Error('no')))
    schedule.on('failed', (error) => failures.push((error as Error).message))
    await ensemble.advance(5500)
    assert.ok(failures.length >= 4)
    assert.equal((await ensemble.until(schedule.history()))[0]?.outcome, 'failed')
    await ensemble.until(schedule.close())
  })

  it('takes cron expressions with a time zone', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const fired: string[] = []
    a.schedule('nightly', '0 3 * * *', ({ scheduledAt }) => fired.push(scheduledAt.toISOString()), { timeZone: 'UTC' })
    await ensemble.advance(2 * 86_400_000)
    assert.equal(fired.length, 2)
    assert.ok(
      fired.every((at) => at.endsWith('T03:00:00.000Z')),
      fired.join(),
    )
  })

  it('refuses what is no schedule', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
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
    await using ensemble = await createTestEnsemble({ size: 3 })
    const claims = ensemble.coords.flatMap((coord) => [coord.claim('job:1'), coord.claim('job:1')])
    const got = await ensemble.until(Promise.all(claims))
    assert.equal(got.filter((one) => one).length, 1)
    assert.equal(await ensemble.until(ensemble.coords[0].claim('job:2/with slash')), true)
  })

  it('is forgotten after its time', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    assert.equal(await ensemble.until(a.claim('k', { keptMs: 1000 })), true)
    await ensemble.advance(130_000)
    assert.equal(await ensemble.until(a.claim('k', { keptMs: 1000 })), true)
  })
})
