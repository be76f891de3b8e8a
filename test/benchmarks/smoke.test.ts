/** The benchmarks run, and print figures: with durations that make them meaningless. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

interface Report {
  readonly machine: string
  readonly rows: readonly { readonly workload: string; readonly figures: Readonly<Record<string, string | number>> }[]
}

const bench = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, ['--import', 'tsx', 'benchmarks/run.ts', ...args])

describe('the benchmarks', () => {
  it('measure every workload', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'embedded-coord-'))
    try {
      const file = join(folder, 'report.json')
      const { stdout } = await bench('--seconds', '0.1', '--runs', '1', '--json', file)
      const { machine, rows } = JSON.parse(readFileSync(file, 'utf8')) as Report
      assert.ok(stdout.startsWith(machine))
      const names = new Set(rows.map(({ workload }) => workload))
      assert.deepEqual([...names], ['start', 'failover', 'write', 'read', 'read linearizable', 'recipes'])
      for (const { workload, figures } of rows) {
        for (const [figure, value] of Object.entries(figures)) {
          assert.ok(Number.parseFloat(`${value}`) > 0, `${workload}: ${figure} is ${value}`)
        }
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }).timeout(120_000)

  it('say which workloads there are', async () => {
    await assert.rejects(bench('fly'), /there are start, failover, write, read, recipes/)
  })
})
