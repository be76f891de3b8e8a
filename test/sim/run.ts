/**
 * Runs seeds, and prints what came of them:
 *
 *     npm run sim -- --seeds 1000 --start 1     many; a failure is shrunk to a file in test/sim/regressions
 *     npm run sim -- --seed 17 --trace          one, with everything that happens
 *     npm run sim -- --replay FILE --trace      one from a file
 *     npm run sim -- --seeds 1000 --marks       fails, too, if a situation of marks.ts never came about
 *     --without Agreement,QuorumLog             leaves invariants out: what else finds it?
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Watching } from './core-world.ts'
import { type Failure, failureOf, tryRun } from './failure.ts'
import { marks as allMarks, defences } from './marks.ts'
import { runSchedule, type SeedResult } from './run-seed.ts'
import { parseSchedule, type Schedule, scheduleOf, stringifySchedule } from './schedule.ts'
import { shrink } from './shrink.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    start: { type: 'string', default: '1' },
    replay: { type: 'string' },
    failures: { type: 'string', default: '10' },
    trace: { type: 'boolean', default: false },
    marks: { type: 'boolean', default: false },
    without: { type: 'string', default: '' },
    'no-shrink': { type: 'boolean', default: false },
  },
})

const regressions = fileURLToPath(new URL('regressions/', import.meta.url))
/** So many lines before a failure are printed. */
const timelineLines = 40

const totals = { seeds: 0, failures: 0, virtualMs: 0, steps: 0, acknowledged: 0 }
const marks = new Map<string, number>()
const faults = new Map<string, number>()
const watching: Watching = {
  without: values.without.split(','),
  ...(values.trace ? { onTrace: (line) => console.log(line) } : {}),
}

function add(result: SeedResult): void {
  totals.virtualMs += result.virtualMs
  totals.steps += result.steps
  totals.acknowledged += result.acknowledged
  for (const [name, times] of result.marks) marks.set(name, (marks.get(name) ?? 0) + times)
  for (const [name, times] of result.faults) faults.set(name, (faults.get(name) ?? 0) + times)
}

function runOne(name: string, schedule: Schedule): void {
  totals.seeds += 1
  try {
    add(runSchedule(schedule, watching))
  } catch (error) {
    totals.failures += 1
    const failure = failureOf(error)
    console.log(`\n${name} violates ${failure.check}: ${failure.message}`)
    if (failure.check !== 'Assertion' && values.trace) console.log((error as Error).stack)
    if (!values['no-shrink'] && values.replay === undefined && totals.failures <= 3) save(name, schedule, failure)
  }
}

/** A failure becomes a file, as small as can be, and a timeline of its end. */
function save(name: string, schedule: Schedule, { check }: Failure): void {
  const small = shrink(schedule, (candidate) => tryRun(candidate)?.check === check)
  const file = `${regressions}${name.replace(' ', '-')}-${check}.json`
  mkdirSync(regressions, { recursive: true })
  writeFileSync(file, stringifySchedule(small, { about: `${name}: ${tryRun(small)?.message}` }))
  const lines: string[] = []
  try {
    runSchedule(small, { onTrace: (line) => lines.push(line) })
  } catch {}
  console.log(`shrunk to ${small.faults.length} faults and ${small.actions.length} actions; how it ends:`)
  console.log(lines.slice(-timelineLines).join('\n'))
  console.log(`again: npm run sim -- --replay ${file} --trace`)
}

function printCounts(title: string, counts: ReadonlyMap<string, number>): void {
  console.log(title)
  for (const [name, times] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${times.toString().padStart(9)} ${name}`)
}

const first = Number(values.seed ?? values.start)
const count = values.seed === undefined ? Number(values.seeds) : 1
const begun = process.cpuUsage()
if (values.replay === undefined) {
  for (let seed = first; seed < first + count && totals.failures < Number(values.failures); seed += 1) {
    runOne(`seed ${seed}`, scheduleOf(seed))
  }
} else {
  runOne(values.replay, parseSchedule(readFileSync(values.replay, 'utf8')))
}

const cpu = process.cpuUsage(begun)
const cpuS = (cpu.user + cpu.system) / 1e6
const what = values.replay ?? `${totals.seeds} seeds from ${first}`
console.log(
  `${what}: ${totals.failures} failures, ${(totals.virtualMs / 3_600_000).toFixed(2)} h simulated, ` +
    `${totals.steps} steps, ${totals.acknowledged} acknowledged writes, ${cpuS.toFixed(1)} s CPU, ` +
    `${Math.round(totals.virtualMs / 1000 / cpuS)} simulated seconds per second`,
)
if (values.marks) {
  printCounts('faults', faults)
  printCounts('marks', marks)
  const missed = Object.keys(allMarks).filter((name) => !marks.has(name))
  // One that is rare may be reached by luck.
  const unknown = [...marks.keys()].filter((name) => !(name in allMarks) && !(name in defences))
  for (const name of missed) console.log(`never reached: ${name}: ${allMarks[name]}`)
  for (const name of unknown) console.log(`not in marks.ts: ${name}`)
  if (missed.length + unknown.length > 0) process.exitCode = 1
}
if (totals.failures > 0) process.exitCode = 1
