/**
 * The committed log through the model, once: what every entry should have given, what every read should have shown, and
 * which entry each write became. The checks compare this with what members and applications saw.
 */
import type { ReadResult } from '../../lib/ports/session-link.ts'
import { type Attribution, attribute } from './attribution.ts'
import type { Call, Entry, History, Stream } from './history.ts'
import { type Effect, ModelEnsemble } from './model/ensemble.ts'
import type { ModelChange } from './model/tree.ts'

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

export class Replay {
  readonly history: History
  /** In the order of the log. */
  readonly log: readonly Replayed[]
  readonly model: ModelEnsemble = new ModelEnsemble()
  readonly streams: ReadonlyMap<number, Stream>
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
    let next = 0
    const readUpTo = (before: bigint): void => {
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

export function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b)
}
