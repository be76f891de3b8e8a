/**
 * Client-side load balancing in the swarm: whoever is picked is listed, does not drain, and was not reported lately, unless
 * there is nobody else. Who picks by a key picks as everybody does who sees the same instances, and goes on with it until
 * that instance goes.
 */
import { type ServiceView, strategyNames } from '../../../lib/recipes/index.ts'
import { again, type Life, tolerate, type WorkloadFactory } from './workload.ts'

const reportedMs = 2_000
/** The clocks of processes do not run alike. */
const clockMs = 10

export const balancing: WorkloadFactory = (world) => {
  const picks = new Map<Life, number>()
  /** By the ids that can be picked, and the key: whom some view picked. */
  const stuck = new Map<string, string>()
  const { random } = world
  const provide = async (life: Life): Promise<void> => {
    while (!world.isEnding) {
      const description = { address: life.name, port: 1, weight: random.between(0, 2) }
      await using registration = await again(world, life, () =>
        life.coord.services.register('pool', description, { signal: world.ending }),
      )
      for (let changes = random.between(0, 3); changes > 0 && !world.isEnding; changes -= 1) {
        await life.sleep(200, 2_000)
        await tolerate(registration.update({ weight: random.between(0, 2) }, { signal: world.ending }))
      }
      if (random.chance(0.5)) {
        await tolerate(registration.drain({ signal: world.ending }))
        await life.sleep(0, 1_000)
      }
    }
  }
  const consume = async (life: Life): Promise<void> => {
    const strategy = random.pick(strategyNames)
    const options = { strategy, reportedMs, signal: world.ending }
    const view = await again(world, life, () => life.coord.services.watch('pool', options))
    const reported = new Map<string, number>()
    view.on('removed', ({ id }) => reported.delete(id))
    while (!world.isEnding) {
      const live = view.instances.filter(({ draining }) => !draining).map(({ id }) => id)
      const picked = view.pickNow()
      if (picked === undefined) {
        if (live.length > 0) world.fail(`${life.name} picks nobody of ${live.length}`)
      } else {
        if (!live.includes(picked.id)) world.fail(`${life.name} picks ${picked.id}, which drains or is not there`)
        const isBad = (id: string): boolean => world.now < (reported.get(id) ?? 0)
        if (isBad(picked.id) && live.some((id) => !reported.has(id)))
          world.fail(`${life.name} picks ${picked.id} by ${strategy}, which it had reported`)
        picks.set(life, (picks.get(life) ?? 0) + 1)
        if (random.chance(0.2)) {
          picked.report()
          reported.set(picked.id, world.now + reportedMs - clockMs)
        } else picked.release()
      }
      await life.sleep(50, 500)
    }
  }
  /** Checks one view against all others, and against itself when instances go. */
  const stick = async (life: Life): Promise<void> => {
    const options = { strategy: 'sticky', signal: world.ending } as const
    const view = await again(world, life, () => life.coord.services.watch('pool', options))
    const before = { ids: [] as readonly string[], picks: new Map<string, string>() }
    while (!world.isEnding) {
      const ids = view.instances.filter(({ draining }) => !draining).map(({ id }) => id)
      const isSmaller = ids.every((id) => before.ids.includes(id))
      for (const [key, id] of pickAll(view)) {
        const place = `${key} of ${ids.join()}`
        if ((stuck.get(place) ?? id) !== id) world.fail(`${key} is with ${id} and with ${stuck.get(place)}`)
        stuck.set(place, id)
        const last = before.picks.get(key) ?? id
        if (isSmaller && last !== id && ids.includes(last)) world.fail(`${key} goes from ${last} to ${id} for nothing`)
        before.picks.set(key, id)
      }
      before.ids = ids
      await life.sleep(50, 500)
    }
  }
  return {
    run: async (life) => {
      await Promise.all([provide(life), consume(life), stick(life)])
    },
    settle: async () => {
      picks.clear()
      const awake = (): Life[] => world.lives.filter(({ isOver }) => !isOver)
      await world.eventually('everybody finds somebody', () =>
        Promise.resolve(awake().every((life) => (picks.get(life) ?? 0) > 3)),
      )
    },
    check: () =>
      world.eventually('nobody is listed who has gone', async () => {
        const stat = await world.observer.exists('/services/pool')
        return stat === undefined || stat.numChildren === 0
      }),
  }
}

function pickAll(view: ServiceView): [key: string, id: string][] {
  const keys = ['u', 'v', 'w']
  return keys.flatMap((key): [string, string][] => {
    const picked = view.pickNow({ key })
    picked?.release()
    return picked === undefined ? [] : [[key, picked.id]]
  })
}
