/**
 * The seeded world of the whole library from the command line:
 *
 *   npm run world -- --seeds 500 [--start 1] [--processes 2]   many seeds; every kind of fault must have hit
 *   npm run world -- --seed 17 [--timeline]                    one seed
 *   npm run world -- --replay FILE [--timeline]                a plan that was kept
 *
 * The first failing seed is shrunk, and its plan written to `world-SEED.json`.
 */
import { fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Plan } from './plan.ts'
import { type Failure, type RunResult, runPlan } from './run-plan.ts'
import { shrink } from './shrink.ts'
import { expectedHits, planOf } from './swarm.ts'
import { timelineOf } from './timeline.ts'

/** What came of some seeds: plain values, so that processes can send it. */
interface Tally {
  seeds: number
  failures: number
  virtualMs: number
  calls: number
  entries: number
  uses: number
  hits: Record<string, number>
  marks: Record<string, number>
  /** The trace hashes, by seed. */
  hashes: Record<number, string>
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    start: { type: 'string', default: '1' },
    processes: { type: 'string', default: '1' },
    replay: { type: 'string' },
    timeline: { type: 'boolean', default: false },
    hashes: { type: 'boolean', default: false },
    shrink: { type: 'string', default: '200' },
    /** Of several processes, which one this is: set by the first one. */
    share: { type: 'string' },
  },
})

if (values.replay !== undefined) process.exitCode = await one(JSON.parse(readFileSync(values.replay, 'utf8')) as Plan)
else if (values.seed !== undefined) process.exitCode = await one(planOf(Number(values.seed)))
else if (values.share !== undefined) await share(Number(values.share))
else process.exitCode = await many()

async function one(plan: Plan): Promise<number> {
  const result = await runPlan(plan)
  if ('violation' in result) {
    console.log(`seed ${plan.seed}: ${result.violation.message}`)
    if (values.timeline) console.log(timelineOf(result.recorder, result.violation.order))
    return 1
  }
  console.log(
    `seed ${plan.seed}: passed, ${(result.virtualMs / 1000).toFixed(1)} s simulated, ${result.calls} operations, ` +
      `trace ${result.traceHash}\n${counts(Object.fromEntries(result.hits))}`,
  )
  return 0
}

async function many(): Promise<number> {
  const begun = performance.now()
  const count = Number(values.processes)
  const tallies =
    count > 1 ? await Promise.all(Array.from({ length: count }, (_, index) => forked(index))) : [await run(0, 1)]
  const total = tallies.reduce(add)
  const seconds = (performance.now() - begun) / 1000
  const hours = total.virtualMs / 3_600_000
  console.log(
    `${total.seeds} seeds from ${values.start}: ${total.failures} failures, ${hours.toFixed(2)} h simulated, ` +
      `${total.calls} operations checked, ${total.entries} entries, ${total.uses} uses of fenced resources, ${seconds.toFixed(1)} s in ${count} processes, ` +
      `${Math.round(total.virtualMs / 1000 / seconds)} simulated seconds per second`,
  )
  console.log(`fault kinds hit:\n${counts(total.hits)}`)
  console.log(`marks hit: ${Object.keys(total.marks).length}`)
  if (values.hashes) console.log(JSON.stringify(total.hashes))
  // A few seeds cannot hit everything.
  const missing = total.seeds < 200 ? [] : expectedHits.filter((kind) => total.hits[kind] === undefined)
  if (missing.length > 0) console.log(`never hit: ${missing.join(', ')}`)
  return total.failures > 0 || missing.length > 0 ? 1 : 0
}

function forked(index: number): Promise<Tally> {
  const child = fork(new URL(import.meta.url), [...process.argv.slice(2), '--share', `${index}`])
  return new Promise((resolve, reject) => {
    let tally: Tally | undefined
    child.on('message', (message) => {
      tally = message as Tally
    })
    child.on('exit', (code) =>
      tally === undefined ? reject(new Error(`process ${index} ended with ${code}`)) : resolve(tally),
    )
  })
}

async function share(index: number): Promise<void> {
  const tally = await run(index, Number(values.processes))
  process.send?.(tally)
  process.disconnect?.()
}

async function run(index: number, processes: number): Promise<Tally> {
  const tally = emptyTally()
  const first = Number(values.start)
  for (let seed = first + index; seed < first + Number(values.seeds); seed += processes) {
    const plan = planOf(seed)
    const result = await runPlan(plan)
    tally.seeds += 1
    if ('violation' in result) await report(plan, result, tally)
    else note(tally, seed, result)
  }
  return tally
}

async function report(plan: Plan, { violation, recorder }: Failure, tally: Tally): Promise<void> {
  tally.failures += 1
  console.log(`seed ${plan.seed}: ${violation.message}`)
  const runs = Number(values.shrink)
  if (tally.failures > 1 || runs === 0) return
  const small = await shrink(plan, violation.check, runs)
  const file = `world-${plan.seed}.json`
  writeFileSync(file, `${JSON.stringify(small)}\n`)
  const operations = small.clients.reduce((sum, client) => sum + client.operations.length, 0)
  const again = await runPlan(small)
  const shown = 'violation' in again ? again : { violation, recorder }
  console.log(`shrunk to ${small.faults.length} faults and ${operations} operations: npm run world -- --replay ${file}`)
  console.log(timelineOf(shown.recorder, shown.violation.order))
}

function note(tally: Tally, seed: number, result: RunResult): void {
  tally.virtualMs += result.virtualMs
  tally.calls += result.calls
  tally.entries += result.entries
  tally.uses += result.uses
  tally.hashes[seed] = result.traceHash
  for (const [kind, count] of result.hits) tally.hits[kind] = (tally.hits[kind] ?? 0) + count
  for (const [mark, count] of result.marks) tally.marks[mark] = (tally.marks[mark] ?? 0) + count
}

function emptyTally(): Tally {
  return { seeds: 0, failures: 0, virtualMs: 0, calls: 0, entries: 0, uses: 0, hits: {}, marks: {}, hashes: {} }
}

function add(a: Tally, b: Tally): Tally {
  return {
    seeds: a.seeds + b.seeds,
    failures: a.failures + b.failures,
    virtualMs: a.virtualMs + b.virtualMs,
    calls: a.calls + b.calls,
    entries: a.entries + b.entries,
    uses: a.uses + b.uses,
    hits: sum(a.hits, b.hits),
    marks: sum(a.marks, b.marks),
    hashes: { ...a.hashes, ...b.hashes },
  }
}

function sum(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return Object.fromEntries(keys.map((key) => [key, (a[key] ?? 0) + (b[key] ?? 0)]))
}

function counts(of: Readonly<Record<string, number>>): string {
  const lines = Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1))
  return lines.map(([name, count]) => `${`${count}`.padStart(8)} ${name}`).join('\n')
}
