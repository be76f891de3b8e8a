/** A Node process of a benchmark that does what it is told over IPC: see `serveCommands` in lanes.mjs. */
import { type ChildProcess, fork } from 'node:child_process'
import { endProcess, watched } from '../processes.ts'

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

export class NodeProcess {
  readonly child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  constructor(program: URL, execArgv: readonly string[] = [], args: readonly string[] = []) {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
    this.child = watched(fork(program, [...args], { execArgv: [...execArgv], stdio: [...stdio] }))
    this.child.on('message', ({ id, result, error }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(result)
      else waiting?.reject(new Error(error))
    })
    this.child.once('exit', () => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`${program.pathname} has ended`))
    })
  }

  get pid(): number {
    return this.child.pid as number
  }

  ask<T>(command: string, message: object = {}): Promise<T> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject })
      this.child.send({ id, command, ...message })
    })
  }

  /** As a host that fails: nothing is said any more. */
  kill(): Promise<void> {
    return endProcess(this.child)
  }
}
