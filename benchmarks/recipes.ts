/** The recipes: three processes in memory, each the application, its load and its member. */
import { quantile, type Row, type Settings, spread, startEnsemble, type Worker } from './harness.ts'

const windows = 3

export async function recipes({ seconds, progress }: Settings): Promise<readonly Row[]> {
  const workers = await startEnsemble(3, { valueEncoding: 'json' })
  const [first] = workers as [Worker, ...Worker[]]
  try {
    progress('recipes: cache')
    const reads: number[] = []
    for (let window = 0; window <= windows; window++) {
      const { perSecond } = await first.ask<{ perSecond: number }>('readCache', { seconds })
      if (window > 0) reads.push(perSecond)
    }
    const rows: Row[] = [
      {
        workload: 'recipes',
        setting: 'cache: synchronous reads of one value, one process',
        figures: { 'reads/s, median (least to most)': spread(reads, 0) },
      },
    ]
    for (const pairs of [1, 16]) rows.push(await queue(workers, pairs, seconds, progress))
    for (const contenders of [1, 10, 1000]) rows.push(await locks(first, contenders, seconds, progress))
    progress('recipes: election')
    const { latencies } = await first.ask<{ latencies: number[] }>('handOver', { path: '/election', times: 50 })
    rows.push({
      workload: 'recipes',
      setting: 'election: resigned, until the next one is elected',
      figures: { 'p50 ms': quantile(latencies, 0.5).toFixed(2), 'p99 ms': quantile(latencies, 0.99).toFixed(2) },
    })
    return rows
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
  }
}

/** So many contenders in one process: one alone locks and unlocks, more hand the lock on. */
async function locks(
  worker: Worker,
  contenders: number,
  seconds: number,
  progress: Settings['progress'],
): Promise<Row> {
  progress(`recipes: lock, ${contenders} contenders`)
  const perSecond: number[] = []
  for (let window = 0; window <= windows; window++) {
    const path = `/lock-${contenders}`
    const { count } = await worker.ask<{ count: number }>('useLock', { path, contenders, seconds })
    if (window > 0) perSecond.push(count / seconds)
  }
  return {
    workload: 'recipes',
    setting: contenders === 1 ? 'lock and unlock, uncontended' : `lock handed on among ${contenders} in one process`,
    figures: { 'locks/s, median (least to most)': spread(perSecond, 0) },
  }
}

/** So many pairs of a producer and a consumer in each process; an item is put, taken and done. */
async function queue(
  workers: readonly Worker[],
  pairs: number,
  seconds: number,
  progress: Settings['progress'],
): Promise<Row> {
  const perSecond: number[] = []
  const latencies: number[] = []
  for (let window = 0; window <= windows; window++) {
    progress(`recipes: queue, ${pairs} pairs, ${window === 0 ? 'warm-up' : `window ${window} of ${windows}`}`)
    const measured = await Promise.all(
      workers.map((worker, index) =>
        worker.ask<{ count: number; latencies: number[] }>('useQueue', {
          path: `/queue-${pairs}-${index}`,
          pairs,
          seconds,
        }),
      ),
    )
    if (window === 0) continue
    perSecond.push(measured.reduce((sum, { count }) => sum + count, 0) / seconds)
    for (const each of measured) latencies.push(...each.latencies)
  }
  return {
    workload: 'recipes',
    setting: `queue: put + take + done, ${pairs} at a time in each of three processes, a queue each`,
    figures: {
      'items/s, median (least to most)': spread(perSecond, 0),
      'p50 ms for all three': quantile(latencies, 0.5).toFixed(2),
      'p99 ms': quantile(latencies, 0.99).toFixed(2),
    },
  }
}
