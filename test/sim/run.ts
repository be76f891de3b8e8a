/**
 * Runs seeds and prints what came of them: `npx tsx test/sim/run.ts --start 1 --seeds 1000`, or one with its timeline:
 * `npx tsx test/sim/run.ts --seed 17 --trace`.
 */
import { parseArgs } from 'node:util'
import { Violation } from './invariants/invariant.ts'
import { runSeed } from './run-seed.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    start: { type: 'string', default: '1' },
    failures: { type: 'string', default: '10' },
    trace: { type: 'boolean', default: false },
    marks: { type: 'boolean', default: false },
    without: { type: 'string', default: '' },
  },
})

const first = Number(values.seed ?? values.start)
const count = values.seed === undefined ? Number(values.seeds) : 1
const onTrace = values.trace ? (line: string): void => console.log(line) : undefined
const marks = new Map<string, number>()
let failures = 0
let virtualMs = 0
let steps = 0
let acknowledged = 0
const begun = process.cpuUsage()
for (let seed = first; seed < first + count; seed += 1) {
  try {
    const result = runSeed(seed, { onTrace, without: values.without.split(',') })
    virtualMs += result.virtualMs
    steps += result.steps
    acknowledged += result.acknowledged
    for (const [name, times] of result.marks) marks.set(name, (marks.get(name) ?? 0) + times)
  } catch (error) {
    failures += 1
    const text = error instanceof Violation ? error.message : (error as Error).stack
    console.log(`seed ${seed}: ${text}`)
    if (failures >= Number(values.failures)) break
  }
}
const cpu = process.cpuUsage(begun)
console.log(
  `${count} seeds from ${first}: ${failures} failures, ${(virtualMs / 3_600_000).toFixed(2)} h simulated, ${steps} steps, ` +
    `${acknowledged} acknowledged, ${((cpu.user + cpu.system) / 1e6).toFixed(1)} s CPU`,
)
if (values.marks)
  for (const [name, times] of [...marks].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${times.toString().padStart(8)} ${name}`)
if (failures > 0) process.exitCode = 1
