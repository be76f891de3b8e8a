/** Windows of a load, each contender in turn: what changes on the machine meanwhile changes for all. */
import type { Contender, Load, Written } from './contenders/contender.ts'
import { cpuSeconds, machineCpuSeconds, residentMiB } from './processes.ts'
import { median, quantile } from './statistics.ts'
import type { Row, Settings } from './workload.ts'

interface Column {
  readonly contender: Contender
  readonly load: Load
  readonly windows: Record<string, number>[]
}

/** A row for each contender that has this operation. `loadOf` may give one of them another load than the rest. */
export async function inWindows(
  setting: string,
  contenders: readonly Contender[],
  load: Load,
  settings: Settings,
  loadOf: (contender: Contender) => Load = () => load,
): Promise<readonly Row[]> {
  const { windows, seconds, warmUpSeconds, smoke, progress } = settings
  const columns: Column[] = contenders
    .filter((contender) => contender.can(load.operation))
    .map((contender) => ({ contender, load: loadOf(contender), windows: [] }))
  for (let window = smoke ? 1 : 0; window <= windows; window += 1) {
    for (const { contender, load: own, windows: measured } of columns) {
      const name = window === 0 ? 'warm-up' : `window ${window} of ${windows}`
      progress(`${setting}: ${contender.name}, ${name}`)
      if (window === 0) await contender.run(own, Math.min(seconds * 2, warmUpSeconds))
      else measured.push(await oneWindow(contender, own, seconds))
    }
  }
  return columns.map(({ contender, windows: measured }) => ({
    setting,
    contender: contender.name,
    figures: transposed(measured),
  }))
}

async function oneWindow(contender: Contender, load: Load, seconds: number): Promise<Record<string, number>> {
  const { pids, loadPids } = contender
  const before = { all: cpuSeconds(pids), load: cpuSeconds(loadPids), machine: machineCpuSeconds() }
  const writtenBefore = await contender.written?.()
  const sample = await contender.run(load, seconds)
  const written = await contender.written?.()
  const used = cpuSeconds(pids) - before.all
  const others = machineCpuSeconds() - before.machine - used
  const byServers = used - (cpuSeconds(loadPids) - before.load)
  return {
    'ops/s': sample.count / sample.seconds,
    'ops per CPU-s': sample.count / used,
    'p50 ms': median(sample.latenciesMs),
    'p99 ms': quantile(sample.latenciesMs, 0.99),
    ...syncsOf(writtenBefore, written, sample.seconds),
    'resident MiB': residentMiB(pids),
    'of the CPU, servers %': (100 * byServers) / used,
    failed: sample.failed,
    "others' cores": Math.max(0, others / sample.seconds),
  }
}

/** Of all members together; nothing where nothing is synced. */
function syncsOf(
  before: Written | undefined,
  after: Written | undefined,
  seconds: number,
): { readonly 'syncs/s'?: number; readonly 'entries per sync'?: number } {
  const commits = (after?.commits ?? 0) - (before?.commits ?? 0)
  const entries = (after?.entries ?? 0) - (before?.entries ?? 0)
  return entries === 0 ? {} : { 'syncs/s': commits / seconds, 'entries per sync': entries / commits }
}

export function transposed(windows: readonly Record<string, number>[]): Record<string, number[]> {
  const figures: Record<string, number[]> = {}
  for (const window of windows) {
    for (const [name, value] of Object.entries(window)) {
      figures[name] ??= []
      figures[name].push(value)
    }
  }
  return figures
}
