/**
 * Processes of a benchmark: what they use, by Linux' /proc, where they listen, and that none of them outlives it.
 * A clock tick of /proc is 10 ms, on every Linux that is usual.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ticksPerSecond = 100
const pageBytes = 4096

const children = new Set<ChildProcess>()
const folders = new Set<string>()

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

/** Ends with the benchmark, whatever becomes of it. */
export function watched(child: ChildProcess): ChildProcess {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** A server: it says nothing here, and ends with the benchmark. */
export function startServer(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const child = watched(spawn(command, args, { stdio: 'ignore', ...options }))
  child.on('error', () => {})
  return child
}

export const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (hasEnded(child)) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

/** A folder that goes with the benchmark. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `bench-${name}-`))
  folders.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  folders.delete(folder)
}

/** Tries until it holds; a try that throws does not. */
export async function until(what: string, condition: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  for (const end = performance.now() + timeoutMs; performance.now() < end; ) {
    if (await condition().catch(() => false)) return
    await sleep(20)
  }
  throw new Error(`${what}: not within ${timeoutMs / 1000} s`)
}

/** User and system time of all their threads so far; 0 for one that has ended. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const file = `/proc/${pid}/stat`
    if (!existsSync(file)) continue
    const stat = readFileSync(file, 'utf8')
    // The name, in parentheses, may hold anything; utime and stime are the 14th and 15th field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / ticksPerSecond
}

/** What they hold of the memory, MiB. What processes share counts for each. */
export function residentMiB(pids: readonly number[]): number {
  let pages = 0
  for (const pid of pids) {
    const file = `/proc/${pid}/statm`
    if (existsSync(file)) pages += Number(readFileSync(file, 'utf8').split(' ')[1])
  }
  return (pages * pageBytes) / 2 ** 20
}

/** CPU time of all processes of the machine, seconds, without waiting for input. */
export function machineCpuSeconds(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split(/\s+/).map(Number)
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / ticksPerSecond
}

/** Monotonic, and the same for all processes of the machine, ms. */
export const sharedClockMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000
