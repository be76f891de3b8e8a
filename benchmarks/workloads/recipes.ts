/** The recipes: three processes in memory, each the application, its load and its member. */
import type { Sample } from '../contenders/contender.ts'
import { EmbeddedEnsemble, merged } from '../contenders/embedded.ts'
import type { NodeProcess } from '../contenders/node-load.ts'
import { cpuSeconds } from '../processes.ts'
import { median, quantile } from '../statistics.ts'
import { transposed } from '../windows.ts'
import type { Row, Settings, Workload } from '../workload.ts'

async function measure({ seconds, windows, smoke, progress }: Settings): Promise<readonly Row[]> {
  const ensemble = await EmbeddedEnsemble.start('memory', 3, { options: { valueEncoding: 'json' } })
  const first = ensemble.members[0] as NodeProcess

  const row = async (setting: string, perform: () => Promise<Sample>): Promise<Row> => {
    const measured: Record<string, number>[] = []
    for (let window = 0; window <= windows; window += 1) {
      progress(`recipes: ${setting}, ${window === 0 ? 'warm-up' : `window ${window} of ${windows}`}`)
      const before = cpuSeconds(ensemble.pids)
      const sample = await perform()
      if (window > 0) measured.push(figuresOf(sample, cpuSeconds(ensemble.pids) - before))
    }
    return { setting, contender: 'embedded-coord', figures: transposed(measured) }
  }

  const rows = [
    await row('cache: synchronous reads of one value, one process', () => first.ask('readCache', { seconds })),
  ]
  for (const pairs of [1, 16]) {
    const setting = `queue: put, take and done, ${pairs} at a time in each of three processes, a queue each`
    rows.push(
      await row(setting, async () =>
        merged(
          await Promise.all(
            ensemble.members.map((member, index) =>
              member.ask<Sample>('useQueue', { path: `/queue-${pairs}-${index}`, pairs, seconds }),
            ),
          ),
        ),
      ),
    )
  }
  for (const contenders of smoke ? [1, 10] : [1, 10, 1000]) {
    const setting =
      contenders === 1 ? 'lock and unlock, uncontended' : `lock handed on among ${contenders} in one process`
    rows.push(await row(setting, () => first.ask('useLock', { path: `/lock-${contenders}`, contenders, seconds })))
  }
  const times = smoke ? 5 : 50
  rows.push(
    await row('election: resigned, until the next one is elected', () =>
      first.ask('handOver', { path: '/election', times }),
    ),
  )
  await ensemble.stop()
  return rows
}

function figuresOf({ count, seconds, latenciesMs }: Sample, cpu: number): Record<string, number> {
  return {
    'ops/s': count / seconds,
    ...(cpu > 0 ? { 'ops per CPU-s': count / cpu } : {}),
    ...(latenciesMs.length > 0 ? { 'p50 ms': median(latenciesMs), 'p99 ms': quantile(latenciesMs, 0.99) } : {}),
  }
}

export const recipes: Workload = {
  what: 'Locks, queues, elections and caches; three processes in memory.',
  run: measure,
}
