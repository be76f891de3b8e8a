import assert from 'node:assert/strict'
import cron, { type ScheduledTask } from 'node-cron'
import { runCoordinator } from '../../adapters/node-cron/index.ts'
import { joinEnsemble } from '../../lib/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('the adapter for node-cron', () => {
  it('lets one of many run each firing', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const coordinators = ensemble.coords.map(runCoordinator)
    for (const key of ['report:2026-01-01T00:00:00.000Z', 'report:2026-01-02T00:00:00.000Z']) {
      const answers = await ensemble.until(Promise.all(coordinators.map((one) => one.shouldRun(key, 1000))))
      assert.equal(answers.filter((answer) => answer).length, 1)
    }
  })

  it('remembers a firing for longer than the lease', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [coordinator] = ensemble.coords.map(runCoordinator)
    assert.equal(await ensemble.until(coordinator?.shouldRun('k', 1) as Promise<boolean>), true)
    await ensemble.advance(600_000)
    assert.equal(await ensemble.until(coordinator?.shouldRun('k', 1) as Promise<boolean>), false)
  })

  it('is what node-cron takes', async () => {
    await using coord = await joinEnsemble()
    const ran: string[] = []
    const tasks: ScheduledTask[] = []
    const firing = new Promise<void>((resolve) => {
      for (const process of ['one', 'two', 'three']) {
        const options = { name: 'report', distributed: true, runCoordinator: runCoordinator(coord) }
        const task = cron.schedule(
          '* * * * * *',
          ({ date }) => void ran.push(`${date.toISOString()} ${process}`),
          options,
        )
        task.on('execution:finished', () => resolve())
        tasks.push(task)
      }
    })
    await firing
    for (const task of tasks) await task.destroy()
    const times = ran.map((line) => line.split(' ')[0])
    assert.equal(new Set(times).size, times.length, ran.join())
  }).timeout(30_000)
})
