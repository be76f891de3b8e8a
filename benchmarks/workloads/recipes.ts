/** The recipes: three processes in memory, each the application, its load and its member; locks beside Curator's and etcd's. */
import type { Sample } from '../contenders/contender.ts'
import { hasCurator, startCurator } from '../contenders/curator.ts'
import { EmbeddedEnsemble, merged } from '../contenders/embedded.ts'
import { EtcdServers, startEtcdLoad } from '../contenders/etcd.ts'
import type { NodeProcess } from '../contenders/node-load.ts'
import { ZooKeeperServers } from '../contenders/zookeeper.ts'
import { cpuSeconds } from '../processes.ts'
import { median, quantile } from '../statistics.ts'
import { transposed } from '../windows.ts'
import { hasPeer, type Row, type Settings, type Workload } from '../workload.ts'

const contendersOfLock = [1, 10, 1000]

interface Performer {
  readonly name: string
  readonly pids: readonly number[]
  perform(): Promise<Sample>
}

/** Window by window, each performer in turn. */
async function inTurn(
  setting: string,
  performers: readonly Performer[],
  { windows, progress }: Settings,
): Promise<Row[]> {
  const measured = performers.map((): Record<string, number>[] => [])
  for (let window = 0; window <= windows; window += 1) {
    for (const [index, performer] of performers.entries()) {
      const { name, pids } = performer
      progress(`${setting}: ${name}, ${window === 0 ? 'warm-up' : `window ${window} of ${windows}`}`)
      const before = cpuSeconds(pids)
      const sample = await performer.perform()
      if (window > 0) measured[index]?.push(figuresOf(sample, cpuSeconds(pids) - before))
    }
  }
  return performers.map(({ name }, index) => ({
    setting,
    contender: name,
    figures: transposed(measured[index] ?? []),
  }))
}

function figuresOf({ count, seconds, latenciesMs }: Sample, cpu: number): Record<string, number> {
  return {
    'ops/s': count / seconds,
    ...(cpu > 0 ? { 'ops per CPU-s': count / cpu } : {}),
    ...(latenciesMs.length > 0 ? { 'p50 ms': median(latenciesMs), 'p99 ms': quantile(latenciesMs, 0.99) } : {}),
  }
}

/** Those whose locks are compared. */
interface Rival {
  readonly contendersMax: number
  lock(contenders: number): Performer
  /** How long until the next one is elected; not where it has no measure of it. */
  handOver?(times: number): Performer
  stop(): Promise<void>
}

async function curatorLocks({ seconds, warmUpSeconds, progress }: Settings): Promise<Rival> {
  const servers = await ZooKeeperServers.start('memory')
  const load = await startCurator(servers.hosts)
  progress('Curator warms up')
  await load.sample('lock', '/warm-up', 10, warmUpSeconds)
  return {
    // A thread for each contender: a thousand of them measure the threads.
    contendersMax: 10,
    lock: (contenders) => ({
      name: 'Curator on ZooKeeper',
      pids: [...servers.pids, load.pid],
      perform: () => load.sample('lock', `/lock-${contenders}`, contenders, seconds),
    }),
    async stop() {
      await load.stop()
      await servers.stop()
    },
  }
}

/** The recipes of its Go package, by a client that costs almost nothing: contenders are leases of one process. */
async function etcdLocks({ seconds }: Settings): Promise<Rival> {
  const servers = await EtcdServers.start('memory')
  const load = startEtcdLoad()
  await load.ask('connect', { ports: servers.ports })
  const performer = (command: string, message: object): Performer => ({
    name: 'etcd',
    pids: [...servers.pids, load.pid],
    perform: () => load.ask(command, message),
  })
  return {
    contendersMax: Number.POSITIVE_INFINITY,
    lock: (contenders) => performer('useLock', { path: `lock-${contenders}`, contenders, seconds }),
    handOver: (times) => performer('handOver', { path: 'election', times }),
    async stop() {
      await load.kill()
      await servers.stop()
    },
  }
}

async function measure(settings: Settings): Promise<readonly Row[]> {
  const { seconds, smoke } = settings
  const ensemble = await EmbeddedEnsemble.start('memory', 3, { options: { valueEncoding: 'json' } })
  const { members, pids } = ensemble
  const first = members[0] as NodeProcess
  const ours = (perform: () => Promise<Sample>): Performer => ({ name: 'embedded-coord', pids, perform })

  const rows = await inTurn(
    'cache: synchronous reads of one value, one process',
    [ours(() => first.ask('readCache', { seconds }))],
    settings,
  )
  for (const pairs of [1, 16]) {
    const useQueue = (member: NodeProcess, index: number): Promise<Sample> =>
      member.ask('useQueue', { path: `/queue-${pairs}-${index}`, pairs, seconds })
    const perform = async (): Promise<Sample> => merged(await Promise.all(members.map(useQueue)))
    const setting = `queue: put, take and done, ${pairs} at a time in each of three processes, a queue each`
    rows.push(...(await inTurn(setting, [ours(perform)], settings)))
  }
  const rivals = [
    ...(hasPeer(settings, 'zookeeper') && hasCurator() ? [await curatorLocks(settings)] : []),
    ...(hasPeer(settings, 'etcd') ? [await etcdLocks(settings)] : []),
  ]
  for (const contenders of smoke ? contendersOfLock.slice(0, 2) : contendersOfLock) {
    const setting =
      contenders === 1 ? 'lock and unlock, uncontended' : `lock handed on among ${contenders} in one process`
    const own = ours(() => first.ask('useLock', { path: `/lock-${contenders}`, contenders, seconds }))
    const others = rivals.filter(({ contendersMax }) => contenders <= contendersMax)
    rows.push(...(await inTurn(setting, [own, ...others.map((rival) => rival.lock(contenders))], settings)))
  }
  const times = smoke ? 5 : 50
  const handOver = ours(() => first.ask('handOver', { path: '/election', times }))
  const others = rivals.flatMap((rival) => rival.handOver?.(times) ?? [])
  rows.push(...(await inTurn('election: resigned, until the next one is elected', [handOver, ...others], settings)))
  for (const rival of rivals) await rival.stop()
  await ensemble.stop()
  return rows
}

export const recipes: Workload = {
  what: 'Locks, queues, elections and caches; three processes, not synced.',
  run: measure,
}
