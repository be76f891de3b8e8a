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

/** A stat as the application gets it: a class, because every read makes one. */
class StatView implements Stat {
  readonly czxid: Stat['czxid']
  readonly mzxid: Stat['mzxid']
  readonly pzxid: Stat['pzxid']
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: Stat['ephemeralOwner']
  readonly dataLength: number
  readonly numChildren: number

  constructor(stat: Stat) {
    this.czxid = stat.czxid
    this.mzxid = stat.mzxid
    this.pzxid = stat.pzxid
    this.ctime = stat.ctime
    this.mtime = stat.mtime
    this.version = stat.version
    this.cversion = stat.cversion
    this.aversion = stat.aversion
    this.ephemeralOwner = stat.ephemeralOwner
    this.dataLength = stat.dataLength
    this.numChildren = stat.numChildren
  }

  toJSON(): unknown {
    return jsonOf.call(this)
  }
}

/** A stat of the application's own. */
export function statView(stat: Stat): Stat {
  return new StatView(stat)
}

/** What a call rejects with that may have been aborted in the middle. */
export function abortedOr(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted === true ? abortError(signal) : error
}

/** An error of the kind that Node's own APIs reject with when a signal aborts. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  error.name = 'AbortError'
  return Object.assign(error, { code: 'ABORT_ERR' })
}
