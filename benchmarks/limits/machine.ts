/** The limits of the machine, as rows: what no system on it can do better. The bare replication loop is beside the writes. */
import { join } from 'node:path'
import type { Sample } from '../contenders/contender.ts'
import { NodeProcess } from '../contenders/node-load.ts'
import { cpuSeconds, removeFolder, scratchFolder } from '../processes.ts'
import { median, quantile } from '../statistics.ts'
import { transposed } from '../windows.ts'
import type { Row, Workload } from '../workload.ts'

const program = new URL('./machine.mjs', import.meta.url)

export const limits: Workload = {
  what: 'What the machine and Node let anybody do.',
  async run({ windows, seconds, progress }) {
    progress('limits')
    const folder = scratchFolder('limits')
    const [one, other] = [new NodeProcess(program), new NodeProcess(program)]
    const port = await other.ask<number>('echo')
    const measures: Readonly<Record<string, () => Promise<Sample>>> = {
      'append 1 KB and fdatasync, one after the other': () =>
        one.ask('sync', { file: join(folder, 'log'), bytes: 1024, seconds }),
      'append 64 KB and fdatasync, one after the other': () =>
        one.ask('sync', { file: join(folder, 'log'), bytes: 65_536, seconds }),
      'round trip of 100 B between two processes over TCP on loopback': () =>
        one.ask('pingPong', { port, bytes: 100, seconds }),
    }
    const rows: Row[] = []
    for (const [setting, measure] of Object.entries(measures)) {
      const all: Record<string, number>[] = []
      for (let window = 0; window < windows; window += 1) {
        const before = cpuSeconds([one.pid, other.pid])
        const { count, seconds: took, latenciesMs } = await measure()
        all.push({
          'ops/s': count / took,
          'ops per CPU-s': count / Math.max(0.01, cpuSeconds([one.pid, other.pid]) - before),
          'p50 ms': median(latenciesMs),
          'p99 ms': quantile(latenciesMs, 0.99),
        })
      }
      rows.push({ setting, contender: 'Node', figures: transposed(all) })
    }
    await one.kill()
    await other.kill()
    removeFolder(folder)
    return rows
  },
}
