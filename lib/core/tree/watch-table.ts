/**
 * The watches of the sessions that one member hosts. It is not replicated: every member fires its own watches from the
 * changes that an entry made.
 *
 * A watch belongs to a session, a path and a list. One-shot: `data` and `exists` watches share a list, so that either
 * fires once, for whatever happens first to the node; `children` watches fire when a child comes or goes, and when the
 * node itself goes; a watch is gone when it fires. Persistent ones stay: `persistent` hears of the node and of its
 * children, `persistent-recursive` of the node and of everything below it, but not of `children`. The lists do not know
 * of each other, yet of one change a session hears at most once per path.
 *
 * The order of events is ZooKeeper's: the changes in their order, for each the node first and then its parent. Callers
 * decide what may be watched: `exists` also a missing node, `data` and `children` only one that they read; and they drop
 * events of what a session may not read (`FiredWatch.acl`).
 */
import { unreachable } from '../../errors.ts'
import type { Zxid } from '../zab/zxid.ts'
import type { Acl } from './acl.ts'
import type { DataTree } from './data-tree.ts'
import type { TreeChange } from './operation.ts'
import { parentOf } from './path.ts'
import type { SessionId } from './session-id.ts'
import type { Znode } from './znode.ts'

export type PersistentWatchKind = 'persistent' | 'persistent-recursive'
export type WatchKind = 'data' | 'exists' | 'children' | PersistentWatchKind

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
  /** Of the node that the event is about: whoever may not read that does not hear of it. */
  readonly acl: Acl
}

export interface WatchCounts {
  readonly sessions: number
  readonly paths: number
  readonly watches: number
}

/** The watches that a session had elsewhere, by list. */
export type WatchRegistrations = { readonly [K in WatchKind]: readonly string[] }

export class WatchTable {
  readonly #data = new WatchList()
  readonly #children = new WatchList()
  readonly #persistent = new WatchList()
  readonly #recursive = new WatchList()
  readonly #lists: readonly WatchList[] = [this.#data, this.#children, this.#persistent, this.#recursive]

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
    for (const list of this.#lists) list.removeSession(session)
  }

  /** How many watches a session has. */
  countOf(session: SessionId): number {
    return this.#lists.reduce((sum, list) => sum + list.countOf(session), 0)
  }

  get isEmpty(): boolean {
    return this.#lists.every((list) => list.size === 0)
  }

  counts(): WatchCounts {
    return {
      sessions: new Set(this.#lists.flatMap((list) => [...list.sessions()])).size,
      paths: new Set(this.#lists.flatMap((list) => [...list.paths()])).size,
      watches: this.#lists.reduce((sum, list) => sum + list.size, 0),
    }
  }

  /** The paths that a session watches, by list; `exists` is among `data`. */
  *registrations(): Generator<readonly [session: SessionId, path: string, kind: WatchKind], void, undefined> {
    for (const kind of ['data', 'children', 'persistent', 'persistent-recursive'] as const) {
      for (const [session, path] of this.#listOf(kind).entries()) yield [session, path, kind]
    }
  }

  /** Takes out the one-shot watches that the changes of an entry fire, and lists the events in their order. */
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
   * entries): each one-shot watch fires at most once, for what it sees; persistent ones hear what differs.
   */
  catchUp(before: DataTree, after: DataTree, zxid: Zxid): FiredWatch[] {
    const fired: FiredWatch[] = []
    const aclAt = (path: string): Acl => (after.find(path) ?? before.find(path))?.acl
    for (const path of [...this.#data.paths()]) {
      const event = missedDataEvent(path, before.find(path), after.find(path), zxid)
      if (event !== undefined) fire(fired, this.#data.take(path), event, aclAt(path))
    }
    for (const path of [...this.#children.paths()]) {
      const event = missedChildrenEvent(path, before.find(path), after.find(path), zxid)
      if (event !== undefined) fire(fired, this.#children.take(path), event, aclAt(path))
    }
    for (const path of this.#persistent.paths()) {
      const data = missedDataEvent(path, before.find(path), after.find(path), zxid)
      const children = missedChildrenEvent(path, before.find(path), after.find(path), zxid)
      if (data !== undefined) fire(fired, this.#persistent.of(path), data, aclAt(path))
      if (children?.type === 'children') fire(fired, this.#persistent.of(path), children, aclAt(path))
    }
    this.#catchUpRecursive(before, after, zxid, fired)
    return fired.sort((a, b) => (a.event.zxid < b.event.zxid ? -1 : a.event.zxid > b.event.zxid ? 1 : 0))
  }

  /**
   * Takes up watches that a session had elsewhere, when it had seen everything through `seen`: what happened since fires
   * at once, the rest is registered. Persistent watches are registered alone: what they missed is not told (ZooKeeper's
   * rule for its clients, WA-9; a stream misses nothing).
   */
  resume(session: SessionId, seen: Zxid, watched: WatchRegistrations, tree: DataTree, now: Zxid): FiredWatch[] {
    const fired: FiredWatch[] = []
    const fireOrAdd = (kind: WatchKind, path: string, event: WatchEvent | undefined): void => {
      if (event === undefined) this.add(kind, session, path)
      else fired.push({ session, event, acl: tree.find(path)?.acl })
    }
    for (const path of watched.data) {
      const node = tree.find(path)
      const changed = node === undefined || node.mzxid > seen
      fireOrAdd(
        'data',
        path,
        changed ? eventOf(node === undefined ? 'deleted' : 'changed', path, node?.mzxid ?? now) : undefined,
      )
    }
    for (const path of watched.exists) {
      const node = tree.find(path)
      fireOrAdd('exists', path, node === undefined ? undefined : eventOf('created', path, node.czxid))
    }
    for (const path of watched.children) {
      const node = tree.find(path)
      const changed = node === undefined || node.pzxid > seen
      fireOrAdd(
        'children',
        path,
        changed ? eventOf(node === undefined ? 'deleted' : 'children', path, node?.pzxid ?? now) : undefined,
      )
    }
    for (const path of watched.persistent) this.add('persistent', session, path)
    for (const path of watched['persistent-recursive']) this.add('persistent-recursive', session, path)
    return fired
  }

  #triggerChange({ type, path, acl, parentAcl }: TreeChange, zxid: Zxid, fired: FiredWatch[]): void {
    const event: WatchEvent = { type, path, zxid }
    const toldOfNode = union(this.#data.take(path), this.#persistent.of(path), this.#recursiveOf(path))
    fire(fired, toldOfNode, event, acl)
    if (type === 'changed') return
    if (type === 'deleted') fire(fired, this.#children.take(path), event, acl, toldOfNode)
    const parent = parentOf(path)
    const toldOfChildren = union(this.#children.take(parent), this.#persistent.of(parent))
    if (toldOfChildren.size > 0) fire(fired, toldOfChildren, { type: 'children', path: parent, zxid }, parentAcl)
  }

  /** Who watches the path, or one above it, with everything below. */
  #recursiveOf(path: string): ReadonlySet<SessionId> {
    if (this.#recursive.size === 0) return nobody
    let sessions = this.#recursive.of(path)
    for (let at = path; at !== '/'; ) {
      at = parentOf(at)
      sessions = union(sessions, this.#recursive.of(at))
    }
    return sessions
  }

  #catchUpRecursive(before: DataTree, after: DataTree, zxid: Zxid, fired: FiredWatch[]): void {
    const told = new Map<string, Set<SessionId>>()
    for (const root of this.#recursive.paths()) {
      for (const { event, acl } of differences(before, after, root, zxid)) {
        // One that watches a path and another one above it hears once.
        const already = told.get(event.path) ?? new Set()
        told.set(event.path, already)
        fire(fired, this.#recursive.of(root), event, acl, already)
        for (const session of this.#recursive.of(root)) already.add(session)
      }
    }
  }

  #listOf(kind: WatchKind): WatchList {
    switch (kind) {
      case 'data':
      case 'exists':
        return this.#data
      case 'children':
        return this.#children
      case 'persistent':
        return this.#persistent
      case 'persistent-recursive':
        return this.#recursive
      default:
        return unreachable(kind)
    }
  }
}

/** What differs at and below a path, parents first. */
export function* differences(
  before: DataTree,
  after: DataTree,
  root: string,
  zxid: Zxid,
): Generator<{ readonly event: WatchEvent; readonly acl: Acl }, void, undefined> {
  for (const { path, node } of before.walk(root)) {
    if (after.find(path) === undefined) yield { event: eventOf('deleted', path, zxid), acl: node.acl }
  }
  for (const { path, node } of after.walk(root)) {
    const event = missedDataEvent(path, before.find(path), node, zxid)
    if (event !== undefined) yield { event, acl: node.acl }
  }
}

function eventOf(type: WatchEvent['type'], path: string, zxid: Zxid): WatchEvent {
  return { type, path, zxid }
}

function missedDataEvent(
  path: string,
  before: Znode | undefined,
  after: Znode | undefined,
  zxid: Zxid,
): WatchEvent | undefined {
  if (after === undefined) return before === undefined ? undefined : eventOf('deleted', path, zxid)
  if (before === undefined) return eventOf('created', path, after.czxid)
  return after.mzxid === before.mzxid ? undefined : eventOf('changed', path, after.mzxid)
}

function missedChildrenEvent(
  path: string,
  before: Znode | undefined,
  after: Znode | undefined,
  zxid: Zxid,
): WatchEvent | undefined {
  if (after === undefined) return eventOf('deleted', path, zxid)
  return after.pzxid === before?.pzxid ? undefined : eventOf('children', path, after.pzxid)
}

const nobody: ReadonlySet<SessionId> = new Set()

/** In the order of the sets, and in each in the order in which they came. */
function union(...sets: readonly ReadonlySet<SessionId>[]): ReadonlySet<SessionId> {
  const [first = nobody, ...others] = sets.filter(({ size }) => size > 0)
  if (others.length === 0) return first
  const all = new Set(first)
  for (const set of others) for (const session of set) all.add(session)
  return all
}

function fire(
  fired: FiredWatch[],
  sessions: ReadonlySet<SessionId>,
  event: WatchEvent,
  acl: Acl,
  suppressed: ReadonlySet<SessionId> = nobody,
): void {
  for (const session of sessions) {
    if (!suppressed.has(session)) fired.push({ session, event, acl })
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

  *entries(): Generator<readonly [session: SessionId, path: string], void, undefined> {
    for (const [session, paths] of this.#bySession) for (const path of paths) yield [session, path]
  }

  countOf(session: SessionId): number {
    return this.#bySession.get(session)?.size ?? 0
  }

  has(session: SessionId, path: string): boolean {
    return this.#byPath.get(path)?.has(session) ?? false
  }

  /** Who watches a path, in the order in which they came. */
  of(path: string): ReadonlySet<SessionId> {
    return this.#byPath.get(path) ?? nobody
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
