/** Master and workers, on any stage. */
import assert from 'node:assert/strict'
import { rejectsWith } from '../../join/fixture.ts'
import type { OpenStage } from '../stage.ts'

/** What waits at it goes on when it is opened. */
class Gate {
  readonly #opened: Promise<void>
  open: () => void = () => {}

  constructor() {
    this.#opened = new Promise((resolve) => {
      this.open = resolve
    })
  }

  pass(): Promise<void> {
    return this.#opened
  }
}

/** Resolves when the signal aborts. */
const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

export function workersCases(open: OpenStage): void {
  describe('workers', () => {
    it('do every task once, as many at a time as they have capacity for', async () => {
      await using stage = await open({ size: 3, seed: 1, valueEncoding: 'json' })
      const [a, b, c] = stage.clients
      const done: unknown[] = []
      const running = { now: 0, most: 0 }
      const gate = new Gate()
      const start = (coord: typeof a) =>
        coord.workers('/jobs').work(
          async (value, run) => {
            running.now += 1
            running.most = Math.max(running.most, running.now)
            await run.report({ half: true })
            await gate.pass()
            running.now -= 1
            done.push(value)
          },
          { capacity: 2 },
        )
      await stage.until(Promise.all([start(a), start(b)]))
      const jobs = c.workers('/jobs')
      const tasks = await stage.until(Promise.all([1, 2, 3, 4, 5, 6].map((value) => jobs.submit(value))))
      await stage.within(500, async () => {
        const status = await stage.until(jobs.status())
        assert.deepEqual(
          status.workers.map(({ tasks: count }) => count),
          [2, 2],
        )
        assert.deepEqual(status.tasks.map(({ state }) => state).sort(), [
          'running',
          'running',
          'running',
          'running',
          'waiting',
          'waiting',
        ])
        assert.deepEqual(
          status.tasks.filter(({ state }) => state === 'running').map(({ report }) => report),
          Array(4).fill({ half: true }),
        )
      })
      gate.open()
      for (const task of tasks) assert.equal(await stage.until(task.finished()), 'done')
      // Where time is real, a running task may be moved to one that has finished its own: then it is done once more.
      if (stage.isVirtual) assert.equal(done.length, 6)
      assert.deepEqual(new Set(done), new Set([1, 2, 3, 4, 5, 6]))
      assert.equal(running.most, 4)
      await stage.within(0, async () => assert.deepEqual((await stage.until(jobs.status())).tasks, []))
    })

    it('give the tasks of one that dies to the others within two session timeouts', async () => {
      await using stage = await open({
        size: 3,
        seed: 2,
        valueEncoding: 'json',
        sessionTimeoutMs: 4_000,
      })
      const [a, b, c] = stage.clients
      const holders = new Map<unknown, { by: string; attempt: number; token: bigint }>()
      const start = (coord: typeof a, name: string) =>
        coord.workers('/sources').work(
          async (value, run) => {
            holders.set(value, { by: name, attempt: run.attempt, token: run.token })
            await aborted(run.signal)
          },
          { capacity: Number.POSITIVE_INFINITY },
        )
      await stage.until(Promise.all([start(a, 'a'), start(b, 'b'), start(c, 'c')]))
      await stage.until(a.workers('/sources').partition({ x: 'x', y: 'y', z: 'z', u: 'u', v: 'v', w: 'w' }))
      const by = (name: string): number => [...holders.values()].filter((holder) => holder.by === name).length
      await stage.within(1_000, () => assert.deepEqual([by('a'), by('b'), by('c')], [2, 2, 2]))
      const tokens = new Map([...holders].map(([value, { token }]) => [value, token]))
      stage.crash(b)
      await stage.within(8_000 + 2_000, () => assert.deepEqual([by('a'), by('b'), by('c')], [3, 0, 3]))
      const moved = [...holders].filter(([value, { token }]) => token !== tokens.get(value))
      assert.equal(moved.length, 2)
      for (const [value, { attempt, token }] of moved) {
        assert.equal(attempt, 2)
        assert.ok(token > (tokens.get(value) as bigint))
      }
      await stage.within(0, async () =>
        assert.equal((await stage.until(a.getChildren('/sources/inbox'))).children.length, 2),
      )
      // And some come back when it does.
      const again = await stage.restart(b)
      await stage.until(start(again, 'b'))
      await stage.within(2_000, () => assert.deepEqual([by('a'), by('b'), by('c')], [2, 2, 2]))
    })

    it('never do a task twice at a time: one is moved only when its function has settled', async () => {
      await using stage = await open({ size: 3, seed: 3, valueEncoding: 'json' })
      const [a, b] = stage.clients
      const running = new Map<unknown, number>()
      // It takes its time to let go.
      const gate = new Gate()
      const start = (coord: typeof a) =>
        coord.workers('/slow').work(
          async (value, run) => {
            running.set(value, (running.get(value) ?? 0) + 1)
            assert.equal(running.get(value), 1, `${String(value)} runs twice`)
            await aborted(run.signal)
            await gate.pass()
            running.set(value, 0)
          },
          { capacity: 10 },
        )
      const first = await stage.until(start(a))
      await stage.until(a.workers('/slow').partition({ p: 1, q: 2, r: 3, s: 4 }))
      await stage.within(500, () => assert.equal(running.size, 4))
      assert.equal(first.tasks.length, 4)
      const second = await stage.until(start(b))
      await stage.within(1_000, async () => {
        const { tasks } = await stage.until(b.workers('/slow').status())
        assert.equal(tasks.filter(({ state }) => state === 'leaving').length, 2)
      })
      assert.equal(second.tasks.length, 0)
      gate.open()
      await stage.within(4_000, () => assert.deepEqual([first.tasks.length, second.tasks.length], [2, 2]))
      await stage.until(first.close())
      await stage.within(1_000, () => assert.deepEqual([second.tasks.length, second.isMaster], [4, true]))
    })

    it('try a task that fails again, later and later, and not for ever', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      const jobs = stage.clients[0].workers('/jobs', { attempts: 4 })
      const times: number[] = []
      const worker = await jobs.work(async (value, run) => {
        times.push(stage.now)
        if (value === 'bad' || run.attempt < 3) throw new Error(`attempt ${run.attempt}`)
      })
      const failures: string[] = []
      worker.on('failed', (error, task) => failures.push(`${task}: ${String(error)}`))
      const good = await jobs.submit('good')
      assert.equal(await stage.until(good.finished()), 'done')
      await stage.within(0, () => assert.equal(failures.length, 2))
      const gaps = times.slice(1).map((time, index) => time - (times[index] as number))
      assert.ok((gaps[0] as number) >= 199 && (gaps[1] as number) >= 399, gaps.join())
      const bad = await jobs.submit('bad', { id: 'bad' })
      assert.equal(await stage.until(bad.finished()), 'failed')
      const [status] = (await jobs.status()).tasks
      assert.deepEqual([status?.state, status?.attempt, status?.error], ['failed', 4, 'Error: attempt 4'])
      await bad.cancel()
      await bad.cancel()
      assert.deepEqual((await jobs.status()).tasks, [])
    })

    it('let go of a task that is cancelled, and of those that are not in a partition any more', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      const jobs = stage.clients[0].workers('/jobs')
      const ended: unknown[] = []
      const worker = await jobs.work(
        async (value, run) => {
          await aborted(run.signal)
          await rejectsWith('COORD_LOCK_LOST', run.report('late'))
          ended.push(value)
        },
        { capacity: 10 },
      )
      await jobs.partition({ p: 'p', q: 'q' })
      const task = await jobs.submit('more')
      await stage.within(100, () => assert.equal(worker.tasks.length, 3))
      await jobs.partition({ q: 'q', r: 'r' })
      await task.cancel()
      assert.equal(await stage.until(task.finished()), 'done')
      await stage.within(1_000, () => {
        assert.deepEqual(new Set(ended), new Set(['more', 'p']))
        assert.deepEqual([...worker.tasks].sort(), ['k-q', 'k-r'])
      })
    })

    it('drain: what one has goes to the others', async () => {
      await using stage = await open({ size: 3, seed: 4, valueEncoding: 'json' })
      const [a, b] = stage.clients
      const start = (coord: typeof a) =>
        coord.workers('/jobs', { policy: 'sticky' }).work((_, run) => aborted(run.signal), { capacity: 10 })
      const first = await stage.until(start(a))
      await stage.until(a.workers('/jobs').partition({ p: 1, q: 2 }))
      await stage.within(100, () => assert.equal(first.tasks.length, 2))
      const second = await stage.until(start(b))
      await stage.quiet(2_000)
      assert.deepEqual([first.tasks.length, second.tasks.length], [2, 0])
      await stage.until(first.drain())
      await stage.within(2_000, () => assert.deepEqual([first.tasks.length, second.tasks.length], [0, 2]))
    })

    it('refuse options that are none', async () => {
      await using stage = await open({ size: 1, valueEncoding: 'json' })
      const [a] = stage.clients
      assert.throws(() => a.workers('/jobs', { policy: 'fair' as never }), TypeError)
      assert.throws(() => a.workers('/jobs', { attempts: 0 }), RangeError)
      await assert.rejects(
        a.workers('/jobs').work(() => {}, { capacity: 0 }),
        RangeError,
      )
      await assert.rejects(a.workers('/jobs').work(undefined as never), TypeError)
    })
  })
}
