/** From nothing to the first committed write: in a running process, a fresh one, and three fresh ones. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Row, type Settings, spread, startEnsemble } from './harness.ts'

const run = promisify(execFile)

/** Prints how long `joinEnsemble()` to the first completed write took, once cold and once warm. */
const script = `
const { joinEnsemble } = await import(${JSON.stringify(new URL('../dist/lib/index.js', import.meta.url).href)})
for (const turn of [0, 1]) {
  const began = performance.now()
  const coord = await joinEnsemble()
  await coord.create('/first')
  console.log(performance.now() - began)
  await coord.close()
}`

export async function start({ runs, progress }: Settings): Promise<readonly Row[]> {
  const cold: number[] = []
  const warm: number[] = []
  const whole: number[] = []
  const three: number[] = []
  for (let turn = 0; turn < runs; turn++) {
    progress(`start ${turn + 1} of ${runs}`)
    const began = performance.now()
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
    whole.push(performance.now() - began)
    const [first, second] = stdout.trim().split('\n').map(Number)
    cold.push(first ?? Number.NaN)
    warm.push(second ?? Number.NaN)
    three.push(await startOfThree())
  }
  const row = (setting: string, values: readonly number[]): Row => ({
    workload: 'start',
    setting,
    figures: { 'ms, median (least to most)': spread(values) },
  })
  return [
    row('one member, first in its process', cold),
    row('one member, again in the same process', warm),
    row('one member, process included (both joins)', whole),
    row('three processes', three),
  ]
}

async function startOfThree(): Promise<number> {
  const began = performance.now()
  const workers = await startEnsemble(3)
  await workers[0]?.ask('prepare', { keys: 1, bytes: 8 })
  const took = performance.now() - began
  await Promise.all(workers.map((worker) => worker.close()))
  return took
}
