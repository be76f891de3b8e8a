/** The watches of a session at a real ensemble: known here, too, to be set again at the next server (WA-9). */
import type { WatchKind, WatchRegistrations } from '../../lib/ports/session-link.ts'

const kinds = ['data', 'exists', 'children', 'persistent', 'persistent-recursive'] as const

/** Clients split what they set again, as servers take only so long requests; characters. */
const batchLengthMax = 32 * 1024

export interface WatchBatch {
  readonly data: readonly string[]
  readonly exists: readonly string[]
  readonly children: readonly string[]
  readonly persistent: readonly string[]
  readonly persistentRecursive: readonly string[]
}

export class CarriedWatches {
  readonly #paths: Readonly<Record<WatchKind, Set<string>>> = {
    data: new Set(),
    exists: new Set(),
    children: new Set(),
    persistent: new Set(),
    'persistent-recursive': new Set(),
  }

  add(kind: WatchKind, path: string): void {
    this.#paths[kind].add(path)
  }

  addAll(watched: WatchRegistrations): void {
    for (const kind of kinds) for (const path of watched[kind]) this.add(kind, path)
  }

  has(kind: WatchKind, path: string): boolean {
    return this.#paths[kind].has(path)
  }

  hasAny(path: string): boolean {
    return kinds.some((kind) => this.has(kind, path))
  }

  remove(kind: WatchKind, path: string): void {
    this.#paths[kind].delete(path)
  }

  /** One-shot watches are gone when they fire. */
  fired(type: 'created' | 'changed' | 'deleted' | 'children', path: string): void {
    if (type === 'children' || type === 'deleted') this.#paths.children.delete(path)
    if (type === 'children') return
    this.#paths.data.delete(path)
    this.#paths.exists.delete(path)
  }

  *batches(): Generator<WatchBatch, void, undefined> {
    let batch: Record<WatchKind, string[]> = emptyBatch()
    let length = 0
    for (const kind of kinds) {
      for (const path of [...this.#paths[kind]]) {
        batch[kind].push(path)
        length += path.length
        if (length < batchLengthMax) continue
        yield toWire(batch)
        batch = emptyBatch()
        length = 0
      }
    }
    if (length > 0) yield toWire(batch)
  }
}

const emptyBatch = (): Record<WatchKind, string[]> => ({
  data: [],
  exists: [],
  children: [],
  persistent: [],
  'persistent-recursive': [],
})

const toWire = ({ data, exists, children, persistent, ...rest }: Record<WatchKind, string[]>): WatchBatch => ({
  data,
  exists,
  children,
  persistent,
  persistentRecursive: rest['persistent-recursive'],
})
