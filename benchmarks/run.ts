/**
 * `npm run bench -- [NAMES] [--seconds N] [--runs N] [--json FILE]`: builds the library, runs the workloads one after the
 * other, and prints a table. Figures are of this machine at this time: compare ratios of one run.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { failover } from './failover.ts'
import type { Row, Settings, Workload } from './harness.ts'
import { recipes } from './recipes.ts'
import { start } from './start.ts'
import { read, write } from './throughput.ts'

const workloads: Readonly<Record<string, Workload>> = { start, failover, write, read, recipes }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string' }, runs: { type: 'string' }, json: { type: 'string' } },
})
const names = positionals.length === 0 ? Object.keys(workloads) : positionals
const unknown = names.filter((name) => !Object.hasOwn(workloads, name))
if (unknown.length > 0) {
  console.error(`no workload ${unknown.join(', ')}: there are ${Object.keys(workloads).join(', ')}`)
  process.exit(2)
}

const settings: Settings = {
  seconds: Number(values.seconds ?? 5),
  runs: Number(values.runs ?? 7),
  progress: (text) => process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`),
}
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`

settings.progress('building')
execFileSync('npm', ['run', '--silent', 'build'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
})
const rows: Row[] = []
for (const name of names) rows.push(...(await (workloads[name] as Workload)(settings)))
settings.progress('')

console.log(machine)
for (const { workload, setting, figures } of rows) {
  console.log(`\n${workload}: ${setting}`)
  for (const [figure, value] of Object.entries(figures)) console.log(`  ${figure.padEnd(40)} ${value}`)
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, rows }, undefined, 2)}\n`)
