/**
 * Everything at once, and then the end: a client, a namespace or a session is closed while calls, waits, streams and
 * recipes of all kinds are under way, with and without a quorum. Whatever was begun settles, nothing is reported as
 * unhandled, and nothing is left behind.
 */
import assert from 'node:assert/strict'
import type { Client, Coord, Session } from '../../lib/index.ts'
import type { Hosting } from '../../lib/ports/hosting.ts'
import * as recipes from '../../lib/recipes/index.ts'
import { createTestEnsemble, type TestEnsemble } from '../../lib/testing/index.ts'
import { Random } from '../../lib/testing/random.ts'

type Target = Client | Session
type Kind = 'coord' | 'namespace' | 'session'

const value = new Uint8Array(1)

/** What is under way when it is closed: each begins, uses and ends one thing. */
function deedsOf(
  target: Target,
  ensemble: TestEnsemble<number, Uint8Array>,
  random: Random,
): Record<string, () => Promise<unknown>> {
  const use = (ms: number): Promise<void> => ensemble.sleep(random.between(0, ms))
  return {
    create: () => target.create(`/x-${random.between(0, 5)}`, value, { parents: true }),
    watch: () => target.exists('/w', { watch: () => {} }),
    stream: async () => {
      for await (const { zxid } of target.watch('/', { recursive: true })) assert.ok(zxid >= 0n)
    },
    lock: async () => {
      await using held = await recipes.lock(target, '/lock')
      await use(300)
      assert.ok(held.token > 0n)
    },
    'lock in time': () => recipes.lock(target, '/lock', { timeoutMs: 500 }),
    withLock: () => recipes.withLock(target, '/lock', () => use(200)),
    lockAll: async () => (await recipes.lockAll(target, ['/lock', '/other'])).release(),
    semaphore: async () => {
      await using lease = await recipes.semaphore(target, '/permits', 2).acquire()
      await use(300)
      assert.ok(lease.token > 0n)
    },
    tryAcquire: () => recipes.semaphore(target, '/permits', 2).tryAcquire(),
    put: () => recipes.queue(target, '/queue').put(value),
    take: async () => {
      const item = await recipes.queue(target, '/queue').take()
      await use(100)
      await item.done()
    },
    offer: () => recipes.synchronousQueue(target, '/hand').put(value),
    receive: () => recipes.synchronousQueue(target, '/hand').take(),
    doubleBarrier: async () => {
      const barrier = recipes.doubleBarrier(target, '/together', 3)
      await barrier.enter()
      await barrier.leave()
    },
    barrier: async () => {
      await recipes.barrier(target, '/gate').set()
      await recipes.barrier(target, '/gate').wait()
    },
    counter: () => recipes.counter(target, '/count').add(1),
    ids: () => recipes.names(target, '/names').ids({ block: 2 }).next(),
    cache: async () => {
      const cache = await recipes.cache(target, '/value')
      await cache.set(value)
      await cache.rollback(0)
    },
    group: async () => {
      const membership = await recipes.group(target, '/crew').join(value)
      await membership.update(value)
      await membership.leave()
    },
    service: async () => {
      const registration = await recipes.services(target).register('api', { address: 'here', port: 1 })
      await registration.update({ port: 2 })
      await registration.close()
    },
    pick: async () => (await recipes.services(target).watch('nobody')).pick(),
    election: async () => {
      const election = recipes.elect(target, '/leader', { onElected: () => use(100), onLeader: () => {} })
      await use(400)
      await election.resign()
      await election.close()
    },
    schedule: async () => {
      const schedule = recipes.schedule(target, 'job', { everyMs: 50 }, () => use(20))
      await use(400)
      await schedule.close()
    },
    work: async () => {
      const worker = await recipes.workers(target, '/jobs').work(() => use(100))
      await use(500)
      await worker.close()
    },
    submit: async () => (await recipes.workers(target, '/jobs').submit(value)).finished(),
    claim: () => recipes.claim(target, `key ${random.between(0, 3)}`),
  }
}

async function closedUnderway(seed: number, kind: Kind): Promise<void> {
  const random = new Random(seed, 'closing')
  const size: number = random.chance(0.5) ? 1 : 3
  await using ensemble = await createTestEnsemble({ size, seed, requestTimeoutMs: 2000, sessionTimeoutMs: 4000 })
  const [a, ...others] = ensemble.coords as [Coord, ...Coord[]]
  const target: Target =
    kind === 'session' ? await ensemble.until(a.openSession()) : kind === 'namespace' ? a.namespace('/ns') : a
  const deeds = Object.entries(deedsOf(target, ensemble, random))
  const underway = new Set<string>()
  const begin = (index: number): void => {
    const [name, deed] = random.pick(deeds)
    const label = `${name} ${index}`
    underway.add(label)
    // What it says is not what this is about: that it says something is.
    const settled = (): unknown => underway.delete(label)
    Promise.resolve().then(deed).then(settled, settled)
  }
  for (let index = 0; index < 40; index++) {
    begin(index)
    if (random.chance(0.3)) await ensemble.advance(random.between(0, 60))
  }
  if (size === 3 && random.chance(0.5)) {
    ensemble.partition([a], others)
    await ensemble.advance(random.between(0, 3000))
  }
  let isClosed = false
  target.close().then(() => {
    isClosed = true
  }, assert.fail)
  for (let index = 40; index < 45; index++) begin(index)
  await ensemble.advance(30_000)
  ensemble.heal()
  await ensemble.advance(10_000)
  assert.deepEqual([isClosed, [...underway]], [true, []])
  if (kind === 'coord') return
  assert.deepEqual(await ensemble.until(a.getEphemerals()), [])
  const { hosting } = a as unknown as { readonly hosting: Hosting }
  assert.deepEqual(hosting.watches(), [])
}

describe('closing while everything is under way', () => {
  for (const kind of ['coord', 'namespace', 'session'] as const) {
    it(`a ${kind}: whatever was begun settles, and nothing is left behind`, async () => {
      for (let seed = 1; seed <= 25; seed++)
        await closedUnderway(seed, kind).catch((error: unknown) => {
          throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
        })
    })
  }
})
