/**
 * What the library does to the event loop of the application that embeds it: how late a timer of one millisecond is, and
 * how long writes take, when nothing happens, under writes, at a checkpoint of a large tree, and while one is streamed to
 * a member that lost its store.
 */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedEnsemble, type EmbeddedOptions, embeddedFileName } from '../contenders/embedded.ts'
import type { NodeProcess } from '../contenders/node-load.ts'
import { quantile } from '../statistics.ts'
import { transposed } from '../windows.ts'
import { hasPeer, type Row, type Settings, type Workload } from '../workload.ts'

const everyMs = 3
const writesAtOnce = 5
const writesPerSecond = (members: number): string =>
  `about ${(Math.round((members * writesAtOnce * 10) / everyMs) * 100).toLocaleString('en-US')} writes of 1 KB a second`

const observedMsMin = 500
const settleMs = 500

/** A large tree takes its time to be sent, and the machine is busy. */
const joinTimeoutMs = 600_000

interface Delay {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Of all members, the worst; and how long the open loop's writes took, if it runs. */
async function observe(
  members: readonly NodeProcess[],
  writers: readonly NodeProcess[],
  during: () => Promise<unknown>,
): Promise<Record<string, number>> {
  await Promise.all(writers.map((writer) => writer.ask('beginWriting', { everyMs, bytes: 1024, atOnce: writesAtOnce })))
  await Promise.all(members.map((member) => member.ask('beginDelay')))
  await during()
  const delays = await Promise.all(members.map((member) => member.ask<Delay>('endDelay')))
  const latencies = await Promise.all(writers.map((writer) => writer.ask<number[]>('endWritingLatencies')))
  return {
    'delay p50 ms': Math.max(...delays.map(({ p50 }) => p50)),
    'delay p99 ms': Math.max(...delays.map(({ p99 }) => p99)),
    'delay max ms': Math.max(...delays.map(({ max }) => max)),
    ...(writers.length === 0 ? {} : { 'write p99 ms': quantile(latencies.flat(), 0.99) }),
  }
}

/** Each setting in turn. What the later ones add to the first one of the same turn is a figure of its own. */
async function inTurn(
  contender: string,
  windows: number,
  settings: Readonly<Record<string, () => Promise<Record<string, number>>>>,
): Promise<Row[]> {
  const measured = new Map<string, Record<string, number>[]>()
  for (let window = 0; window < windows; window += 1) {
    let quiet: Record<string, number> | undefined
    for (const [setting, observed] of Object.entries(settings)) {
      const figures = await observed()
      const added = quiet === undefined ? {} : addedTo(quiet, figures)
      quiet ??= figures
      measured.set(setting, [...(measured.get(setting) ?? []), { ...figures, ...added }])
    }
  }
  return [...measured].map(([setting, all]) => ({ setting, contender, figures: transposed(all) }))
}

function addedTo(quiet: Record<string, number>, figures: Record<string, number>): Record<string, number> {
  const of = (name: string): [number, number] => [figures[name] ?? Number.NaN, quiet[name] ?? Number.NaN]
  const [delay, quietDelay] = of('delay p99 ms')
  const [write, quietWrite] = of('write p99 ms')
  const added = { 'delay p99 added ms': Math.max(0, delay - quietDelay) }
  return Number.isNaN(quietWrite) ? added : { ...added, 'write p99 over the quiet one': write / quietWrite }
}

export const courtesy: Workload = {
  what: 'How late timers of the application are: three durable members, the worst of them.',
  async run({ windows, seconds, progress }) {
    progress('courtesy')
    const ensemble = await EmbeddedEnsemble.start('disk')
    const { members } = ensemble
    const wait = (): Promise<void> => sleep(seconds * 1000)
    const rows = await inTurn(ensemble.name, windows, {
      idle: () => observe(members, [], wait),
      [`${writesPerSecond(members.length)}, from all three`]: () => observe(members, members, wait),
    })
    await ensemble.stop()
    return rows
  },
}

export const snapshot: Workload = {
  what: 'The same with a large tree: quiet, at a checkpoint, and while a member without a store is given it all.',
  async run(settings) {
    const onLevel = await snapshotRows(settings, {})
    if (!hasPeer(settings, embeddedFileName)) return onLevel
    return [...onLevel, ...(await snapshotRows(settings, { name: embeddedFileName, store: 'file' }))]
  },
}

/** What 2,000 writes at a time have left behind is another matter. */
async function settle(members: readonly NodeProcess[]): Promise<void> {
  await Promise.all(members.map((member) => member.ask('collect')))
  await sleep(settleMs)
}

async function snapshotRows(
  { znodes, windows, seconds, smoke, progress }: Settings,
  more: EmbeddedOptions,
): Promise<Row[]> {
  const execArgv = ['--expose-gc']
  const ensemble = await EmbeddedEnsemble.start('disk', 3, { ...more, execArgv, options: { joinTimeoutMs } })
  const [first] = ensemble.members as [NodeProcess, ...NodeProcess[]]
  progress(`snapshot: ${znodes} znodes`)
  await first.ask('fill', { first: 0, count: znodes, bytes: 100 })
  const leader = await ensemble.leader()
  const lost = ensemble.members.findIndex((member) => member !== leader)
  const stayers = ensemble.members.filter((_, index) => index !== lost)
  const writers = stayers.filter((member) => member !== leader)
  const tree = `${znodes.toLocaleString('en-US')} znodes of 100 B`
  const quiet = async (): Promise<void> => {
    await Promise.all(ensemble.members.map((member) => member.ask('checkpointed')))
    await settle(ensemble.members)
  }
  const rows = await inTurn(ensemble.name, smoke ? 1 : windows, {
    [`${tree}, ${writesPerSecond(writers.length)}`]: async () => {
      await quiet()
      return observe(stayers, writers, () => sleep(seconds * 1000))
    },
    [`${tree}, the same while the leader makes a checkpoint`]: async () => {
      progress('snapshot: checkpoint')
      await leader.ask('writeUntilCheckpoint', { count: znodes, bytes: 100 })
      await settle(stayers)
      // That of a small tree is made before anything could be observed.
      return observe(stayers, writers, () => Promise.all([leader.ask('checkpointed'), sleep(observedMsMin)]))
    },
    [`${tree}, the same while a member that lost its store joins`]: async () => {
      progress('snapshot: a member joins')
      await quiet()
      await ensemble.members[lost]?.kill()
      // Which takes the disk its time, too.
      rmSync(ensemble.folderOf(lost), { recursive: true, force: true })
      await settle(stayers)
      return observe(stayers, writers, async () => {
        const began = performance.now()
        await (await ensemble.join(lost)).ask('sync')
        progress(`snapshot: joined within ${Math.round(performance.now() - began)} ms`)
      })
    },
  })
  await ensemble.stop()
  return rows
}
