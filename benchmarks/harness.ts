/** What the workloads share: worker processes, free ports, and the statistics of a few runs. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

export interface Settings {
  readonly seconds: number
  readonly runs: number
  /** Shown while it runs. */
  readonly progress: (text: string) => void
}

/** A row of the table: what was measured, and each figure with its unit. */
export interface Row {
  readonly workload: string
  readonly setting: string
  readonly figures: Readonly<Record<string, string | number>>
}

export type Workload = (settings: Settings) => Promise<readonly Row[]>

type Answer = Readonly<Record<string, unknown>> & { readonly done: string; readonly error?: string }

/** One worker process (worker.mjs). */
export class Worker {
  readonly child: ChildProcess

  constructor() {
    this.child = fork(fileURLToPath(new URL('./worker.mjs', import.meta.url)), { execArgv: [], stdio: 'inherit' })
  }

  async ask<T>(command: string, message: object = {}): Promise<T> {
    this.child.send({ command, ...message })
    for (;;) {
      const [answer] = (await once(this.child, 'message')) as [Answer]
      if (answer.done !== command) continue
      if (answer.error !== undefined) throw new Error(`${command}: ${answer.error}`)
      return answer as T
    }
  }

  /** As a host that fails: nothing is said any more. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    await this.ask('close')
    await exited
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** An ensemble of worker processes, each with its own member, in memory. */
export async function startEnsemble(size: number, more: object = {}): Promise<Worker[]> {
  const ports = await freePorts(size)
  const peers = ports.map((port) => `ws://127.0.0.1:${port}`)
  const workers = ports.map(() => new Worker())
  const options = (index: number): object => ({
    name: `bench-${index}`,
    listen: { port: ports[index] },
    peers,
    ...more,
  })
  await Promise.all(workers.map((worker, index) => worker.ask('join', { options: options(index) })))
  return workers
}

export async function leaderOf(workers: readonly Worker[]): Promise<Worker> {
  for (const worker of workers) {
    if ((await worker.ask<{ role: string }>('role')).role === 'leader') return worker
  }
  throw new Error('no member leads')
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** `median (least to most)`. */
export function spread(values: readonly number[], digits = 1): string {
  const figure = (share: number): string => quantile(values, share).toFixed(digits)
  return `${figure(0.5)} (${figure(0)} to ${figure(1)})`
}
