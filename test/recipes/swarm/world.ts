/**
 * A seeded world for recipes: lives (a member's process from its start to its end) on which workloads run, and faults that
 * disturb them. What a workload does on a life that ends is never answered, and nobody waits for it.
 */
import assert from 'node:assert/strict'
import { setMaxListeners } from 'node:events'
import type { Coord } from '../../../lib/index.ts'
import { createTestEnsemble, type TestEnsemble } from '../../../lib/testing/index.ts'
import { Random } from '../../../lib/testing/random.ts'
import { isExpected, type Life, type RecipeWorld, type WorkloadFactory } from './workload.ts'

/** One process, from its start until it is killed. */
class ProcessLife implements Life {
  readonly coord: Coord<unknown>
  readonly name: string
  readonly sleep: Life['sleep']
  isOver = false
  /** Until then it sleeps, or its session may have been taken away without its knowing: what it believes may be old. */
  pausedUntil = 0

  constructor(coord: Coord<unknown>, name: string, sleep: Life['sleep']) {
    this.coord = coord
    this.name = name
    this.sleep = sleep
  }
}

class World implements RecipeWorld {
  readonly seed: number
  readonly ensemble: TestEnsemble<number, unknown>
  readonly random: Random
  readonly lives: ProcessLife[] = []
  readonly #ending = new AbortController()
  readonly #running = new Map<Promise<void>, ProcessLife>()
  readonly #failures: unknown[] = []
  readonly #loops: ((life: Life) => Promise<void>)[] = []
  /** How many of each fault there were. */
  readonly faults: Map<string, number> = new Map<string, number>()

  constructor(seed: number, ensemble: TestEnsemble<number, unknown>) {
    this.seed = seed
    this.ensemble = ensemble
    this.random = new Random(seed, 'recipes')
    setMaxListeners(0, this.#ending.signal)
  }

  /** Aborts when the workloads are to end. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  get isEnding(): boolean {
    return this.#ending.signal.aborted
  }

  get now(): number {
    return this.ensemble.now
  }

  /** A life that works, to look from. */
  get observer(): Coord<unknown> {
    return (this.lives.find(({ isOver }) => !isOver) as ProcessLife).coord
  }

  /** Whether what this life believes now counts. */
  isAwake(life: ProcessLife): boolean {
    return !life.isOver && life.pausedUntil <= this.ensemble.now
  }

  fail(what: string): void {
    this.#failures.push(new Error(`seed ${this.seed}: ${what}`))
  }

  throwFailures(): void {
    if (this.#failures.length > 0) throw this.#failures[0]
  }

  sleep(min: number, max: number): Promise<void> {
    return this.ensemble.sleep(this.random.between(min, max))
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.ensemble.until(promise, 240_000)
  }

  /** Lets time pass until a condition holds. */
  async eventually(what: string, holds: () => Promise<boolean>, limitMs = 120_000): Promise<void> {
    const limit = this.ensemble.now + limitMs
    while (!(await this.until(holds()))) {
      this.throwFailures()
      assert.ok(this.ensemble.now < limit, `seed ${this.seed}: within ${limitMs} ms: ${what}`)
      await this.ensemble.advance(250)
    }
  }

  /** Runs a loop on every life, now and later. */
  onEveryLife(loop: (life: Life) => Promise<void>): void {
    this.#loops.push(loop)
  }

  begin(coord: Coord<unknown>): ProcessLife {
    const life = new ProcessLife(coord, coord.member.name, (min, max) => this.sleep(min, max))
    this.lives.push(life)
    for (const loop of this.#loops) {
      const running = loop(life).catch((error: unknown) => {
        if (!isExpected(error)) this.#failures.push(error)
      })
      this.#running.set(running, life)
    }
    return life
  }

  /** Ends the workloads, on the lives that are not over. */
  async end(): Promise<void> {
    this.#ending.abort()
    const running = [...this.#running].filter(([, life]) => !life.isOver).map(([promise]) => promise)
    await this.until(Promise.all(running))
    this.throwFailures()
  }
}

/** Runs workloads in a world of its own under random faults; throws what did not hold. */
export async function runSeed(seed: number, factories: readonly WorkloadFactory[]): Promise<World> {
  const random = new Random(seed, 'faults')
  const durable = random.chance(0.4)
  await using ensemble = await createTestEnsemble<number, 'json'>({
    size: random.pick([3, 3, 5]),
    seed,
    durable,
    valueEncoding: 'json',
    sessionTimeoutMs: 4_000,
    requestTimeoutMs: random.pick([1_500, 4_000, 10_000]),
    networkDelayMs: random.pick([
      { min: 0, max: 0 },
      { min: 1, max: 5 },
      { min: 1, max: 60 },
    ]),
    syncMs: random.pick([0, 2]),
    clockDrift: random.pick([0, 0.0005]),
  })
  const world = new World(seed, ensemble)
  const workloads = factories.map((factory) => factory(world))
  for (const workload of workloads) world.onEveryLife((life) => workload.run(life))
  for (const coord of ensemble.coords) world.begin(coord)
  await disturb(world, durable, random)
  ensemble.heal()
  await ensemble.advance(15_000)
  for (const workload of workloads) await workload.settle?.()
  await world.end()
  await ensemble.advance(10_000)
  await world.until(world.observer.sync())
  for (const workload of workloads) await workload.check()
  world.throwFailures()
  return world
}

async function disturb(world: World, durable: boolean, random: Random): Promise<void> {
  const { ensemble } = world
  const faults = random.between(2, 7)
  for (let fault = 0; fault < faults; fault++) {
    await ensemble.advance(random.between(200, 5_000))
    const alive = world.lives.filter(({ isOver }) => !isOver)
    const victim = random.pick(alive)
    const others = alive.filter((life) => life !== victim).map(({ coord }) => coord)
    const kind = random.pick([
      'partition',
      'cut',
      'reset',
      'pause',
      'crash',
      'crash',
      'expire',
      'expire',
      'heal',
    ] as const)
    world.faults.set(kind, (world.faults.get(kind) ?? 0) + 1)
    if (kind === 'partition') ensemble.partition([victim.coord], others)
    else if (kind === 'cut') ensemble.cut(victim.coord, random.pick(others))
    else if (kind === 'reset') ensemble.reset(victim.coord, random.pick(others))
    else if (kind === 'expire') {
      // By decree, before its holder could know: it hears of it, or ends it by its own clock.
      victim.pausedUntil = Math.max(victim.pausedUntil, ensemble.now + 5_000)
      ensemble.expireSession(victim.coord)
    } else if (kind === 'heal') ensemble.heal()
    else if (kind === 'pause') {
      const ms = random.between(100, 9_000)
      ensemble.pause(victim.coord, ms)
      // Awake, it hears of what has happened meanwhile before long.
      victim.pausedUntil = Math.max(victim.pausedUntil, ensemble.now + ms + 1_000)
    } else {
      // One at a time: members that keep everything in memory have to get their seats back in between.
      ensemble.heal()
      await ensemble.advance(20_000)
      victim.isOver = true
      ensemble.crash(victim.coord, { loseUnsynced: durable && random.chance(0.5) })
      await ensemble.advance(random.between(0, 6_000))
      world.begin(await ensemble.restart(victim.coord))
    }
  }
}
