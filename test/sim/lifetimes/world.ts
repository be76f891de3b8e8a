/**
 * Whole lives of ensembles, at the level of the core: processes that start and end at any time, with or without their
 * memory, that find each other by half of the answers, that found, join, are refused, and found anew. Unlike the world of
 * core-world.ts it knows more than one ensemble, and what must hold is about ensembles:
 *
 * - OneAlive: an ensemble that was followed by another one never establishes a leader nor commits again;
 * - Agreement: within an ensemble one zxid is one entry, whoever applies it;
 * - NothingLost: whoever is established in an ensemble holds everything that was ever applied in it.
 */
import type { Input } from '../../../lib/core/input.ts'
import type { Peer, PeerOptions } from '../../../lib/core/peer.ts'
import type { Applied, TreeRequest } from '../../../lib/core/tree/operation.ts'
import { type SessionId, sessionIdFrom } from '../../../lib/core/tree/session-id.ts'
import type { MemberId } from '../../../lib/core/zab/configuration.ts'
import type { Message } from '../../../lib/core/zab/message.ts'
import { isEstablished } from '../../../lib/core/zab/roles.ts'
import { formatZxid, type Zxid, zxidZero } from '../../../lib/core/zab/zxid.ts'
import { EventQueue } from '../../../lib/testing/event-queue.ts'
import { defaultOptions, defaultSlice } from '../core-world.ts'
import { Violation } from '../invariants/invariant.ts'
import { Prng } from '../prng.ts'
import { Place, type PlaceSpec } from './place.ts'

interface Link {
  readonly a: Place
  readonly b: Place
  readonly aId: MemberId
  readonly bId: MemberId
  isOpen: boolean
  /** FIFO, each way. */
  readonly lastArrival: { a: number; b: number }
}

/** What was ever applied in an ensemble. */
interface Ensemble {
  readonly entries: Map<Zxid, string>
  last: Zxid
}

const wallBegin = 1_790_000_000_000
const dialMs = 60

export class LifetimesWorld {
  readonly random: Prng
  readonly places: Place[]
  readonly options: Omit<PeerOptions, 'founders' | 'wish'>
  readonly marks: Map<string, number> = new Map()
  readonly #latencyMs: number
  readonly #diskMs: number
  readonly #queue = new EventQueue()
  readonly #links = new Map<string, Link>()
  readonly #cuts = new Set<string>()
  readonly #onTrace: ((line: string) => void) | undefined
  readonly #ensembles = new Map<string, Ensemble>()
  /** Ensembles in the order in which they were first alive; only the last one may be. */
  readonly alive: string[] = []
  readonly #terms = new Set<string>()
  #sessions = 0
  /** Sessions whose opening was applied where it was asked for, with the ensemble. */
  readonly acknowledged: { readonly cluster: string; readonly session: SessionId }[] = []
  readonly #asked = new Map<SessionId, { readonly place: Place; readonly life: number }>()
  now = 0
  steps = 0

  constructor(seed: number, specs: readonly PlaceSpec[], seats: number, onTrace?: (line: string) => void) {
    this.random = new Prng(seed, 'lifetimes')
    this.#onTrace = onTrace
    this.#latencyMs = this.random.pick([0.3, 2, 10])
    this.#diskMs = this.random.pick([0.1, 1, 10])
    const { timing, batchBytesMax, chunkBytesMax } = defaultOptions
    const tail = this.random.chance(0.3) ? { entries: this.random.between(0, 8), bytes: 1 << 20 } : defaultOptions.tail
    const slice = new Prng(seed, 'slice').chance(0.5) ? { entries: 1, bytes: 1, pauseMs: 2 } : defaultSlice
    this.options = { timing, tail, batchBytesMax, chunkBytesMax, slice, seats, mark: (name) => this.count(name) }
    this.places = specs.map((spec) => new Place(this, spec))
  }

  // Time

  at(time: number, action: () => void): void {
    this.#queue.add(Math.max(time, this.now), action)
  }

  /** Unless its process is gone by then. */
  later(place: Place, delayMs: number, action: () => void): void {
    const { life } = place
    this.at(this.now + delayMs, () => {
      if (place.isUp && place.life === life) action()
    })
  }

  runFor(ms: number, isDone?: () => boolean): boolean {
    const until = this.now + ms
    while (this.#queue.nextTime <= until) {
      if (isDone?.() === true) return true
      const event = this.#queue.take()
      if (event === undefined) break
      this.now = event.time
      event.action()
    }
    this.now = until
    return isDone?.() === true
  }

  get wallNow(): number {
    return Math.floor(wallBegin + this.now)
  }

  diskDelay(): number {
    return this.random.chance(0.02) ? this.random.real(0, 40 * this.#diskMs) : this.random.exponential(this.#diskMs)
  }

  // The network

  begin(): void {
    this.#dialAll()
  }

  #dialAll(): void {
    for (const [index, a] of this.places.entries()) {
      for (const b of this.places.slice(index + 1)) {
        if (this.#links.has(keyOf(a, b)) || !a.isUp || !b.isUp || this.isCut(a, b)) continue
        if (!a.knows(b.spec.address) && !b.knows(a.spec.address)) continue
        if (this.random.chance(0.5)) this.#open(a, b)
      }
    }
    this.at(this.now + this.random.real(dialMs / 2, dialMs), () => this.#dialAll())
  }

  #open(a: Place, b: Place): void {
    const link: Link = { a, b, aId: a.id, bId: b.id, isOpen: true, lastArrival: { a: 0, b: 0 } }
    this.#links.set(keyOf(a, b), link)
    const [recordA, recordB] = [a.record, b.record]
    this.#arrive(link, a, { type: 'linkUp', peer: recordB })
    this.#arrive(link, b, { type: 'linkUp', peer: recordA })
  }

  #arrive(link: Link, to: Place, input: Input): void {
    const end = to === link.a ? 'a' : 'b'
    const spike = this.random.chance(0.01) ? this.random.real(0, 300) : 0
    const at = Math.max(link.lastArrival[end], this.now + 0.05 + spike + this.random.exponential(this.#latencyMs))
    link.lastArrival[end] = at
    const id = end === 'a' ? link.aId : link.bId
    this.at(at, () => {
      if (link.isOpen && to.isUp && to.id === id) to.receive(input)
    })
  }

  send(from: Place, toId: MemberId, message: Message): void {
    for (const link of this.#links.values()) {
      const isA = link.a === from && link.aId === from.id && link.bId === toId
      const isB = link.b === from && link.bId === from.id && link.aId === toId
      if (!link.isOpen || (!isA && !isB)) continue
      const to = isA ? link.b : link.a
      if (!this.#cuts.has(`${from.name}>${to.name}`))
        this.#arrive(link, to, { type: 'message', from: from.id, message })
      return
    }
  }

  resetLink(from: Place, toId: MemberId): void {
    for (const link of this.#links.values()) {
      if ((link.a === from && link.bId === toId) || (link.b === from && link.aId === toId)) this.#close(link)
    }
  }

  onCrash(place: Place): void {
    for (const link of [...this.#links.values()]) if (link.a === place || link.b === place) this.#close(link)
  }

  #close(link: Link): void {
    if (!link.isOpen) return
    link.isOpen = false
    const tell = (to: Place, id: MemberId, gone: MemberId): void =>
      this.at(this.now + this.random.real(0, 20), () => {
        if (to.isUp && to.id === id) to.receive({ type: 'linkDown', id: gone })
      })
    tell(link.a, link.aId, link.bId)
    tell(link.b, link.bId, link.aId)
    // Only when both ends have heard of it is there a next one.
    this.at(this.now + 21, () => this.#links.delete(keyOf(link.a, link.b)))
  }

  isCut(a: Place, b: Place): boolean {
    return this.#cuts.has(`${a.name}>${b.name}`) || this.#cuts.has(`${b.name}>${a.name}`)
  }

  /** What is sent is lost, and after a while the link with it. */
  cut(from: Place, to: Place): void {
    this.#cuts.add(`${from.name}>${to.name}`)
    const link = this.#links.get(keyOf(from, to))
    if (link === undefined) return
    this.at(this.now + this.random.real(0, 2000), () => {
      if (this.isCut(from, to)) this.#close(link)
    })
  }

  /** A link over which something was lost closes. */
  mend(from: Place, to: Place): void {
    if (!this.#cuts.delete(`${from.name}>${to.name}`)) return
    const link = this.#links.get(keyOf(from, to))
    if (link !== undefined) this.#close(link)
  }

  heal(): void {
    for (const from of this.places) for (const to of this.places) this.mend(from, to)
  }

  probe(from: Place, id: MemberId, address: string): void {
    const isReached = (): boolean =>
      this.places.some((one) => one.spec.address === address && one.id === id && one.isUp && !this.isCut(from, one))
    this.later(from, this.random.real(1, 50), () => from.receive({ type: 'probed', id, reached: isReached() }))
  }

  // What must hold

  nextWrite(place: Place): TreeRequest {
    this.#sessions += 1
    const session = sessionIdFrom(BigInt(this.#sessions))
    this.#asked.set(session, { place, life: place.life })
    return { type: 'createSession', session, passwordHash: new Uint8Array([1]), timeoutMs: 3_600_000 }
  }

  /** Called after each step of a process. */
  observe(place: Place, peer: Peer): void {
    const { zab } = peer
    if (!isEstablished(zab.role)) return
    const { cluster } = zab.belonging
    // One that is cut off goes on for a while, and commits nothing.
    const term = `${place.id} ${zab.role.epoch}`
    if (this.#terms.has(term)) return
    this.#terms.add(term)
    this.#noteAlive(place, cluster, 'establishes a leader')
    const { last } = this.#ensemble(cluster)
    if (zab.log.last < last)
      throw new Violation(
        'NothingLost',
        `${place.name} leads ${cluster} with ${formatZxid(zab.log.last)}, ${formatZxid(last)} was applied in it`,
      )
  }

  onApplied(place: Place, zxid: Zxid, request: Applied['request']): void {
    const { cluster } = place
    const ensemble = this.#ensemble(cluster)
    const text = JSON.stringify(request, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))
    const known = ensemble.entries.get(zxid)
    if (known !== undefined && known !== text)
      throw new Violation('Agreement', `${formatZxid(zxid)} of ${cluster} is ${known} and ${text}`)
    if (known === undefined) {
      this.#noteAlive(place, cluster, 'commits')
      ensemble.entries.set(zxid, text)
      if (zxid > ensemble.last) ensemble.last = zxid
    }
    if (request.type !== 'createSession') return
    const asked = this.#asked.get(request.session)
    if (asked === undefined || asked.place !== place || asked.life !== place.life) return
    this.#asked.delete(request.session)
    this.acknowledged.push({ cluster, session: request.session })
  }

  #noteAlive(place: Place, cluster: string, what: string): void {
    if (this.alive.at(-1) === cluster) return
    if (this.alive.includes(cluster))
      throw new Violation(
        'OneAlive',
        `${place.name} ${what} in ${cluster}, though ${this.alive.at(-1)} was alive since`,
      )
    this.alive.push(cluster)
  }

  #ensemble(cluster: string): Ensemble {
    let ensemble = this.#ensembles.get(cluster)
    if (ensemble === undefined) {
      ensemble = { entries: new Map(), last: zxidZero }
      this.#ensembles.set(cluster, ensemble)
    }
    return ensemble
  }

  // For people

  count(name: string): void {
    this.marks.set(name, (this.marks.get(name) ?? 0) + 1)
  }

  noteInput(place: Place, input: Input): void {
    this.steps += 1
    if (this.#onTrace === undefined || input.type === 'flush' || input.type === 'persisted') return
    const text = input.type === 'message' ? `${input.from}: ${input.message.type}` : input.type
    if (input.type === 'message' && /ping|pong/.test(input.message.type)) return
    this.trace(`${place.name} < ${text}`)
  }

  trace(text: string): void {
    this.#onTrace?.(`${this.now.toFixed(2).padStart(10)} ${text}`)
  }

  describe(): string {
    const lines = this.places.map((place) => {
      const { peer, refusal, name, id } = place
      if (peer === undefined) return `${name}: down ${refusal ?? ''}`
      const { zab, status } = peer
      const { noLeader } = peer.explain()
      const voters = zab.configurations.active.map((one) => one.voters.map((voter) => voter.id).join(' '))
      return `${name} ${id}: ${zab.role.name} ${zab.belonging.presence} ${zab.belonging.cluster} last ${formatZxid(zab.log.last)} ${noLeader ?? 'serving'} lost ${status.majorityLost} founders [${zab.options.founders.join()}] voters [${voters.join(' | ')}] ${status.reason}`
    })
    return lines.join('\n')
  }
}

function keyOf(a: Place, b: Place): string {
  return a.name < b.name ? `${a.name}|${b.name}` : `${b.name}|${a.name}`
}
