/** Saturated writes and reads: three processes in memory, each the application, its load and its member. */
import { quantile, type Row, type Settings, spread, startEnsemble, type Worker } from './harness.ts'

const keys = 100
const bytes = 1024
const outstanding = 320
const windows = 3

interface Measured {
  readonly count: number
  readonly latencies: readonly number[]
  readonly cpuSeconds: number
  readonly residentBytes: number
}

type Load = 'write' | 'read' | 'read linearizable'

export const write = (settings: Settings): Promise<readonly Row[]> => throughput(settings, ['write'])
export const read = (settings: Settings): Promise<readonly Row[]> => throughput(settings, ['read', 'read linearizable'])

async function throughput(settings: Settings, loads: readonly Load[]): Promise<readonly Row[]> {
  const workers = await startEnsemble(3)
  try {
    await workers[0]?.ask('prepare', { keys, bytes })
    await Promise.all(workers.map((worker) => worker.ask('sync')))
    const rows: Row[] = []
    for (const load of loads) rows.push(await measure(workers, load, settings))
    return rows
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
  }
}

async function measure(workers: readonly Worker[], load: Load, { seconds, progress }: Settings): Promise<Row> {
  const perSecond: number[] = []
  const perCpuSecond: number[] = []
  const latencies: number[] = []
  let residentBytes = 0
  // The first window only warms up.
  for (let window = 0; window <= windows; window++) {
    progress(`${load}: ${window === 0 ? 'warm-up' : `window ${window} of ${windows}`}`)
    const measured = await Promise.all(workers.map((worker) => one(worker, load, seconds)))
    if (window === 0) continue
    const count = measured.reduce((sum, each) => sum + each.count, 0)
    perSecond.push(count / seconds)
    perCpuSecond.push(count / measured.reduce((sum, each) => sum + each.cpuSeconds, 0))
    for (const each of measured) latencies.push(...each.latencies)
    residentBytes = Math.max(residentBytes, ...measured.map((each) => each.residentBytes))
  }
  return {
    workload: load,
    setting: `three processes, memory, ${bytes} B, ${outstanding} outstanding each`,
    figures: {
      'operations/s, median (least to most)': spread(perSecond, 0),
      'per CPU-second of all': spread(perCpuSecond, 0),
      'p50 ms': quantile(latencies, 0.5).toFixed(2),
      'p99 ms': quantile(latencies, 0.99).toFixed(2),
      'resident MiB': Math.round(residentBytes / 1024 / 1024),
    },
  }
}

function one(worker: Worker, load: Load, seconds: number): Promise<Measured> {
  if (load === 'write') return worker.ask('write', { keys, bytes, outstanding, seconds })
  const consistency = load === 'read' ? 'session' : 'linearizable'
  return worker.ask('read', { keys, outstanding, seconds, consistency })
}
