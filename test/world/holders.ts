/**
 * Holders of locks, and candidates of elections. Whoever believes to hold the resource uses it, every now and then, with
 * its token: a resource outside of the ensemble, which refuses smaller tokens than it has seen. What comes of it is for
 * check G16.
 */
import type { Coord } from '../../lib/index.ts'
import type { Election } from '../../lib/recipes/election.ts'
import type { Held } from '../../lib/recipes/held.ts'
import type { Machine, World } from '../../lib/testing/world.ts'
import type { HolderPlan } from './plan.ts'
import type { Recorder } from './recorder.ts'

const useEveryMs = 100

interface Believer {
  readonly name: string
  readonly held: Held
  readonly session: bigint
  readonly process: Machine['process']
}

/** What only one may use at a time. */
export class Resource {
  readonly name: string
  readonly #world: World
  readonly #recorder: Recorder
  readonly #believers = new Set<Believer>()
  #highest = 0n

  constructor(name: string, world: World, recorder: Recorder) {
    this.name = name
    this.#world = world
    this.#recorder = recorder
  }

  /** Uses it as long as it is held. */
  use(believer: Believer): void {
    this.#believers.add(believer)
    this.#use(believer)
  }

  #use(believer: Believer): void {
    const { held, process, name } = believer
    if (process.isDead || held.signal.aborted) {
      this.#believers.delete(believer)
      return
    }
    if (this.#believes(believer)) {
      const { token } = held
      const accepted = token >= this.#highest
      const rivals = [...this.#believers].filter((other) => other !== believer && this.#believes(other))
      if (accepted) this.#highest = token
      const names = rivals.map((rival) => rival.name)
      this.#recorder.history.fencedWrites.push({
        order: this.#recorder.next(),
        resource: this.name,
        holder: name,
        token,
        accepted,
        rivals: names,
      })
    }
    this.#world.scheduler.schedule(useEveryMs, () => this.#use(believer))
  }

  /** Awake, and sure to hold it. Where the test had the session declared expired, nothing is promised. */
  #believes({ held, process, session }: Believer): boolean {
    return process.isAwake && held.held && !this.#recorder.isOrdered(session)
  }
}

export class Holder {
  readonly #world: World
  readonly #machine: Machine
  readonly #plan: HolderPlan
  readonly #resource: Resource
  readonly #name: string
  #election: Election<unknown> | undefined
  #candidate: Machine['process'] | undefined

  constructor(world: World, machine: Machine, plan: HolderPlan, resource: Resource, name: string) {
    this.#world = world
    this.#machine = machine
    this.#plan = plan
    this.#resource = resource
    this.#name = name
  }

  start(): void {
    for (const turn of this.#plan.turns) {
      this.#world.scheduler.schedule(turn.at - this.#world.now, () => {
        const { coord, process } = this.#machine
        if (coord === undefined || coord.state === 'closed' || process.isPaused) return
        if (this.#plan.how === 'election') this.#stand(coord)
        else void this.#hold(coord, turn.forMs).catch(() => {})
      })
    }
  }

  /** Leaves the line. */
  async end(): Promise<void> {
    if (this.#candidate?.isDead === false) await this.#election?.close()
  }

  async #hold(coord: Coord<unknown>, forMs: number): Promise<void> {
    const { process } = this.#machine
    const path = `/locks/${this.#resource.name}`
    const lock = this.#plan.how === 'lock' ? await coord.lock(path, { timeoutMs: 8_000 }) : await coord.tryLock(path)
    if (lock === undefined) return
    const session = coord.session.id
    this.#resource.use({ name: this.#name, held: lock, session, process })
    this.#world.scheduler.schedule(forMs, () => {
      if (!process.isDead) void lock.release().catch(() => {})
    })
  }

  /** Once in the life of a process; later turns resign. */
  #stand(coord: Coord<unknown>): void {
    const { process } = this.#machine
    if (this.#candidate === process) {
      void this.#election?.resign().catch(() => {})
      return
    }
    this.#candidate = process
    this.#election = coord.elect(`/locks/${this.#resource.name}`, {
      onElected: (term) => {
        this.#resource.use({ name: this.#name, held: term, session: coord.session.id, process })
      },
    })
  }
}
