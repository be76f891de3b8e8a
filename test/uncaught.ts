/** What the process reports while something runs, instead of to mocha. */
import { until } from './join/fixture.ts'

/** Errors that nobody caught; waits until there are so many. */
export async function uncaughtDuring(count: number, run: () => Promise<void>): Promise<unknown[]> {
  const listeners = process.listeners('uncaughtException')
  const caught: unknown[] = []
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => caught.push(error))
  try {
    await run()
    await until('the errors are rethrown', () => caught.length >= count)
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  return caught
}

/** What the process warned of. */
export async function warningsDuring(run: () => Promise<void>): Promise<readonly (Error & { detail: string })[]> {
  const listeners = process.listeners('warning')
  const warnings: (Error & { detail: string })[] = []
  process.removeAllListeners('warning')
  process.on('warning', (warning) => warnings.push(warning as Error & { detail: string }))
  try {
    await run()
    // Warnings come in a turn of their own.
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.removeAllListeners('warning')
    for (const listener of listeners) process.on('warning', listener)
  }
  return warnings
}
