/** The same servers through npm's clients, which are what an application in Node has for them. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Contender, ContenderKind, Load, Operation, Sample } from './contender.ts'
import { NodeProcess } from './node-load.ts'

interface NpmClient {
  readonly package: string
  readonly version: string
  /** The contender whose servers it talks to. */
  readonly of: string
  readonly operations: readonly Operation[]
}

const program = new URL('./npm-load.mjs', import.meta.url)

/** Installed once, in a folder that stays: a benchmark needs no network the next time. */
function installed(client: NpmClient): string | undefined {
  const folder = join(tmpdir(), `embedded-coord-bench-${client.package}-${client.version}`)
  if (existsSync(join(folder, 'node_modules', client.package))) return folder
  try {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"private":true}')
    const args = ['install', '--no-fund', '--no-audit', '--ignore-scripts', `${client.package}@${client.version}`]
    execFileSync('npm', args, { cwd: folder, stdio: 'ignore' })
    return folder
  } catch {
    return undefined
  }
}

class NpmContender implements Contender {
  readonly name: string
  readonly #client: NpmClient
  readonly #serving: Contender
  readonly #load: NodeProcess

  private constructor(client: NpmClient, serving: Contender, load: NodeProcess) {
    this.name = `${serving.name}, ${client.package}`
    this.#client = client
    this.#serving = serving
    this.#load = load
  }

  static async start(client: NpmClient, started: readonly Contender[]): Promise<NpmContender> {
    const serving = started.find(({ name }) => name === client.of)
    const folder = installed(client)
    if (serving === undefined || folder === undefined) throw new Error(`${client.package} needs ${client.of}`)
    const load = new NodeProcess(program, [], [folder])
    await load.ask('connect', { kind: client.package, ports: serving.ports })
    return new NpmContender(client, serving, load)
  }

  get ports(): readonly number[] {
    return this.#serving.ports
  }

  get pids(): readonly number[] {
    const serverPids = this.#serving.pids.filter((pid) => !this.#serving.loadPids.includes(pid))
    return [...serverPids, ...this.loadPids]
  }

  get loadPids(): readonly number[] {
    return [this.#load.pid]
  }

  can(operation: Operation): boolean {
    return this.#client.operations.includes(operation)
  }

  async prepare(): Promise<void> {
    // The contender whose servers these are has done it.
  }

  run(load: Load, seconds: number): Promise<Sample> {
    return this.#load.ask('run', { load, seconds })
  }

  stop(): Promise<void> {
    return this.#load.kill()
  }
}

const kindOf = (client: NpmClient, needs: ContenderKind): ContenderKind => ({
  name: client.package,
  missing: () =>
    needs.missing() ?? (installed(client) === undefined ? `npm install ${client.package} has failed` : undefined),
  start: (_durability, _size, started = []) => NpmContender.start(client, started),
})

export const zookeeperNpm = (needs: ContenderKind): ContenderKind =>
  kindOf(
    {
      package: 'node-zookeeper-client',
      version: '1.1.3',
      of: 'ZooKeeper',
      operations: ['write', 'read', 'mixed', 'ephemeral'],
    },
    needs,
  )

export const etcdNpm = (needs: ContenderKind): ContenderKind =>
  kindOf(
    {
      package: 'etcd3',
      version: '1.1.2',
      of: 'etcd',
      operations: ['write', 'read', 'linearizable read', 'mixed'],
    },
    needs,
  )
