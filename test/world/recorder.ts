/**
 * Writes the history of a run: it looks over the shoulder of each member (what it applies, whom it serves) and of each
 * session at its link (what is asked and answered), and never changes what it sees. What a workload does on purpose, it
 * announces: `perform`.
 */
import type { StreamedEvent } from '../../lib/api/watch.ts'
import type { Applied } from '../../lib/core/tree/operation.ts'
import type { Coord } from '../../lib/index.ts'
import type {
  NodeRead,
  NodeReadResult,
  SessionCall,
  SessionItem,
  SessionLink,
  SessionOpening,
  WatchEvent,
} from '../../lib/ports/session-link.ts'
import type { Member } from '../../lib/runtime/member.ts'
import type { Machine } from '../../lib/testing/world.ts'
import {
  type Call,
  emptyHistory,
  type History,
  type Outcome,
  type Persistent,
  type Stream,
  type Stretch,
  type Watch,
} from './history.ts'
import { isOfLine } from './lines.ts'
import { hashOf, textOf } from './model/text.ts'

/** Every so many entries the whole state is digested. */
const digestEvery = 16n

interface OpenStream {
  readonly stream: Stream
  readonly member: Member
  readonly machine: Machine
  readonly process: Machine['process']
  /** By the number of the call: of reads that wait together, one for each. */
  readonly calls: Map<number, readonly Call[]>
  state: 'opening' | 'connected' | 'suspended' | 'lost' | 'closed'
}

/** A plain read as a workload makes it. */
export interface PlainRead {
  readonly session: bigint
  readonly type: NodeRead['type']
  readonly path: string
}

/** Something that a workload makes: the call that became of it, once it was sent. */
interface Performance {
  call: Call | undefined
  readonly read: PlainRead | undefined
}

export class Recorder {
  readonly history: History = emptyHistory()
  readonly #now: () => number
  readonly #streams = new Map<number, OpenStream>()
  readonly #bySession = new Map<bigint, OpenStream[]>()
  readonly #entries = new Set<bigint>()
  readonly #ordered = new Map<bigint, number>()
  #order = 0
  #lastCall: Call | undefined
  /** Reads of workloads that wait for others, to be sent with them. */
  readonly #unsent = new Set<Performance>()
  /** The highest zxid that anybody applied. */
  #known = 0n
  traceHash = 0x811c9dc5
  /** For the timeline: what happened besides calls. */
  readonly notes: { readonly order: number; readonly at: number; readonly text: string }[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  get order(): number {
    return this.#order
  }

  next(): number {
    this.#order += 1
    return this.#order
  }

  note(text: string): void {
    this.notes.push({ order: this.next(), at: this.#now(), text })
    this.trace(text)
  }

  trace(text: string): void {
    this.traceHash = hashOf(`${this.#now()} ${text}`, this.traceHash)
  }

  /** The test ordered that this session expire. */
  orderExpiry(session: bigint): void {
    this.#ordered.set(session, this.#now())
  }

  isOrdered(session: bigint): boolean {
    return this.#ordered.has(session)
  }

  /** Whether the test declared a session of this process expired, within the last `ms`. */
  wasExpired(process: Machine['process'], ms: number): boolean {
    return [...this.#ordered].some(
      ([session, at]) =>
        this.#now() - at <= ms && this.#bySession.get(session)?.some((open) => open.process === process) === true,
    )
  }

  observe(machine: Machine, member: Member): void {
    const life = `${machine.name} ${machine.starts}`
    const { process } = machine
    const { sessions } = member
    const original = {
      open: sessions.open.bind(sessions),
      onApplied: sessions.onApplied.bind(sessions),
      onInstalled: sessions.onInstalled.bind(sessions),
      resume: sessions.resume.bind(sessions),
    }
    sessions.onApplied = (applied) => {
      this.#onApplied(machine.name, life, member, applied)
      original.onApplied(applied)
    }
    sessions.onInstalled = (before) => {
      const [from, to] = [before.lastZxid, member.state.lastZxid]
      this.history.installations.push({ order: this.next(), life, before: from, after: to })
      this.note(`${life} installs a snapshot of ${hex(to)} over ${hex(from)}`)
      original.onInstalled(before)
    }
    sessions.resume = () => {
      this.#onServing(life, member)
      original.resume()
    }
    sessions.open = (opening, deliver) =>
      this.#open({ machine, member, process }, life, opening, deliver, original.open)
  }

  /**
   * Makes a call on behalf of a workload and notes what comes of it. Resolves when it is settled, never rejects. `watch`
   * gives the listener to be passed with a read. `read`: what it is, where it may wait for others before it is sent.
   */
  perform<T>(make: (listener: (event: WatchEvent) => void) => Promise<T>, read?: PlainRead): Promise<T | undefined> {
    const events: Watch['events'] = []
    this.#lastCall = undefined
    const promise = make((event) => {
      this.trace(`event ${event.type} ${event.path}`)
      events.push({ order: this.next(), event })
    })
    const made: Performance = { call: this.#takeLastCall(), read }
    if (made.call === undefined && read === undefined) return promise.catch(() => undefined)
    if (made.call === undefined) this.#unsent.add(made)
    const request = made.call?.request
    if (made.call !== undefined && request?.kind === 'read' && 'watch' in request.read && request.read.watch)
      this.history.watches.push({ id: this.history.watches.length, call: made.call.id, events })
    return promise.then(
      (value) => {
        this.#onOutcome(made, 'ok', { value })
        return value
      },
      (error: { code?: string; retryable?: boolean; message: string }) => {
        const code = error.code ?? error.message
        this.#onOutcome(made, code, { error: { code, retryable: error.retryable ?? false } })
        return undefined
      },
    )
  }

  #onOutcome(made: Performance, text: string, outcome: Pick<Outcome, 'value' | 'error'>): void {
    this.#unsent.delete(made)
    const { call } = made
    if (call === undefined) return
    this.trace(`${text} ${call.id}`)
    this.history.outcomes.push({ call: call.id, order: this.next(), at: this.#now(), ...outcome })
  }

  /** Sets a persistent watch. */
  async watch(coord: Coord<Uint8Array>, path: string, recursive: boolean): Promise<void> {
    const events: Persistent['events'] = []
    this.#lastCall = undefined
    const mode = recursive ? 'persistent-recursive' : 'persistent'
    const added = coord.addWatch(path, mode, (event) => {
      this.trace(`persistent ${event.type} ${event.path}`)
      events.push({ order: this.next(), event: event as WatchEvent })
    })
    const call = this.#takeLastCall()
    if (call !== undefined) this.history.persistents.push({ call: call.id, path, recursive, events })
    await added
  }

  noteStreamed({ events, path }: Stretch, event: StreamedEvent): void {
    this.trace(`stream ${path} ${event.type} ${event.zxid}`)
    events.push({ order: this.next(), event })
  }

  /** The sessions that live applications have now. */
  openSessions(): bigint[] {
    return [...this.#streams.values()]
      .filter(({ state, process }) => !process.isDead && (state === 'connected' || state === 'suspended'))
      .map(({ stream }) => stream.session)
  }

  /** Calls that live applications made and that nobody has answered. */
  pending(): Call[] {
    return this.history.calls.filter(
      (call) =>
        call.reply === undefined && !call.isCancelled && this.#streams.get(call.stream)?.process.isDead === false,
    )
  }

  #takeLastCall(): Call | undefined {
    const call = this.#lastCall
    this.#lastCall = undefined
    return call
  }

  #open(
    where: Pick<OpenStream, 'machine' | 'member' | 'process'>,
    life: string,
    opening: SessionOpening,
    deliver: (item: SessionItem) => void,
    open: Member['sessions']['open'],
  ): SessionLink {
    let opened: OpenStream | undefined
    const link = open(opening, (item) => {
      if (opened !== undefined) this.#onItem(opened, item)
      deliver(item)
    })
    const stream: Stream = {
      id: this.#streams.size,
      session: link.id,
      life,
      order: this.next(),
      timeoutMs: opening.timeoutMs,
      isAttached: opening.attach !== undefined,
    }
    opened = { ...where, stream, calls: new Map(), state: 'opening' }
    const { id } = stream
    this.#streams.set(id, opened)
    this.#bySession.set(link.id, [...(this.#bySession.get(link.id) ?? []), opened])
    this.history.streams.push(stream)
    const streamOpened = opened
    const watched: SessionLink = {
      id: link.id,
      password: link.password,
      timeoutMs: link.timeoutMs,
      call: (call) => {
        this.#onCall(streamOpened, call)
        link.call(call)
      },
      readNow: (read) => {
        const result = link.readNow?.(read)
        if (result !== undefined) this.#onReadNow(streamOpened, read, result)
        return result
      },
      get confirmedUntil(): number {
        return link.confirmedUntil ?? Number.POSITIVE_INFINITY
      },
      touch: () => link.touch(),
      abandon: () => link.abandon(),
    }
    return watched
  }

  /** A read that needed no call: asked and answered at once. */
  #onReadNow({ stream, member }: OpenStream, read: NodeRead, result: NodeReadResult): void {
    const own = structuredClone(result)
    const request = { kind: 'read', read: { ...read, watch: false }, consistency: 'session' } as const
    const [order, at] = [this.next(), this.#now()]
    const reply = { order: this.next(), at, zxid: member.state.lastZxid, result: own }
    const made: Call = {
      id: this.history.calls.length,
      stream: stream.id,
      order,
      at,
      request,
      isCancelled: false,
      reply,
    }
    this.history.calls.push(made)
    this.#lastCall = made
    this.trace(`call ${stream.id} ${request.kind}`)
  }

  #onCall({ stream, calls }: OpenStream, call: SessionCall): void {
    if (call.kind === 'pull' || call.kind === 'closeStream') return
    if (call.kind === 'cancel') {
      for (const cancelled of calls.get(call.id) ?? []) cancelled.isCancelled = true
      return
    }
    const { id, ...request } = call
    if (request.kind === 'read' && request.read.type === 'reads') {
      calls.set(
        id,
        request.read.reads.map((read) => this.#onReadInTurn(stream, read)),
      )
      return
    }
    const made = this.#note(stream, request)
    calls.set(id, [made])
    this.#lastCall = made
  }

  /** One of the reads that were sent together. */
  #onReadInTurn(stream: Stream, read: NodeRead): Call {
    const made = this.#note(stream, { kind: 'read', read: { ...read, watch: false }, consistency: 'session' })
    const isOf = ({ read: of }: Performance): boolean =>
      of?.session === stream.session && of.type === read.type && of.path === read.path
    const performance = [...this.#unsent].find(isOf)
    if (performance !== undefined) {
      performance.call = made
      this.#unsent.delete(performance)
    }
    return made
  }

  #note(stream: Stream, request: Call['request']): Call {
    const made: Call = {
      id: this.history.calls.length,
      stream: stream.id,
      order: this.next(),
      at: this.#now(),
      request,
      isCancelled: false,
    }
    this.history.calls.push(made)
    this.trace(`call ${stream.id} ${request.kind}`)
    return made
  }

  #onItem(open: OpenStream, item: SessionItem): void {
    if (item.kind === 'event' && isOfLine(item.event.path))
      this.history.wakenings.push({ order: this.next(), stream: open.stream.id, event: item.event })
    if (item.kind === 'state') {
      open.state = item.state
      if (item.state === 'lost' || item.state === 'closed') open.stream.ended ??= this.next()
      this.note(`${open.stream.life} session ${hex(open.stream.session)} is ${item.state}: ${item.reason}`)
    } else if (item.kind === 'reply') {
      const calls = open.calls.get(item.id) ?? []
      open.calls.delete(item.id)
      calls.forEach((call, index) => {
        const { request } = call
        const isMultiRead = request.kind === 'read' && request.read.type === 'multiRead'
        const ofAll = item.result.type === 'reads' && !isMultiRead ? item.result.results : undefined
        const result = ofAll === undefined ? item.result : (ofAll[index] as NodeReadResult)
        call.reply = { order: this.next(), at: this.#now(), zxid: item.zxid, result }
      })
    }
  }

  #onApplied(host: string, life: string, member: Member, applied: Applied): void {
    const { stamp, request, result, changes } = applied
    const { zxid } = stamp
    const order = this.next()
    const print = hashOf(
      textOf([request, result, changes.map(({ type, path }) => type + path), stamp.timeMs, stamp.clockMs]),
    )
    const digest = zxid % digestEvery === 0n ? member.state.digest() : undefined
    this.history.applications.push({ order, life, zxid, print, digest })
    if (this.#entries.has(zxid)) return
    this.#entries.add(zxid)
    if (zxid > this.#known) this.#known = zxid
    const isExpiry = request.type === 'expireSession' && result.type === 'closeSession'
    this.history.entries.push({
      order,
      at: this.#now(),
      host,
      zxid,
      timeMs: stamp.timeMs,
      clockMs: stamp.clockMs,
      request,
      result,
      changes,
      believers: isExpiry ? this.#believers(request.session) : [],
      isOrdered: isExpiry && this.#ordered.has(request.session),
    })
    this.trace(`applied ${zxid} ${print}`)
    if (isExpiry) this.note(`the session ${hex(request.session)} expires at ${hex(zxid)}`)
  }

  /** Applications that are awake and take the session for theirs. */
  #believers(session: bigint): string[] {
    return (this.#bySession.get(session) ?? [])
      .filter(({ state, process }) => (state === 'connected' || state === 'suspended') && process.isAwake)
      .map(({ stream }) => stream.life)
  }

  #onServing(life: string, member: Member): void {
    const { status, peer } = member
    if (status?.leader === undefined || peer === undefined) return
    const { epoch, leader } = status
    this.history.terms.push({
      order: this.next(),
      at: this.#now(),
      life,
      member: member.self.id,
      leader: leader.id,
      epoch,
      isLeader: status.role === 'leading',
      logged: peer.zab.log.last,
      known: this.#known,
    })
    this.note(`${life} serves in epoch ${epoch} under ${leader.name} (log through ${hex(peer.zab.log.last)})`)
  }
}

export const hex = (value: bigint): string => `0x${value.toString(16)}`
