/** embedded-coord: each process is an application with its load and its member; there is nothing else. */
import { join } from 'node:path'
import { freePorts } from '../../test/free-ports.ts'
import { removeFolder, scratchFolder, until } from '../processes.ts'
import type { Contender, ContenderKind, Durability, Load, Operation, Sample, Written } from './contender.ts'
import { NodeProcess } from './node-load.ts'

const program = new URL('./worker.mjs', import.meta.url)

/** Others work on the machine, too. */
const requestTimeoutMs = 60_000

/** What an ensemble is started with, beside its size and its stores. */
export interface EmbeddedOptions {
  /** Members beyond the founders, which only observe. */
  readonly observers?: number
  /** Of `joinEnsemble`. */
  readonly options?: object
  /** Of Node. */
  readonly execArgv?: readonly string[]
  /** What its stores are: LevelDB, by default, or files. */
  readonly store?: 'level' | 'file'
  /** Of the database. */
  readonly level?: object
  readonly name?: string
}

export class EmbeddedEnsemble implements Contender {
  readonly name: string
  readonly members: NodeProcess[] = []
  readonly ports: readonly number[] = []
  readonly loadPids: readonly number[] = []
  readonly #peerPorts: readonly number[]
  readonly #founders: number
  readonly #folder: string | undefined
  readonly #more: EmbeddedOptions

  private constructor(
    peerPorts: readonly number[],
    founders: number,
    folder: string | undefined,
    more: EmbeddedOptions,
  ) {
    this.#peerPorts = peerPorts
    this.#founders = founders
    this.#folder = folder
    this.#more = more
    this.name = more.name ?? 'embedded-coord'
  }

  static async start(durability: Durability, size = 3, more: EmbeddedOptions = {}): Promise<EmbeddedEnsemble> {
    const ports = await freePorts(size + (more.observers ?? 0))
    const folder = durability === 'disk' ? scratchFolder('embedded') : undefined
    const ensemble = new EmbeddedEnsemble(ports, size, folder, more)
    await Promise.all(ports.map((_, index) => ensemble.join(index)))
    return ensemble
  }

  /** Starts a member, or again one that was killed: what is in its store is still there. */
  async join(index: number): Promise<NodeProcess> {
    const member = new NodeProcess(program, this.#more.execArgv)
    this.members[index] = member
    const peers = this.#peerPorts.slice(0, this.#founders).map((port) => `ws://127.0.0.1:${port}`)
    await member.ask('join', {
      options: {
        name: `bench-${index}`,
        listen: { port: this.#peerPorts[index] },
        ...(this.#peerPorts.length === 1 ? {} : { peers }),
        voters: Math.max(5, this.#founders),
        requestTimeoutMs,
        ...(index < this.#founders ? {} : { role: 'observer' }),
        ...this.#more.options,
      },
      ...(this.#folder === undefined
        ? {}
        : { folder: this.folderOf(index), store: this.#more.store, level: this.#more.level }),
    })
    return member
  }

  /** Of its store. */
  folderOf(index: number): string {
    return join(this.#folder ?? '', `${index}`)
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

  async written(): Promise<Written> {
    const all = await Promise.all(this.members.map((member) => member.ask<Written>('written')))
    const sum = (figure: keyof Written): number => all.reduce((total, one) => total + one[figure], 0)
    return { commits: sum('commits'), entries: sum('entries') }
  }

  async leader(): Promise<NodeProcess> {
    let leader: NodeProcess | undefined
    await until('a leader', async () => {
      for (const member of this.members) if ((await member.ask('role')) === 'leader') leader = member
      return leader !== undefined
    })
    return leader as NodeProcess
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
    failed: samples.reduce((sum, { failed }) => sum + failed, 0),
    seconds: Math.max(...samples.map(({ seconds }) => seconds)),
    latenciesMs: samples.flatMap(({ latenciesMs }) => [...latenciesMs]),
  }
}

export const embedded: ContenderKind = {
  name: 'embedded-coord',
  missing: () => undefined,
  start: (durability, size) => EmbeddedEnsemble.start(durability, size),
}

export const embeddedFileName = 'embedded-coord-file'

/** On files of its own, without a database. */
export const embeddedFile: ContenderKind = {
  name: embeddedFileName,
  durability: 'disk',
  missing: () => undefined,
  start: (durability, size) => EmbeddedEnsemble.start(durability, size, { name: embeddedFileName, store: 'file' }),
}

/** As somebody would run it who cares: a larger young generation for Node, fewer files for the database (docs/OPERATIONS.md). */
export const embeddedTuned: ContenderKind = {
  name: 'embedded-coord-tuned',
  missing: () => undefined,
  start: (durability, size) =>
    EmbeddedEnsemble.start(durability, size, {
      name: 'embedded-coord-tuned',
      execArgv: ['--max-semi-space-size=64'],
      level: { compression: false, writeBufferSize: 32 * 2 ** 20 },
    }),
}
