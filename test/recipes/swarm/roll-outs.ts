/**
 * Gradual roll-outs in the swarm: each life shows candidates to more and more of the others, and then to all or to nobody.
 * Whoever has seen a candidate keeps it until then; and in the end everybody has what its name says, and nothing else.
 */
import assert from 'node:assert/strict'
import type { Audience, Cache } from '../../../lib/recipes/index.ts'
import { isInAudience } from '../../../lib/recipes/rollout.ts'
import { again, type Life, type RecipeWorld, tolerate, type WorkloadFactory } from './workload.ts'

interface View {
  readonly life: Life
  readonly path: string
  readonly cache: Cache<number, unknown>
}

export const rollOuts: WorkloadFactory = (world) => {
  const paths: string[] = []
  const views: View[] = []
  /** By path: the candidate of which nothing but the audience changes now, by growing. */
  const shown = new Map<string, number>()
  let isOperating = true
  let values = 0
  const nextValue = (): number => {
    values += 1
    return values
  }
  const follow = async (life: Life, path: string): Promise<void> => {
    const options = { member: life.name, default: 0, signal: world.ending }
    const cache = await again(world, life, () => life.coord.cache<number>(path, options))
    cache.on('change', (next, previous) => {
      if (shown.get(path) === previous)
        world.fail(`${life.name} goes from ${previous} to ${next}, while ${previous} is shown to more and more`)
    })
    views.push({ life, path, cache })
  }
  const operate = async (cache: Cache<number, unknown>, path: string, life: Life): Promise<void> => {
    const { random } = world
    const candidate = nextValue()
    let percent = random.between(0, 60)
    // Where the outcome is not known it may still come about.
    if (!(await tolerate(cache.rollOut(candidate, { percent })))) return
    shown.set(path, candidate)
    for (let steps = random.between(0, 3); steps > 0; steps -= 1) {
      await life.sleep(100, 1_500)
      percent = Math.min(100, percent + random.between(1, 50))
      await tolerate(cache.widenRollOut({ percent }))
    }
    await life.sleep(100, 1_500)
    const end = random.between(0, 3)
    // What is published for all changes nothing for those who have it.
    if (end === 0 && (await tolerate(cache.completeRollOut()))) await life.sleep(100, 1_000)
    shown.delete(path)
    if (end === 1) await tolerate(cache.cancelRollOut())
    if (end === 2) await tolerate(cache.set(nextValue()))
  }
  const own = async (life: Life): Promise<void> => {
    // One operator for each: what it does is done in its order.
    const path = `/limit-${paths.length}`
    paths.push(path)
    const cache = await again(world, life, () => life.coord.cache<number>(path, { default: 0, signal: world.ending }))
    while (isOperating && !world.isEnding) {
      await operate(cache, path, life)
      await life.sleep(0, 500)
    }
  }
  const followAll = async (life: Life): Promise<void> => {
    for (let followed = 0; !world.isEnding; ) {
      const path = paths[followed]
      if (path === undefined) await life.sleep(200, 300)
      else {
        await follow(life, path)
        followed += 1
      }
    }
  }
  const awake = (): Life[] => world.lives.filter(({ isOver }) => !isOver)
  const sees = (life: Life, path: string): number | undefined =>
    views.find((view) => view.life === life && view.path === path)?.cache.value
  return {
    run: async (life) => {
      await Promise.all([own(life), followAll(life)])
    },
    settle: async () => {
      isOperating = false
      const path = '/limit-of-all'
      const operator = await world.until(world.observer.cache<number>(path, { member: 'nobody', default: 0 }))
      paths.push(path)
      const [first] = awake()
      const [base, candidate] = [nextValue(), nextValue()]
      const demand = (what: string, expected: (life: Life) => number): Promise<void> =>
        world.eventually(what, () => Promise.resolve(awake().every((life) => sees(life, path) === expected(life))))
      await world.until(operator.set(base))
      await demand('everybody has what was published', () => base)
      const members = [first?.name ?? '']
      await world.until(operator.rollOut(candidate, { members }))
      await demand('whoever is named has the candidate', ({ name }) => (members.includes(name) ? candidate : base))
      await world.until(operator.widenRollOut({ percent: 100 }))
      await demand('all have the candidate', () => candidate)
      await world.until(operator.completeRollOut())
      await operator.close()
    },
    check: async () => {
      for (const path of paths) {
        const expected = await stored(world, path)
        for (const life of awake()) {
          const value = sees(life, path)
          if (value !== undefined)
            assert.equal(value, expected(life.name), `seed ${world.seed}: ${path} as ${life.name} sees it`)
        }
      }
    },
  }
}

/** What is to be seen at a path, by the name of who looks. */
async function stored(world: RecipeWorld, path: string): Promise<(name: string) => number> {
  const { observer } = world
  const read = async (of: string): Promise<unknown> =>
    (await observer.exists(of)) === undefined ? undefined : (await observer.getData(of)).data
  const published = (await world.until(read(path))) as number | undefined
  const shown = (await world.until(read(`${path}/.rollout`))) as
    | { readonly audience: Audience; readonly salt: string; readonly values: Readonly<Record<string, string>> }
    | undefined
  if (shown === undefined) return () => published ?? 0
  const candidate = JSON.parse(Buffer.from(shown.values[''] ?? '', 'base64').toString()) as number
  return (name) => (isInAudience(name, shown.audience, shown.salt) ? candidate : (published ?? 0))
}
