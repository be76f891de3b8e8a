/** Whole lives of ensembles. `SEEDS=10000 START=1 npx mocha test/sim/lifetimes/lifetimes.test.ts` for a long run. */
import assert from 'node:assert/strict'
import { runChurn } from './run-churn.ts'
import { type LifetimesResult, runFounding } from './run-lifetimes.ts'

const first = Number(process.env['START'] ?? 1)

function runAll(run: (seed: number) => LifetimesResult, count: number): LifetimesResult[] {
  const results: LifetimesResult[] = []
  for (let seed = first; seed < first + count; seed += 1) {
    try {
      results.push(run(seed))
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
  return results
}

function tell(results: readonly LifetimesResult[]): void {
  const sum = (of: (result: LifetimesResult) => number): number => results.reduce((total, one) => total + of(one), 0)
  const served = sum(({ isServing }) => Number(isServing))
  console.log(
    `      ${results.length} seeds, ${sum(({ ensembles }) => ensembles)} ensembles one after the other, ${served} serve in the end, ${sum(({ acknowledged }) => acknowledged)} acknowledged writes`,
  )
}

describe('the lifetimes of ensembles', () => {
  it('never have two that are alive, in whatever order founders come, crash and forget', function () {
    this.timeout(3_600_000)
    const results = runAll(runFounding, Number(process.env['SEEDS'] ?? 20))
    tell(results)
    assert.ok(results.some(({ ensembles }) => ensembles > 1))
  })

  const regressions: readonly (readonly [seed: number, what: string])[] = [
    [3, 'joined an ensemble by the word of others who had only joined it, too, when all who held it had forgotten'],
    [1511, 'never said that a majority was lost while somebody who knew less tried to lead'],
    [7699, 'took a founder for one that had forgotten, by what it acknowledged in an ensemble that was given up'],
    [22063, 'were not told that a majority was lost, for they knew of the founding alone'],
  ]
  for (const [seed, what] of regressions) {
    it(`go well where members ${what}`, () => {
      runFounding(seed)
    }).timeout(60_000)
  }

  it('lose nothing while members come, go, crash and forget: 3, 7, 3 and 1, 5, 1', function () {
    this.timeout(3_600_000)
    const results = runAll(runChurn, Number(process.env['CHURNS'] ?? process.env['SEEDS'] ?? 2))
    tell(results)
    assert.ok(results.every(({ ensembles, acknowledged }) => ensembles === 1 && acknowledged > 0))
  })
})
