/** From nothing to the first committed write: in a running process, and three fresh ones. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { EmbeddedEnsemble } from '../contenders/embedded.ts'
import { EtcdServers, startEtcdLoad } from '../contenders/etcd.ts'
import type { JavaLoad } from '../contenders/java-load.ts'
import { startZooKeeperLoad, ZooKeeperServers } from '../contenders/zookeeper.ts'
import { hasPeer, type Row, type Settings, type Workload } from '../workload.ts'

const run = promisify(execFile)

/** Prints how long `joinEnsemble()` to the first completed write took, once cold and once warm. */
const script = `
const { joinEnsemble } = await import(${JSON.stringify(new URL('../../dist/lib/index.js', import.meta.url).href)})
for (const turn of [0, 1]) {
  const began = performance.now()
  const coord = await joinEnsemble()
  await coord.create('/first')
  console.log(performance.now() - began)
  await coord.close()
}`

const settings = {
  one: 'one member or server, to the first committed write',
  again: 'one member again in a process that had one, to the first committed write',
  three: 'three processes, to the first committed write',
} as const

class Times {
  readonly #all = new Map<string, Map<string, number[]>>()

  add(setting: string, contender: string, ms: number): void {
    const rows = this.#all.get(setting) ?? new Map<string, number[]>()
    this.#all.set(setting, rows)
    rows.set(contender, [...(rows.get(contender) ?? []), ms])
  }

  get rows(): Row[] {
    return [...this.#all].flatMap(([setting, rows]) =>
      [...rows].map(([contender, ms]) => ({ setting, contender, figures: { ms } })),
    )
  }
}

async function timed(what: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await what()
  return performance.now() - began
}

async function embeddedStarts(times: Times): Promise<void> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
  const [cold = Number.NaN, warm = Number.NaN] = stdout.trim().split('\n').map(Number)
  times.add(settings.one, 'embedded-coord', cold)
  times.add(settings.again, 'embedded-coord', warm)
  let ensemble: EmbeddedEnsemble | undefined
  const ms = await timed(async () => {
    ensemble = await EmbeddedEnsemble.start('memory')
    await ensemble.members[0]?.ask('prepare', { keys: 1, bytes: 8 })
  })
  await ensemble?.stop()
  times.add(settings.three, 'embedded-coord', ms)
}

/** The load's JVM runs already: its start does not count. */
async function zookeeperStarts(times: Times, load: JavaLoad): Promise<void> {
  for (const [size, setting] of [
    [1, settings.one],
    [3, settings.three],
  ] as const) {
    let servers: ZooKeeperServers | undefined
    const ms = await timed(async () => {
      servers = await ZooKeeperServers.start('memory', size)
      await load.ask('sessions', 1, servers.hosts)
      await load.ask('prepare', 1, 8)
    })
    await load.ask('sessions', 0, servers?.hosts ?? '')
    await servers?.stop()
    times.add(setting, 'ZooKeeper', ms)
  }
}

async function etcdStarts(times: Times): Promise<void> {
  for (const [size, setting] of [
    [1, settings.one],
    [3, settings.three],
  ] as const) {
    const load = startEtcdLoad()
    await load.ask('connect', { ports: [] })
    let servers: EtcdServers | undefined
    const ms = await timed(async () => {
      servers = await EtcdServers.start('memory', size)
      await load.ask('connect', { ports: servers.ports })
      await load.ask('prepare', { keys: 1, bytes: 8 })
    })
    await load.kill()
    await servers?.stop()
    times.add(setting, 'etcd', ms)
  }
}

async function measure(given: Settings): Promise<readonly Row[]> {
  const { runs, progress } = given
  const times = new Times()
  const load = hasPeer(given, 'zookeeper') ? await startZooKeeperLoad() : undefined
  for (let turn = 0; turn < runs; turn += 1) {
    progress(`start ${turn + 1} of ${runs}`)
    await embeddedStarts(times)
    if (load !== undefined) await zookeeperStarts(times, load)
    if (hasPeer(given, 'etcd')) await etcdStarts(times)
  }
  if (load !== undefined) await load.stop()
  return times.rows
}

export const start: Workload = {
  what: 'From nothing to the first committed write; processes included, for three of them and for the servers of others.',
  run: measure,
}
