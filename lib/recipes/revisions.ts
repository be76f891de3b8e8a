/**
 * How configuration is written: several keys at once, each publication a numbered revision that can be taken back, and a
 * candidate that only some members see yet. Below the root of the configuration:
 *
 *     <root>/<key>                the values; a key may have slashes, and '' is the root itself
 *     <root>/.history/r-<number>  for each revision, what its keys were before
 *     <root>/.rollout             the candidate, and who sees it
 *
 * A publication is one multi: whoever sees one key of it sees all. It names the versions that it read, so of two at a time
 * one is first and the other goes on top of it.
 */
import type { MultiOperation } from '../api/znodes.ts'
import { CoordError } from '../errors.ts'
import {
  below,
  fromJson,
  type HandleOptions,
  type HostSession,
  hasCode,
  inSomeSession,
  type RecipeHost,
  type Stat,
  toJson,
} from './host.ts'
import { type Audience, checkAudience } from './rollout.ts'

/** Values by key; undefined: there is none. */
export type Values = ReadonlyMap<string, Uint8Array | undefined>

/** A revision that can still be taken back. */
export interface Revision {
  /** 1, 2, 3 … */
  readonly number: number
  /** What it changed. */
  readonly keys: readonly string[]
  /** When: milliseconds since 1970, by the clock of the leader then. */
  readonly time: number
}

/** The candidate of a gradual roll-out. */
export interface RollOut {
  readonly audience: Audience
  /** Decides, with a member's name, whether it is in: another one for each roll-out. */
  readonly salt: string
  readonly values: Values
}

/** How many revisions can be taken back. */
export const revisionsKept = 20

export const historyName = '.history'
export const rollOutName = '.rollout'

/** In a record of the history, and in the candidate: base64, or null for none. */
type Stored = Readonly<Record<string, string | null>>

/** An operation's part of a multi. */
type Operation = MultiOperation<Uint8Array>

export class Revisions {
  readonly #host: RecipeHost
  readonly #root: string

  /** `root` is absolute. */
  constructor(host: RecipeHost, root: string) {
    this.#host = host
    this.#root = root
  }

  /** Sets (or, with undefined, removes) all these keys at once. Resolves with the number of the revision. */
  publish(values: Values, { signal }: HandleOptions = {}): Promise<number> {
    return this.#publish(async () => ({ values, operations: [] }), signal)
  }

  /** The revisions that can be taken back, oldest first. */
  async list({ signal }: HandleOptions = {}): Promise<Revision[]> {
    const records = await inSomeSession(this.#host, (session) => this.#records(session, signal))
    return records.map(({ number, before, stat }) => ({ number, keys: [...before.keys()], time: stat.ctime }))
  }

  /**
   * Makes all keys what they were right after a revision (0: before the first one), as a new revision. COORD_NO_NODE where
   * a revision since then is kept no more. Resolves with the number of the new revision.
   */
  rollback(to: number, { signal }: HandleOptions = {}): Promise<number> {
    if (!Number.isSafeInteger(to) || to < 0) throw new RangeError(`a revision is a whole number, 0 or more, not ${to}`)
    return this.#publish(async (session) => {
      const records = await this.#records(session, signal)
      const since = records.filter(({ number }) => number > to)
      const last = records.at(-1)?.number ?? 0
      if (to > last || since.length !== last - to)
        throw new CoordError('COORD_NO_NODE', `revision ${to} of ${this.#root} is not kept`, { path: this.#root })
      const values = new Map<string, Uint8Array | undefined>()
      // The oldest record that knows a key has what it was at `to`.
      for (const { before } of since) for (const [key, value] of before) if (!values.has(key)) values.set(key, value)
      return { values, operations: [] }
    }, signal)
  }

  /** Shows these values to an audience alone, in the place of an earlier candidate. */
  async rollOut(values: Values, audience: Audience, { signal }: HandleOptions = {}): Promise<void> {
    checkAudience(audience)
    const data = toJson({ audience, salt: this.#host.uniqueName(), values: stored(values) })
    const path = below(this.#root, rollOutName)
    await inSomeSession(this.#host, async (session) => {
      for (;;) {
        try {
          await session.setData(path, data, { signal })
          return
        } catch (error) {
          if (!hasCode(error, 'COORD_NO_NODE')) throw error
        }
        try {
          await session.create(path, data, { parents: true, signal })
          return
        } catch (error) {
          if (!hasCode(error, 'COORD_NODE_EXISTS')) throw error
        }
      }
    })
  }

  /** Shows the same candidate to another audience. COORD_NO_NODE where there is none. */
  async widen(audience: Audience, { signal }: HandleOptions = {}): Promise<void> {
    checkAudience(audience)
    await inSomeSession(this.#host, async (session) => {
      for (;;) {
        const { rollOut, version } = await this.#candidate(session, signal)
        const data = toJson({ audience, salt: rollOut.salt, values: stored(rollOut.values) })
        try {
          await session.setData(below(this.#root, rollOutName), data, { version, signal })
          return
        } catch (error) {
          if (!hasCode(error, 'COORD_BAD_VERSION')) throw error
        }
      }
    })
  }

  /** Publishes the candidate for all. Resolves with the number of the revision. */
  complete({ signal }: HandleOptions = {}): Promise<number> {
    return this.#publish(async (session) => {
      const { rollOut, version } = await this.#candidate(session, signal)
      return {
        values: rollOut.values,
        operations: [{ type: 'delete', path: below(this.#root, rollOutName), version }],
      }
    }, signal)
  }

  /** Takes the candidate back from those who see it. Nothing happens where there is none. */
  async cancel({ signal }: HandleOptions = {}): Promise<void> {
    try {
      await inSomeSession(this.#host, (session) => session.delete(below(this.#root, rollOutName), { signal }))
    } catch (error) {
      if (!hasCode(error, 'COORD_NO_NODE')) throw error
    }
  }

  /** Tries until nobody else has changed what it read in between. */
  #publish(
    prepare: (session: HostSession) => Promise<{ values: Values; operations: readonly Operation[] }>,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    return inSomeSession(this.#host, async (session) => {
      for (;;) {
        const history = below(this.#root, historyName)
        const { values, operations } = await prepare(session)
        if ((await session.exists(history, { signal })) === undefined)
          await this.#createHistory(session, history, signal)
        const records = await this.#records(session, signal)
        const { before, writes } = await this.#writes(session, values, signal)
        const record = toJson(stored(before))
        const create = { type: 'create', path: `${history}/r-`, data: record, mode: 'persistent-sequential' } as const
        const old = records.slice(0, Math.max(0, records.length + 1 - revisionsKept))
        const purge = old.map(({ path }) => ({ type: 'delete', path }) as const)
        try {
          const [created] = await session.multi([create, ...writes, ...operations, ...purge] as const, { signal })
          return numberOf(created.path)
        } catch (error) {
          if (!hasCode(error, 'COORD_BAD_VERSION', 'COORD_NO_NODE', 'COORD_NODE_EXISTS', 'COORD_NOT_EMPTY')) throw error
        }
      }
    })
  }

  async #createHistory(session: HostSession, path: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await session.create(path, undefined, { parents: true, signal })
    } catch (error) {
      if (!hasCode(error, 'COORD_NODE_EXISTS')) throw error
    }
  }

  /** What has to be written so that the keys have these values, and what they have now. */
  async #writes(
    session: HostSession,
    values: Values,
    signal: AbortSignal | undefined,
  ): Promise<{ before: Values; writes: Operation[] }> {
    const before = new Map<string, Uint8Array | undefined>()
    const writes: Operation[] = []
    const created = new Set<string>()
    for (const [key, data] of values) {
      const path = key === '' ? this.#root : below(this.#root, key)
      const found = await read(session, path, signal)
      before.set(key, found?.data)
      if (found !== undefined) {
        const { version, numChildren } = found.stat
        // A key with others below it stays as a node, without a value.
        const goes = data === undefined && key !== '' && numChildren === 0
        writes.push(goes ? { type: 'delete', path, version } : { type: 'setData', path, data, version })
      } else if (data !== undefined) {
        for (const parent of missingParents(this.#root, key)) {
          if (created.has(parent) || (await session.exists(parent, { signal })) !== undefined) continue
          created.add(parent)
          writes.push({ type: 'create', path: parent })
        }
        if (created.has(path)) writes.push({ type: 'setData', path, data })
        else writes.push({ type: 'create', path, data })
        created.add(path)
      }
    }
    return { before, writes }
  }

  async #records(session: HostSession, signal: AbortSignal | undefined) {
    const history = below(this.#root, historyName)
    let names: readonly string[]
    try {
      names = (await session.getChildren(history, { signal })).children
    } catch (error) {
      if (hasCode(error, 'COORD_NO_NODE')) return []
      throw error
    }
    const records = names.map(async (name) => {
      const path = below(history, name)
      const found = await read(session, path, signal)
      const before = found && storedValues(fromJson(found.data))
      return found === undefined || before === undefined
        ? []
        : [{ path, number: numberOf(path), before, stat: found.stat }]
    })
    return (await Promise.all(records)).flat().sort((one, other) => one.number - other.number)
  }

  async #candidate(session: HostSession, signal: AbortSignal | undefined) {
    const path = below(this.#root, rollOutName)
    const { data, stat } = await session.getData(path, { signal })
    const rollOut = rollOutOf(data)
    if (rollOut === undefined) throw new CoordError('COORD_BAD_DATA', `${path} is no candidate of a roll-out`, { path })
    return { rollOut, version: stat.version }
  }
}

/** What `.rollout` says; undefined where there is none, or where it is something else. */
export function rollOutOf(data: Uint8Array | undefined): RollOut | undefined {
  const { audience, salt, values } = (fromJson(data) ?? {}) as { audience?: Audience; salt?: unknown; values?: unknown }
  const stored = storedValues(values)
  if (stored === undefined || typeof salt !== 'string' || typeof audience !== 'object' || audience === null)
    return undefined
  try {
    checkAudience(audience)
  } catch {
    return undefined
  }
  return { audience, salt, values: stored }
}

async function read(
  session: HostSession,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ data: Uint8Array | undefined; stat: Stat } | undefined> {
  try {
    return await session.getData(path, { signal })
  } catch (error) {
    if (hasCode(error, 'COORD_NO_NODE')) return undefined
    throw error
  }
}

/** The nodes above a key, from the root on. */
function missingParents(root: string, key: string): string[] {
  const names = key.split('/').slice(0, -1)
  return names.map((_, index) => below(root, names.slice(0, index + 1).join('/')))
}

function stored(values: Values): Stored {
  const encode = (data: Uint8Array | undefined): string | null =>
    data === undefined ? null : Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
  return Object.fromEntries([...values].map(([key, data]) => [key, encode(data)]))
}

function storedValues(value: unknown): Map<string, Uint8Array | undefined> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const values = new Map<string, Uint8Array | undefined>()
  for (const [key, text] of Object.entries(value)) {
    if (text !== null && typeof text !== 'string') return undefined
    values.set(key, text === null ? undefined : new Uint8Array(Buffer.from(text, 'base64')))
  }
  return values
}

/** 1 for the first: sequence numbers begin at 0. */
function numberOf(path: string): number {
  return Number(path.slice(path.lastIndexOf('-') + 1)) + 1
}
