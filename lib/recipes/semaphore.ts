/**
 * A semaphore: up to so many leases of something at a time, given in the order in which they were asked for.
 *
 * Who asks stands in a line; the first in it takes a lease as soon as one is free, and lets the next one look. So a lease
 * that is given back wakes one process, however many wait. How many there are is said by everybody who asks, or once for
 * all by `resize`, which counts from then on: with fewer, leases are taken back by nobody, and new ones wait.
 */
import { Lock } from './held.ts'
import {
  absolutePath,
  below,
  createIn,
  deleteOwn,
  fromJson,
  type HandleOptions,
  type HostSession,
  hasCode,
  isOver,
  lookUntil,
  openSession,
  overError,
  type RecipeHost,
  toJson,
  untilAborted,
} from './host.ts'
import { deleteByPrefix, standInLine } from './line.ts'
import { bounded, type LockOptions } from './lock.ts'

export class Semaphore {
  readonly #host: RecipeHost
  readonly #path: string
  readonly #permits: number

  /** @internal */
  constructor(host: RecipeHost, path: string, permits: number) {
    requirePermits(permits)
    this.#host = host
    this.#path = absolutePath(host, path)
    this.#permits = permits
  }

  /** Resolves with a lease. Waits through outages and lost sessions. */
  acquire(options: Omit<LockOptions, 'shared'> = {}): Promise<Lock> {
    return bounded(this.#host, options, async (signal) => {
      for (;;) {
        const place = await standInLine(this.#host, below(this.#path, 'line'), signal)
        let lease: Lock | 'moved' | undefined
        try {
          lease = await lookUntil(
            this.#host,
            (session, watch) => this.#take(session, place.session, watch, signal),
            signal,
          )
          await untilAborted(place.leave(), signal)
        } catch (error) {
          // Who gives up need not wait until it can be told.
          void place.leave()
          if (lease instanceof Lock) void lease.release()
          throw error
        }
        // Lost between the last look and now, or with its place: then from the beginning.
        if (lease !== 'moved' && lease.held) return lease
        if (isOver(this.#host)) throw overError(this.#host)
      }
    })
  }

  /** A lease if one is free and nobody waits, else undefined at once. */
  async tryAcquire(options: Pick<LockOptions, 'signal'> = {}): Promise<Lock | undefined> {
    const session = openSession(this.#host)
    const line = await session.exists(below(this.#path, 'line'), options)
    if (line !== undefined && line.numChildren > 0) return undefined
    const lease = await this.#take(session, session, undefined, options.signal)
    return lease instanceof Lock && lease.held ? lease : undefined
  }

  /** How many leases there are from now on, for everybody. */
  async resize(permits: number, { signal }: HandleOptions = {}): Promise<void> {
    requirePermits(permits)
    const session = openSession(this.#host)
    for (;;) {
      try {
        await session.setData(this.#path, toJson({ permits }), { signal })
        return
      } catch (error) {
        if (!hasCode(error, 'COORD_NO_NODE')) throw error
      }
      try {
        await session.create(this.#path, toJson({ permits }), { parents: true, signal })
        return
      } catch (error) {
        if (!hasCode(error, 'COORD_NODE_EXISTS')) throw error
      }
    }
  }

  /** A lease, or undefined where none is free (`watch` calls when that changes), or `moved` where the place in line is gone. */
  async #take(
    session: HostSession,
    placeOf: HostSession,
    watch: (() => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Lock | 'moved' | undefined> {
    if (session !== placeOf) return 'moved'
    const folder = below(this.#path, 'leases')
    const permits = await this.#permitsNow(session, watch, signal)
    if ((await this.#leases(session, folder, watch, signal)) >= permits) return undefined
    const id = this.#host.uniqueName()
    try {
      const { path, stat } = await createIn(session, folder, id, undefined, { mode: 'ephemeral', signal })
      const giveBack = (): Promise<void> => deleteOwn(this.#host, session, path)
      // Without a place in line (tryAcquire) two may have seen the same free lease: who finds too many gives way.
      if ((await this.#leases(session, folder, undefined, undefined)) <= permits) {
        return new Lock(this.#host, session, path, stat.czxid, giveBack)
      }
      await giveBack()
      return undefined
    } catch (error) {
      void deleteByPrefix(this.#host, session, folder, id)
      throw error
    }
  }

  async #leases(
    session: HostSession,
    folder: string,
    watch: (() => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    try {
      return (await session.getChildren(folder, { watch, signal })).children.length
    } catch (error) {
      if (hasCode(error, 'COORD_NO_NODE')) return 0
      throw error
    }
  }

  async #permitsNow(
    session: HostSession,
    watch: (() => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    try {
      const { data } = await session.getData(this.#path, { watch, signal })
      const stored = (fromJson(data) as { readonly permits?: unknown } | undefined)?.permits
      return typeof stored === 'number' ? stored : this.#permits
    } catch (error) {
      if (hasCode(error, 'COORD_NO_NODE')) return this.#permits
      throw error
    }
  }
}

function requirePermits(permits: unknown): asserts permits is number {
  if (Number.isSafeInteger(permits) && (permits as number) >= 1) return
  if (typeof permits !== 'number') throw new TypeError(`permits must be a number, not a ${typeof permits}`)
  throw new RangeError(`permits must be a whole number from 1, not ${String(permits)}`)
}
