/**
 * Streams of events (design D11): each tells everything that happened at a path, or at and below it, in the order of the
 * log, and never loses an event silently. A stream holds no events: it knows how far it has told (its cursor), and reads
 * on in the window of recent changes when its consumer pulls. So a slow consumer costs nothing; one that the window has
 * left behind hears `gap`, then what exists, then `synced`.
 *
 * What exists is stated in slices, from the tree as it is at each: a change made meanwhile is told behind `synced`, since
 * that carries the zxid at which the statement began. A node that a change made after that zxid is not stated.
 */
import { copyOf } from '../bytes.ts'
import { type Identity, isPermitted } from '../core/tree/acl.ts'
import type { ReplicatedState } from '../core/tree/apply.ts'
import type { TreeChange } from '../core/tree/operation.ts'
import { joinPath, parentOf } from '../core/tree/path.ts'
import type { Znode } from '../core/tree/znode.ts'
import { type Zxid, zxidPlus } from '../core/zab/zxid.ts'
import type { StreamEvent, StreamRequest } from '../ports/session-link.ts'
import { ChangeWindow, type WindowLimits } from './change-window.ts'

/** Events in one answer to a pull: an application's loop gets through them before it asks again. */
const eventsPerPull = 256
/** Data in one answer, bytes: about. */
const bytesPerPull = 0x10_0000

export interface StreamSurroundings {
  readonly state: ReplicatedState
}

/** How a stream reaches its consumer, and who that is. */
export interface StreamConsumer {
  readonly identities: readonly Identity[]
  /** Everything through a zxid has been told with this, unless the stream is stating what exists. */
  deliver(events: readonly StreamEvent[], through: Zxid): void
}

export class WatchStreams {
  readonly #member: StreamSurroundings
  readonly #limits: WindowLimits
  /** Made with the first state: entries that were applied before are not in it. */
  #window: ChangeWindow | undefined
  /** Streams that have told everything and whose consumer waits, by the path that they are about. */
  readonly #waiting = new Map<string, Set<WatchStream>>()
  readonly #waitingBelow = new Map<string, Set<WatchStream>>()

  constructor(member: StreamSurroundings, limits: WindowLimits) {
    this.#member = member
    this.#limits = limits
  }

  get state(): ReplicatedState {
    return this.#member.state
  }

  /** Every change since the first entry that this member applied, as far as it reaches. */
  get window(): ChangeWindow {
    this.#window ??= new ChangeWindow(this.#limits, this.state.lastZxid)
    return this.#window
  }

  open(request: StreamRequest, consumer: StreamConsumer): WatchStream {
    return new WatchStream(request, consumer, this)
  }

  /** Between two entries. */
  onApplied(zxid: Zxid, changes: readonly TreeChange[]): void {
    const before = (zxid - 1n) as Zxid
    this.#window ??= new ChangeWindow(this.#limits, before)
    this.#window.push(zxid, changes)
    if (this.#waiting.size === 0 && this.#waitingBelow.size === 0) return
    const woken = new Set<WatchStream>()
    for (const change of changes) this.#collectWaiting(change, woken)
    for (const stream of woken) stream.wake(before)
  }

  /** What comes next is another ensemble: no stream of this one can go on in it without a gap. */
  onLost(): void {
    this.#window?.reset(zxidPlus(this.state.lastZxid, 1))
  }

  /** A snapshot took the place of entries: streams that wait hear of the gap. */
  onInstalled(): void {
    this.#window?.reset(this.state.lastZxid)
    const waiting = [...this.#waiting.values(), ...this.#waitingBelow.values()].flatMap((streams) => [...streams])
    for (const stream of waiting) stream.wake(undefined)
  }

  wait(stream: WatchStream): void {
    const { path, recursive } = stream.request
    const index = recursive ? this.#waitingBelow : this.#waiting
    const streams = index.get(path)
    if (streams === undefined) index.set(path, new Set([stream]))
    else streams.add(stream)
  }

  stopWaiting(stream: WatchStream): void {
    const { path, recursive } = stream.request
    const index = recursive ? this.#waitingBelow : this.#waiting
    const streams = index.get(path)
    streams?.delete(stream)
    if (streams?.size === 0) index.delete(path)
  }

  #collectWaiting({ type, path }: TreeChange, woken: Set<WatchStream>): void {
    for (const stream of this.#waiting.get(path) ?? []) woken.add(stream)
    if (type !== 'changed') for (const stream of this.#waiting.get(parentOf(path)) ?? []) woken.add(stream)
    if (this.#waitingBelow.size === 0) return
    for (let at = path; ; at = parentOf(at)) {
      for (const stream of this.#waitingBelow.get(at) ?? []) woken.add(stream)
      if (at === '/') return
    }
  }
}

/** What is being stated: which nodes come next, and since when changes are told instead. */
interface Statement {
  readonly since: Zxid
  /** Paths that are still to be stated with all below them, the next one last. */
  readonly open: string[]
}

export class WatchStream {
  readonly request: StreamRequest
  readonly #consumer: StreamConsumer
  readonly #streams: WatchStreams
  #statement: Statement | undefined
  /** Everything through this zxid was told, and of the entry behind it so many changes. */
  #told: Zxid
  #toldChanges = 0
  #isWaiting = false

  constructor(request: StreamRequest, consumer: StreamConsumer, streams: WatchStreams) {
    this.request = request
    this.#consumer = consumer
    this.#streams = streams
    this.#told = request.from ?? streams.state.lastZxid
    if (request.from === undefined) this.#begin()
  }

  /** The consumer wants more: at once if there is any, else as soon as there is. */
  pull(): void {
    if (this.#isWaiting) return
    const events = this.#next()
    if (events.length > 0) {
      this.#consumer.deliver(events, this.#told)
      return
    }
    this.#isWaiting = true
    this.#streams.wait(this)
  }

  /** Something happened. Everything `through` was nothing to this stream; undefined: nobody knows what was. */
  wake(through: Zxid | undefined): void {
    this.#streams.stopWaiting(this)
    this.#isWaiting = false
    if (through !== undefined && through > this.#told) this.#told = through
    this.pull()
  }

  close(): void {
    if (this.#isWaiting) this.#streams.stopWaiting(this)
    this.#isWaiting = true
  }

  #begin(): void {
    this.#told = this.#streams.state.lastZxid
    this.#toldChanges = 0
    this.#statement = { since: this.#told, open: [this.request.path] }
  }

  #next(): StreamEvent[] {
    const events: StreamEvent[] = []
    if (this.#told < this.#streams.window.start) {
      this.#begin()
      events.push({ type: 'gap', zxid: this.#told })
    }
    if (this.#statement !== undefined) this.#state(this.#statement, events)
    if (this.#statement === undefined) this.#tell(events)
    return events
  }

  /** States the next nodes; when there are no more, says so. */
  #state({ since, open }: Statement, events: StreamEvent[]): void {
    const { tree } = this.#streams.state
    let bytes = 0
    while (events.length < eventsPerPull && bytes < bytesPerPull) {
      const path = open.pop()
      if (path === undefined) {
        this.#statement = undefined
        events.push({ type: 'synced', zxid: since })
        return
      }
      const node = tree.find(path)
      if (node === undefined) continue
      if (this.request.recursive) for (const name of node.childNames().reverse()) open.push(joinPath(path, name))
      if (node.czxid > since || !isPermitted(node.acl, 'r', this.#consumer.identities)) continue
      events.push(this.#withData({ type: 'created', path, zxid: node.mzxid }, node))
      if (this.request.includeData) bytes += node.data?.length ?? 0
    }
  }

  #tell(events: StreamEvent[]): void {
    let bytes = 0
    const { window } = this.#streams
    for (let entry = window.next(this.#told); entry !== undefined; entry = window.next(this.#told)) {
      for (const change of entry.changes.slice(this.#toldChanges)) {
        if (events.length >= eventsPerPull || bytes >= bytesPerPull) return
        this.#tellChange(change, entry.zxid, events)
        this.#toldChanges += 1
        if (this.request.includeData) bytes += change.data?.length ?? 0
      }
      this.#told = entry.zxid
      this.#toldChanges = 0
    }
  }

  #tellChange(change: TreeChange, zxid: Zxid, events: StreamEvent[]): void {
    const { path: watched, recursive } = this.request
    const { type, path, acl, parentAcl } = change
    const { identities } = this.#consumer
    const isAbout = path === watched || (recursive && (watched === '/' || path.startsWith(`${watched}/`)))
    if (isAbout && isPermitted(acl, 'r', identities)) {
      events.push(type === 'deleted' ? { type, path, zxid } : this.#withData({ type, path, zxid }, change))
    }
    const tellsOfChildren = !recursive && type !== 'changed' && path !== '/' && parentOf(path) === watched
    if (tellsOfChildren && isPermitted(parentAcl, 'r', identities))
      events.push({ type: 'children', path: watched, zxid })
  }

  /** The application gets a copy of its own: it cannot corrupt the replica. */
  #withData(event: StreamEvent & { type: 'created' | 'changed' }, { data }: Pick<Znode, 'data'>): StreamEvent {
    return this.request.includeData && data !== undefined ? { ...event, data: copyOf(data) } : event
  }
}
