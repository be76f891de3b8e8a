/**
 * The one-shot watches of the sessions that one member hosts. It is not replicated: every member fires its own watches
 * from the changes that an entry made.
 *
 * A watch belongs to a session, a path and a list: `data` and `exists` watches share a list, so that either fires once,
 * for whatever happens first to the node; `children` watches fire when a child comes or goes, and when the node itself
 * goes. A watch is gone when it fires. Of one change a session hears at most once per path.
 *
 * The order of events is ZooKeeper's: the changes in their order, for each the node first and then its parent. Callers
 * decide what may be watched: `exists` also a missing node, `data` and `children` only one that they read.
 */
import { unreachable } from '../../errors.ts'
import type { Zxid } from '../zab/zxid.ts'
import type { DataTree } from './data-tree.ts'
import type { TreeChange } from './operation.ts'
import { parentOf } from './path.ts'
import type { SessionId } from './session-id.ts'
import type { Stat } from './stat.ts'

export type WatchKind = 'data' | 'exists' | 'children'

export interface WatchEvent {
  readonly type: 'created' | 'changed' | 'deleted' | 'children'
  readonly path: string
  /** Of the entry that made the change. */
  readonly zxid: Zxid
}

/** An event for a session. All sessions that hear of one change share the event. */
export interface FiredWatch {
  readonly session: SessionId
  readonly event: WatchEvent
}

export interface WatchCounts {
  readonly sessions: number
  readonly paths: number
  readonly watches: number
}

export class WatchTable {
  readonly #data = new WatchList()
  readonly #children = new WatchList()

  /** Watching twice is watching once. */
  add(kind: WatchKind, session: SessionId, path: string): void {
    this.#listOf(kind).add(session, path)
  }

  has(kind: WatchKind, session: SessionId, path: string): boolean {
    return this.#listOf(kind).has(session, path)
  }

  /** Returns whether there was such a watch. */
  remove(kind: WatchKind, session: SessionId, path: string): boolean {
    return this.#listOf(kind).remove(session, path)
  }

  removeSession(session: SessionId): void {
    this.#data.removeSession(session)
    this.#children.removeSession(session)
  }

  get isEmpty(): boolean {
    return this.#data.size === 0 && this.#children.size === 0
  }

  counts(): WatchCounts {
    return {
      sessions: new Set([...this.#data.sessions(), ...this.#children.sessions()]).size,
      paths: new Set([...this.#data.paths(), ...this.#children.paths()]).size,
      watches: this.#data.size + this.#children.size,
    }
  }

  /** Takes out the watches that the changes of an entry fire, and lists the events in their order. */
  trigger(changes: readonly TreeChange[], zxid: Zxid): FiredWatch[] {
    const fired: FiredWatch[] = []
    for (const change of changes) {
      if (this.isEmpty) break
      this.#triggerChange(change, zxid, fired)
    }
    return fired
  }

  /**
   * What these watches missed while the state went from one tree to another in one go (a snapshot took the place of
   * entries): each fires at most once, for what it sees.
   */
  catchUp(before: DataTree, after: DataTree, zxid: Zxid): FiredWatch[] {
    const fired: FiredWatch[] = []
    for (const path of [...this.#data.paths()]) {
      const event = missedDataEvent(path, before.stat(path), after.stat(path), zxid)
      if (event !== undefined) fire(fired, this.#data.take(path), event)
    }
    for (const path of [...this.#children.paths()]) {
      const stat = after.stat(path)
      if (stat === undefined) fire(fired, this.#children.take(path), { type: 'deleted', path, zxid })
      else if (stat.pzxid !== before.stat(path)?.pzxid) {
        fire(fired, this.#children.take(path), { type: 'children', path, zxid: stat.pzxid })
      }
    }
    return fired.sort((a, b) => (a.event.zxid < b.event.zxid ? -1 : a.event.zxid > b.event.zxid ? 1 : 0))
  }

  #triggerChange({ type, path }: TreeChange, zxid: Zxid, fired: FiredWatch[]): void {
    const toldOfNode = this.#data.take(path)
    fire(fired, toldOfNode, { type, path, zxid })
    if (type === 'changed') return
    if (type === 'deleted') fire(fired, this.#children.take(path), { type, path, zxid }, toldOfNode)
    const parent = parentOf(path)
    fire(fired, this.#children.take(parent), { type: 'children', path: parent, zxid })
  }

  #listOf(kind: WatchKind): WatchList {
    switch (kind) {
      case 'data':
      case 'exists':
        return this.#data
      case 'children':
        return this.#children
      default:
        return unreachable(kind)
    }
  }
}

function missedDataEvent(
  path: string,
  before: Stat | undefined,
  after: Stat | undefined,
  zxid: Zxid,
): WatchEvent | undefined {
  if (after === undefined) return before === undefined ? undefined : { type: 'deleted', path, zxid }
  if (before === undefined) return { type: 'created', path, zxid: after.czxid }
  return after.mzxid === before.mzxid ? undefined : { type: 'changed', path, zxid: after.mzxid }
}

const nobody: ReadonlySet<SessionId> = new Set()

function fire(
  fired: FiredWatch[],
  sessions: ReadonlySet<SessionId>,
  event: WatchEvent,
  suppressed: ReadonlySet<SessionId> = nobody,
): void {
  for (const session of sessions) {
    if (!suppressed.has(session)) fired.push({ session, event })
  }
}

/** Pairs of a session and a path, found from either side. */
class WatchList {
  readonly #byPath = new Map<string, Set<SessionId>>()
  readonly #bySession = new Map<SessionId, Set<string>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  paths(): Iterable<string> {
    return this.#byPath.keys()
  }

  sessions(): Iterable<SessionId> {
    return this.#bySession.keys()
  }

  has(session: SessionId, path: string): boolean {
    return this.#byPath.get(path)?.has(session) ?? false
  }

  add(session: SessionId, path: string): void {
    if (this.has(session, path)) return
    insert(this.#byPath, path, session)
    insert(this.#bySession, session, path)
    this.#size += 1
  }

  remove(session: SessionId, path: string): boolean {
    if (!this.has(session, path)) return false
    erase(this.#byPath, path, session)
    erase(this.#bySession, session, path)
    this.#size -= 1
    return true
  }

  removeSession(session: SessionId): void {
    // A set that is iterated may lose the element that it is at.
    for (const path of this.#bySession.get(session) ?? []) this.remove(session, path)
  }

  /** Removes all watches of a path and returns who had them, in the order in which they came. */
  take(path: string): ReadonlySet<SessionId> {
    const sessions = this.#byPath.get(path)
    if (sessions === undefined) return nobody
    this.#byPath.delete(path)
    for (const session of sessions) erase(this.#bySession, session, path)
    this.#size -= sessions.size
    return sessions
  }
}

function insert<K, V>(index: Map<K, Set<V>>, key: K, value: V): void {
  const values = index.get(key)
  if (values === undefined) index.set(key, new Set([value]))
  else values.add(value)
}

function erase<K, V>(index: Map<K, Set<V>>, key: K, value: V): void {
  const values = index.get(key)
  values?.delete(value)
  if (values?.size === 0) index.delete(key)
}
