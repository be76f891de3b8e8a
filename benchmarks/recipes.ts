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
    return rows
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
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
