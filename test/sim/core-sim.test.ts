/** Random schedules over the whole core. `SEEDS=5000 START=1 npx mocha test/sim/core-sim.test.ts` for a long run. */
import assert from 'node:assert/strict'
import { runSeed, type SeedResult } from './run-seed.ts'

const first = Number(process.env['START'] ?? 1)
const count = Number(process.env['SEEDS'] ?? 60)
const groupSize = 20

describe('core under random faults', () => {
  const results: SeedResult[] = []

  for (let begin = first; begin < first + count; begin += groupSize) {
    const end = Math.min(begin + groupSize, first + count)
    it(`holds its invariants and comes to rest, seeds ${begin} to ${end - 1}`, function () {
      this.timeout(600_000)
      for (let seed = begin; seed < end; seed += 1) results.push(runOrTell(seed))
    })
  }

  it('runs the same seed the same way', () => {
    for (const seed of [first, first + 1, first + 2, first + 3]) {
      assert.deepEqual(runSeed(seed), results[seed - first] ?? runSeed(seed))
    }
  })

  it('got somewhere', () => {
    const sum = (of: (result: SeedResult) => number): number => results.reduce((total, one) => total + of(one), 0)
    const hours = sum(({ virtualMs }) => virtualMs) / 3_600_000
    const acknowledged = sum((result) => result.acknowledged)
    console.log(`      ${results.length} seeds, ${hours.toFixed(2)} h simulated, ${acknowledged} acknowledged writes`)
    assert.ok(acknowledged > results.length)
  })
})

function runOrTell(seed: number): SeedResult {
  try {
    return runSeed(seed)
  } catch (error) {
    throw new Error(`seed ${seed} (npm run sim -- --seed ${seed} --trace): ${(error as Error).message}`, {
      cause: error,
    })
  }
}
