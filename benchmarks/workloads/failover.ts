/**
 * The leader is lost: the longest gap between two acknowledged writes that an open-loop writer elsewhere sees. Killed, its
 * connections close; stopped (SIGSTOP), they stay open and nothing comes, as from a host that is gone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedEnsemble } from '../contenders/embedded.ts'
import { EtcdServers, startEtcdLoad } from '../contenders/etcd.ts'
import { startZooKeeperLoad, ZooKeeperServers } from '../contenders/zookeeper.ts'
import { endProcess, sharedClockMs } from '../processes.ts'
import { hasPeer, type Row, type Settings, type Workload } from '../workload.ts'

const everyMs = 5
const settledMs = 1000

type Loss = 'killed' | 'stopped'

/** A system whose leader can be lost again and again. */
interface Victim {
  readonly name: string
  /** Long enough to be over. */
  readonly waitMs: Readonly<Record<Loss, number>>
  /** The gap of one loss, ms. All is as before when it resolves. */
  lose(loss: Loss, waitMs: number): Promise<number>
  stop(): Promise<void>
}

const signals = { killed: 'SIGKILL', stopped: 'SIGSTOP' } as const

/** A new ensemble each time: without storage, who was killed comes back as somebody else anyway. */
const embeddedVictim: Victim = {
  name: 'embedded-coord',
  waitMs: { killed: 2000, stopped: 8000 },
  async lose(loss, waitMs) {
    const ensemble = await EmbeddedEnsemble.start('memory')
    const leader = await ensemble.leader()
    const writer = await ensemble.follower()
    await writer.ask('beginWriting', { everyMs })
    await sleep(settledMs)
    leader.child.kill(signals[loss])
    await sleep(waitMs)
    const endedAt = sharedClockMs()
    const acknowledgedAt = await writer.ask<number[]>('endWriting')
    await ensemble.stop()
    return longestGap(acknowledgedAt, endedAt)
  },
  stop: async () => {},
}

async function zookeeperVictim(): Promise<Victim> {
  const servers = await ZooKeeperServers.start('memory')
  const load = await startZooKeeperLoad()
  await load.ask('sessions', 1, servers.hosts)
  return {
    name: 'ZooKeeper',
    waitMs: { killed: 5000, stopped: 25_000 },
    async lose(loss, waitMs) {
      const leader = await servers.leader()
      // As in the other systems, the client is not connected to the leader.
      const hosts = servers.hosts.split(',').filter((_, index) => index !== leader)
      await load.ask('open', everyMs, hosts.join(','))
      await sleep(settledMs)
      servers.process(leader).kill(signals[loss])
      await sleep(waitMs)
      const endedAt = sharedClockMs()
      const acknowledgedAt = (await load.ask('end')).split(' ').map(Number)
      await endProcess(servers.process(leader))
      servers.restart(leader)
      await servers.ready()
      return longestGap(acknowledgedAt, endedAt)
    },
    async stop() {
      await load.stop()
      await servers.stop()
    },
  }
}

async function etcdVictim(): Promise<Victim> {
  const servers = await EtcdServers.start('memory')
  return {
    name: 'etcd',
    waitMs: { killed: 5000, stopped: 5000 },
    async lose(loss, waitMs) {
      const leader = await servers.leader()
      const load = startEtcdLoad()
      // As a client that is not connected to the leader: what it sees is the election alone.
      const ports = servers.ports.filter((_, index) => index !== leader)
      await load.ask('connect', { ports })
      await load.ask('beginWriting', { everyMs, ports })
      await sleep(settledMs)
      servers.process(leader).kill(signals[loss])
      await sleep(waitMs)
      const endedAt = sharedClockMs()
      const acknowledgedAt = await load.ask<number[]>('endWriting')
      await load.kill()
      await endProcess(servers.process(leader))
      servers.restart(leader)
      await servers.ready()
      return longestGap(acknowledgedAt, endedAt)
    },
    stop: () => servers.stop(),
  }
}

/** The last one may have lasted longer: nobody waited for its end. */
function longestGap(acknowledgedAt: readonly number[], endedAt: number): number {
  const all = [...acknowledgedAt, endedAt]
  let longest = 0
  all.forEach((at, index) => {
    if (index > 0) longest = Math.max(longest, at - (all[index - 1] as number))
  })
  return longest
}

async function measure(loss: Loss, settings: Settings): Promise<readonly Row[]> {
  const { runs, progress, smoke } = settings
  const setting = `leader ${loss} (${signals[loss]}), three processes in memory, default settings, a write every ${everyMs} ms`
  const victims = [
    embeddedVictim,
    ...(hasPeer(settings, 'zookeeper') ? [await zookeeperVictim()] : []),
    ...(hasPeer(settings, 'etcd') ? [await etcdVictim()] : []),
  ]
  const gaps = victims.map((): number[] => [])
  for (let turn = 0; turn < runs; turn += 1) {
    for (const [index, victim] of victims.entries()) {
      progress(`leader ${loss}: ${victim.name}, ${turn + 1} of ${runs}`)
      gaps[index]?.push(await victim.lose(loss, victim.waitMs[loss] * (smoke ? 0.2 : 1)))
    }
  }
  await Promise.all(victims.map((victim) => victim.stop()))
  return victims.map(({ name }, index) => ({
    setting,
    contender: name,
    figures: { 'longest gap ms': gaps[index] ?? [] },
  }))
}

export const failover: Workload = {
  what: 'The leader is killed: the longest gap between two acknowledged writes that a writer elsewhere sees.',
  run: (settings) => measure('killed', settings),
}

export const hang: Workload = {
  what: 'The leader hangs: the same, when its connections stay open and nothing comes.',
  run: (settings) => measure('stopped', { ...settings, runs: Math.min(settings.runs, 3) }),
}
