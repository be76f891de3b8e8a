/** What the benchmarks make of their figures. That they measure anything is shown by `npm run bench -- --smoke`, in CI. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cpuSeconds, residentMiB } from '../../benchmarks/processes.ts'
import { compare } from '../../benchmarks/report/compare.ts'
import { chartOf, type Measured, table, writeResults } from '../../benchmarks/report/write.ts'
import { digits, quantile, ratios, spread } from '../../benchmarks/statistics.ts'
import type { Row, Workload } from '../../benchmarks/workload.ts'

const run = promisify(execFile)

const row = (contender: string, figure: string, values: readonly number[], setting = 'writes on <disk>'): Row => ({
  setting,
  contender,
  figures: { [figure]: values },
})

const workload: Workload = { what: 'Writes.', run: async () => [] }

describe('the figures of a benchmark', () => {
  it('are said with their spread', () => {
    assert.equal(spread([3000, 1000, 2000]), '2,000 (1,000–3,000)')
    assert.equal(spread([0.5]), '0.500')
    assert.deepEqual([12345.6, 12.34, 1.234, 0.1234, 0, Number.NaN].map(digits), [
      '12,346',
      '12.3',
      '1.23',
      '0.123',
      '0',
      '–',
    ])
    assert.equal(quantile([5, 1, 3], 0.99), 5)
  })

  it('are compared window by window', () => {
    assert.deepEqual(ratios([10, 20], [5, 4]), [2, 5])
    assert.deepEqual(ratios([10, 20, 30], [5]), [4])
  })

  it('reach the aim, the goal or nothing, where more or less is better', () => {
    const perCpu = (values: readonly number[], contender = 'embedded-coord'): Row =>
      row(contender, 'ops per CPU-s', values)
    const reached = (ours: number): string | undefined =>
      compare('durable', [perCpu([ours]), perCpu([100], 'ZooKeeper')])[0]?.reached
    assert.deepEqual([600, 300, 100].map(reached), ['aim', 'goal', 'no'])
    const latency = (ours: number): string | undefined =>
      compare('single', [row('embedded-coord', 'p50 ms', [ours], 'one'), row('ZooKeeper', 'p50 ms', [1], 'one')])[0]
        ?.reached
    assert.deepEqual([0.5, 0.7, 1].map(latency), ['aim', 'goal', 'no'])
    assert.deepEqual(compare('durable', [perCpu([1])]), [])
  })

  it('make a table with a line for each contender', () => {
    const rows = [row('one', 'ms', [1]), row('other', 'ops/s', [2])]
    assert.deepEqual(table(rows).split('\n').slice(2), [
      '| writes on <disk> | one | 1.00 |  |',
      '| writes on <disk> | other |  | 2.00 |',
    ])
  })

  it('make bars, and curves where a workload says so', () => {
    const rows = [row('one', 'ops per CPU-s', [1, 2, 3]), row('other', 'ops per CPU-s', [4])]
    const bars = chartOf('writes', workload, rows) ?? ''
    assert.equal(bars.match(/<rect/g)?.length, 2)
    assert.ok(
      bars.startsWith('<svg') &&
        bars.includes('<title>writes: ops per CPU-s</title>') &&
        bars.includes('writes on &lt;disk>'),
    )
    const points = ['0 % reads', '50 % reads', '100 % reads'].map((setting) => row('one', 'ops/s', [7], setting))
    const chart = { title: 'Reads', x: '% reads', figure: 'ops/s', logarithmic: true }
    const curve = chartOf('share', { ...workload, chart }, points) ?? ''
    assert.equal(curve.match(/<circle/g)?.length, 3)
    assert.ok(!/NaN|Infinity/.test(curve))
  })

  it('stay where a later run measured something else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'embedded-coord-'))
    try {
      const measured = (value: number): Measured => ({
        what: 'Writes.',
        at: '2026-01-01 00:00',
        machine: 'a machine',
        command: 'npm run bench',
        rows: [row('embedded-coord', 'ops per CPU-s', [value])],
      })
      const workloads = { one: workload, other: workload }
      writeResults(folder, workloads, { one: measured(1), other: measured(2) })
      writeResults(folder, workloads, { other: measured(3) })
      assert.deepEqual(readdirSync(folder).sort(), ['one.svg', 'other.svg', 'report.json', 'report.md'])
      const report = readFileSync(join(folder, 'report.md'), 'utf8')
      assert.ok(report.includes('| 1.00 |') && report.includes('| 3.00 |') && !report.includes('| 2.00 |'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('come from what processes really use', () => {
    if (process.platform !== 'linux') return
    const before = cpuSeconds([process.pid])
    while (cpuSeconds([process.pid]) - before < 0.05) Math.hypot(1, 2)
    assert.ok(residentMiB([process.pid]) > 10)
    assert.equal(cpuSeconds([2 ** 30]), 0)
  })
})

describe('npm run bench', () => {
  const bench = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    run(process.execPath, ['--import', 'tsx', 'benchmarks/run.ts', ...args])

  it('says which workloads and peers there are', async () => {
    await assert.rejects(bench('fly'), /no workload fly: there are durable, /)
    await assert.rejects(
      bench('--peers', 'consul'),
      /no peer consul: there are embedded-coord-tuned, embedded-coord-file, zookeeper, /,
    )
  }).timeout(60_000)
})
