/**
 * Apache ZooKeeper servers for tests: Debian's package, on loopback, in a folder of their own that goes with them.
 * ZooKeeper cannot pick a free port itself, so one is picked here, and another one if somebody was faster.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../free-ports.ts'

const jar = '/usr/share/java/zookeeper.jar'

/** Throws with what to install where something is missing. */
export function requireZooKeeper(): void {
  const hasJava = spawnSync('java', ['-version']).status === 0
  if (hasJava && existsSync(jar)) return
  throw new Error(
    'this test compares with Apache ZooKeeper 3.8, as Debian packages it: apt-get install -y zookeeper default-jre-headless',
  )
}

/** The digest of super:test, which is the super user of these servers. */
export const superDigest = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='

export interface ZooKeeperServer {
  readonly port: number
  readonly pid: number
  /** SIGKILL. */
  kill(): Promise<void>
  /** Kills it and removes its data. */
  stop(): Promise<void>
}

export interface ServerOptions {
  /** How often containers and TTL nodes are looked at. Default: never while a test runs. */
  readonly reapIntervalMs?: number
}

export async function startZooKeeper(options: ServerOptions = {}): Promise<ZooKeeperServer> {
  const [server] = await startEnsemble(1, options)
  return server as ZooKeeperServer
}

/** `size` servers of one ensemble; one alone is a standalone server. Resolves when all serve. */
export async function startEnsemble(size: number, options: ServerOptions = {}): Promise<ZooKeeperServer[]> {
  requireZooKeeper()
  for (let attempt = 1; ; attempt += 1) {
    const servers = await start(size, options)
    if (servers !== undefined) return servers
    if (attempt === 5) throw new Error('ZooKeeper did not start')
  }
}

async function start(size: number, options: ServerOptions): Promise<ZooKeeperServer[] | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'zookeeper-'))
  const ports = await freePorts(size * 3)
  const children = Array.from({ length: size }, (_, index) => run(folder, index, ports, size, options))
  const servers = children.map((child, index) => handleOf(child, ports[index * 3] as number, folder))
  for (const { port } of servers) {
    if (await serves(port, children)) continue
    for (const server of servers) await server.stop()
    return undefined
  }
  return servers
}

function run(
  folder: string,
  index: number,
  ports: readonly number[],
  size: number,
  { reapIntervalMs = 3_600_000 }: ServerOptions,
): ChildProcess {
  const home = join(folder, String(index + 1))
  mkdirSync(join(home, 'data'), { recursive: true })
  const peers = Array.from({ length: size }, (_, peer) => {
    const [, quorum, election] = ports.slice(peer * 3)
    return `server.${peer + 1}=127.0.0.1:${quorum}:${election}:participant;127.0.0.1:${ports[peer * 3]}`
  })
  const lines = [
    'tickTime=500',
    'initLimit=20',
    'syncLimit=10',
    `dataDir=${join(home, 'data')}`,
    'admin.enableServer=false',
    'maxClientCnxns=0',
    '4lw.commands.whitelist=*',
    'reconfigEnabled=true',
    ...(size === 1 ? [`clientPort=${ports[0]}`, 'clientPortAddress=127.0.0.1'] : peers),
  ]
  writeFileSync(join(home, 'zoo.cfg'), `${lines.join('\n')}\n`)
  if (size > 1) writeFileSync(join(home, 'data', 'myid'), String(index + 1))
  const main =
    size === 1 ? 'org.apache.zookeeper.server.ZooKeeperServerMain' : 'org.apache.zookeeper.server.quorum.QuorumPeerMain'
  const flags = ['extendedTypesEnabled=true', 'enforceQuota=true', 'forceSync=no']
  const properties = [
    ...flags.map((flag) => `-Dzookeeper.${flag}`),
    `-Dzookeeper.DigestAuthenticationProvider.superDigest=${superDigest}`,
    `-Dznode.container.checkIntervalMs=${reapIntervalMs}`,
  ]
  return spawn('java', ['-Xmx256m', '-XX:+UseSerialGC', '-cp', jar, ...properties, main, join(home, 'zoo.cfg')], {
    stdio: 'ignore',
  })
}

function handleOf(child: ChildProcess, port: number, folder: string): ZooKeeperServer {
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  return {
    port,
    pid: child.pid ?? 0,
    kill,
    stop: async () => {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function serves(port: number, children: readonly ChildProcess[]): Promise<boolean> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if (children.some(({ exitCode }) => exitCode !== null)) return false
    if ((await ask(port, 'srvr')).includes('Mode: ')) return true
    await sleep(100)
  }
  return false
}

/** The answer to a four-letter word; empty if nobody listens. */
export function ask(port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(word))
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    // Somebody else may have taken the port.
    socket.setTimeout(2000, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}
