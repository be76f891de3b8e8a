/** What grows: members, observers, values, sessions. Writes and reads of embedded-coord in memory, against a number. */
import type { Load } from '../contenders/contender.ts'
import { EmbeddedEnsemble } from '../contenders/embedded.ts'
import { inWindows } from '../windows.ts'
import type { Row, Settings, Workload } from '../workload.ts'

const keys = 100
const figure = 'ops per CPU-s'

interface Point {
  readonly members?: number
  readonly observers?: number
  readonly bytes?: number
}

async function measure(setting: string, point: Point, settings: Settings): Promise<readonly Row[]> {
  const { members = 3, observers = 0, bytes = 1024 } = point
  const ensemble = await EmbeddedEnsemble.start('memory', members, { observers })
  await ensemble.prepare(keys, bytes)
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
    const all = settings.smoke ? points.slice(0, 1) : points
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
