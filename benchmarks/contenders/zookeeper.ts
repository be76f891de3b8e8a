/**
 * Apache ZooKeeper 3.8 as Debian packages it: servers on loopback with their own configuration and folder, and the load of
 * its own Java client, which is its best one.
 */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePorts } from '../../test/free-ports.ts'
import { endProcess, hasEnded, removeFolder, scratchFolder, startServer, until } from '../processes.ts'
import type { Contender, ContenderKind, Durability, Load, Operation, Sample } from './contender.ts'
import { JavaLoad } from './java-load.ts'

const jar = '/usr/share/java/zookeeper.jar'
const sessions = 16

/** The servers, by number from 0. */
export class ZooKeeperServers {
  readonly ports: readonly number[]
  readonly #folder = scratchFolder('zookeeper')
  readonly #processes: ChildProcess[] = []
  readonly #flags: readonly string[]

  private constructor(allPorts: readonly number[], durability: Durability, heap: readonly string[]) {
    const size = allPorts.length / 3
    this.ports = allPorts.slice(0, size)
    this.#flags = [...heap, ...(durability === 'memory' ? ['-Dzookeeper.forceSync=no'] : [])]
    const servers = this.ports.map(
      (_, index) => `server.${index + 1}=127.0.0.1:${allPorts[size + index]}:${allPorts[2 * size + index]}`,
    )
    for (const [index, port] of this.ports.entries()) {
      const home = join(this.#folder, `${index}`)
      mkdirSync(join(home, 'data'), { recursive: true })
      writeFileSync(join(home, 'data', 'myid'), `${index + 1}`)
      const lines = [
        'tickTime=2000',
        'initLimit=10',
        'syncLimit=5',
        `dataDir=${join(home, 'data')}`,
        `clientPort=${port}`,
        'clientPortAddress=127.0.0.1',
        'maxClientCnxns=0',
        'admin.enableServer=false',
        '4lw.commands.whitelist=*',
        ...(size === 1 ? [] : servers),
      ]
      writeFileSync(join(home, 'zoo.cfg'), `${lines.join('\n')}\n`)
    }
  }

  static async start(
    durability: Durability,
    size = 3,
    heap: readonly string[] = ['-Xms1g', '-Xmx1g'],
  ): Promise<ZooKeeperServers> {
    const servers = new ZooKeeperServers(await freePorts(3 * size), durability, heap)
    for (const index of servers.ports.keys()) servers.restart(index)
    await servers.ready()
    return servers
  }

  get pids(): readonly number[] {
    return this.#processes.filter((child) => !hasEnded(child)).map(({ pid }) => pid as number)
  }

  /** As clients are told of them. */
  get hosts(): string {
    return this.ports.map((port) => `127.0.0.1:${port}`).join(',')
  }

  process(index: number): ChildProcess {
    return this.#processes[index] as ChildProcess
  }

  restart(index: number): void {
    const main = this.ports.length === 1 ? 'ZooKeeperServerMain' : 'quorum.QuorumPeerMain'
    const config = join(this.#folder, `${index}`, 'zoo.cfg')
    const args = ['-cp', jar, ...this.#flags, `org.apache.zookeeper.server.${main}`, config]
    this.#processes[index] = startServer('java', args)
  }

  /** Until all serve. */
  async ready(): Promise<void> {
    for (const index of this.ports.keys()) {
      await until('a ZooKeeper server', async () => (await this.mode(index)) !== undefined, 120_000)
    }
  }

  /** `leader`, `follower`, `standalone`, or `undefined` while it does not serve. */
  async mode(index: number): Promise<string | undefined> {
    const answer = await fourLetterWord(this.ports[index] as number, 'srvr')
    return /^Mode: (.*)$/m.exec(answer)?.[1]
  }

  async leader(): Promise<number> {
    let leader: number | undefined
    await until('a leader of ZooKeeper', async () => {
      for (const index of this.ports.keys()) if ((await this.mode(index)) === 'leader') leader = index
      return leader !== undefined
    })
    return leader as number
  }

  /** Of one server, after a full collection, bytes. */
  liveHeapBytes(index: number): number {
    const { stdout } = spawnSync('jcmd', [`${this.process(index).pid}`, 'GC.class_histogram'], { encoding: 'utf8' })
    return Number(/^Total +\d+ +(\d+)/m.exec(stdout)?.[1])
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((child) => endProcess(child)))
    removeFolder(this.#folder)
  }
}

/** The answer to a four-letter word; empty if nobody listens. */
export function fourLetterWord(port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(word))
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    socket.setTimeout(2000, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

/** A process of ZooKeeperLoad.java. */
export const startZooKeeperLoad = (): Promise<JavaLoad> => JavaLoad.start('ZooKeeperLoad', jar)

/** ZooKeeper's protocol with its Java client: on its own servers, or on others that speak it. */
export class ZooKeeperContender implements Contender {
  readonly name: string
  readonly #servers: Servers
  readonly #load: JavaLoad

  private constructor(name: string, servers: Servers, load: JavaLoad) {
    this.name = name
    this.#servers = servers
    this.#load = load
  }

  static async start(name: string, servers: Servers): Promise<ZooKeeperContender> {
    const load = await startZooKeeperLoad()
    await load.ask('sessions', sessions, servers.hosts)
    return new ZooKeeperContender(name, servers, load)
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

  can(_operation: Operation): boolean {
    return true
  }

  async prepare(keys: number, bytes: number): Promise<void> {
    await this.#load.ask('prepare', keys, bytes)
  }

  run(load: Load, seconds: number): Promise<Sample> {
    const { operation, outstanding, keys, bytes, readShare = 0 } = load
    return this.#load.sample('run', operation, outstanding, keys, bytes, readShare, seconds)
  }

  async stop(): Promise<void> {
    await this.#load.stop()
    await this.#servers.stop()
  }
}

/** What a load needs to know of its servers. */
interface Servers {
  readonly ports: readonly number[]
  readonly pids: readonly number[]
  readonly hosts: string
  stop(): Promise<void>
}

export const zookeeper: ContenderKind = {
  name: 'zookeeper',
  missing() {
    const hasJava = spawnSync('javac', ['-version']).status === 0
    if (hasJava && existsSync(jar)) return undefined
    return 'apt-get install -y zookeeper default-jdk-headless'
  },
  start: async (durability, size) =>
    ZooKeeperContender.start('ZooKeeper', await ZooKeeperServers.start(durability, size)),
}
