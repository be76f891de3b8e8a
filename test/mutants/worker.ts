/**
 * Runs seeds against copies of the sources and reports to its parent, one message per seed, so that the parent knows
 * where a seed hangs. Ends with its standard input's parent.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Exhibit } from '../museum/exhibit.ts'
import type * as Failures from '../sim/failure.ts'
import type { Failure } from '../sim/failure.ts'
import type * as Lifetimes from '../sim/lifetimes/run-lifetimes.ts'
import type * as RunSeed from '../sim/run-seed.ts'
import type * as Situations from '../sim/situations.ts'
import type { FaultKind } from '../world/plan.ts'
import type * as RunPlan from '../world/run-plan.ts'
import type * as Scenarios from '../world/scenarios.ts'
import type * as Swarm from '../world/swarm.ts'

/** Seeds of one copy, in this order, until one fails. */
export interface Job {
  readonly id: string
  readonly folder: string
  readonly seeds: readonly number[]
  /** Where they run; by default in the simulation of the core. */
  readonly in?: 'lifetimes' | 'world' | undefined
  readonly scenario?: string | undefined
  /** In the world: plans without this kind of fault are passed over. */
  readonly needs?: FaultKind | undefined
  /** How many different failing seeds are wanted. */
  readonly kills: number
  /** Plays these exhibits of the museum, by title, in place of seeds; all of them. */
  readonly exhibits?: readonly string[] | undefined
}

export type Report =
  /** Of an exhibit, `seed` is its place in the job. */
  | { readonly id: string; readonly type: 'seed'; readonly seed: number; readonly failure: Failure | undefined }
  | { readonly id: string; readonly type: 'done' }

interface Simulator {
  runSeed(this: void, seed: number): void | Promise<void>
  failureOf(this: void, error: unknown): Failure
}

const load = async (folder: string, file: string): Promise<unknown> => import(pathToFileURL(join(folder, file)).href)

async function simulatorOf({ folder, scenario }: Job): Promise<Simulator> {
  const [{ runSeed, runSchedule }, { situations }, { failureOf }] = (await Promise.all([
    load(folder, 'test/sim/run-seed.ts'),
    load(folder, 'test/sim/situations.ts'),
    load(folder, 'test/sim/failure.ts'),
  ])) as [typeof RunSeed, typeof Situations, typeof Failures]
  if (scenario === undefined) return { runSeed: (seed) => void runSeed(seed), failureOf }
  const schedules = situations[scenario]
  if (schedules === undefined) throw new Error(`there is no situation ${scenario}`)
  return { runSeed: (seed) => void runSchedule(schedules(seed)), failureOf }
}

/** Whole lives of ensembles, in the form of a simulator. */
async function lifetimesOf({ folder }: Job): Promise<Simulator> {
  const [{ runFounding }, { failureOf }] = (await Promise.all([
    load(folder, 'test/sim/lifetimes/run-lifetimes.ts'),
    load(folder, 'test/sim/failure.ts'),
  ])) as [typeof Lifetimes, typeof Failures]
  return { runSeed: (seed) => void runFounding(seed), failureOf }
}

/** The seeded world, in the form of a simulator. */
async function worldOf({ folder, needs, scenario }: Job): Promise<Simulator> {
  const [{ planOf }, { scenarios }, { runPlan }] = (await Promise.all([
    load(folder, 'test/world/swarm.ts'),
    load(folder, 'test/world/scenarios.ts'),
    load(folder, 'test/world/run-plan.ts'),
  ])) as [typeof Swarm, typeof Scenarios, typeof RunPlan]
  const plans = scenario === undefined ? planOf : scenarios[scenario]
  if (plans === undefined) throw new Error(`there is no scenario ${scenario}`)
  const runSeed = async (seed: number): Promise<void> => {
    const plan = plans(seed)
    if (needs !== undefined && plan.faults.every(({ kind }) => kind !== needs)) return
    const result = await runPlan(plan)
    if ('violation' in result) throw result.violation
  }
  const failureOf = (error: unknown): Failure => {
    const { check, name, message } = error as Error & { readonly check?: string }
    return { check: check ?? name, message }
  }
  return { runSeed, failureOf }
}

const simulatorsBy = { core: simulatorOf, lifetimes: lifetimesOf, world: worldOf } as const

function report(message: Report): void {
  process.send?.(message)
}

async function perform(job: Job): Promise<void> {
  const { id, folder, seeds, kills, exhibits } = job
  const { runSeed, failureOf } = await simulatorsBy[job.in ?? 'core'](job)
  const plays = exhibits === undefined ? undefined : await playsOf(folder, exhibits)
  let found = 0
  for (const seed of seeds) {
    let failure: Failure | undefined
    try {
      if (plays === undefined) await runSeed(seed)
      else plays[seed]?.()
    } catch (error) {
      failure = failureOf(error)
      found += 1
    }
    report({ id, type: 'seed', seed, failure })
    if (found >= kills) break
    // Lets the message out.
    await new Promise((resolve) => setImmediate(resolve))
  }
  report({ id, type: 'done' })
}

async function playsOf(folder: string, titles: readonly string[]): Promise<(() => void)[]> {
  const { exhibits } = (await load(folder, 'test/museum/exhibits.ts')) as { readonly exhibits: readonly Exhibit[] }
  return titles.map((title) => exhibits.find((exhibit) => exhibit.title === title)?.play as () => void)
}

process.on('disconnect', () => process.exit())
process.on('message', (job: Job) => {
  perform(job).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
