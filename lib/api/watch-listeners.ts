/**
 * Who listens to which watches of a session. The member knows of one watch per path and kind; here are the functions
 * behind it. A one-shot listener is called once, for whatever fires first; one function is called once for a change,
 * however often it was registered (ZooKeeper's rules WA-1 to WA-5).
 */
import { parentOf } from '../core/tree/path.ts'
import type { WatchEvent, WatchKind, WatchRegistrations } from '../ports/session-link.ts'
import type { WatchListener, WatchRequest } from './znodes.ts'

type ListenersOfPath = { [K in WatchKind]: Set<WatchListener> }

/** One, most often: a set for each of ten thousand listeners is most of what they take. */
type Paths = string | Set<string>

const kindsOfNode: readonly WatchKind[] = ['data', 'exists']

export class WatchListeners {
  readonly #byPath = new Map<string, ListenersOfPath>()
  /** The paths of each listener. */
  readonly #paths = new Map<WatchListener, Paths>()
  #recursiveCount = 0

  add({ kind, path, listener }: WatchRequest): void {
    let listeners = this.#byPath.get(path)
    if (listeners === undefined) {
      listeners = {
        data: new Set(),
        exists: new Set(),
        children: new Set(),
        persistent: new Set(),
        'persistent-recursive': new Set(),
      }
      this.#byPath.set(path, listeners)
    }
    if (kind === 'data') join(listeners.exists, listeners.data)
    else if (kind === 'exists') join(listeners.data, listeners.exists)
    if (kind === 'persistent-recursive' && !listeners[kind].has(listener)) this.#recursiveCount += 1
    listeners[kind].add(listener)
    this.#list(path, listener)
  }

  #list(path: string, listener: WatchListener): void {
    const paths = this.#paths.get(listener)
    if (paths === undefined) this.#paths.set(listener, path)
    else if (typeof paths !== 'string') paths.add(path)
    else if (paths !== path) this.#paths.set(listener, new Set([paths, path]))
  }

  all(): readonly WatchListener[] {
    return [...this.#paths.keys()]
  }

  /** The paths at which a listener is registered. */
  pathsOf(listener: WatchListener): readonly string[] {
    const paths = this.#paths.get(listener)
    return typeof paths === 'string' ? [paths] : [...(paths ?? [])]
  }

  /** Removes a listener, or all; says whether there was any, and which of the member's watches nobody listens to now. */
  remove(
    path: string,
    kinds: readonly WatchKind[],
    listener: WatchListener | undefined,
  ): { readonly found: boolean; readonly unheard: readonly WatchKind[] } {
    const listeners = this.#byPath.get(path)
    if (listeners === undefined) return { found: false, unheard: [] }
    const concerned = listener === undefined ? listenersAt(listeners, kinds) : [listener]
    let found = false
    const emptied: WatchKind[] = []
    for (const kind of kinds) {
      const before = listeners[kind].size
      if (listener === undefined) listeners[kind].clear()
      else listeners[kind].delete(listener)
      const removed = before - listeners[kind].size
      if (kind === 'persistent-recursive') this.#recursiveCount -= removed
      if (removed > 0) found = true
      if (removed > 0 && listeners[kind].size === 0) emptied.push(kind)
    }
    this.#unlist(path, listeners, concerned)
    this.#forgetIfEmpty(path, listeners)
    // The member has one list for data and existence.
    const sharesList = (kind: WatchKind): boolean => kindsOfNode.includes(kind)
    const isHeard = (kind: WatchKind): boolean =>
      sharesList(kind) && kindsOfNode.some((other) => listeners[other].size > 0)
    return { found, unheard: emptied.filter((kind) => !isHeard(kind)) }
  }

  /** Who is to be called for an event, each once; those that are so once only are taken out. */
  take({ type, path }: WatchEvent): ReadonlySet<WatchListener> {
    let called = new Set<WatchListener>()
    const listeners = this.#byPath.get(path)
    if (listeners !== undefined) {
      for (const kind of oneShotKinds(type)) {
        const taken = listeners[kind]
        listeners[kind] = new Set()
        // A thousand are not copied to be with none.
        if (called.size === 0) called = taken
        else for (const listener of taken) called.add(listener)
      }
      this.#unlist(path, listeners, called)
      for (const listener of listeners.persistent) called.add(listener)
      this.#forgetIfEmpty(path, listeners)
    }
    if (this.#recursiveCount > 0 && type !== 'children') this.#addRecursive(path, called)
    return called
  }

  /** What a member must be told to watch for these listeners. */
  registrations(): WatchRegistrations {
    const watched = { data: [], exists: [], children: [], persistent: [], 'persistent-recursive': [] } as {
      readonly [K in WatchKind]: string[]
    }
    for (const [path, listeners] of this.#byPath) {
      for (const kind of Object.keys(watched) as WatchKind[]) if (listeners[kind].size > 0) watched[kind].push(path)
    }
    return watched
  }

  #addRecursive(path: string, called: Set<WatchListener>): void {
    for (let at = path; ; at = parentOf(at)) {
      for (const listener of this.#byPath.get(at)?.['persistent-recursive'] ?? []) called.add(listener)
      if (at === '/') return
    }
  }

  /** Those that are not at the path any more. */
  #unlist(path: string, listeners: ListenersOfPath, concerned: Iterable<WatchListener>): void {
    // A thousand may hear of one change: most often, nobody is left there.
    const left = Object.values(listeners).filter((set) => set.size > 0)
    for (const listener of concerned) {
      if (left.some((set) => set.has(listener))) continue
      const paths = this.#paths.get(listener)
      if (paths === path) this.#paths.delete(listener)
      else if (typeof paths === 'object' && paths.delete(path) && paths.size === 0) this.#paths.delete(listener)
    }
  }

  #forgetIfEmpty(path: string, listeners: ListenersOfPath): void {
    if (Object.values(listeners).every((set) => set.size === 0)) this.#byPath.delete(path)
  }
}

/**
 * The member has one watch for data and existence, which stands as the latest call found the node. Whoever listens from before,
 * because what they may not read used their watch up in silence, goes on with that one.
 */
function join(earlier: Set<WatchListener>, latest: Set<WatchListener>): void {
  for (const listener of earlier) latest.add(listener)
  earlier.clear()
}

function listenersAt(listeners: ListenersOfPath, kinds: readonly WatchKind[]): readonly WatchListener[] {
  return kinds.flatMap((kind) => [...listeners[kind]])
}

function oneShotKinds(type: WatchEvent['type']): readonly WatchKind[] {
  if (type === 'children') return ['children']
  return type === 'deleted' ? ['data', 'exists', 'children'] : kindsOfNode
}
