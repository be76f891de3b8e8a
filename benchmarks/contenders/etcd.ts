/** etcd 3.4 as Debian packages it: members on loopback, and a lean client (etcd-load.mjs) of all of them. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { freePorts } from '../../test/free-ports.ts'
import { endProcess, hasEnded, removeFolder, scratchFolder, startServer, until } from '../processes.ts'
import type { Contender, ContenderKind, Durability, Load, Operation, Sample } from './contender.ts'
import { NodeProcess } from './node-load.ts'

/** Without compaction, which would cost it time, what is written in a long run must fit. */
const backendBytesMax = 8 * 2 ** 30

/** The members, by number from 0. */
export class EtcdServers {
  readonly ports: readonly number[]
  readonly #peerPorts: readonly number[]
  readonly #folder = scratchFolder('etcd')
  readonly #processes: ChildProcess[] = []
  readonly #flags: readonly string[]

  private constructor(allPorts: readonly number[], durability: Durability) {
    const size = allPorts.length / 2
    this.ports = allPorts.slice(0, size)
    this.#peerPorts = allPorts.slice(size)
    this.#flags = durability === 'memory' ? ['--unsafe-no-fsync'] : []
  }

  static async start(durability: Durability, size = 3): Promise<EtcdServers> {
    const servers = new EtcdServers(await freePorts(2 * size), durability)
    for (const index of servers.ports.keys()) servers.restart(index)
    await servers.ready()
    return servers
  }

  get pids(): readonly number[] {
    return this.#processes.filter((child) => !hasEnded(child)).map(({ pid }) => pid as number)
  }

  process(index: number): ChildProcess {
    return this.#processes[index] as ChildProcess
  }

  /** As it was started first; what it wrote is still there. */
  restart(index: number): void {
    const urlOf = (port: number | undefined): string => `http://127.0.0.1:${port}`
    const cluster = this.#peerPorts.map((port, peer) => `m${peer}=${urlOf(port)}`).join(',')
    const args = [
      ...['--name', `m${index}`, '--data-dir', join(this.#folder, `${index}`)],
      ...['--listen-client-urls', urlOf(this.ports[index]), '--advertise-client-urls', urlOf(this.ports[index])],
      ...['--listen-peer-urls', urlOf(this.#peerPorts[index])],
      ...['--initial-advertise-peer-urls', urlOf(this.#peerPorts[index])],
      ...['--initial-cluster', cluster, '--initial-cluster-state', 'new'],
      ...['--quota-backend-bytes', `${backendBytesMax}`, '--log-level', 'error'],
      ...this.#flags,
    ]
    this.#processes[index] = startServer('etcd', args)
  }

  async ready(): Promise<void> {
    for (const index of this.ports.keys()) {
      await until('an etcd member', async () => (await this.#status(index)).leader !== '0')
    }
  }

  async leader(): Promise<number> {
    let found: number | undefined
    await until('a leader of etcd', async () => {
      for (const index of this.ports.keys()) {
        const { member, leader } = await this.#status(index)
        if (member === leader) found = index
      }
      return found !== undefined
    })
    return found as number
  }

  async #status(index: number): Promise<{ member: string; leader: string }> {
    const url = `http://127.0.0.1:${this.ports[index]}/v3/maintenance/status`
    const answer = await fetch(url, { method: 'POST', body: '{}', signal: AbortSignal.timeout(2000) })
    const { header, leader = '0' } = (await answer.json()) as { header: { member_id: string }; leader?: string }
    return { member: header.member_id, leader }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((child) => endProcess(child)))
    removeFolder(this.#folder)
  }
}

export class EtcdContender implements Contender {
  readonly name = 'etcd'
  readonly #servers: EtcdServers
  readonly #load: NodeProcess

  private constructor(servers: EtcdServers, load: NodeProcess) {
    this.#servers = servers
    this.#load = load
  }

  static async start(durability: Durability, size = 3): Promise<EtcdContender> {
    const servers = await EtcdServers.start(durability, size)
    const load = startEtcdLoad()
    await load.ask('connect', { ports: servers.ports })
    return new EtcdContender(servers, load)
  }

  get ports(): readonly number[] {
    return this.#servers.ports
  }

  get pids(): readonly number[] {
    return [...this.#servers.pids, ...this.loadPids]
  }

  get loadPids(): readonly number[] {
    return [this.#load.pid]
  }

  can(operation: Operation): boolean {
    return operation !== 'ephemeral'
  }

  async prepare(keys: number, bytes: number): Promise<void> {
    await this.#load.ask('prepare', { keys, bytes })
  }

  /** One at a time goes to a member that does not lead; else all members take their share. */
  async run(load: Load, seconds: number): Promise<Sample> {
    const { ports } = this.#servers
    const leader = await this.#servers.leader()
    const used = load.outstanding === 1 && ports.length > 1 ? [ports[(leader + 1) % ports.length]] : ports
    await this.#load.ask('connect', { ports: used })
    return this.#load.ask('run', { load, seconds })
  }

  async stop(): Promise<void> {
    await this.#load.kill()
    await this.#servers.stop()
  }
}

export const startEtcdLoad = (): NodeProcess => new NodeProcess(new URL('./etcd-load.mjs', import.meta.url))

export const etcd: ContenderKind = {
  name: 'etcd',
  missing: () => (spawnSync('etcd', ['--version']).status === 0 ? undefined : 'apt-get install -y etcd-server'),
  start: (durability, size) => EtcdContender.start(durability, size),
}
