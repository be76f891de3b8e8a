/** The worker process, and the watch over it: a seed that takes longer than a minute hangs, which is a failure, too. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Failure } from '../sim/failure.ts'
import type { Job, Report } from './worker.ts'

export interface Kill extends Failure {
  readonly seed: number
}

export interface Outcome {
  readonly kills: readonly Kill[]
  /** How many seeds ran. */
  readonly seeds: number
}

const hangMs = 90_000

export class Bench {
  #child: ChildProcess | undefined

  /** Runs one job to its end. Jobs of one bench run one after the other, in one process. */
  run(job: Job): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const child = this.#process()
      const kills: Kill[] = []
      let seeds = 0
      let timer: NodeJS.Timeout
      const finish = (end: () => void): void => {
        clearTimeout(timer)
        child.off('message', onReport)
        child.off('exit', onExit)
        end()
      }
      const onHang = (): void => {
        const seed = job.seeds[seeds] ?? 0
        kills.push({ seed, check: 'Hang', message: `seed ${seed} does not come to an end` })
        finish(() => resolve({ kills, seeds: seeds + 1 }))
        this.close()
      }
      const onExit = (): void => finish(() => reject(new Error(`the worker of ${job.id} ended`)))
      const onReport = (report: Report): void => {
        clearTimeout(timer)
        if (report.type === 'done') {
          finish(() => resolve({ kills, seeds }))
          return
        }
        timer = setTimeout(onHang, hangMs)
        seeds += 1
        if (report.failure !== undefined) kills.push({ ...report.failure, seed: report.seed })
      }
      timer = setTimeout(onHang, hangMs)
      child.on('message', onReport)
      child.on('exit', onExit)
      child.send(job)
    })
  }

  close(): void {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }

  #process(): ChildProcess {
    this.#child ??= fork(fileURLToPath(new URL('worker.ts', import.meta.url)), { execArgv: ['--import', 'tsx'] })
    return this.#child
  }
}
