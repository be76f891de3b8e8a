/** What the swarm runs: each recipe used as an application would, with a record of what was promised to it. */
import assert from 'node:assert/strict'
import type { GroupMembership, GroupView, Held, ServiceView } from '../../../lib/recipes/index.ts'
import { balancing } from './balancing.ts'
import { claims } from './claims.ts'
import { rollOuts } from './roll-outs.ts'
import { again, type Life, type RecipeWorld, tolerate, type WorkloadFactory } from './workload.ts'

/** Two that have the same thing at one time, as far as those know who can know. */
class Exclusive {
  readonly #world: RecipeWorld
  readonly #holders = new Map<string, { readonly held: Held; readonly life: Life }>()

  constructor(world: RecipeWorld) {
    this.#world = world
  }

  take(what: string, held: Held, life: Life): void {
    const other = this.#holders.get(what)
    if (
      other !== undefined &&
      this.#world.isAwake(life) &&
      this.#world.isAwake(other.life) &&
      other.held.held &&
      held.held
    )
      this.#world.fail(`${what} is with ${other.life.name} and with ${life.name} at ${this.#world.now}`)
    if (other !== undefined && held.token <= other.held.token) this.#world.fail(`the token of ${what} did not grow`)
    this.#holders.set(what, { held, life })
  }
}

/** That nothing stands below a path. */
async function requireEmpty(world: RecipeWorld, ...paths: string[]): Promise<void> {
  for (const path of paths) {
    const stat = await world.until(world.observer.exists(path))
    if (stat === undefined || stat.numChildren === 0) continue
    const { children } = await world.until(world.observer.getChildren(path))
    assert.fail(`seed ${world.seed}: left behind in ${path}: ${children.join(', ')}`)
  }
}

export const queue: WorkloadFactory = (world) => {
  const put = new Set<string>()
  const delivered = new Set<string>()
  const done = new Set<string>()
  const exclusive = new Exclusive(world)
  let isProducing = true
  const produce = async (life: Life): Promise<void> => {
    for (let number = 0; isProducing && !world.isEnding; number++) {
      const id = `${life.coord.session.id}-${number}`
      const priority = world.random.between(0, 2)
      if (await tolerate(life.coord.priorityQueue('/queue').put(id, { priority }))) put.add(id)
      await life.sleep(100, 2_000)
    }
  }
  const consume = async (life: Life): Promise<void> => {
    const consumer = life.coord.priorityQueue('/queue')
    while (!world.isEnding) {
      // Some lose patience.
      const patience = new AbortController()
      if (world.random.chance(0.3)) void life.sleep(0, 500).then(() => patience.abort())
      await tolerate(
        (async () => {
          const item = await consumer.take({ signal: AbortSignal.any([world.ending, patience.signal]) })
          const id = String(item.value)
          if (done.has(id)) world.fail(`${id} was given out although it was done`)
          delivered.add(id)
          exclusive.take(id, item, life)
          await life.sleep(0, 1_000)
          if (world.random.chance(0.2)) await item.release()
          else {
            await item.done()
            done.add(id)
          }
        })(),
      )
      await life.sleep(0, 500)
    }
  }
  return {
    run: async (life) => {
      await Promise.all([produce(life), consume(life), consume(life)])
    },
    settle: async () => {
      isProducing = false
      await world.eventually(
        'the queue is worked off',
        async () => (await world.observer.priorityQueue('/queue').size()) === 0,
      )
    },
    check: async () => {
      for (const id of put) if (!delivered.has(id)) assert.fail(`seed ${world.seed}: ${id} was put and never given out`)
      await requireEmpty(world, '/queue/items', '/queue/taken', '/queue/line')
    },
  }
}

export const synchronousQueue: WorkloadFactory = (world) => {
  const taken = new Map<string, number>()
  let isProducing = true
  const produce = async (life: Life): Promise<void> => {
    for (let number = 0; isProducing && !world.isEnding; number++) {
      const patience = new AbortController()
      if (world.random.chance(0.3)) void life.sleep(0, 500).then(() => patience.abort())
      const signal = AbortSignal.any([world.ending, patience.signal])
      await tolerate(life.coord.synchronousQueue('/hand').put(`${life.coord.session.id}-${number}`, { signal }))
      await life.sleep(100, 2_000)
    }
  }
  const consume = async (life: Life): Promise<void> => {
    while (!world.isEnding) {
      const patience = new AbortController()
      if (world.random.chance(0.3)) void life.sleep(0, 500).then(() => patience.abort())
      const signal = AbortSignal.any([world.ending, patience.signal])
      await tolerate(
        (async () => {
          const id = String(await life.coord.synchronousQueue('/hand').take({ signal }))
          taken.set(id, (taken.get(id) ?? 0) + 1)
        })(),
      )
      await life.sleep(100, 1_500)
    }
  }
  return {
    run: async (life) => {
      await Promise.all([produce(life), consume(life)])
    },
    settle: async () => {
      // Producers and consumers still find each other.
      const before = taken.size
      await world.eventually('hand-overs go on', async () => taken.size > before + 5)
      isProducing = false
    },
    check: async () => {
      for (const [id, times] of taken) assert.equal(times, 1, `seed ${world.seed}: ${id} was taken ${times} times`)
      await requireEmpty(world, '/hand/offers', '/hand/line')
    },
  }
}

export const barriers: WorkloadFactory = (world) => {
  let passed = 0
  let rounds = 0
  const gate = async (life: Life): Promise<void> => {
    const barrier = life.coord.barrier('/gate')
    while (!world.isEnding) {
      if (await tolerate(barrier.wait({ signal: world.ending }))) passed += 1
      await life.sleep(200, 1_000)
    }
  }
  const keeper = async (life: Life): Promise<void> => {
    const barrier = life.coord.barrier('/gate')
    while (!world.isEnding) {
      await tolerate(barrier.set())
      await life.sleep(200, 2_000)
      await tolerate(barrier.remove())
      await life.sleep(200, 2_000)
    }
    await tolerate(barrier.remove())
  }
  const participant = async (life: Life): Promise<void> => {
    await using barrier = life.coord.doubleBarrier('/start', 3)
    while (!world.isEnding) {
      const patience = new AbortController()
      if (world.random.chance(0.2)) void life.sleep(0, 500).then(() => patience.abort())
      const signal = AbortSignal.any([world.ending, patience.signal])
      if (await tolerate(barrier.enter({ signal }))) {
        await life.sleep(0, 200)
        if (await tolerate(barrier.leave({ signal: world.ending }))) rounds += 1
      }
      await life.sleep(0, 1_000)
    }
  }
  return {
    run: async (life) => {
      await Promise.all([gate(life), keeper(life), participant(life)])
    },
    settle: async () => {
      const [gatesBefore, roundsBefore] = [passed, rounds]
      await world.eventually('the gate lets through', async () => passed > gatesBefore + 3)
      await world.eventually('rounds begin and end', async () => rounds > roundsBefore + 9)
    },
    check: () => requireEmpty(world, '/start'),
  }
}

export const numbers: WorkloadFactory = (world) => {
  const ids = new Set<number>()
  const counted = { value: 0, tried: 0 }
  return {
    run: async (life) => {
      const source = life.coord.names('/names').ids({ block: 5 })
      const counter = life.coord.counter('/counter')
      while (!world.isEnding) {
        await tolerate(
          (async () => {
            const id = await source.next()
            if (ids.has(id)) world.fail(`the id ${id} was given twice`)
            ids.add(id)
          })(),
        )
        counted.tried += 1
        if (await tolerate(counter.add())) counted.value += 1
        await life.sleep(20, 500)
      }
    },
    check: async () => {
      const { value, tried } = counted
      const total = await world.until(world.observer.counter('/counter').get({ consistency: 'linearizable' }))
      assert.ok(
        total >= value && total <= tried,
        `seed ${world.seed}: ${value} counted of ${tried}, and ${total} there`,
      )
      assert.ok(ids.size > 0)
    },
  }
}

export const configuration: WorkloadFactory = (world) => {
  const caches: { readonly life: Life; readonly entries: () => readonly unknown[] }[] = []
  return {
    run: async (life) => {
      const tree = await again(world, life, () => life.coord.treeCache<number>('/config', { signal: world.ending }))
      const one = await again(world, life, () => life.coord.cache('/config/a', { default: -1, signal: world.ending }))
      caches.push({ life, entries: () => [tree.get('a'), tree.get('b'), one.value] })
      tree.on('update', () => {
        if (tree.get('a') !== tree.get('b')) world.fail(`${life.name} saw a half: ${JSON.stringify(tree.entries())}`)
      })
      while (!world.isEnding) {
        const value = world.random.between(0, 1_000_000)
        if (world.random.chance(0.8)) await tolerate(tree.publish({ a: value, b: value }))
        else await tolerate(tree.revisions().then((all) => tree.rollback((all.at(-2) ?? all.at(-1))?.number ?? 0)))
        await life.sleep(100, 1_500)
      }
    },
    check: async () => {
      const { data } = await world.until(world.observer.getData('/config/a'))
      for (const { life, entries } of caches) {
        if (!life.isOver)
          assert.deepEqual(entries(), [data, data, data], `seed ${world.seed}: the caches of ${life.name}`)
      }
      const { children } = await world.until(world.observer.getChildren('/config/.history'))
      assert.ok(children.length > 0 && children.length <= 25, `${children.length} revisions`)
    },
  }
}

export const presences: WorkloadFactory = (world) => {
  const views: { readonly life: Life; readonly view: GroupView<unknown>; readonly services: ServiceView }[] = []
  const expected = new Map<Life, string>()
  return {
    run: async (life) => {
      const { coord } = life
      const view = await again(world, life, () => coord.group('/group').watch({ signal: world.ending }))
      const seen = new Set(view.members.map(({ id }) => id))
      view.on('joined', ({ id }) => {
        if (seen.has(id)) world.fail(`${life.name} heard twice that ${id} joined`)
        seen.add(id)
      })
      view.on('left', ({ id }) => {
        if (!seen.delete(id)) world.fail(`${life.name} heard that ${id} left, and not that it joined`)
      })
      const services = await again(world, life, () => coord.services.watch('api', { signal: world.ending }))
      views.push({ life, view, services })
      const instance = { address: life.name, port: 1 }
      const registration = await again(world, life, () =>
        coord.services.register('api', instance, { signal: world.ending }),
      )
      const join = async (): Promise<GroupMembership<unknown>> => {
        const joined = await coord.group('/group').join(0, { name: life.name, signal: world.ending })
        expected.set(life, joined.id)
        return joined
      }
      let membership = await again(world, life, join)
      while (!world.isEnding) {
        await life.sleep(100, 2_000)
        if (world.random.chance(0.5))
          await tolerate(membership.update(world.random.between(0, 9), { signal: world.ending }))
        else {
          expected.delete(life)
          await membership.leave()
          membership = await again(world, life, join)
        }
        if (world.random.chance(0.3)) await tolerate(registration.update({ weight: 2 }, { signal: world.ending }))
      }
    },
    check: async () => {
      const alive = world.lives.filter(({ isOver }) => !isOver)
      const ids = alive.flatMap((life) => expected.get(life) ?? []).sort()
      const names = alive.map(({ name }) => name).sort()
      for (const { life, view, services } of views) {
        if (life.isOver) continue
        assert.deepEqual(
          view.members.map(({ id }) => id).sort(),
          ids,
          `seed ${world.seed}: the group as ${life.name} sees it`,
        )
        assert.deepEqual(services.instances.map(({ address }) => address).sort(), names, `seed ${world.seed}: services`)
      }
    },
  }
}

export const workers: WorkloadFactory = (world) => {
  const submitted = new Set<string>()
  const begun = new Set<string>()
  const exclusive = new Exclusive(world)
  let isSubmitting = true
  return {
    run: async (life) => {
      const all = life.coord.workers('/workers', { policy: 'balanced', attempts: 1_000 })
      const work = async (): Promise<void> => {
        await using worker = await again(world, life, () =>
          all.work(
            async (value, run) => {
              const id = String(value)
              begun.add(id)
              exclusive.take(id, run, life)
              const end = world.now + world.random.between(0, 1_500)
              while (world.now < end && !run.signal.aborted) await life.sleep(10, 100)
              if (run.held) await run.report('nearly')
              if (world.random.chance(0.2)) throw new Error('it failed')
            },
            { capacity: world.random.between(1, 3), signal: world.ending },
          ),
        )
        worker.on('failed', () => {})
        while (!world.isEnding) await life.sleep(500, 500)
      }
      const submit = async (): Promise<void> => {
        for (let number = 0; isSubmitting && !world.isEnding; number++) {
          const id = `${life.coord.session.id}-${number}`
          if (await tolerate(all.submit(id, world.random.chance(0.5) ? { id } : {}))) submitted.add(id)
          await life.sleep(100, 1_500)
        }
      }
      await Promise.all([work(), submit()])
    },
    settle: async () => {
      isSubmitting = false
      await world.eventually('all tasks are done', async () => {
        const { tasks } = await world.observer.workers('/workers').status()
        return tasks.length === 0
      })
    },
    check: async () => {
      for (const id of submitted) if (!begun.has(id)) assert.fail(`seed ${world.seed}: ${id} was never begun`)
      await requireEmpty(world, '/workers/tasks', '/workers/workers', '/workers/masters', '/workers/failed')
      const { children } = await world.until(world.observer.getChildren('/workers/inbox'))
      for (const inbox of children) await requireEmpty(world, `/workers/inbox/${inbox}`)
    },
  }
}

/** Locks, exclusive and shared; semaphores; nothing is left behind, and nobody sleeps for ever. */
export const locks: WorkloadFactory = (world) => {
  const exclusive = new Exclusive(world)
  const readers = new Map<Held, Life>()
  const acquired = new Map<Life, number>()
  let largest = 0n
  const isCertain = (held: Held, life: Life): boolean => world.isAwake(life) && held.held
  const requireAlone = (held: Held, life: Life): void => {
    const reader = [...readers].find(([other, its]) => isCertain(other, its))
    if (reader !== undefined && isCertain(held, life)) world.fail(`${life.name} writes while ${reader[1].name} reads`)
    exclusive.take('the lock', held, life)
  }
  const use = async (life: Life, held: Held, shared: boolean): Promise<void> => {
    await life.sleep(0, 800)
    if (shared || !held.held || world.random.chance(0.5)) return
    // What commits under a lock commits in the order of the locks.
    await life.coord.multi([{ type: 'setData', path: '/fenced', data: String(held.token) }], { ifHeld: held })
    if (held.token < largest) world.fail(`${held.token} committed after ${largest}`)
    largest = held.token
  }
  const contend = async (life: Life, shared: boolean): Promise<void> => {
    while (!world.isEnding) {
      const patience = new AbortController()
      if (world.random.chance(0.2)) void life.sleep(0, 300).then(() => patience.abort())
      const signal = AbortSignal.any([world.ending, patience.signal])
      await tolerate(
        (async () => {
          const timeoutMs = world.random.chance(0.2) ? world.random.between(1, 2000) : undefined
          const held = await life.coord.lock('/locked', { shared, signal, timeoutMs })
          acquired.set(life, (acquired.get(life) ?? 0) + 1)
          if (shared) readers.set(held, life)
          else requireAlone(held, life)
          try {
            await use(life, held, shared)
          } finally {
            readers.delete(held)
            await held.release()
          }
        })(),
      )
      await life.sleep(0, 300)
    }
  }
  const lease = async (life: Life): Promise<void> => {
    while (!world.isEnding) {
      await tolerate(
        (async () => {
          const held = await life.coord.semaphore('/leased', 2).acquire({ signal: world.ending })
          await life.sleep(0, 500)
          await held.release()
        })(),
      )
      await life.sleep(0, 300)
    }
  }
  return {
    run: async (life) => {
      await tolerate(life.coord.create('/fenced'))
      await Promise.all([contend(life, false), contend(life, world.random.chance(0.5)), lease(life)])
    },
    settle: async () => {
      acquired.clear()
      const awake = (): Life[] => world.lives.filter(({ isOver }) => !isOver)
      await world.eventually('everybody gets the lock', () =>
        Promise.resolve(awake().every((life) => acquired.has(life))),
      )
    },
    check: async () => {
      await world.eventually('nothing is left behind', async () => {
        const paths = ['/locked', '/leased/line', '/leased/leases']
        const stats = await Promise.all(paths.map((path) => world.observer.exists(path)))
        return stats.every((stat) => stat === undefined || stat.numChildren === 0)
      })
    },
  }
}

/** One leader at a time, terms that do not overlap in a process, and firings that start at most once. */
export const elections: WorkloadFactory = (world) => {
  const exclusive = new Exclusive(world)
  const fired = new Map<number, string>()
  const candidates = new Set<{ readonly isLeader: boolean }>()
  let firings = 0
  return {
    run: async (life) => {
      let isInTerm = false
      await using election = life.coord.elect('/election', {
        data: life.name,
        onElected: async (term) => {
          if (isInTerm) world.fail(`two terms of ${life.name} overlap`)
          isInTerm = true
          exclusive.take('the office', term, life)
          await life.sleep(0, 3000)
          isInTerm = false
          if (world.random.chance(0.2)) throw new Error('a callback that fails')
          if (world.random.chance(0.5)) void election.resign()
        },
      })
      election.on('failed', () => undefined)
      candidates.add(election)
      await using schedule = life.coord.schedule(
        'tick',
        { everyMs: 1000 },
        async ({ scheduledAt }) => {
          const at = scheduledAt.getTime()
          const other = fired.get(at)
          if (other !== undefined) world.fail(`the firing of ${at} began on ${other} and on ${life.name}`)
          fired.set(at, life.name)
          firings += 1
          await life.sleep(0, 1500)
        },
        { missed: 'once' },
      )
      schedule.on('failed', () => undefined)
      await new Promise<void>((resolve) => world.ending.addEventListener('abort', () => resolve(), { once: true }))
    },
    settle: async () => {
      firings = 0
      await world.eventually('somebody leads', () => Promise.resolve([...candidates].some(({ isLeader }) => isLeader)))
      await world.eventually('the schedule fires', () => Promise.resolve(firings > 1))
    },
    check: async () => {
      await world.eventually('nothing is left behind', async () => {
        const stats = await Promise.all(['/election', '/schedule/tick/line'].map((path) => world.observer.exists(path)))
        return stats.every((stat) => stat === undefined || stat.numChildren === 0)
      })
    },
  }
}

export const workloads: Readonly<Record<string, WorkloadFactory>> = {
  queue,
  synchronousQueue,
  barriers,
  numbers,
  configuration,
  presences,
  workers,
  locks,
  elections,
  rollOuts,
  balancing,
  claims,
}
