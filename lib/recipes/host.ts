/**
 * What a recipe needs of the client or session that it belongs to, and what recipes have in common: paths, waiting, and
 * writes that must not leave anything behind. A recipe never reads the ambient clock or randomness: both come from here.
 */

import { textOfError, warnOf } from '../api/emit.ts'
import { abortError } from '../api/results.ts'
import type { Session } from '../api/session.ts'
import type { ValueCodec } from '../api/values.ts'
import { type CreateOptions, rootUnder, type WatchListener } from '../api/znodes.ts'
import { CoordError, type ErrorCode } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { SessionState } from '../ports/session-link.ts'

export type Stat = NonNullable<Awaited<ReturnType<Session['exists']>>>

/** A session as recipes use it: its paths are absolute, its values bytes. */
export type HostSession = Pick<
  Session<Uint8Array>,
  | 'create'
  | 'createWithStat'
  | 'delete'
  | 'exists'
  | 'getData'
  | 'setData'
  | 'getChildren'
  | 'multi'
  | 'sync'
  | 'removeWatches'
  | 'id'
  | 'state'
> & {
  /** Whether the ensemble certainly has not given the session up. */
  readonly isCertain: boolean
  /** What is to be done as soon as that is no longer so. Returns what takes it back. */
  hold(onEnd: () => void): () => void
  /** The paths at which it would hear this listener. */
  watchedBy(listener: WatchListener): readonly string[]
}

/** A client, or a session that is strict: once lost, it is over. */
export interface RecipeHost<V = unknown> {
  /** The session as of now. */
  readonly session: HostSession
  readonly root: string
  readonly codec: ValueCodec<V>
  readonly state: SessionState
  readonly clock: Clock
  /** Of the member, where it is in this process. */
  readonly memberName: string | undefined
  /** In [0, 1). */
  random(): number
  /** 32 hexadecimal digits that nobody else has. */
  uniqueName(): string
  onState(listener: (next: SessionState) => void): () => void
  /** Closes the handle when the client is closed; returns how to let go of it. */
  own(handle: AsyncDisposable): () => void
}

const outages: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'COORD_CONNECTION_LOSS',
  'COORD_NO_QUORUM',
  'COORD_TIMEOUT',
  'COORD_SESSION_EXPIRED',
  'COORD_SESSION_MOVED',
  'COORD_THROTTLED',
])

/** Nothing is wrong with the call: waiting mends it. */
export function isOutage(error: unknown): error is CoordError {
  return error instanceof CoordError && outages.has(error.code)
}

export function hasCode(error: unknown, ...codes: ErrorCode[]): error is CoordError {
  return error instanceof CoordError && codes.includes(error.code)
}

/** Every method that gives a handle takes them. Aborting rejects with an AbortError, and leaves nothing behind. */
export interface HandleOptions {
  readonly signal?: AbortSignal | undefined
}

/** The absolute path of one of the host's. Throws a TypeError for what is no path. */
export function absolutePath(host: Pick<RecipeHost, 'root'>, path: string): string {
  return rootUnder(host.root, path) || '/'
}

/** The path of a child. */
export function below(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`
}

/** A text that may stand in the name of a node; a TypeError, which names `option`, for any other. */
export function nodeName(option: string, text: unknown, without: string = ''): string {
  if (typeof text !== 'string' || text === '') throw new TypeError(`${option} must be a text that is not empty`)
  for (const character of `/${without}`) {
    if (text.includes(character))
      throw new TypeError(`${option} must not contain "${character}": ${JSON.stringify(text)}`)
  }
  rootUnder('', `/${text}`)
  return text
}

/** What goes wrong again and again is told once, until it goes well. For what waiting will not mend, such as a missing permission. */
export class Complaint {
  readonly #what: string
  #told: string | undefined

  constructor(what: string) {
    this.#what = what
  }

  tell(error: unknown): void {
    const code = error instanceof CoordError ? error.code : textOfError(error)
    if (this.#told === code) return
    this.#told = code
    warnOf(this.#what, error)
  }

  over(): void {
    this.#told = undefined
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** For what a recipe itself writes, whatever the application's encoding is. */
export function toJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value))
}

/** Undefined for what is no JSON: somebody else wrote it. */
export function fromJson(data: Uint8Array | undefined): unknown {
  if (data === undefined) return undefined
  try {
    return JSON.parse(decoder.decode(data))
  } catch {
    return undefined
  }
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Those who wait for something to happen here, in this process. */
export class WaitLine {
  #waiting: Waiting[] = []

  /** Resolves at the next `resolveAll`. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortError(signal))
        return
      }
      const done = (settle: () => void): void => {
        signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const entry: Waiting = { resolve: () => done(resolve), reject: (error) => done(() => reject(error)) }
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((each) => each !== entry)
        entry.reject(abortError(signal as AbortSignal))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(entry)
    })
  }

  resolveAll(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { resolve } of waiting) resolve()
  }

  rejectAll(error: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(error)
  }
}

/** Resolves after `ms`, or as soon as the signal aborts; never rejects. */
export function pause(host: Pick<RecipeHost, 'clock'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve()
      return
    }
    const done = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = host.clock.setTimer(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/** Settles as a promise does; rejects as soon as the signal aborts, and what becomes of the promise then is nobody's. */
export function untilAborted<T>(waited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return waited
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal))
    const done = (): void => signal.removeEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    waited.then(resolve, reject).finally(done)
  })
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal)
}

const isClosed = (host: RecipeHost): boolean => host.state === 'closed'

/** What whoever waits is told where no other session will follow. */
export function overError(host: RecipeHost): CoordError {
  return new CoordError(isClosed(host) ? 'COORD_CLOSED' : 'COORD_SESSION_EXPIRED')
}

/** Whether no other session will follow: the host is closed, or is a session that is over. */
export function isOver(host: RecipeHost): boolean {
  return isClosed(host) || host.session.state === 'lost' || host.session.state === 'closed'
}

/**
 * Creates a node in a folder; a folder that there is not is created as a container, so that it goes when the last node in
 * it is gone and nobody has to clean up.
 */
export async function createIn(
  session: HostSession,
  folder: string,
  name: string,
  data: Uint8Array | undefined,
  options: CreateOptions,
): Promise<{ readonly path: string; readonly stat: Stat }> {
  for (;;) {
    try {
      return await session.createWithStat(below(folder, name), data, options)
    } catch (error) {
      if (!hasCode(error, 'COORD_NO_NODE')) throw error
    }
    try {
      await session.create(folder, undefined, { mode: 'container', parents: true, signal: options.signal })
    } catch (error) {
      if (!hasCode(error, 'COORD_NODE_EXISTS')) throw error
    }
  }
}

/** The session as of now, for a call; a closed client makes none, though its session may be somebody's who goes on. */
export function openSession(host: RecipeHost): HostSession {
  if (isClosed(host)) throw new CoordError('COORD_CLOSED')
  return host.session
}

/** Performs an attempt again if a session ended under it and it certainly was not applied; else rejects as it does. */
export async function inSomeSession<T>(host: RecipeHost, attempt: (session: HostSession) => Promise<T>): Promise<T> {
  for (;;) {
    const session = openSession(host)
    try {
      return await attempt(session)
    } catch (error) {
      if (!isOutage(error) || !error.retryable || session === host.session || isOver(host)) throw error
    }
  }
}

/**
 * Looks until there is something: again when the watch that `look` set fires, in a new session, and after outages. It
 * waits for as long as that takes; an aborted signal ends it.
 */
export async function lookUntil<T>(
  host: RecipeHost,
  look: (session: HostSession, watch: () => void) => Promise<T | undefined>,
  signal?: AbortSignal,
): Promise<T> {
  for (let delayMs = 50; ; ) {
    const woken = new AbortController()
    const wake = (): void => woken.abort()
    const stop = host.onState((next) => {
      if (next === 'lost' || next === 'closed') wake()
    })
    signal?.addEventListener('abort', wake, { once: true })
    const session = host.session
    try {
      if (signal?.aborted === true) throw abortError(signal)
      if (isClosed(host)) throw new CoordError('COORD_CLOSED')
      const found = await look(session, wake)
      if (found !== undefined) return found
      if (!woken.signal.aborted) await new Promise((resolve) => woken.signal.addEventListener('abort', resolve))
      if (isOver(host)) throw overError(host)
      delayMs = 50
    } catch (error) {
      if (signal?.aborted === true) throw abortError(signal)
      if (!isOutage(error) || isOver(host)) throw error
      if (session !== host.session) continue
      await pause(host, delayMs, signal)
      delayMs = Math.min(2 * delayMs, 2000)
    } finally {
      stop()
      signal?.removeEventListener('abort', wake)
      stopWatching(host, wake)
    }
  }
}

/** What was watched and has not fired would stay for ever where it never does. */
function stopWatching(host: RecipeHost, listener: () => void): void {
  const { session } = host
  for (const path of session.watchedBy(listener)) session.removeWatches(path, 'any', listener).catch(() => {})
}

/**
 * Makes a write however often that takes, as long as its session lives. Where an attempt whose outcome is unknown is
 * followed by a conflict, the attempt may have succeeded. Never rejects.
 */
export async function insist(
  host: RecipeHost,
  session: HostSession,
  write: () => Promise<unknown>,
): Promise<'done' | 'conflict' | 'over'> {
  while (session.state !== 'lost' && session.state !== 'closed') {
    try {
      await write()
      return 'done'
    } catch (error) {
      if (!isOutage(error)) return isOver(host) ? 'over' : 'conflict'
      await pause(host, 100)
    }
  }
  return 'over'
}

/**
 * Deletes a node of our own, however often that takes: until it is gone, or its session is over and it goes with it.
 * Never rejects.
 */
export async function deleteOwn(host: RecipeHost, session: HostSession, path: string): Promise<void> {
  for (
    let delayMs = 50;
    session.state !== 'lost' && session.state !== 'closed';
    delayMs = Math.min(2 * delayMs, 2000)
  ) {
    try {
      await session.delete(path)
      return
    } catch (error) {
      if (!isOutage(error)) return
      await pause(host, delayMs)
    }
  }
}

export { abortError }
