/** The bare replication loop (loop.mjs) as a contender: what part of it does the library reach? */
import { join } from 'node:path'
import type { Contender, ContenderKind, Durability, Load, Operation, Sample } from '../contenders/contender.ts'
import { merged } from '../contenders/embedded.ts'
import { NodeProcess } from '../contenders/node-load.ts'
import { removeFolder, scratchFolder } from '../processes.ts'

class BareLoop implements Contender {
  readonly name = 'bare loop'
  readonly ports: readonly number[] = []
  readonly loadPids: readonly number[] = []
  readonly #processes: readonly NodeProcess[]
  readonly #folder: string | undefined

  private constructor(processes: readonly NodeProcess[], folder: string | undefined) {
    this.#processes = processes
    this.#folder = folder
  }

  static async start(durability: Durability, size = 3): Promise<BareLoop> {
    const folder = durability === 'disk' ? scratchFolder('loop') : undefined
    const processes = Array.from({ length: size }, () => new NodeProcess(new URL('./loop.mjs', import.meta.url)))
    let port: number | undefined
    for (const [me, process] of processes.entries()) {
      const file = folder === undefined ? {} : { file: join(folder, `${me}`) }
      port = await process.ask('open', { me, size, port, ...file })
    }
    return new BareLoop(processes, folder)
  }

  get pids(): readonly number[] {
    return this.#processes.map(({ pid }) => pid)
  }

  can(operation: Operation): boolean {
    return operation === 'write'
  }

  async prepare(): Promise<void> {
    // It has no nodes: a write makes its key.
  }

  async run(load: Load, seconds: number): Promise<Sample> {
    if (load.operation !== 'write') return { count: 0, failed: 0, seconds, latenciesMs: [] }
    const loaded = load.outstanding === 1 ? this.#processes.slice(-1) : this.#processes
    const outstanding = load.outstanding / loaded.length
    return merged(
      await Promise.all(loaded.map((process) => process.ask<Sample>('run', { load, outstanding, seconds }))),
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()))
    if (this.#folder !== undefined) removeFolder(this.#folder)
  }
}

export const bareLoop: ContenderKind = {
  name: 'bare-loop',
  missing: () => undefined,
  start: (durability, size) => BareLoop.start(durability, size),
}
