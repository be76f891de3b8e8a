/**
 * One place where processes of a member run, one after the other: an address, a name, a disk that may be lost, and a core
 * around which the world performs inputs and outputs. No sessions, no snapshots of the log: membership is what matters here.
 */
import type { Input } from '../../../lib/core/input.ts'
import type { Output } from '../../../lib/core/output.ts'
import { Peer } from '../../../lib/core/peer.ts'
import type { Applied } from '../../../lib/core/tree/operation.ts'
import { type MemberId, type MemberRecord, memberIdFrom } from '../../../lib/core/zab/configuration.ts'
import type { MembershipOutcome, MembershipRequest } from '../../../lib/core/zab/membership-request.ts'
import { isEstablished } from '../../../lib/core/zab/roles.ts'
import type { PersistChange, Restoration } from '../../../lib/core/zab/zab.ts'
import { DiskImage, type DiskJob } from '../disk.ts'
import { Violation } from '../invariants/invariant.ts'
import type { LifetimesWorld } from './world.ts'

export interface PlaceSpec {
  readonly name: string
  readonly address: string
  readonly isDurable: boolean
  readonly wish?: 'auto' | 'voter' | 'observer' | undefined
}

/** How a process is started. */
export interface StartSpec {
  /** Its static list; empty where it discovers the others. */
  readonly founders: readonly string[]
  /** What it dials besides the configuration: the list, or what its discovery said. */
  readonly contacts: readonly string[]
  /** What it founds with, where it founds. */
  readonly restoration?: Restoration | undefined
}

type Answered = (outcome: MembershipOutcome) => void

export class Place {
  readonly spec: PlaceSpec
  readonly #world: LifetimesWorld
  peer: Peer | undefined
  id: MemberId
  image: DiskImage = new DiskImage()
  start: StartSpec = { founders: [], contacts: [] }
  /** Why its last process ended by itself, if it did. */
  refusal: string | undefined
  /** Counts its processes. */
  life = 0
  #writing: DiskJob[] = []
  #isWriting = false
  #tick = 0
  #rate = 1
  #bootedAt = 0
  /** What it asked of the configuration, and has no answer to. */
  #asked = new Map<number, { readonly request: MembershipRequest; readonly answered: Answered | undefined }>()
  #lastAsked = 0
  #isServing = false
  #asksAgain = false
  #isTurnDue = false

  constructor(world: LifetimesWorld, spec: PlaceSpec) {
    this.#world = world
    this.spec = spec
    this.id = this.#freshId()
  }

  get name(): string {
    return this.spec.name
  }

  get isUp(): boolean {
    return this.peer !== undefined
  }

  get record(): MemberRecord {
    return { id: this.id, name: this.spec.name, address: this.spec.address }
  }

  get cluster(): string {
    return this.peer?.zab.belonging.cluster ?? ''
  }

  /** Whether it dials that address. */
  knows(address: string): boolean {
    return this.start.contacts.includes(address) || this.peer?.contacts().includes(address) === true
  }

  #freshId(): MemberId {
    return memberIdFrom(`${this.#world.random.between(0x1000, 0xffff).toString(16)}-${this.spec.name}.${this.life}`)
  }

  begin(start: StartSpec): void {
    if (this.isUp) return
    this.life += 1
    this.start = start
    this.refusal = undefined
    if (!this.spec.isDurable) this.wipe()
    this.#writing = []
    this.#isWriting = false
    this.#asked.clear()
    this.#asksAgain = false
    this.#isServing = false
    this.#isTurnDue = false
    this.#bootedAt = this.#world.now
    this.#rate = this.#world.random.real(0.999, 1.001)
    const { founders, restoration } = start
    this.peer = new Peer(
      this.image.startOf(this.record),
      { ...this.#world.options, founders: [...founders].sort(), wish: this.spec.wish, restoration },
      (applied) => this.#onApplied(applied),
    )
    this.#world.trace(`${this.name} starts as ${this.id}, founders [${founders.join()}]`)
    this.receive({ type: 'tick', lateMs: 0 })
  }

  /** The disk is lost: whoever starts here next is another member. */
  wipe(): void {
    this.image = new DiskImage()
    this.id = this.#freshId()
  }

  /** The process is gone; of what was on its way to the disk, some made it. */
  crash(): void {
    if (!this.isUp) return
    this.#world.trace(`${this.name} crashes`)
    const kept = this.#world.random.between(0, this.#writing.length)
    for (const job of this.#writing.slice(0, kept)) this.image.apply(job)
    this.peer = undefined
    this.#world.onCrash(this)
  }

  /** Wants something of the configuration, in each term until it is answered. */
  ask(request: MembershipRequest, answered?: Answered): void {
    this.#lastAsked += 1
    this.#asked.set(this.#lastAsked, { request, answered })
    this.receive({ type: 'membership', id: this.#lastAsked, request })
  }

  get localNow(): number {
    return (this.#world.now - this.#bootedAt) * this.#rate
  }

  receive(input: Input): void {
    const { peer } = this
    if (peer === undefined) return
    this.#step(peer, input)
    if (this.peer === peer) this.#step(peer, { type: 'flush' })
    if (this.peer === peer) this.#scheduleTurn(peer)
    if (this.peer === peer) this.#scheduleTick(peer)
  }

  /** What is sent in slices goes on in the next turn. */
  #scheduleTurn(peer: Peer): void {
    if (!peer.wantsTurn || this.#isTurnDue) return
    this.#isTurnDue = true
    this.#world.later(this, 0.1, () => {
      this.#isTurnDue = false
      this.#step(peer, { type: 'flush' })
      if (this.peer === peer) this.#scheduleTurn(peer)
    })
  }

  #step(peer: Peer, input: Input): void {
    this.#world.noteInput(this, input)
    const outputs = peer.step(input, { now: this.localNow, wallMs: this.#world.wallNow })
    for (const output of outputs) if (this.peer === peer) this.#perform(output)
    if (this.peer === peer) this.#world.observe(this, peer)
    if (this.peer === peer) this.#askAgain(peer)
  }

  /** What has no answer yet, in a new term: before anything else happens. */
  #askAgain(peer: Peer): void {
    if (!this.#asksAgain) return
    this.#asksAgain = false
    for (const [id, { request }] of this.#asked)
      if (this.peer === peer) this.#step(peer, { type: 'membership', id, request })
  }

  #perform(output: Output): void {
    switch (output.type) {
      case 'persist':
        this.#writing.push({ token: output.token, change: stored(output.change) })
        this.#write()
        return
      case 'send':
        this.#world.send(this, output.to, output.message)
        return
      case 'closeLink':
        this.#world.resetLink(this, output.to)
        return
      case 'probe':
        this.#world.probe(this, output.id, output.address)
        return
      case 'status':
        this.#isServing = output.status.serving
        this.#asksAgain ||= this.#isServing
        return
      case 'membershipReply': {
        const asked = this.#asked.get(output.id)
        this.#asked.delete(output.id)
        const { answered } = asked ?? {}
        if (answered !== undefined) this.#world.later(this, 0, () => answered(output.outcome))
        return
      }
      case 'forgotten':
        throw new Violation('Marks', `${this.name} is told that it has forgotten: ${output.reason}`)
      case 'superseded':
        this.#world.count('superseded')
        // A process in memory begins another life; one with a disk is for its operator.
        this.#end(this.spec.isDurable ? 'COORD_MAJORITY_LOST' : undefined)
        return
      case 'refused':
        this.#world.count(output.code)
        this.#end(output.code)
        return
      case 'readReady':
      case 'heartbeatConfirmed':
      case 'applied':
      case 'installed':
      case 'members':
      case 'progress':
    }
  }

  #end(refusal: string | undefined): void {
    const { start } = this
    this.crash()
    this.refusal = refusal
    this.#world.trace(`${this.name} ends: ${refusal ?? 'begins another life'}`)
    if (refusal === undefined) this.#world.at(this.#world.now + 1, () => this.begin(start))
  }

  #write(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    const count = this.#writing.length
    this.#world.later(this, this.#world.diskDelay(), () => {
      const jobs = this.#writing.splice(0, count)
      this.#isWriting = false
      for (const job of jobs) this.image.apply(job)
      if (this.#writing.length > 0) this.#write()
      for (const { token } of jobs) if (token !== undefined) this.receive({ type: 'persisted', token })
    })
  }

  #scheduleTick(peer: Peer): void {
    this.#tick += 1
    const tick = this.#tick
    if (peer.deadline === Number.POSITIVE_INFINITY) return
    const dueMs = Math.max(0, (peer.deadline - this.localNow) / this.#rate)
    this.#world.later(this, dueMs + this.#world.random.real(0.01, 2), () => {
      if (tick === this.#tick) this.receive({ type: 'tick', lateMs: 0 })
    })
  }

  #onApplied({ stamp, request }: Applied): void {
    this.#world.onApplied(this, stamp.zxid, request)
  }

  /** A small write of a client of this member. */
  write(): void {
    if (!this.#isServing) return
    this.receive({ type: 'request', requests: [this.#world.nextWrite(this)] })
  }

  get isLeading(): boolean {
    return this.peer !== undefined && isEstablished(this.peer.zab.role)
  }
}

/** A snapshot is read out at once: a disk has no turns. */
function stored({ install, ...change }: PersistChange): DiskJob['change'] {
  if (install === undefined) return change
  const { zxid, configurations, marks, state } = install
  return { ...change, install: { zxid, configurations, marks, records: state.take(Number.POSITIVE_INFINITY) } }
}
