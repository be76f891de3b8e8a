/** What calls return: plain objects that can be logged and sent (`toJSON` writes bigints as strings). */
import type { Stat } from '../core/tree/stat.ts'

/** Makes an object that holds bigints ready for `JSON.stringify`. */
export function withJson<T extends object>(value: T): T {
  Object.defineProperty(value, 'toJSON', { value: jsonOf, enumerable: false })
  return value
}

function jsonOf(this: object): unknown {
  return Object.fromEntries(
    Object.entries(this).map(([key, value]) => [key, typeof value === 'bigint' ? `${value}` : value]),
  )
}

/** A stat of the application's own. */
export function statView(stat: Stat): Stat {
  return withJson({ ...stat })
}

/** An error of the kind that Node's own APIs reject with when a signal aborts. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  error.name = 'AbortError'
  return Object.assign(error, { code: 'ABORT_ERR' })
}
