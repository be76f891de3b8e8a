/** A large tree: what a znode costs in memory, and how long a restart takes. Values of 100 B, a thousand below a parent. */

import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedEnsemble, type EmbeddedOptions, embeddedFileName } from '../contenders/embedded.ts'
import type { JavaLoad } from '../contenders/java-load.ts'
import { NodeProcess } from '../contenders/node-load.ts'
import { startZooKeeperLoad, ZooKeeperServers } from '../contenders/zookeeper.ts'
import { cpuSeconds, endProcess, residentMiB } from '../processes.ts'
import { transposed } from '../windows.ts'
import { hasPeer, type Row, type Settings, type Workload } from '../workload.ts'

const bytes = 100
/** So that resident memory follows need. */
const growingHeap = ['-Xms64m', '-Xmx4g']
/** Of ZooKeeper's load, with many calls under way. */
const fillSessions = 4
/** Then what starting left behind is collected, and its memory given back. */
const idleMs = 30_000

type Memory = Readonly<Record<'heapUsed' | 'external' | 'rss', number>>

const sizesOf = ({ znodes, smoke }: Settings): readonly number[] =>
  smoke || znodes <= 200_000 ? [znodes] : [200_000, znodes]

const settingOf = (znodes: number): string =>
  `${znodes.toLocaleString('en-US')} znodes of ${bytes} B, one member or server`

async function embeddedFootprint(znodes: number): Promise<Row> {
  const ensemble = await EmbeddedEnsemble.start('memory', 1, { execArgv: ['--expose-gc'] })
  const [member] = ensemble.members
  const memory = async (): Promise<Memory> => (await member?.ask<Memory>('memory')) as Memory
  const before = await memory()
  await member?.ask('fill', { first: 0, count: znodes, bytes })
  const after = await memory()
  await ensemble.stop()
  const live = after.heapUsed + after.external - before.heapUsed - before.external
  return {
    setting: settingOf(znodes),
    contender: 'embedded-coord',
    figures: {
      'live heap and external B per znode': [live / znodes],
      'resident B per znode': [(after.rss - before.rss) / znodes],
    },
  }
}

/** Servers with a tree, and the load that filled it. */
async function filledZooKeeper(znodes: number): Promise<{ servers: ZooKeeperServers; load: JavaLoad }> {
  const servers = await ZooKeeperServers.start('memory', 1, growingHeap)
  const load = await startZooKeeperLoad()
  await load.ask('sessions', fillSessions, servers.hosts)
  await load.ask('fill', znodes, bytes)
  return { servers, load }
}

async function zookeeperFootprint(znodes: number): Promise<Row> {
  const empty = await ZooKeeperServers.start('memory', 1, growingHeap)
  const before = { resident: residentMiB(empty.pids), live: empty.liveHeapBytes(0) }
  await empty.stop()
  const { servers, load } = await filledZooKeeper(znodes)
  const resident = residentMiB(servers.pids)
  const live = servers.liveHeapBytes(0)
  await load.stop()
  await servers.stop()
  return {
    setting: settingOf(znodes),
    contender: 'ZooKeeper',
    figures: {
      'live heap and external B per znode': [(live - before.live) / znodes],
      'resident B per znode': [((resident - before.resident) * 2 ** 20) / znodes],
    },
  }
}

export const footprint: Workload = {
  what: 'What a znode costs: memory in use after a collection, and what the process holds of the machine.',
  async run(settings) {
    const rows: Row[] = []
    for (const znodes of sizesOf(settings)) {
      settings.progress(`footprint: ${znodes} znodes`)
      rows.push(await embeddedFootprint(znodes))
      if (hasPeer(settings, 'zookeeper')) rows.push(await zookeeperFootprint(znodes))
    }
    return rows
  },
}

/** The member alone, without an application: beside a process that does nothing. */
async function idleRow(smoke: boolean): Promise<Row> {
  const ensemble = await EmbeddedEnsemble.start('memory', 3)
  const [first] = ensemble.pids
  const bare = new NodeProcess(new URL('../contenders/bare.mjs', import.meta.url))
  await bare.ask('ready')
  await sleep(smoke ? 500 : idleMs)
  const difference = residentMiB(first === undefined ? [] : [first]) - residentMiB([bare.pid])
  await bare.kill()
  await ensemble.stop()
  return {
    setting: 'an idle member of three',
    contender: 'embedded-coord',
    figures: { 'resident MiB over a bare process': [difference] },
  }
}

export const idle: Workload = {
  what: 'What a member adds to the process that embeds it, in resident memory, once nothing has happened for half a minute.',
  async run({ runs, smoke, progress }) {
    progress('idle')
    const rows = []
    for (let turn = 0; turn < runs; turn += 1) rows.push(await idleRow(smoke))
    const figure = 'resident MiB over a bare process'
    const [first] = rows
    return first === undefined
      ? []
      : [{ ...first, figures: { [figure]: rows.flatMap((row) => row.figures[figure] ?? []) } }]
  },
}

async function embeddedRestarts(znodes: number, runs: number, options: EmbeddedOptions = {}): Promise<Row> {
  const ensemble = await EmbeddedEnsemble.start('disk', 1, options)
  await ensemble.members[0]?.ask('fill', { first: 0, count: znodes, bytes })
  const restarts: Record<string, number>[] = []
  for (let turn = 0; turn < runs; turn += 1) {
    await ensemble.members[0]?.kill()
    const began = performance.now()
    const member = await ensemble.join(0)
    await member.ask('prepare', { keys: 1, bytes })
    restarts.push({ 'restart ms': performance.now() - began, 'CPU s': cpuSeconds([member.pid]) })
  }
  await ensemble.stop()
  return { setting: settingOf(znodes), contender: ensemble.name, figures: transposed(restarts) }
}

async function zookeeperRestarts(znodes: number, runs: number): Promise<Row> {
  const { servers, load } = await filledZooKeeper(znodes)
  const restarts: Record<string, number>[] = []
  for (let turn = 0; turn < runs; turn += 1) {
    await endProcess(servers.process(0))
    const began = performance.now()
    servers.restart(0)
    await servers.ready()
    await load.ask('sessions', 1, servers.hosts)
    await load.ask('prepare', 1, bytes)
    restarts.push({ 'restart ms': performance.now() - began, 'CPU s': cpuSeconds(servers.pids) })
  }
  await load.stop()
  await servers.stop()
  return { setting: settingOf(znodes), contender: 'ZooKeeper', figures: transposed(restarts) }
}

export const recovery: Workload = {
  what: 'Killed and started again: until the first committed write, the start of the process included.',
  async run(settings) {
    const rows: Row[] = []
    const runs = Math.min(settings.runs, 3)
    for (const znodes of sizesOf(settings)) {
      settings.progress(`recovery: ${znodes} znodes`)
      rows.push(await embeddedRestarts(znodes, runs))
      if (hasPeer(settings, embeddedFileName)) {
        rows.push(await embeddedRestarts(znodes, runs, { name: embeddedFileName, store: 'file' }))
      }
      if (hasPeer(settings, 'zookeeper')) rows.push(await zookeeperRestarts(znodes, runs))
    }
    return rows
  },
}
