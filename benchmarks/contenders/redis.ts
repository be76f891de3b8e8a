/** Redis 7 as Debian packages it: one server without a quorum, so a bound and not the same thing. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { freePorts } from '../../test/free-ports.ts'
import { endProcess, removeFolder, scratchFolder, startServer, until } from '../processes.ts'
import type { Contender, ContenderKind, Durability, Load, Operation, Sample } from './contender.ts'
import { NodeProcess } from './node-load.ts'

class RedisContender implements Contender {
  readonly name = 'Redis, one server'
  readonly ports: readonly number[]
  readonly #server: ChildProcess
  readonly #load: NodeProcess
  readonly #folder: string

  private constructor(port: number, server: ChildProcess, load: NodeProcess, folder: string) {
    this.ports = [port]
    this.#server = server
    this.#load = load
    this.#folder = folder
  }

  static async start(durability: Durability): Promise<RedisContender> {
    const [port] = (await freePorts(1)) as [number]
    const folder = scratchFolder('redis')
    const log = durability === 'disk' ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
    const place = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    const server = startServer('redis-server', [...place, ...log])
    const load = new NodeProcess(new URL('./redis-load.mjs', import.meta.url))
    await until('a Redis server', async () => {
      await load.ask('connect', { port })
      return true
    })
    return new RedisContender(port, server, load, folder)
  }

  get pids(): readonly number[] {
    return [this.#server.pid as number, ...this.loadPids]
  }

  get loadPids(): readonly number[] {
    return [this.#load.pid]
  }

  can(operation: Operation): boolean {
    return operation === 'write' || operation === 'read' || operation === 'mixed'
  }

  async prepare(keys: number, bytes: number): Promise<void> {
    await this.#load.ask('prepare', { keys, bytes })
  }

  run(load: Load, seconds: number): Promise<Sample> {
    return this.#load.ask('run', { load, seconds })
  }

  async stop(): Promise<void> {
    await this.#load.kill()
    await endProcess(this.#server)
    removeFolder(this.#folder)
  }
}

export const redis: ContenderKind = {
  name: 'redis',
  missing: () =>
    spawnSync('redis-server', ['--version']).status === 0 ? undefined : 'apt-get install -y redis-server',
  start: (durability) => RedisContender.start(durability),
}
