/** Claims in the swarm: of all who claim a key, one gets it; also long after, and whatever became of the one that did. */
import assert from 'node:assert/strict'
import { type Life, tolerate, type WorkloadFactory } from './workload.ts'

/** What became of the claims of one key. */
interface Key {
  tried: number
  answered: number
  readonly winners: string[]
}

const everyMs = 1_000
/** Who is late claims a key of so long ago. */
const lateMs = 20_000

export const claims: WorkloadFactory = (world) => {
  const keys = new Map<string, Key>()
  let wins = 0
  const claim = async (life: Life): Promise<void> => {
    const lateBy = world.random.chance(0.3) ? world.random.between(0, lateMs) : 0
    const name = `firing ${Math.floor(Math.max(0, world.now - lateBy) / everyMs)}`
    const key = keys.get(name) ?? { tried: 0, answered: 0, winners: [] }
    keys.set(name, key)
    key.tried += 1
    const isMine = await life.coord.claim(name, { signal: world.ending })
    key.answered += 1
    if (isMine) {
      key.winners.push(life.name)
      wins += 1
      if (key.winners.length > 1) world.fail(`${name} is claimed by ${key.winners.join(' and by ')}`)
    } else if (key.tried === 1) world.fail(`${life.name} does not get ${name}, which nobody else has claimed`)
  }
  return {
    run: async (life) => {
      while (!world.isEnding) {
        await tolerate(claim(life))
        await life.sleep(100, 1_500)
      }
    },
    settle: async () => {
      const before = wins
      await world.eventually('keys go on being claimed', () => Promise.resolve(wins > before + 2))
    },
    check: () => {
      for (const [name, { tried, answered, winners }] of keys) {
        // What was not answered may have been claimed.
        if (tried === answered) assert.equal(winners.length, 1, `seed ${world.seed}: nobody got ${name}`)
      }
      return Promise.resolve()
    },
  }
}
