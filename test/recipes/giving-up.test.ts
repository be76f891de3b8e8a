/** Who gives up is told at once, also while nothing answers; and nobody who is done leaves a watch behind. */
import assert from 'node:assert/strict'
import type { Coord } from '../../lib/index.ts'
import type { Hosting } from '../../lib/ports/hosting.ts'
import { createTestEnsemble, type TestEnsemble } from '../../lib/testing/index.ts'

type Three = TestEnsemble<3, Uint8Array>

/** The watches at a member. */
function watchesAt(coord: Coord): number {
  return (coord as unknown as { readonly hosting: Hosting }).hosting.watches().length
}

/** How something ends that is aborted while its member is cut off, and how long after that. */
async function endOf(
  ensemble: Three,
  start: (signal: AbortSignal) => Promise<unknown>,
): Promise<{ readonly name: string; readonly code: string; readonly afterMs: number }> {
  const [a, b, c] = ensemble.coords
  const abort = new AbortController()
  const waiting = start(abort.signal).then(
    () => ({ name: 'nothing', code: 'nothing', at: ensemble.now }),
    (error: Error & { code: string }) => ({ name: error.name, code: error.code, at: ensemble.now }),
  )
  await ensemble.advance(1_000)
  ensemble.partition([a], [b, c])
  await ensemble.advance(3_000)
  const abortedAt = ensemble.now
  abort.abort(new Error('enough'))
  const { name, code, at } = await ensemble.until(waiting)
  return { name, code, afterMs: at - abortedAt }
}

const waits: Record<string, (coord: Coord, signal: AbortSignal) => Promise<unknown>> = {
  lock: (coord, signal) => coord.lock('/taken', { signal }),
  lockAll: (coord, signal) => coord.lockAll(['/free', '/taken'], { signal }),
  'semaphore.acquire': (coord, signal) => coord.semaphore('/full', 1).acquire({ signal }),
  'queue.take': (coord, signal) => coord.queue('/none').take({ signal }),
  'synchronousQueue.take': (coord, signal) => coord.synchronousQueue('/nobody').take({ signal }),
  'synchronousQueue.put': (coord, signal) => coord.synchronousQueue('/lonely').put(new Uint8Array(1), { signal }),
  'barrier.wait': (coord, signal) => coord.barrier('/closed').wait({ signal }),
  'doubleBarrier.enter': (coord, signal) => coord.doubleBarrier('/alone', 2).enter({ signal }),
  'doubleBarrier.leave': async (coord, signal) => {
    const barrier = coord.doubleBarrier('/both', 1)
    await barrier.enter()
    // It begins to leave when nobody answers any more.
    while (coord.state === 'connected') await new Promise((resolve) => coord.once('state', resolve))
    await barrier.leave({ signal })
  },
  'counter.add, behind another one': async (coord, signal) => {
    while (coord.state === 'connected') await new Promise((resolve) => coord.once('state', resolve))
    const counter = coord.counter('/count')
    counter.add().catch(() => {})
    await counter.add(1, { signal })
  },
  'item.done': async (coord, signal) => {
    const queue = coord.queue('/items')
    await queue.put(new Uint8Array(1))
    const item = await queue.take()
    while (coord.state === 'connected') await new Promise((resolve) => coord.once('state', resolve))
    await item.done({ signal })
  },
  'election.resign': async (coord, signal) => {
    const election = coord.elect('/leader', { onElected: () => undefined })
    while (coord.state === 'connected') await new Promise((resolve) => coord.once('state', resolve))
    const resigning = election.resign({ signal })
    void election.close()
    await resigning
  },
  'ids.next': async (coord, signal) => {
    while (coord.state === 'connected') await new Promise((resolve) => coord.once('state', resolve))
    await coord.names('/names').ids().next({ signal })
  },
}

describe('giving up', () => {
  for (const [name, wait] of Object.entries(waits)) {
    it(`${name}: is told at once, as an AbortError, though nothing answers`, async () => {
      await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 30_000, requestTimeoutMs: 20_000 })
      const [a, b] = ensemble.coords
      await ensemble.until(b.lock('/taken'))
      await ensemble.until(b.semaphore('/full', 1).acquire())
      await ensemble.until(b.barrier('/closed').set())
      await ensemble.until(a.sync())
      const session = a.session.id
      assert.deepEqual(await endOf(ensemble, (signal) => wait(a, signal)), {
        name: 'AbortError',
        code: 'ABORT_ERR',
        afterMs: 0,
      })
      ensemble.heal()
      await ensemble.advance(10_000)
      assert.deepEqual(await ensemble.until(a.getEphemerals()), [])
      assert.equal(a.session.id, session)
    })
  }

  it('before it began is an AbortError, too', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const signal = AbortSignal.abort(new Error('enough'))
    const calls: Record<string, Promise<unknown>> = {
      add: a.counter('/count').add(1, { signal }),
      next: a.names('/names').ids().next({ signal }),
      work: a.workers('/jobs').work(() => {}, { signal }),
      resize: a.semaphore('/permits', 1).resize(2, { signal }),
      join: a.group('/crew').join(undefined, { signal }),
      register: a.services.register('api', { address: 'here', port: 1 }, { signal }),
    }
    for (const [name, call] of Object.entries(calls))
      await assert.rejects(ensemble.until(call), { name: 'AbortError', code: 'ABORT_ERR' }, name)
    await ensemble.advance(1_000)
    assert.deepEqual(await a.getEphemerals(), [])
  })

  it('a synchronous queue waits through an outage that is longer than a request may take', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 60_000, requestTimeoutMs: 2_000 })
    const [a, b, c] = ensemble.coords
    ensemble.partition([a], [b, c])
    await ensemble.advance(5_000)
    const taking = a.synchronousQueue('/hand').take()
    taking.catch(() => {})
    await ensemble.advance(10_000)
    ensemble.heal()
    await ensemble.until(b.synchronousQueue('/hand').put(new Uint8Array([7])))
    assert.deepEqual(await ensemble.until(taking), new Uint8Array([7]))
  })
})

describe('a recipe that is done', () => {
  it('leaves no watch behind', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const jobs = a.workers('/jobs')
    const worker = await jobs.work(() => {})
    const once = async (): Promise<void> => {
      await a.barrier('/open').wait()
      const task = await jobs.submit(new Uint8Array(1))
      await ensemble.until(task.finished())
      const held = await a.lock('/lock')
      const waiting = a.lock('/lock', { timeoutMs: 10 }).catch(() => {})
      await ensemble.advance(20)
      await waiting
      await held.release()
      const abort = new AbortController()
      await a.barrier('/shut').set()
      const stopped = a
        .barrier('/shut')
        .wait({ signal: abort.signal })
        .catch(() => {})
      await ensemble.advance(10)
      abort.abort()
      await stopped
      await ensemble.advance(10)
    }
    await once()
    const before = watchesAt(a)
    for (let round = 0; round < 20; round += 1) await once()
    assert.equal(watchesAt(a), before)
    await ensemble.until(worker.close())
  })
})
