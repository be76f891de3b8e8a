/**
 * G5, for streams: first what exists at one zxid is stated, exactly; from there on every change is told, in the order of the
 * log, none left out. After a `gap` what exists is stated anew. Where another session took the place of one that was lost in
 * the midst of a multi, its events may come once more. In the end a stream has told everything.
 */
import type { StreamedEvent } from '../../../lib/api/watch.ts'
import type { Stretch } from '../history.ts'
import { textOf } from '../model/text.ts'
import type { LoggedChange, Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

type NodeEvent = Exclude<StreamedEvent, { type: 'gap' | 'synced' }>

/** More than this is stated in several steps, between which changes fall. */
const statedAtOnceMax = 250

export function streams(replay: Replay): void {
  for (const stretch of replay.history.stretches) new Follower(replay, stretch).check()
}

class Follower {
  readonly #replay: Replay
  readonly #stretch: Stretch
  /** All that there is to tell, from the first entry on. */
  readonly #all: readonly NodeEvent[]
  /** What is being stated; `undefined` while changes are told. */
  #stated: NodeEvent[] | undefined
  #next: number

  constructor(replay: Replay, stretch: Stretch) {
    this.#replay = replay
    this.#stretch = stretch
    this.#all = replay.changes.flatMap((change) => eventsOf(change, stretch))
    this.#stated = stretch.from === undefined ? [] : undefined
    this.#next = this.#behind(stretch.from ?? 0n)
  }

  check(): void {
    const { events, isOpen } = this.#stretch
    for (const { event, order } of events) {
      if ('path' in event && isReserved(event.path)) continue
      if (event.type === 'gap') this.#stated = []
      else if (event.type === 'synced') this.#onSynced(event.zxid, order)
      else if (this.#stated === undefined) this.#onChange(event, order)
      else if (event.type === 'created') this.#stated.push(event)
      else this.#fail(`told of ${shown(event)} while it stated what exists`, order)
    }
    const missing = this.#all[this.#next]
    if (isOpen && this.#stated !== undefined) this.#fail('never stated what exists', undefined)
    if (isOpen && missing !== undefined) this.#fail(`never told of ${shown(missing)}`, undefined)
  }

  #onSynced(zxid: bigint, order: number): void {
    const { path, recursive } = this.#stretch
    const stated = this.#stated ?? this.#fail(`was synced at ${zxid} without having stated anything`, order)
    this.#stated = undefined
    this.#next = this.#behind(zxid)
    if (stated.length >= statedAtOnceMax) return
    const wanted = [...(this.#replay.stated(path, recursive, zxid) ?? [])]
      .filter(([at]) => !isReserved(at))
      .map(([at, node]) => ({ ...node, path: at, type: 'created' as const }))
    // Between the opening of a stream and its first pull a node may have changed, or gone: that is told behind this.
    const isLater = (node: NodeEvent): boolean =>
      node.zxid > zxid && this.#all.some(({ path, zxid: at }) => path === node.path && at === node.zxid)
    const isGone = ({ path }: NodeEvent): boolean =>
      !stated.some((node) => node.path === path) &&
      this.#all.some((event) => event.type === 'deleted' && event.path === path && event.zxid > zxid)
    const different = new Set([...stated.filter(isLater), ...wanted.filter(isGone)].map((node) => node.path))
    const ofThen = (nodes: readonly NodeEvent[]): string[] =>
      nodes.filter((node) => !different.has(node.path)).map(this.#shown)
    const [found, expected] = [ofThen(stated).sort(), ofThen(wanted).sort()]
    if (textOf(found) !== textOf(expected))
      this.#fail(`stated ${textOf(found)} instead of ${textOf(expected)} at ${zxid}`, order)
  }

  #onChange(event: NodeEvent, order: number): void {
    const expected = this.#all[this.#next]
    if (expected !== undefined && this.#shown(event) === this.#shown(expected)) {
      this.#next += 1
      return
    }
    // Once more from the beginning of the entry that was told last.
    const last = this.#all[this.#next - 1]
    const again = last === undefined ? -1 : this.#all.findIndex(({ zxid }) => zxid === last.zxid)
    const first = this.#all[again]
    if (first === undefined || this.#shown(event) !== this.#shown(first))
      this.#fail(`told of ${shown(event)} instead of ${expected === undefined ? 'nothing' : shown(expected)}`, order)
    this.#next = again + 1
  }

  /** Data only where it was asked for, and where there is some. */
  readonly #shown = (event: NodeEvent): string => {
    const { type, path, zxid } = event
    const carries = this.#stretch.includeData && (type === 'created' || type === 'changed')
    return `${type} ${path} ${zxid}${carries && 'data' in event && event.data !== undefined ? ` ${event.data.join()}` : ''}`
  }

  #behind(zxid: bigint): number {
    const index = this.#all.findIndex((event) => event.zxid > zxid)
    return index === -1 ? this.#all.length : index
  }

  #fail(what: string, order: number | undefined): never {
    const { path, recursive, life } = this.#stretch
    throw new Violation('G5', `the ${recursive ? 'recursive ' : ''}stream of ${life} on ${path} ${what}`, order)
  }
}

/** What belongs to the ensemble itself is in the tree from the beginning, without an entry. */
export const isReserved = (path: string): boolean => path === '/zookeeper' || path.startsWith('/zookeeper/')

/** What a stream tells of a change: of the node, and of its parent's children where it follows that one alone. */
export function eventsOf(
  change: LoggedChange,
  { path: root, recursive }: Pick<Stretch, 'path' | 'recursive'>,
): NodeEvent[] {
  const { type, path, zxid, isReadable, isParentReadable, data } = change
  if (isReserved(path)) return []
  const isAbout = path === root || (recursive && path.startsWith(root === '/' ? '/' : `${root}/`))
  const parent = path.slice(0, Math.max(1, path.lastIndexOf('/')))
  const tellsOfChildren = !recursive && type !== 'changed' && parent === root
  return [
    ...(isAbout && isReadable ? [{ type, path, zxid, data }] : []),
    ...(tellsOfChildren && isParentReadable ? [{ type: 'children' as const, path: root, zxid }] : []),
  ]
}

const shown = ({ type, path, zxid }: NodeEvent): string => `${type} ${path} at ${zxid}`
