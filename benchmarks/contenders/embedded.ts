/** embedded-coord: each process is an application with its load and its member; there is nothing else. */
import { join } from 'node:path'
import { freePorts, removeFolder, scratchFolder } from '../processes.ts'
import type { Contender, ContenderKind, Durability, Load, Operation, Sample } from './contender.ts'
import { NodeProcess } from './node-load.ts'

const program = new URL('./worker.mjs', import.meta.url)

export class EmbeddedEnsemble implements Contender {
  readonly name = 'embedded-coord'
  readonly members: readonly NodeProcess[]
  readonly ports: readonly number[] = []
  readonly loadPids: readonly number[] = []
  readonly #folder: string | undefined

  private constructor(members: readonly NodeProcess[], folder: string | undefined) {
    this.members = members
    this.#folder = folder
  }

  /** `more` are options of `joinEnsemble`; `execArgv` of the leader-to-be's Node: the first process usually leads. */
  static async start(durability: Durability, size = 3, more: object = {}): Promise<EmbeddedEnsemble> {
    const ports = await freePorts(size)
    const peers = ports.map((port) => `ws://127.0.0.1:${port}`)
    const folder = durability === 'disk' ? scratchFolder('embedded') : undefined
    const members = ports.map(() => new NodeProcess(program))
    await Promise.all(
      members.map((member, index) =>
        member.ask('join', {
          options: {
            name: `bench-${index}`,
            listen: { port: ports[index] },
            ...(size === 1 ? {} : { peers }),
            voters: Math.max(5, size),
            ...more,
          },
          ...(folder === undefined ? {} : { folder: join(folder, `${index}`) }),
        }),
      ),
    )
    return new EmbeddedEnsemble(members, folder)
  }

  get pids(): readonly number[] {
    return this.members.map(({ pid }) => pid)
  }

  can(_operation: Operation): boolean {
    return true
  }

  async prepare(keys: number, bytes: number): Promise<void> {
    await this.members[0]?.ask('prepare', { keys, bytes })
    await Promise.all(this.members.map((member) => member.ask('sync')))
  }

  async run(load: Load, seconds: number): Promise<Sample> {
    const loaded = load.outstanding === 1 ? [await this.follower()] : this.members
    const outstanding = load.outstanding / loaded.length
    return merged(await Promise.all(loaded.map((member) => member.ask<Sample>('run', { load, outstanding, seconds }))))
  }

  async leader(): Promise<NodeProcess> {
    for (const member of this.members) if ((await member.ask('role')) === 'leader') return member
    throw new Error('no member leads')
  }

  async follower(): Promise<NodeProcess> {
    for (const member of this.members) if ((await member.ask('role')) !== 'leader') return member
    return this.members[0] as NodeProcess
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()))
    if (this.#folder !== undefined) removeFolder(this.#folder)
  }
}

/** What several processes did at the same time. */
export function merged(samples: readonly Sample[]): Sample {
  return {
    count: samples.reduce((sum, { count }) => sum + count, 0),
    seconds: Math.max(...samples.map(({ seconds }) => seconds)),
    latenciesMs: samples.flatMap(({ latenciesMs }) => [...latenciesMs]),
  }
}

export const embedded: ContenderKind = {
  name: 'embedded-coord',
  missing: () => undefined,
  start: (durability, size) => EmbeddedEnsemble.start(durability, size),
}
