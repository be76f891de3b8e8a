/**
 * A workload of recipes in the seeded world (test/recipes/swarm has them): it runs in each process of some machines, from
 * when it is connected until it is gone. What it was promised it checks by itself; what does not hold is a violation in the
 * name of the workload.
 */
import { setMaxListeners } from 'node:events'
import type { Client, Coord } from '../../lib/index.ts'
import type { VirtualProcess } from '../../lib/testing/process.ts'
import { Random } from '../../lib/testing/random.ts'
import type { Machine, World } from '../../lib/testing/world.ts'
import { isExpected, type Life, type RecipeWorld, tolerate, type Workload } from '../recipes/swarm/workload.ts'
import { workloads } from '../recipes/swarm/workloads.ts'
import type { RecipePlan } from './plan.ts'
import type { Recorder } from './recorder.ts'
import { Violation } from './violation.ts'

/** How often it looks whether there is another process. */
const lookMs = 500
/** What a session believes that the test had declared expired counts for nothing until it must have heard of it. */
const doubtMs = 15_000
const eventuallyMs = 120_000
/** Nodes that were left to their sessions, and the like, are gone then. */
const tidyMs = 10_000
const root = '/recipes'

class ProcessLife implements Life {
  readonly coord: Client<unknown>
  readonly name: string
  readonly process: VirtualProcess
  readonly #owner: Coord<unknown>
  readonly #random: Random

  constructor(owner: Coord<unknown>, machine: Machine, random: Random) {
    this.#owner = owner
    this.coord = owner.namespace<unknown>(root, { valueEncoding: 'json' })
    this.name = machine.name
    this.process = machine.process
    this.#random = random
  }

  get isOver(): boolean {
    return this.process.isDead || this.#owner.state === 'closed'
  }

  sleep(min: number, max: number): Promise<void> {
    const forMs = this.#random.between(min, max)
    return new Promise((resolve) => this.process.clock.setTimer(forMs, resolve))
  }
}

export class Recipe implements RecipeWorld {
  readonly seed: number
  readonly random: Random
  readonly lives: ProcessLife[] = []
  readonly #world: World
  readonly #recorder: Recorder
  readonly #machines: readonly Machine[]
  readonly #name: string
  readonly #workload: Workload
  readonly #ending = new AbortController()
  readonly #running = new Map<Promise<void>, ProcessLife>()
  #violation: Violation | undefined

  constructor(world: World, recorder: Recorder, machines: readonly Machine[], { name, machines: count }: RecipePlan) {
    this.seed = world.seed
    this.random = new Random(world.seed, `recipe ${name}`)
    this.#world = world
    this.#recorder = recorder
    this.#machines = machines.slice(0, count)
    this.#name = name
    const factory = workloads[name]
    if (factory === undefined) throw new Error(`there is no workload ${name}`)
    // A workload may have many loops that wait for it.
    setMaxListeners(0, this.#ending.signal)
    this.#workload = factory(this)
  }

  get now(): number {
    return this.#world.now
  }

  get ending(): AbortSignal {
    return this.#ending.signal
  }

  get isEnding(): boolean {
    return this.#ending.signal.aborted
  }

  get observer(): Client<unknown> {
    const life = this.lives.find(({ isOver }) => !isOver)
    if (life === undefined) throw new Violation(this.#name, 'no life is left')
    return life.coord
  }

  isAwake(life: ProcessLife): boolean {
    return life.process.isAwake && !this.#recorder.wasExpired(life.process, doubtMs)
  }

  fail(what: string): void {
    this.#violation ??= new Violation(this.#name, what, this.#recorder.next())
  }

  start(): void {
    this.#look()
  }

  /** Everything has healed: what must come comes, all ends, and nothing is left behind. Throws what does not hold. */
  async rest(): Promise<void> {
    try {
      // A process that began just before everything healed may not be connected yet; where it is the only one, nobody could look.
      await this.eventually('it runs on all its machines', () => Promise.resolve(this.#isEverywhere()))
      await this.#workload.settle?.()
      this.#ending.abort()
      const running = [...this.#running].filter(([, life]) => !life.isOver).map(([promise]) => promise)
      await this.until(Promise.all(running))
      await this.#world.scheduler.advance(tidyMs)
      await this.until(this.observer.sync())
      await this.#workload.check()
    } catch (error) {
      if (error instanceof Violation) throw error
      throw new Violation(this.#name, (error as Error).message)
    } finally {
      this.#ending.abort()
    }
    this.#throwViolation()
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.#world.until(promise, `a step of ${this.#name}`, 2 * eventuallyMs)
  }

  async eventually(what: string, holds: () => Promise<boolean>, limitMs: number = eventuallyMs): Promise<void> {
    const limit = this.now + limitMs
    while (!(await this.until(holds()))) {
      this.#throwViolation()
      if (this.now >= limit) throw new Violation(this.#name, `not within ${limitMs} ms: ${what}`)
      await this.#world.scheduler.advance(250)
    }
  }

  #throwViolation(): void {
    if (this.#violation !== undefined) throw this.#violation
  }

  #isEverywhere(): boolean {
    return this.#machines.every(({ process }) => this.lives.some((life) => life.process === process && !life.isOver))
  }

  #look(): void {
    if (this.isEnding) return
    for (const machine of this.#machines) {
      const { coord, process, isUp } = machine
      const isKnown = this.lives.some((life) => life.process === process)
      if (isUp && !isKnown && !process.isPaused && coord?.state === 'connected') this.#begin(coord, machine)
    }
    this.#world.scheduler.schedule(lookMs, () => this.#look())
  }

  #begin(coord: Coord<unknown>, machine: Machine): void {
    const life = new ProcessLife(coord, machine, this.random)
    this.lives.push(life)
    const running = this.#run(coord, life).catch((error: unknown) => {
      if (!isExpected(error)) this.fail((error as Error).message)
    })
    this.#running.set(running, life)
  }

  async #run(coord: Coord<unknown>, life: ProcessLife): Promise<void> {
    await tolerate(coord.create(root))
    await this.#workload.run(life)
  }
}
