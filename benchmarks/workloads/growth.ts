/** What grows: members, observers, values, sessions, znodes, watchers, the log. embedded-coord alone, against a number. */
import type { Load } from '../contenders/contender.ts'
import { EmbeddedEnsemble } from '../contenders/embedded.ts'
import { inWindows, transposed } from '../windows.ts'
import type { Row, Settings, Workload } from '../workload.ts'
import { embeddedFanOut } from './watches.ts'

const keys = 100
const figure = 'ops per CPU-s'

interface Point {
  readonly members?: number
  /** Over all members. */
  readonly sessions?: number
  /** In the tree beside those that are written. */
  readonly znodes?: number
  readonly observers?: number
  readonly bytes?: number
}

async function measure(setting: string, point: Point, settings: Settings): Promise<readonly Row[]> {
  const { members = 3, observers = 0, bytes = 1024, sessions, znodes } = point
  const ensemble = await EmbeddedEnsemble.start('memory', members, { observers })
  await ensemble.prepare(keys, bytes)
  settings.progress(`${setting}: prepares`)
  const count = Math.ceil((sessions ?? 0) / ensemble.members.length)
  if (count > 0) await Promise.all(ensemble.members.map((member) => member.ask('openSessions', { count })))
  if (znodes !== undefined) await ensemble.members[0]?.ask('fill', { first: 0, count: znodes, bytes: 100 })
  // Large values would fill the memory that calls under way may take.
  const outstanding = Math.max(members + observers, Math.min(960, Math.floor((64 * 2 ** 20) / bytes)))
  const load: Load = { operation: 'write', bytes, keys, outstanding }
  const rows = await inWindows(setting, [ensemble], load, settings)
  await ensemble.stop()
  return rows
}

const curve = (what: string, x: string, points: readonly (readonly [string, Point])[]): Workload => ({
  what,
  chart: { title: what, x, figure },
  async run(settings) {
    const rows: Row[] = []
    const all = (settings.smoke ? points.slice(0, 1) : points).filter(([, { znodes = 0 }]) => znodes <= settings.znodes)
    for (const [setting, point] of all) rows.push(...(await measure(setting, point, settings)))
    return rows
  },
})

export const members: Workload = curve(
  'Writes of 1 KB in memory against the number of voting members, all on this machine.',
  'members',
  [1, 3, 5, 7].map((count) => [`${count} members, writes of 1 KB, not synced`, { members: count }]),
)

export const observers: Workload = curve(
  'Writes of 1 KB in memory against the number of observers beside three voters, all on this machine.',
  'observers',
  [0, 2, 5, 10, 20].map((count) => [`${count} observers, writes of 1 KB, not synced`, { observers: count }]),
)

export const values: Workload = curve(
  'Writes in memory against the size of the value.',
  'bytes',
  [100, 1024, 10_240, 102_400, 524_288].map((bytes) => [
    `${bytes.toLocaleString('en-US')} B values, writes, not synced`,
    { bytes },
  ]),
)

export const sessions: Workload = curve(
  'Writes of 1 KB in memory against the number of sessions that make them.',
  'sessions',
  [10, 100, 1000, 10_000].map((count) => [
    `${count.toLocaleString('en-US')} sessions, writes of 1 KB, not synced`,
    { sessions: count },
  ]),
)

export const znodes: Workload = curve(
  'Writes of 1 KB in memory against the number of znodes of 100 B.',
  'znodes',
  [1000, 10_000, 100_000, 1_000_000].map((count) => [
    `${count.toLocaleString('en-US')} znodes, writes of 1 KB, not synced`,
    { znodes: count },
  ]),
)

const watcherCounts = [10, 100, 1000, 10_000, 100_000]

export const watchers: Workload = {
  what: 'Until the last watcher of a node has heard of its change, against their number; 30 sessions, in memory.',
  chart: { title: 'Until the last watcher has heard', x: 'watchers', figure: 'last told ms' },
  async run({ windows, smoke, progress }) {
    const rows: Row[] = []
    const ensemble = await EmbeddedEnsemble.start('memory')
    for (const count of smoke ? watcherCounts.slice(0, 2) : watcherCounts) {
      progress(`${count} watchers`)
      const all: Record<string, number>[] = []
      for (let turn = -1; turn < windows; turn += 1) {
        const figures = await embeddedFanOut(ensemble, { sessions: 30, watchers: count })
        if (turn >= 0) all.push(figures)
      }
      const setting = `${count.toLocaleString('en-US')} watchers of one node`
      rows.push({ setting, contender: 'embedded-coord', figures: transposed(all) })
    }
    await ensemble.stop()
    return rows
  },
}

export const logLength: Workload = {
  what: 'Restart against the entries in the log behind the last checkpoint; one member on disk, few znodes.',
  chart: { title: 'Restart against the length of the log', x: 'entries', figure: 'restart ms' },
  async run({ runs, smoke, progress }) {
    const rows: Row[] = []
    for (const entries of smoke ? [100] : [100, 1000, 5000, 10_000, 19_000]) {
      const ms: number[] = []
      for (let turn = 0; turn < Math.min(runs, 3); turn += 1) {
        progress(`restart with a log of ${entries} entries, ${turn + 1}`)
        const ensemble = await EmbeddedEnsemble.start('disk', 1)
        await ensemble.members[0]?.ask('fill', { first: 0, count: entries, bytes: 100 })
        await ensemble.members[0]?.kill()
        const began = performance.now()
        await (await ensemble.join(0)).ask('prepare', { keys: 1, bytes: 100 })
        ms.push(performance.now() - began)
        await ensemble.stop()
      }
      const setting = `${entries.toLocaleString('en-US')} entries behind the checkpoint`
      rows.push({ setting, contender: 'embedded-coord', figures: { 'restart ms': ms } })
    }
    return rows
  },
}
