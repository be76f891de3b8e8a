/**
 * `npx tsx examples/log-collection/run.ts`: three collectors share six log files that are being written; one is killed, and
 * the others take over its sources. A line is printed only after it was observed; the exit code is 0 only if all were.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { joinEnsemble } from 'embedded-coord'
import { freePorts } from '../fleet/runner/free-ports.ts'
import { type Collected, collectedPath, type Source, sourcesPath } from './model.ts'

const began = performance.now()
const say = (word: string, text: string): void =>
  console.log(`${((performance.now() - began) / 1000).toFixed(2).padStart(6)} s  ${word.padEnd(8)}  ${text}`)

const folder = mkdtempSync(join(tmpdir(), 'log-collection-'))
const sources: Source[] = ['web', 'api', 'auth', 'mail', 'jobs', 'audit'].map((name) => ({
  name,
  file: join(folder, `${name}.log`),
}))
for (const { file } of sources) writeFileSync(file, '')

const [consolePort = 0, ...ports] = await freePorts(4)
const PEERS = ports.map((port) => `ws://127.0.0.1:${port}`).join()
const COORD_SECRET = process.env['COORD_SECRET'] ?? 'a demonstration'
const collectors = new Map<string, ChildProcess>()
for (const [index, port] of ports.entries()) start(`collector-${index + 1}`, port)

const written = { lines: 0 }
const writing = setInterval(() => {
  for (const { file } of sources) {
    written.lines += 1
    appendFileSync(file, `line ${written.lines}\n`)
  }
}, 20)

try {
  // The console: a member that is no founder. It submits what has to be done, and looks at how it goes.
  await using coord = await joinEnsemble({
    name: 'console',
    listen: { port: consolePort },
    peers: PEERS.split(','),
    secret: COORD_SECRET,
    valueEncoding: 'json',
  })
  const collected = coord.namespace<Collected>(collectedPath)
  const work = coord.namespace<Source>('/').workers(sourcesPath)
  for (const { name } of sources) {
    await collected.create(`/${name}`, { offset: 0, lines: 0, by: 'nobody' }, { parents: true })
  }
  await work.partition(Object.fromEntries(sources.map((source) => [source.name, source])))
  say('submit', `${sources.length} sources: ${sources.map(({ name }) => name).join(', ')}`)

  /** Which collector has which sources. */
  const shares = async (): Promise<Map<string, string[]>> => {
    const { workers, tasks } = await work.status()
    return new Map(
      workers.map(({ id, name }) => [
        name,
        tasks.flatMap((task) => (task.worker === id && task.state === 'running' ? [task.id.slice(2)] : [])).sort(),
      ]),
    )
  }
  const sharesText = (all: Map<string, string[]>): string =>
    [...all].map(([name, its]) => `${name} has ${its.join(', ')}`).join('; ')
  const lines = async (): Promise<number> => {
    const all = await Promise.all(sources.map(({ name }) => collected.getData(`/${name}`)))
    return all.reduce((sum, { data }) => sum + (data?.lines ?? 0), 0)
  }

  const three = await seen('two sources for each', shares, (all) => hasShares(all, 3, 2))
  say('assign', sharesText(three))
  const before = await seen('lines', lines, (count) => count > 100)
  say('collect', `${before} lines, while they are being written`)

  const killed = [...three.keys()][0] as string
  collectors.get(killed)?.kill('SIGKILL')
  const killedAt = performance.now()
  const two = await seen('three sources for each', shares, (all) => hasShares(all, 2, 3) && !all.has(killed))
  say('kill', `SIGKILL to ${killed}; ${((performance.now() - killedAt) / 1000).toFixed(1)} s later ${sharesText(two)}`)

  start(killed, ports[[...collectors.keys()].indexOf(killed)] as number)
  say(
    'join',
    `${killed} is back: ${sharesText(await seen('two sources for each', shares, (all) => hasShares(all, 3, 2)))}`,
  )

  clearInterval(writing)
  const total = await seen('every line', lines, (count) => count >= written.lines)
  if (total !== written.lines) throw new Error(`${total} lines were collected of ${written.lines}`)
  say('verify', `${written.lines} lines were written and ${total} collected: none lost, none twice`)
} finally {
  clearInterval(writing)
  for (const child of collectors.values()) child.kill('SIGTERM')
  for (const child of collectors.values()) {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
}
say('stop', 'all collectors have ended')

function start(name: string, port: number): void {
  const file = fileURLToPath(new URL('collector.ts', import.meta.url))
  const withRunner = fileURLToPath(new URL('../fleet/runner/with-runner.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', '--import', withRunner, file], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, NAME: name, PORT: `${port}`, PEERS, COORD_SECRET },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  collectors.set(name, child)
}

/** Looks until it is as wanted; a machine that is busy may take its time. */
async function seen<T>(what: string, look: () => Promise<T>, isWanted: (value: T) => boolean): Promise<T> {
  const limit = performance.now() + 120_000
  for (;;) {
    const value = await look()
    if (isWanted(value)) return value
    if (performance.now() > limit) throw new Error(`not seen within two minutes: ${what}`)
    await delay(50)
  }
}

function hasShares(all: ReadonlyMap<string, readonly string[]>, count: number, each: number): boolean {
  return all.size === count && [...all.values()].every(({ length }) => length === each)
}
