/**
 * Those who follow what happens: streams of events and persistent watches, in each process of their machine, from when it is
 * connected until it is gone. What they are told is for check G5.
 */

import type { Watch } from '../../lib/api/watch.ts'
import type { Coord } from '../../lib/index.ts'
import type { Machine, World } from '../../lib/testing/world.ts'
import type { Stretch } from './history.ts'
import type { WatcherPlan } from './plan.ts'
import type { Recorder } from './recorder.ts'

/** How often it looks whether there is another process. */
const lookMs = 500

export class Watcher {
  readonly #world: World
  readonly #recorder: Recorder
  readonly #machine: Machine
  readonly #plan: WatcherPlan
  #process: Machine['process'] | undefined
  #stretch: Stretch | undefined
  /** Where a stream of the next process goes on. */
  #from: bigint | undefined
  #busyUntil = 0

  constructor(world: World, recorder: Recorder, machine: Machine, plan: WatcherPlan) {
    this.#world = world
    this.#recorder = recorder
    this.#machine = machine
    this.#plan = plan
  }

  start(): void {
    for (const { at, forMs } of this.#plan.naps)
      this.#world.scheduler.schedule(at - this.#world.now, () => {
        this.#busyUntil = Math.max(this.#busyUntil, at + forMs)
      })
    this.#look()
  }

  /** What it is told from now on is not complete any more. */
  end(): void {
    if (this.#stretch !== undefined && this.#process?.isDead !== false) this.#stretch.isOpen = false
  }

  #look(): void {
    const { process, coord, isUp } = this.#machine
    if (this.#process?.isDead === true) this.end()
    if (isUp && process !== this.#process && coord?.state === 'connected') {
      this.#process = process
      void this.#follow(coord as Coord<Uint8Array>, process).catch(() => {})
    }
    this.#world.scheduler.schedule(lookMs, () => this.#look())
  }

  #follow(coord: Coord<Uint8Array>, process: Machine['process']): Promise<void> {
    const { path, how, recursive, includeData } = this.#plan
    if (how === 'watch') return this.#recorder.watch(coord, path, recursive)
    const from = how === 'resumed stream' ? this.#from : undefined
    const life = `${this.#machine.name} ${this.#machine.starts}`
    const stretch: Stretch = { life, path, recursive, includeData, from, events: [], isOpen: true }
    this.#recorder.history.stretches.push(stretch)
    this.#stretch = stretch
    return this.#consume(coord.watch(path, { recursive, includeData, from }), stretch, process)
  }

  async #consume(watch: Watch, stretch: Stretch, process: Machine['process']): Promise<void> {
    try {
      for await (const event of watch) {
        this.#recorder.noteStreamed(stretch, event)
        if (watch.zxid > 0n) this.#from = watch.zxid
        if (this.#busyUntil <= this.#world.now) continue
        // A process that dies meanwhile does not wake.
        const forMs = this.#busyUntil - this.#world.now
        await new Promise<void>((resolve) => process.clock.setTimer(forMs, resolve))
      }
    } finally {
      stretch.isOpen = false
    }
  }
}
