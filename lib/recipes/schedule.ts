/**
 * Jobs that run at set times on one process of all that schedule them, each firing at most once in the whole ensemble.
 *
 * Those who schedule a job stand for election; the leader waits for the next firing, records it, and only then runs the
 * job. The record is written under the leader's term (`ifHeld`) and says through which time firings have begun, so no
 * other leader, before or after, begins the same one; a leader that dies between record and job has lost that firing. The
 * next firing does not begin before the job of the last one has settled: one that came meanwhile was missed.
 *
 * Times are wall-clock times, of the leader. Where clocks differ or jump, a firing may come late or early by that, but
 * never twice.
 */
import { EventEmitter } from 'node:events'
import { Cron } from 'croner'
import { emitFailure, emitSafely } from '../api/emit.ts'
import { withJson } from '../api/results.ts'
import { CoordError } from '../errors.ts'
import { Election, requireName } from './election.ts'
import type { Held } from './held.ts'
import {
  absolutePath,
  below,
  fromJson,
  type HandleOptions,
  hasCode,
  isOutage,
  openSession,
  pause,
  type RecipeHost,
  toJson,
} from './host.ts'

/** When a job fires: a cron expression (five or six fields), or every so many milliseconds since 1970. */
export type ScheduleTimes = string | { readonly everyMs: number }

/** One run of a job. Held as the leader's term is; its token grows with every firing. */
export interface Firing extends Pick<Held, 'path' | 'signal' | 'held' | 'assertHeld'> {
  readonly token: bigint
  /** For which time it was scheduled. */
  readonly scheduledAt: Date
}

export interface ScheduleOptions {
  /** Of a cron expression: an IANA name. Default: the process's. */
  readonly timeZone?: string | undefined
  /**
   * What becomes of firings that nobody was there for, or that came while the job still ran: `'skip'` (default) leaves them
   * out, `'once'` runs the latest of them, `'all'` runs each. They are also told as `missed`.
   */
  readonly missed?: 'skip' | 'once' | 'all' | undefined
}

export interface ScheduleEvents {
  fired: [firing: Firing]
  missed: [times: readonly Date[]]
  /** The job rejected, or what it needs could not be recorded. Where nobody listens, the process prints a warning. */
  failed: [error: unknown]
}

/** What is kept of past firings. */
export interface FiringRecord {
  readonly scheduledAt: string
  readonly startedAt: string
  readonly by: string | undefined
  /** `running` also if its process died meanwhile. */
  readonly outcome: 'running' | 'done' | 'failed'
}

interface StoredRecord {
  readonly through: number
  readonly firings: readonly FiringRecord[]
}

/** So many past firings are kept. */
const historyMax = 20
/** More missed firings than this are told and run as the latest so many. */
const missedMax = 1000

export class Schedule extends EventEmitter<ScheduleEvents> implements AsyncDisposable {
  readonly #host: RecipeHost
  readonly #record: string
  readonly #times: Times
  readonly #job: (firing: Firing) => unknown
  readonly #missed: NonNullable<ScheduleOptions['missed']>
  readonly #election: Election<unknown>
  readonly #disown: () => void

  /** @internal Under `/schedule/<name>`. */
  constructor(
    host: RecipeHost<unknown>,
    name: string,
    times: ScheduleTimes,
    job: (firing: Firing) => unknown,
    options: ScheduleOptions = {},
  ) {
    super()
    if (typeof job !== 'function') throw new TypeError('the job must be a function')
    const { missed = 'skip' } = options
    if (!['skip', 'once', 'all'].includes(missed))
      throw new TypeError(`missed must be 'skip', 'once' or 'all', not ${String(missed)}`)
    const path = `/schedule/${requireName(name)}`
    this.#times = timesOf(times, options.timeZone)
    this.#host = host
    this.#record = below(absolutePath(host, path), 'record')
    this.#job = job
    this.#missed = missed
    this.#election = new Election<unknown>(host, `${path}/line`, { onElected: (term) => this.#lead(term) })
    this.#election.on('failed', (error) => this.#tellFailure(error))
    this.#disown = host.own(this)
  }

  /** Whether this process runs the firings now. */
  get isLeader(): boolean {
    return this.#election.isLeader
  }

  /** The last firings, oldest first. */
  async history(options: HandleOptions = {}): Promise<readonly FiringRecord[]> {
    return (await this.#stored(options.signal))?.firings ?? []
  }

  /** Stops. Resolves when a job that runs here has settled; its signal aborts. Idempotent. */
  async close(): Promise<void> {
    this.#disown()
    await this.#election.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #lead(term: Held): Promise<void> {
    try {
      await this.#fireOn(term)
    } catch (error) {
      // That the term was lost is no failure: another one goes on.
      if (term.held) throw error
    }
  }

  async #fireOn(term: Held): Promise<void> {
    let through = await this.#begin(term)
    while (term.held) {
      const next = this.#times.next(through)
      if (next === undefined) return
      const waitMs = next - this.#host.clock.wallNow()
      if (waitMs > 0) {
        // The wall clock may be set meanwhile: look again at least once a minute.
        await pause(this.#host, Math.min(waitMs, 60_000), term.signal)
        continue
      }
      through = await this.#fireDue(term, next)
    }
  }

  /** From when on firings are due. Who schedules a job for the first time begins now. */
  async #begin(term: Held): Promise<number> {
    const stored = await this.#stored()
    if (stored !== undefined) return stored.through
    const through = this.#host.clock.wallNow()
    const data = toJson({ through, firings: [] } satisfies StoredRecord)
    await this.#host.session.multi([{ type: 'create', path: this.#record, data }], {
      ifHeld: { path: term.absolute, token: term.token },
    })
    return through
  }

  /** Everything that is due by now: the latest is on time, those before it were missed. Returns through when. */
  async #fireDue(term: Held, first: number): Promise<number> {
    const due = [first]
    const now = this.#host.clock.wallNow()
    for (let next = this.#times.next(first); next !== undefined && next <= now; next = this.#times.next(next)) {
      due.push(next)
      if (due.length > missedMax) due.shift()
    }
    const last = due.at(-1) as number
    const isLate = now - last > lateMs
    const missed = isLate ? due : due.slice(0, -1)
    if (missed.length > 0)
      emitSafely(
        this,
        'missed',
        missed.map((at) => new Date(at)),
      )
    const fired = this.#missed === 'all' ? due : this.#missed === 'once' || !isLate ? [last] : []
    for (const at of fired) {
      if (!term.held) return at - 1
      await this.#fire(term, at)
    }
    if (fired.length === 0) await this.#write(term, ({ firings }) => ({ through: last, firings }))
    return last
  }

  async #fire(term: Held, at: number): Promise<void> {
    const record: FiringRecord = {
      scheduledAt: new Date(at).toISOString(),
      startedAt: new Date(this.#host.clock.wallNow()).toISOString(),
      by: this.#host.memberName,
      outcome: 'running',
    }
    const token = await this.#write(term, ({ through, firings }) => {
      if (at <= through) throw new CoordError('COORD_LOCK_LOST', `${record.scheduledAt} was fired already`)
      return { through: at, firings: [...firings, record].slice(-historyMax) }
    })
    const firing: Firing = withJson({
      path: term.path,
      token,
      scheduledAt: new Date(at),
      signal: term.signal,
      get held(): boolean {
        return term.held
      },
      assertHeld: () => term.assertHeld(),
    })
    emitSafely(this, 'fired', firing)
    let outcome: FiringRecord['outcome'] = 'done'
    try {
      await this.#job(firing)
    } catch (error) {
      outcome = 'failed'
      this.#tellFailure(error)
    }
    try {
      await this.#write(term, ({ through, firings }) => ({
        through,
        firings: firings.map((one) => (one.scheduledAt === record.scheduledAt ? { ...one, outcome } : one)),
      }))
    } catch (error) {
      // How it ended is for people to read: losing it loses nothing else.
      if (!isOutage(error) && !hasCode(error, 'COORD_LOCK_LOST', 'COORD_CLOSED')) throw error
    }
  }

  #tellFailure(error: unknown): void {
    emitFailure(this, `the schedule at ${this.#record}`, error)
  }

  /** Changes the record under the term; resolves with the zxid of the change. */
  async #write(term: Held, change: (stored: StoredRecord) => StoredRecord): Promise<bigint> {
    term.assertHeld()
    const data = toJson(change((await this.#stored()) ?? { through: 0, firings: [] }))
    const results = await this.#host.session.multi([{ type: 'setData', path: this.#record, data }], {
      ifHeld: { path: term.absolute, token: term.token },
    })
    return results[0].stat.mzxid
  }

  async #stored(signal?: AbortSignal): Promise<StoredRecord | undefined> {
    try {
      const { data } = await openSession(this.#host).getData(this.#record, { signal })
      const stored = fromJson(data) as Partial<StoredRecord> | undefined
      if (typeof stored?.through === 'number' && Array.isArray(stored.firings)) return stored as StoredRecord
      throw new CoordError('COORD_BAD_DATA', `${this.#record} is no record of firings`, { path: this.#record })
    } catch (error) {
      if (hasCode(error, 'COORD_NO_NODE')) return undefined
      throw error
    }
  }
}

/** A firing that begins this much after its time was not on time: nobody was there, or the last job still ran. */
const lateMs = 5000

interface Times {
  /** The first time after `after`, milliseconds since 1970; undefined if there is none. */
  next(after: number): number | undefined
}

function timesOf(times: ScheduleTimes, timeZone: string | undefined): Times {
  if (typeof times === 'string') {
    let cron: Cron
    try {
      cron = new Cron(times, { paused: true, ...(timeZone === undefined ? {} : { timezone: timeZone }) })
      cron.nextRun(new Date(0))
    } catch (cause) {
      const what = timeZone === undefined ? '' : ` in ${timeZone}`
      throw new TypeError(`not a cron expression: ${JSON.stringify(times)}${what}: ${(cause as Error).message}`, {
        cause,
      })
    }
    return { next: (after) => cron.nextRun(new Date(after))?.getTime() }
  }
  const { everyMs } = times ?? {}
  if (!Number.isSafeInteger(everyMs) || everyMs < 1)
    throw new RangeError(`everyMs must be a whole number from 1, not ${String(everyMs)}`)
  return { next: (after) => (Math.floor(after / everyMs) + 1) * everyMs }
}
