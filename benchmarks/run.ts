/**
 * `npm run bench -- [NAMES] [--peers zookeeper,etcd] [--seconds N] [--windows N] [--runs N] [--warm-up N] [--znodes N]
 * [--json FILE] [--results FOLDER] [--smoke]`: builds the library, runs the workloads one after the other, each side by
 * side with the peers that are installed, and leaves tables, charts and all figures in benchmarks/results. Figures are of
 * this machine at this time: compare ratios of one run.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ContenderKind } from './contenders/contender.ts'
import { embedded, embeddedFile, embeddedTuned } from './contenders/embedded.ts'
import { etcd } from './contenders/etcd.ts'
import { etcdNpm, zookeeperNpm } from './contenders/npm.ts'
import { redis } from './contenders/redis.ts'
import { zookeeper } from './contenders/zookeeper.ts'
import { Fleets } from './fleets.ts'
import { bareLoop } from './limits/bare-loop.ts'
import { limits } from './limits/machine.ts'
import { compare } from './report/compare.ts'
import { comparisonTable, type Measured, table, writeResults } from './report/write.ts'
import type { Row, Settings, Workload } from './workload.ts'
import { courtesy, snapshot } from './workloads/courtesy.ts'
import { failover, hang } from './workloads/failover.ts'
import { gateway } from './workloads/gateway.ts'
import { logLength, members, observers, sessions, values as valueSizes, watchers, znodes } from './workloads/growth.ts'
import { recipes } from './workloads/recipes.ts'
import { footprint, idle, recovery } from './workloads/size.ts'
import { start } from './workloads/start.ts'
import {
  durable,
  ephemeral,
  linearizable,
  memory,
  mixed,
  read,
  share,
  single,
  singleMemory,
} from './workloads/throughput.ts'
import { watches } from './workloads/watches.ts'

/** Those on disk first, then those in memory: systems are started once for each. */
const workloads: Readonly<Record<string, Workload>> = {
  durable,
  single,
  read,
  linearizable,
  mixed,
  ephemeral,
  share,
  memory,
  'single-memory': singleMemory,
  watches,
  failover,
  hang,
  start,
  footprint,
  idle,
  recovery,
  courtesy,
  snapshot,
  recipes,
  gateway,
  members,
  observers,
  values: valueSizes,
  sessions,
  znodes,
  watchers,
  'log-length': logLength,
  limits,
}

const allPeers: readonly ContenderKind[] = [
  embeddedTuned,
  embeddedFile,
  zookeeper,
  zookeeperNpm(zookeeper),
  etcd,
  etcdNpm(etcd),
  redis,
  bareLoop,
]

const options = {
  peers: { type: 'string' },
  seconds: { type: 'string' },
  windows: { type: 'string' },
  runs: { type: 'string' },
  'warm-up': { type: 'string' },
  znodes: { type: 'string' },
  json: { type: 'string' },
  results: { type: 'string' },
  smoke: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function end(code: number, text: string): never {
  console.error(text)
  process.exit(code)
}

function parsed() {
  try {
    return parseArgs({ allowPositionals: true, options })
  } catch (error) {
    return end(2, (error as Error).message)
  }
}

const { values, positionals } = parsed()
if (values.help) {
  const of = (all: readonly string[]): string => all.join(', ')
  const flags = Object.entries(options).map(([name, { type }]) => (type === 'string' ? `--${name} …` : `--${name}`))
  end(
    0,
    `workloads: ${of(Object.keys(workloads))}\npeers: ${of(allPeers.map(({ name }) => name))}\noptions: ${of(flags)}`,
  )
}

function refuse(names: readonly string[], all: readonly string[], what: string): void {
  const unknown = names.filter((name) => !all.includes(name))
  if (unknown.length === 0) return
  end(2, `no ${what} ${unknown.join(', ')}: there are ${all.join(', ')}`)
}

const names = positionals.length === 0 ? Object.keys(workloads) : positionals
refuse(names, Object.keys(workloads), 'workload')
const { smoke } = values
// Redis, which is another kind of thing, is measured on demand; a smoke run fetches no clients.
const usualPeers = smoke
  ? 'zookeeper,etcd,bare-loop'
  : 'embedded-coord-tuned,embedded-coord-file,zookeeper,node-zookeeper-client,etcd,etcd3,bare-loop'
const peerNames = (values.peers ?? usualPeers).split(',').filter((name) => name !== '')
refuse(
  peerNames,
  allPeers.map(({ name }) => name),
  'peer',
)

const progress = (text: string): void => {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`)
}

const peers = allPeers.filter((peer) => {
  if (!peerNames.includes(peer.name)) return false
  const missing = peer.missing()
  if (missing !== undefined) console.error(`without ${peer.name}, which is not installed: ${missing}`)
  return missing === undefined
})

const numberOf = (given: string | undefined, usual: number, small: number): number =>
  Number(given ?? (smoke ? small : usual))
const warmUpSeconds = numberOf(values['warm-up'], 60, 0.2)
const settings: Settings = {
  seconds: numberOf(values.seconds, 5, 0.1),
  windows: numberOf(values.windows, 3, 1),
  runs: numberOf(values.runs, 7, 1),
  warmUpSeconds,
  znodes: numberOf(values.znodes, 1_000_000, 2_000),
  smoke,
  peers,
  fleets: new Fleets([embedded, ...peers], warmUpSeconds, progress),
  progress,
}
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
const command = ['npm run bench --', ...process.argv.slice(2)].join(' ')

progress('building')
const root = fileURLToPath(new URL('..', import.meta.url))
if (!(smoke && existsSync(`${root}/dist/lib/index.js`))) {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
}

const report: Record<string, Measured> = {}
for (const name of names) {
  const workload = workloads[name] as Workload
  const at = new Date().toISOString().slice(0, 16).replace('T', ' ')
  const rows = await workload.run(settings)
  report[name] = { what: workload.what, at, machine, command, rows }
  progress('')
  console.log(`\n${name}: ${workload.what}\n${table(rows)}`)
  // What was measured so far stays, whatever happens to the next one.
  if (!smoke || values.results !== undefined) {
    writeResults(values.results ?? fileURLToPath(new URL('./results', import.meta.url)), workloads, report)
  }
}
await settings.fleets.stop()

console.log(`\n${machine}`)
const comparisons = Object.entries(report).flatMap(([name, { rows }]) => compare(name, rows))
if (comparisons.length > 0) console.log(comparisonTable(comparisons))
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
if (smoke) {
  const silent = names.filter((name) => !hasNumbers(report[name]?.rows ?? []))
  if (silent.length > 0) console.error(`no figures of ${silent.join(', ')}`)
  process.exit(silent.length > 0 ? 1 : 0)
}
process.exit()

/** Rows, and a number in every figure of each. */
function hasNumbers(rows: readonly Row[]): boolean {
  const values = rows.flatMap(({ figures }) => Object.values(figures))
  return values.length > 0 && values.every((some) => some.length > 0 && some.every(Number.isFinite))
}
