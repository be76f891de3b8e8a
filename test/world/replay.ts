/**
 * The committed log through the model, once: what every entry should have given, what every read should have shown, and
 * which entry each write became. The checks compare this with what members and applications saw.
 */
import type { ReadResult } from '../../lib/ports/session-link.ts'
import { type Attribution, attribute } from './attribution.ts'
import type { Call, Entry, History, Stream } from './history.ts'
import { type Effect, ModelEnsemble } from './model/ensemble.ts'
import { isAllowed, type ModelChange } from './model/tree.ts'

export interface Replayed {
  readonly entry: Entry
  readonly effect: Effect
}

/** A change of a node, as a watch would see it. */
export interface PathChange {
  readonly zxid: bigint
  readonly type: ModelChange['type'] | 'children'
  /** Where it is not, the watch is used up in silence. */
  readonly isReadable: boolean
}

/** A change, as a stream tells of it. */
export interface LoggedChange extends ModelChange {
  readonly zxid: bigint
}

/** A node that a stream states. */
export interface StatedNode {
  readonly zxid: bigint
  readonly data: Uint8Array | undefined
}

export class Replay {
  readonly history: History
  /** In the order of the log. */
  readonly log: readonly Replayed[]
  readonly model: ModelEnsemble = new ModelEnsemble()
  readonly streams: ReadonlyMap<number, Stream>
  /** All changes, in their order. */
  readonly changes: readonly LoggedChange[]
  readonly #statements = new Map<string, ReadonlyMap<string, StatedNode>>()
  #attribution: Attribution | undefined
  readonly #expected = new Map<number, ReadResult>()
  readonly #changes = new Map<string, PathChange[]>()

  constructor(history: History) {
    this.history = history
    this.streams = new Map(history.streams.map((stream) => [stream.id, stream]))
    const entries = [...history.entries].sort((a, b) => compare(a.zxid, b.zxid))
    const reads = history.calls
      .filter(({ request, reply }) => request.kind === 'read' && reply !== undefined)
      .sort((a, b) => compare(a.reply?.zxid ?? 0n, b.reply?.zxid ?? 0n))
    const statements = statementsIn(history)
    let next = 0
    const readUpTo = (before: bigint): void => {
      for (let asked = statements[0]; asked !== undefined && asked.zxid < before; asked = statements[0]) {
        this.#state(asked)
        statements.shift()
      }
      for (let call = reads[next]; call !== undefined && (call.reply?.zxid ?? 0n) < before; call = reads[next]) {
        this.#read(call)
        next += 1
      }
    }
    this.log = entries.map((entry) => {
      readUpTo(entry.zxid)
      const { zxid, timeMs, clockMs, request } = entry
      const effect = this.model.apply(request, { zxid, timeMs, clockMs } as never)
      this.#noteChanges(zxid, effect.changes)
      return { entry, effect }
    })
    readUpTo(1n << 64n)
    this.changes = this.log.flatMap(({ entry: { zxid }, effect }) =>
      effect.changes.map((change) => ({ ...change, zxid })),
    )
  }

  /** What everybody may read at a path, and below it, at a zxid: where some stream said that it has stated that. */
  stated(path: string, recursive: boolean, zxid: bigint): ReadonlyMap<string, StatedNode> | undefined {
    return this.#statements.get(keyOf({ path, recursive, zxid }))
  }

  /** Throws where there is none. */
  get attribution(): Attribution {
    this.#attribution ??= attribute(this.history, this.log)
    return this.#attribution
  }

  /** What a read should have shown, at the zxid at which it was answered. */
  expected(call: Call): ReadResult | undefined {
    return this.#expected.get(call.id)
  }

  /** What happened to a node after a zxid that a watch of this kind hears of; the first of it. */
  firstChange(path: string, kind: 'data' | 'exists' | 'children', after: bigint): PathChange | undefined {
    return this.#changes.get(path)?.find(({ zxid, type }) => {
      const isHeard = kind === 'children' ? type === 'children' || type === 'deleted' : type !== 'children'
      return zxid > after && isHeard
    })
  }

  #state(asked: Statement): void {
    const { tree } = this.model
    const below = asked.recursive ? tree.descendants(asked.path) : []
    const stated = new Map<string, StatedNode>()
    for (const path of [asked.path, ...below]) {
      const stat = tree.stat(path)
      if (stat !== undefined && isAllowed(tree.acl(path), 'r', []))
        stated.set(path, { zxid: stat.mzxid, data: tree.data(path) })
    }
    this.#statements.set(keyOf(asked), stated)
  }

  #read(call: Call): void {
    if (call.request.kind !== 'read') return
    const session = this.streams.get(call.stream)?.session ?? 0n
    const expected = this.model.read(call.request.read, session)
    if (expected !== undefined) this.#expected.set(call.id, expected)
  }

  #noteChanges(zxid: bigint, changes: readonly ModelChange[]): void {
    for (const { type, path, isReadable, isParentReadable } of changes) {
      const parent = path.slice(0, Math.max(1, path.lastIndexOf('/')))
      this.#noteChange(path, { zxid, type, isReadable })
      if (type !== 'changed') this.#noteChange(parent, { zxid, type: 'children', isReadable: isParentReadable })
    }
  }

  #noteChange(path: string, change: PathChange): void {
    const list = this.#changes.get(path)
    if (list === undefined) this.#changes.set(path, [change])
    else list.push(change)
  }
}

interface Statement {
  readonly path: string
  readonly recursive: boolean
  readonly zxid: bigint
}

const keyOf = ({ path, recursive, zxid }: Statement): string => `${zxid} ${recursive} ${path}`

/** What streams say that they have stated, by zxid. */
function statementsIn({ stretches }: History): Statement[] {
  const asked = stretches.flatMap(({ path, recursive, events }) =>
    events.flatMap(({ event }) => (event.type === 'synced' ? [{ path, recursive, zxid: event.zxid }] : [])),
  )
  return asked.sort((a, b) => compare(a.zxid, b.zxid))
}

export function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b)
}
