/** What went wrong in a run, in a form that can be compared: which check, and what it said. */
import { Violation } from './invariants/invariant.ts'
import { runSchedule } from './run-seed.ts'
import type { Schedule } from './schedule.ts'

export interface Failure {
  /** The invariant, or `Assertion` where the core itself gave up, or the name of the error. */
  readonly check: string
  readonly message: string
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Violation) return { check: error.invariant, message: error.message }
  if (!(error instanceof Error)) return { check: 'Error', message: String(error) }
  const check = error.name === 'CoordError' || error.name === 'AssertionError' ? 'Assertion' : error.name
  return { check, message: error.message }
}

/** How a schedule fails, if it does. */
export function tryRun(schedule: Schedule): Failure | undefined {
  try {
    runSchedule(schedule)
    return undefined
  } catch (error) {
    return failureOf(error)
  }
}
