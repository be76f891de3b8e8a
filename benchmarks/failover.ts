/** `kill -9` of the leader: the longest gap between two acknowledged writes that an open-loop writer elsewhere sees. */
import { setTimeout as sleep } from 'node:timers/promises'
import { leaderOf, type Row, type Settings, spread, startEnsemble } from './harness.ts'

const everyMs = 5

export async function failover({ runs, progress }: Settings): Promise<readonly Row[]> {
  const gaps: number[] = []
  for (let turn = 0; turn < runs; turn++) {
    progress(`failover ${turn + 1} of ${runs}`)
    gaps.push(await gapOfOneKill())
  }
  return [
    {
      workload: 'failover',
      setting: `three processes, memory, SIGKILL, a write every ${everyMs} ms`,
      figures: { 'longest gap ms, median (least to most)': spread(gaps) },
    },
  ]
}

async function gapOfOneKill(): Promise<number> {
  const workers = await startEnsemble(3)
  const leader = await leaderOf(workers)
  const survivors = workers.filter((worker) => worker !== leader)
  const [writer] = survivors
  await writer?.ask('beginWriting', { everyMs })
  await sleep(500)
  await leader.kill()
  await sleep(1500)
  const { acknowledged } = (await writer?.ask<{ acknowledged: number[] }>('endWriting')) ?? { acknowledged: [] }
  await Promise.all(survivors.map((worker) => worker.close()))
  let longest = 0
  acknowledged.forEach((at, index) => {
    if (index > 0) longest = Math.max(longest, at - (acknowledged[index - 1] as number))
  })
  return longest
}
