/**
 * Lets the simulator run against sources with deliberate bugs, and prints which seed caught each, and by which check:
 *
 *     npm run mutants                            searches seeds 1 to 1,000 (10,000 for some), and records the kills
 *     npm run mutants -- --only M16,M17          these alone
 *     npm run mutants -- --seeds 200             so many seeds at most
 *     npm run mutants -- --replay                the recorded seeds alone: each mutant must still die
 *     npm run mutants -- --replay --sample 5     a fifth of all that, another one each day: what CI runs
 *     npm run mutants -- --museum                the exhibits of the museum alone: each must fail with its bugs put back
 *     npm run mutants -- --controls --seeds 50   harmless changes alone: none may be flagged
 *
 * Fails if a mutant survives, if the sources as they are do not, or if a control is flagged. A sample leaves room for a change
 * of the core that takes the seeds away from a few: it fails where more than one in ten survive.
 */
import { parseArgs } from 'node:util'
import { exhibits } from '../museum/exhibits.ts'
import { invariantNames } from '../sim/invariants/index.ts'
import { Bench, type Outcome } from './bench.ts'
import { controls } from './controls.ts'
import { Copies } from './copy.ts'
import { allCoreMutants, coreMutants, museumMutants } from './core-mutants.ts'
import type { Mutant } from './mutant.ts'
import { type RecordedKill, readRecord, tableOf, writeRecord, writeTable } from './record.ts'
import { worldMutants } from './world-mutants.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seeds: { type: 'string' },
    start: { type: 'string', default: '1' },
    replay: { type: 'boolean', default: false },
    controls: { type: 'boolean', default: false },
    museum: { type: 'boolean', default: false },
    sample: { type: 'string', default: '1' },
    kills: { type: 'string', default: '2' },
    jobs: { type: 'string', default: '1' },
  },
})

const only = values.only?.split(',')
const parts = Number(values.sample)
const today = Math.floor(Date.now() / 86_400_000)
const ids = [...coreMutants, ...worldMutants, ...museumMutants, ...controls].map(({ id }) => id)
const isOfToday = (id: string): boolean => ids.indexOf(id) % parts === today % parts
const isWanted = ({ id }: Mutant): boolean => (only === undefined || only.includes(id)) && isOfToday(id)
const all = [...coreMutants, ...worldMutants]
const wanted = values.controls || values.museum ? [] : all.filter(isWanted)
/** A replay is about what was caught once; what never was, the table in docs/TESTING.md says. */
const mutants = wanted.filter(({ id }) => !values.replay || id in readRecord())
const harmless = values.museum || (values.replay && only !== undefined) ? [] : controls.filter(isWanted)
const record: Record<string, readonly RecordedKill[]> = { ...readRecord() }
/** How many seeds that catch a mutant are kept: later changes of the core may take some of them away. */
const killsWanted = Number(values.kills)
const controlSeeds = values.replay ? 15 : 100
const copies = new Copies()
let failures = 0
let survivors = 0

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index)
const start = Number(values.start)
const limitOf = ({ seedsMax }: Mutant): number => Number(values.seeds ?? seedsMax ?? 1000)

/** After a change of the core that took its seeds away from a mutant, a replay looks at so many others. */
const replaySeedsOf = ({ in: where }: Mutant): number =>
  Math.ceil((where === undefined ? 100 : where === 'world' ? 10 : 30) / Math.min(parts, 2))

/** The recorded seeds first; on a search, all from the first one on. */
function seedsOf(mutant: Mutant): number[] {
  const recorded = (record[mutant.id] ?? []).map(({ seed }) => seed)
  return values.replay
    ? [...new Set([...recorded, ...range(start, replaySeedsOf(mutant))])]
    : range(start, limitOf(mutant))
}

async function eachOf<T>(items: readonly T[], work: (bench: Bench, item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const loop = async (): Promise<void> => {
    const bench = new Bench()
    try {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(bench, item)
    } finally {
      bench.close()
    }
  }
  await Promise.all(range(1, Number(values.jobs)).map(loop))
}

/** Where the seeds of a mutant run. */
const placeOf = ({ in: where, scenario, needs }: Mutant): Pick<Mutant, 'in' | 'scenario' | 'needs'> => ({
  ...(where === undefined ? {} : { in: where }),
  ...(scenario === undefined ? {} : { scenario }),
  ...(needs === undefined ? {} : { needs }),
})

let killed = 0

async function tryMutant(bench: Bench, mutant: Mutant): Promise<void> {
  const folder = copies.make(mutant)
  const seeds = seedsOf(mutant)
  const kills = values.replay ? 1 : killsWanted
  const outcome = await bench.run({ id: mutant.id, folder, seeds, kills, ...placeOf(mutant) })
  const [first] = outcome.kills
  const name = `${mutant.id.padEnd(5)} ${mutant.title}`
  if (first === undefined) {
    survivors += 1
    console.log(`${name}: survives ${outcome.seeds} seeds`)
    if (!values.replay) delete record[mutant.id]
    return
  }
  if (isOfNoName(first.message)) {
    failures += 1
    console.log(`${name}: IS NO BUG BUT AN ERROR, ${first.message}`)
    return
  }
  killed += 1
  const isNew = values.replay && !(record[mutant.id] ?? []).some(({ seed }) => seed === first.seed)
  console.log(
    `${name}: ${isNew ? 'no longer by its own seeds, but by ' : ''}seed ${first.seed}, ${first.message.split('\n')[0]?.slice(0, 140)}`,
  )
  if (!values.replay) record[mutant.id] = outcome.kills.map(({ seed, check }) => ({ seed, check }))
}

/** What an edit puts in is not compiled: it may speak of what the sources have by another name by now. */
const isOfNoName = (message: string): boolean => /\b\S+ is not defined/.test(message)

async function tryHarmless(bench: Bench, mutant: Mutant): Promise<void> {
  const folder = copies.make(mutant)
  const seeds = range(start, Number(values.seeds ?? controlSeeds))
  report(mutant, await bench.run({ id: mutant.id, folder, seeds, kills: 1 }))
}

/** What may not be flagged. */
function report({ id, title }: Mutant, { kills, seeds }: Outcome): void {
  const [first] = kills
  if (first === undefined) {
    console.log(`${id.padEnd(5)} ${title}: not flagged in ${seeds} seeds`)
    return
  }
  failures += 1
  console.log(`${id.padEnd(5)} ${title}: FLAGGED by seed ${first.seed}, ${first.message}`)
}

async function trySourcesAsTheyAre(bench: Bench): Promise<void> {
  const none: Mutant = { id: 'none', title: 'the sources as they are', edits: [] }
  const folder = copies.make(none)
  const places = new Map<string, { readonly mutant: Mutant; readonly seeds: Set<number> }>()
  for (const mutant of mutants) {
    const key = `${mutant.in} ${mutant.scenario}`
    const place = places.get(key) ?? { mutant, seeds: new Set() }
    places.set(key, place)
    for (const { seed } of (record[mutant.id] ?? []).slice(0, 1)) place.seeds.add(seed)
  }
  for (const { mutant, seeds } of places.values())
    report(
      none,
      await bench.run({ ...placeOf(mutant), id: none.id, folder, seeds: [...seeds], kills: 1, needs: undefined }),
    )
}

/** With a bug put back, each exhibit that names it fails. */
async function tryMuseum(bench: Bench, mutant: Mutant): Promise<void> {
  const titles = exhibits.filter(({ mutants: ids }) => ids.includes(mutant.id)).map(({ title }) => title)
  if (titles.length === 0) return
  const folder = copies.make(mutant)
  const seeds = range(0, titles.length)
  const { kills } = await bench.run({ id: mutant.id, folder, seeds, kills: titles.length, exhibits: titles })
  for (const [index, title] of titles.entries()) {
    const kill = kills.find(({ seed }) => seed === index)
    if (kill === undefined) failures += 1
    const verdict = kill === undefined ? 'DOES NOT FAIL' : (kill.message.split('\n')[0]?.slice(0, 100) ?? '')
    console.log(`${mutant.id.padEnd(5)} put back, '${title.slice(0, 80)}': ${verdict}`)
  }
}

/** Which checks caught something, and which never did. */
function printChecks(): void {
  const found = new Set(Object.values(record).flatMap((kills) => kills.map(({ check }) => check)))
  const idle = invariantNames().filter((name) => !found.has(name))
  console.log(`checks that caught a mutant: ${[...found].sort().join(', ')}`)
  if (idle.length > 0) console.log(`checks that caught none first: ${idle.join(', ')}`)
}

try {
  await eachOf(mutants, tryMutant)
  if (values.museum || values.replay) await eachOf([...coreMutants, ...museumMutants].filter(isWanted), tryMuseum)
  await eachOf(harmless, tryHarmless)
  if (mutants.length > 0) await eachOf([undefined], trySourcesAsTheyAre)
} finally {
  copies.remove()
}
if (!values.replay && mutants.length > 0) {
  writeRecord(record, all)
  writeTable(tableOf([...allCoreMutants, ...worldMutants], record))
}
if (only === undefined && mutants.length > 0) printChecks()
if (!values.museum && !values.controls) {
  for (const { id, title } of wanted) if (!(id in record)) console.log(`${id.padEnd(5)} ${title}: no seed is known`)
  console.log(`killed ${killed} of ${wanted.length}`)
}
const survivorsMax = parts > 1 ? Math.ceil(mutants.length / 10) : 0
if (failures > 0 || survivors > survivorsMax) process.exitCode = 1
