/**
 * The whole library in the seeded world: some seeds, each with its own ensemble, faults and operations, all checks on
 * (`npm run world` runs more); the plans of failures that were found; and that a run depends on nothing but its plan.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import type { Plan } from './plan.ts'
import { type Failure, type RunResult, runPlan } from './run-plan.ts'
import { shrink } from './shrink.ts'
import { planOf } from './swarm.ts'
import { timelineOf } from './timeline.ts'

const regressions = new URL('./regressions/', import.meta.url)

function assertPassed(plan: Plan, result: RunResult | Failure): asserts result is RunResult {
  if (!('violation' in result)) return
  const { violation, recorder } = result
  assert.fail(`seed ${plan.seed}: ${violation.message}\n${timelineOf(recorder, violation.order)}`)
}

describe('the library in the seeded world', () => {
  for (let seed = 8; seed <= 15; seed += 1) {
    it(`seed ${seed}`, async () => {
      const plan = planOf(seed)
      assertPassed(plan, await runPlan(plan))
    }).timeout(120_000)
  }

  for (const file of readdirSync(regressions)) {
    it(`${file} again`, async () => {
      const plan = JSON.parse(readFileSync(new URL(file, regressions), 'utf8')) as Plan
      assertPassed(plan, await runPlan(plan))
    }).timeout(120_000)
  }

  it('gives the same trace for the same plan, also when that was a file in between', async () => {
    const plan = planOf(5)
    const results = [await runPlan(plan), await runPlan(JSON.parse(JSON.stringify(plan)) as Plan)]
    const hashes = results.map((result) => ('traceHash' in result ? result.traceHash : 'failed'))
    assert.equal(hashes[0], hashes[1])
    assert.notEqual(hashes[0], 'failed')
  }).timeout(120_000)

  it('leaves the other faults of a plan as they are when one kind is left out', () => {
    const { faults } = planOf(10)
    const kinds = new Set(faults.map(({ kind }) => kind))
    assert.ok(kinds.size > 3, [...kinds].join())
    assert.deepEqual(planOf(10).faults, faults)
  })

  it('finds, shows and shrinks what is wrong: a plan that demands too much', async () => {
    const plan = planOf(2)
    // A founder that cannot be reached: nobody serves at once.
    const late = { at: 0, kind: 'isolate' as const, machine: 0, forMs: 1_000 }
    // Little else happens: the timeline shows what came shortly before.
    const clients = plan.clients
      .slice(0, 1)
      .map((client) => ({ ...client, operations: client.operations.slice(0, 10) }))
    const quiet = { clients, holders: [], watchers: [], recipes: [] }
    const wrong: Plan = { ...plan, ...quiet, chaosMs: 1_000, faults: [late], restMs: 0 }
    const result = await runPlan(wrong)
    assert.ok('violation' in result)
    assert.equal(result.violation.check, 'G14')
    assert.match(timelineOf(result.recorder, result.violation.order), /everything heals/)
    const small = await shrink(wrong, 'G14', 30)
    const operations = small.clients.flatMap((client) => client.operations)
    assert.deepEqual([small.faults, operations], [[late], []])
  }).timeout(120_000)
})
