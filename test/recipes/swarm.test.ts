/**
 * The recipes under random faults: crashes, partitions, stalls and expired sessions. Each seed runs two of the workloads in
 * one world (test/recipes/swarm). SEEDS=1000 START=1 runs more; WORKLOADS=queue,workers only these.
 */

import type { WorkloadFactory } from './swarm/workload.ts'
import { workloads } from './swarm/workloads.ts'
import { runSeed } from './swarm/world.ts'

const seeds = Number(process.env['SEEDS'] ?? 12)
const start = Number(process.env['START'] ?? 1)
const chosen = process.env['WORKLOADS']?.split(',')
const names = Object.keys(workloads)

describe('the recipes under random faults', () => {
  for (let seed = start; seed < start + seeds; seed++) {
    const pair = chosen ?? [names[seed % names.length] as string, names[(seed * 3 + 1) % names.length] as string]
    const distinct = [...new Set(pair)]
    it(`seed ${seed}: ${distinct.join(', ')}`, async () => {
      await runSeed(
        seed,
        distinct.map((name) => workloads[name] as WorkloadFactory),
      )
    }).timeout(120_000)
  }
})
