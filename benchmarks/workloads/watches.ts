/** One-shot watchers of one node: from the beginning of its change until the last of them has heard of it. */

import { EmbeddedEnsemble } from '../contenders/embedded.ts'
import type { JavaLoad } from '../contenders/java-load.ts'
import { startZooKeeperLoad, ZooKeeperServers } from '../contenders/zookeeper.ts'
import { transposed } from '../windows.ts'
import { hasPeer, type Row, type Settings, type Workload } from '../workload.ts'

interface FanOut {
  readonly sessions: number
  readonly watchers: number
}

/** A turn is a moment: many of them, and as many before them as it takes until the code is compiled, theirs and ours. */
const turnsMin = 15
const warmUpTurns = 20

type Figures = Record<string, number>

/** Sessions and watchers are spread over the members; the first one changes the node. */
export async function embeddedFanOut(ensemble: EmbeddedEnsemble, { sessions, watchers }: FanOut): Promise<Figures> {
  const { members } = ensemble
  const shareOf = (all: number, index: number): number =>
    Math.floor(all / members.length) + (index < all % members.length ? 1 : 0)
  const armed = await Promise.all(
    members.map((member, index) =>
      member.ask<number>('armWatches', { sessions: shareOf(sessions, index), watchers: shareOf(watchers, index) }),
    ),
  )
  const told = members.map((member) => member.ask<number>('lastTold'))
  const changedAt = (await members[0]?.ask<number>('changeWatched')) ?? Number.NaN
  return { 'last told ms': Math.max(...(await Promise.all(told))) - changedAt, 'arming ms': Math.max(...armed) }
}

async function zookeeperFanOut(load: JavaLoad, { watchers }: FanOut): Promise<Figures> {
  const [armed = Number.NaN, told = Number.NaN] = (await load.ask('watches', watchers)).split(' ').map(Number)
  return { 'last told ms': told, 'arming ms': armed }
}

async function measure(fanOut: FanOut, settings: Settings): Promise<Row[]> {
  const { sessions, watchers } = fanOut
  const setting = `${watchers.toLocaleString('en-US')} watchers in ${sessions.toLocaleString('en-US')} sessions`
  const turns = settings.smoke ? 5 : Math.max(settings.windows, turnsMin)
  const warmUps = settings.smoke ? 5 : warmUpTurns
  const ensemble = await EmbeddedEnsemble.start('memory')
  const servers = hasPeer(settings, 'zookeeper') ? await ZooKeeperServers.start('memory') : undefined
  const load = servers === undefined ? undefined : await startZooKeeperLoad()
  if (servers !== undefined) await load?.ask('sessions', sessions, servers.hosts)
  const ours: Figures[] = []
  const theirs: Figures[] = []
  // The first ones, in which code is compiled, do not count.
  for (let turn = -warmUps; turn < turns; turn += 1) {
    settings.progress(`watches: ${setting}, ${turn < 0 ? 'warm-up' : `${turn + 1} of ${turns}`}`)
    const own = await embeddedFanOut(ensemble, fanOut)
    const other = load === undefined ? undefined : await zookeeperFanOut(load, fanOut)
    if (turn < 0) continue
    ours.push(own)
    if (other !== undefined) theirs.push(other)
  }
  await ensemble.stop()
  if (load !== undefined) await load.stop()
  await servers?.stop()
  return [
    { setting, contender: 'embedded-coord', figures: transposed(ours) },
    ...(theirs.length === 0 ? [] : [{ setting, contender: 'ZooKeeper', figures: transposed(theirs) }]),
  ]
}

export const watches: Workload = {
  what: 'Watch fan-out: from the beginning of a change until the last watcher has heard of it; three processes in memory.',
  async run(settings) {
    const all: readonly FanOut[] = settings.smoke
      ? [{ sessions: 10, watchers: 100 }]
      : [
          { sessions: 10, watchers: 10_000 },
          { sessions: 1000, watchers: 1000 },
        ]
    const rows: Row[] = []
    for (const fanOut of all) rows.push(...(await measure(fanOut, settings)))
    return rows
  },
}
