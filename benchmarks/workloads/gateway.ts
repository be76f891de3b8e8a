/** The same load, by ZooKeeper's own Java client, against ZooKeeper's servers and against members that speak its protocol. */
import { freePorts } from '../../test/free-ports.ts'
import type { Contender, Load } from '../contenders/contender.ts'
import { EmbeddedEnsemble } from '../contenders/embedded.ts'
import { ZooKeeperContender, ZooKeeperServers } from '../contenders/zookeeper.ts'
import { keys } from '../fleets.ts'
import { inWindows } from '../windows.ts'
import { hasPeer, type Row, type Settings, type Workload } from '../workload.ts'

const loads: Readonly<Record<string, Load>> = {
  'writes of 1 KB, 960 under way': { operation: 'write', bytes: 1024, keys, outstanding: 960 },
  'reads of 1 KB, 960 under way': { operation: 'read', bytes: 1024, keys, outstanding: 960 },
  '90 % reads, 1 KB, 960 under way': { operation: 'mixed', bytes: 1024, keys, outstanding: 960, readShare: 0.9 },
  'create and delete of ephemeral-sequential, 100 B, 960 under way': {
    operation: 'ephemeral',
    bytes: 100,
    keys,
    outstanding: 960,
  },
  'one write of 1 KB at a time': { operation: 'write', bytes: 1024, keys, outstanding: 1 },
}

async function startGateways(): Promise<Contender> {
  const ensemble = await EmbeddedEnsemble.start('memory')
  const ports = await freePorts(ensemble.members.length)
  await Promise.all(ensemble.members.map((member, index) => member.ask('serveZooKeeper', { port: ports[index] })))
  return ZooKeeperContender.start('embedded-coord', {
    ports,
    pids: ensemble.pids,
    hosts: ports.map((port) => `127.0.0.1:${port}`).join(','),
    stop: () => ensemble.stop(),
  })
}

async function measure(settings: Settings): Promise<readonly Row[]> {
  if (!hasPeer(settings, 'zookeeper')) {
    settings.progress("gateway: not without ZooKeeper's client")
    return []
  }
  const contenders = [
    await startGateways(),
    await ZooKeeperContender.start('ZooKeeper', await ZooKeeperServers.start('memory')),
  ]
  const warmUp: Load = { operation: 'mixed', bytes: 1024, keys, outstanding: 960, readShare: 0.5 }
  for (const contender of contenders) {
    settings.progress(`gateway: ${contender.name} warms up for ${settings.warmUpSeconds} s`)
    await contender.prepare(keys, 1024)
    await contender.run(warmUp, settings.warmUpSeconds)
  }
  const rows: Row[] = []
  for (const [setting, load] of Object.entries(loads)) {
    rows.push(...(await inWindows(`${setting}; not synced`, contenders, load, settings)))
  }
  for (const contender of contenders) await contender.stop()
  return rows
}

export const gateway: Workload = {
  what: "ZooKeeper's Java client against three members with a gateway each, and against three ZooKeeper servers.",
  run: measure,
}
