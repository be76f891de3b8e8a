/**
 * Locks: fair mutual exclusion, shared (readers) or exclusive (writers), and several at once.
 *
 * Who wants a lock puts an ephemeral-sequential node into its folder and waits until nobody stands before it: an exclusive
 * one for everybody, a shared one for exclusive ones. Each waits for one other alone, so a release wakes who is next, and
 * readers behind one writer together; nobody is overtaken, so neither starves. There is no upgrade from shared to
 * exclusive: two that try would wait for each other for ever. Release, and ask again.
 *
 * The names are kazoo's (`…__lock__`, `…__rlock__`), so that its Lock, ReadLock and WriteLock on the same path take part.
 */
import { checkCallOptions, textOf } from '../api/checks.ts'
import { CoordError } from '../errors.ts'
import { Lock } from './held.ts'
import { abortError, absolutePath, type HandleOptions, isOver, overError, type RecipeHost } from './host.ts'
import { type Manner, type Place, standInLine, tryLine } from './line.ts'

export interface LockOptions extends HandleOptions {
  /** How long to wait for it; then COORD_TIMEOUT. Default: for ever. */
  readonly timeoutMs?: number | undefined
  /** Share it with others who share it. Default: exclusive. */
  readonly shared?: boolean | undefined
}

const exclusive: Manner = { suffix: '__lock__', waitsFor: () => true }
const shared: Manner = { suffix: '__rlock__', waitsFor: (name) => !isShared(name) }

/** Also the readers of other libraries. */
function isShared(name: string): boolean {
  return name.includes('__rlock__') || name.includes('__READ__')
}

const mannerOf = (options: LockOptions | undefined): Manner => (options?.shared === true ? shared : exclusive)

/** Resolves when the lock is held. Waits through outages and lost sessions; a strict `Session` rejects when it is lost. */
export async function lock(host: RecipeHost, path: string, options: LockOptions = {}): Promise<Lock> {
  const folder = absolutePath(host, path)
  return bounded(host, options, async (signal) => {
    for (;;) {
      const held = lockOf(host, await standInLine(host, folder, signal, mannerOf(options)))
      // Lost between the last look and now: then from the beginning.
      if (held.held) return held
      if (isOver(host)) throw overError(host)
    }
  })
}

/** The lock if it is free, else undefined at once; nothing is left behind. */
export async function tryLock(
  host: RecipeHost,
  path: string,
  options: Omit<LockOptions, 'timeoutMs'> = {},
): Promise<Lock | undefined> {
  const place = await tryLine(host, absolutePath(host, path), options.signal, mannerOf(options))
  if (place === undefined) return undefined
  const held = lockOf(host, place)
  // Lost between the look and now: it goes by itself.
  return held.held ? held : undefined
}

/** Runs `action` with the lock, and gives it back whatever becomes of that. */
export async function withLock<T>(
  host: RecipeHost,
  path: string,
  action: (lock: Lock) => T | Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const held = await lock(host, path, options)
  try {
    return await action(held)
  } finally {
    await held.release()
  }
}

/** Several locks as one, taken in one order by everybody, so that nobody waits in a circle. */
export async function lockAll(
  host: RecipeHost,
  paths: readonly string[],
  options: LockOptions = {},
): Promise<MultiLock> {
  const folders = [...new Set(paths)].sort()
  if (folders.length === 0) throw new TypeError('lockAll needs at least one path')
  const locks: Lock[] = []
  try {
    await bounded(host, options, async (signal) => {
      for (const path of folders) locks.push(await lock(host, path, { shared: options.shared, signal }))
    })
  } catch (error) {
    // Who gives up need not wait until it can be told.
    for (const one of locks) void one.release()
    throw error
  }
  return new MultiLock(locks)
}

/** Several locks that are held together, and lost together. */
export class MultiLock implements AsyncDisposable {
  readonly locks: readonly Lock[]
  /** Aborts when the first of them is lost. */
  readonly signal: AbortSignal

  /** @internal */
  constructor(locks: readonly Lock[]) {
    this.locks = locks
    this.signal = AbortSignal.any(locks.map(({ signal }) => signal))
  }

  get held(): boolean {
    return this.locks.every(({ held }) => held)
  }

  /** Throws COORD_LOCK_LOST unless all are still held. */
  assertHeld(): void {
    for (const one of this.locks) one.assertHeld()
  }

  /** Idempotent; never rejects. */
  async release(): Promise<void> {
    await Promise.all(this.locks.map((one) => one.release()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}

function lockOf(host: RecipeHost, { session, path, token, leave }: Place): Lock {
  return new Lock(host, session, path, token, leave)
}

/** @internal Runs something with a signal that also aborts when the time is over; then it rejects with COORD_TIMEOUT. */
export async function bounded<T>(
  host: RecipeHost,
  options: Pick<LockOptions, 'timeoutMs' | 'signal'>,
  run: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  checkCallOptions(options)
  const { timeoutMs, signal } = options
  if (timeoutMs === undefined) return run(signal)
  if (typeof timeoutMs !== 'number') throw new TypeError(`timeoutMs must be milliseconds, not ${textOf(timeoutMs)}`)
  if (!Number.isFinite(timeoutMs) || timeoutMs < 0)
    throw new RangeError(`timeoutMs must be 0 or more, not ${timeoutMs}: leave it out to wait for ever`)
  const ending = new AbortController()
  const end = (): void => ending.abort()
  const timer = host.clock.setTimer(timeoutMs, end)
  // Not `AbortSignal.any`: a signal that lives as long as the process would keep something of every call.
  signal?.addEventListener('abort', end, { once: true })
  if (signal?.aborted === true) end()
  try {
    return await run(ending.signal)
  } catch (error) {
    if (signal?.aborted === true) throw abortError(signal)
    if (ending.signal.aborted) throw new CoordError('COORD_TIMEOUT', `not free within ${timeoutMs} ms`)
    throw error
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', end)
  }
}
