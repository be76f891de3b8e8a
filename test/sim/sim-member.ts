/**
 * One member of a world: its process (which comes and goes), its disk, its clock, and what the world records of its log.
 * Inputs gather in an inbox; a turn hands them to the core one by one, performs the outputs, and ends with `flush`.
 */
import type { Input } from '../../lib/core/input.ts'
import type { Output, Status } from '../../lib/core/output.ts'
import { Peer } from '../../lib/core/peer.ts'
import type { Applied } from '../../lib/core/tree/operation.ts'
import { type Batch, lastOf } from '../../lib/core/zab/batch.ts'
import { type MemberId, type MemberRecord, memberIdFrom } from '../../lib/core/zab/configuration.ts'
import type { MembershipOutcome, MembershipRequest } from '../../lib/core/zab/membership-request.ts'
import type { CoreSnapshot, PersistChange } from '../../lib/core/zab/zab.ts'
import { epochOf, formatZxid, type Zxid, zxidZero } from '../../lib/core/zab/zxid.ts'
import type { CoreWorld } from './core-world.ts'
import { Disk, type DiskJob, type StoredSnapshot } from './disk.ts'
import { Violation } from './invariants/invariant.ts'
import { SimHost } from './workload.ts'

export interface MemberSpec {
  readonly name: string
  /** The name that it gives itself, where that is not its own. */
  readonly alias?: string | undefined
  readonly address: string
  /** Whether its disk survives a crash, and its id with it. */
  readonly isDurable: boolean
  /** Its own static list; empty for one that only joins. */
  readonly founders: readonly string[]
  readonly wish?: 'auto' | 'voter' | 'observer' | undefined
  /** The level of the state machine that it knows. */
  readonly features?: number | undefined
}

type Answered = (outcome: MembershipOutcome) => void

/** As long as a call of the library waits for its answer. */
const askedForMs = 10_000
/** What a write is evaluated as by a member that diverges. */
const divergedPath = '/diverged'
const otherOperation = { type: 'create', path: divergedPath, data: undefined, mode: 'persistent' } as const

/** A timer that is later than this lets waiting input go first. */
const latenessMs = 20

export class SimMember {
  readonly spec: MemberSpec
  readonly disk: Disk = new Disk()
  readonly #world: CoreWorld
  id: MemberId
  peer: Peer | undefined
  host: SimHost
  /** The whole log since the founding as this member has it, durable or not; and how much is delivered and known committed. */
  log: Batch[] = []
  delivered = 0
  committed = 0
  isPaused = false
  incarnation = 0
  /** Of the clock: local time at the boot, and how fast it runs. */
  #bootedAt = 0
  #bootLocal = 0
  #rate = 1
  pauses = 0
  #pausedAt = 0
  #pausedMs = 0
  #inbox: Input[] = []
  #turnScheduled = false
  #tickGeneration = 0
  #spins = 0
  #lastTurnAt = -1
  /** Crash in the middle of a turn, after so many steps. */
  crashAfterSteps: number | undefined
  /** When something last came between it and others: a crash, a start, a pause, a cut. */
  disturbedAt = 0
  /** Until then nothing becomes durable. */
  diskStalledUntil = 0
  readonly refusals: string[] = []
  /** Its next write is to be evaluated otherwise than elsewhere; and whether one ever was. */
  #divergence: 'none' | 'pending' | 'done' = 'none'
  /** An operator removed it: it does not come back under this id. */
  isRemoved = false
  /** Its ensemble is dead, and a later one lives. */
  isSuperseded = false
  /** What it asked of the configuration, and has no answer to: asked again in each term. */
  readonly #asked = new Map<number, { readonly request: MembershipRequest; readonly answered: Answered | undefined }>()
  #lastAsked = 0
  #asksAgain = false
  #wasDiverged = false

  constructor(world: CoreWorld, spec: MemberSpec) {
    this.#world = world
    this.spec = spec
    this.id = this.#newId()
    this.host = new SimHost(world, this)
  }

  get name(): string {
    return this.spec.name
  }

  get isUp(): boolean {
    return this.peer !== undefined
  }

  get record(): MemberRecord {
    return { id: this.id, name: this.spec.alias ?? this.spec.name, address: this.spec.address }
  }

  get status(): Status | undefined {
    return this.peer?.status
  }

  get lastDelivered(): Zxid {
    const batch = this.log[this.delivered - 1]
    return batch === undefined ? zxidZero : lastOf(batch)
  }

  #newId(): MemberId {
    const random = this.#world.random('clock', this.spec.name).between(0x1000, 0xffff).toString(16)
    return memberIdFrom(`${random}-${this.spec.name}.${this.incarnation}`)
  }

  /** Monotonic milliseconds of this process. */
  get localNow(): number {
    return this.#bootLocal + (this.#world.now - this.#bootedAt) * this.#rate
  }

  /** How long this process has been running, by its own clock and without its pauses. */
  get runningMs(): number {
    return this.localNow - this.#bootLocal - this.#pausedMs
  }

  /** When this process's clock shows `local`, in the world's time. */
  worldTimeOf(local: number): number {
    return this.#bootedAt + (local - this.#bootLocal) / this.#rate
  }

  /** Whether its state may be, or is about to be, another one than that of the others. */
  get mayDiverge(): boolean {
    return this.#divergence !== 'none'
  }

  get isDiverged(): boolean {
    return this.#divergence === 'done' && this.peer?.state.tree.find(divergedPath) !== undefined
  }

  /** Whether nothing on its disk, or on its way there, comes of a divergence. */
  get isDiskSound(): boolean {
    const isSound = (snapshot: StoredSnapshot | undefined): boolean =>
      snapshot?.records.every((record) => record.kind !== 'node' || record.path !== divergedPath) !== false
    return this.#divergence === 'none' || isSound(this.disk.image.snapshot)
  }

  /** What was to make it diverge, and has not yet, does not any more. */
  stayAlike(): void {
    if (this.#divergence === 'pending') this.#divergence = 'none'
  }

  /** As if a bit had flipped where nobody looks: its next write is evaluated as another one. */
  diverge(): void {
    const { peer } = this
    if (peer === undefined) return
    const { state } = peer
    const apply = state.apply.bind(state)
    this.#divergence = 'pending'
    state.apply = (stamp, request): Applied => {
      const isIt =
        this.#divergence === 'pending' && request.type === 'write' && request.operation.type !== 'closeSession'
      if (!isIt) return apply(stamp, request)
      const { result, ...applied } = apply(stamp, { ...request, operation: otherOperation })
      if (result.type === 'create' && result.path === divergedPath) {
        this.#divergence = 'done'
        this.#world.trace(this, `evaluates ${formatZxid(stamp.zxid)} otherwise`)
      }
      return { ...applied, request, result }
    }
  }

  /** Wants something of the configuration, for a while: what contradicts what others want may never come to pass. */
  ask(request: MembershipRequest, answered?: Answered): void {
    this.#lastAsked += 1
    const id = this.#lastAsked
    this.#asked.set(id, { request, answered })
    this.receive({ type: 'membership', id, request })
    this.later(askedForMs, () => this.#asked.delete(id))
  }

  start(): void {
    if (this.isUp || ((this.isRemoved || this.isSuperseded) && this.spec.isDurable)) return
    const clock = this.#world.random('clock', this.name)
    this.incarnation += 1
    if (!this.spec.isDurable) {
      this.disk.wipe()
      this.id = this.#newId()
    }
    this.#bootedAt = this.#world.now
    this.#bootLocal = clock.real(1, 1000)
    this.#rate = 1 + clock.real(-1, 1) * this.#world.options.drift
    this.isPaused = false
    this.isRemoved = false
    this.isSuperseded = false
    this.#asked.clear()
    this.#asksAgain = false
    this.#wasDiverged = false
    if (this.#divergence === 'pending') this.#divergence = 'none'
    this.#pausedMs = 0
    this.#inbox = []
    this.#turnScheduled = false
    this.crashAfterSteps = undefined
    this.host = new SimHost(this.#world, this)
    const { image } = this.disk
    this.log = [...this.#world.history.prefixThrough(image.snapshot?.zxid ?? zxidZero)]
    this.delivered = this.log.length
    this.committed = this.log.length
    this.log.push(...image.batches)
    this.peer = new Peer(image.startOf(this.record), this.#world.zabOptions(this.spec))
    this.disturbedAt = this.#world.now
    this.#world.trace(this, 'starts')
    this.receive({ type: 'tick', lateMs: 0 })
    this.host.start()
    this.#world.network.dialAll()
  }

  /** Down, and the disk is lost: whoever starts here next is another member. */
  wipe(): void {
    this.#world.trace(this, 'loses its disk')
    this.disk.wipe()
    this.id = this.#newId()
    this.isRemoved = false
    this.isSuperseded = false
    this.#world.check('onCrash', this)
  }

  /** The next commit of the store fails: nobody knows what of it is durable, and the member stops by itself. */
  failNextCommit(): void {
    this.disk.failNext = () => this.crash()
  }

  /** The process dies: at once, with what its disk has by chance. */
  crash(): void {
    if (!this.isUp) return
    this.disturbedAt = this.#world.now
    this.#world.trace(this, 'crashes')
    this.peer = undefined
    this.disk.crash(this.#world.random('disk', this.name).between(0, this.disk.backlog))
    if (!this.spec.isDurable) this.disk.wipe()
    this.#world.network.crash(this)
    this.#world.check('onCrash', this)
  }

  pause(): void {
    if (!this.isPaused) this.#pausedAt = this.localNow
    this.isPaused = true
    this.disturbedAt = this.#world.now
    this.#world.trace(this, 'pauses')
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.disturbedAt = this.#world.now
    this.#pausedMs += this.localNow - this.#pausedAt
    this.#world.trace(this, 'resumes')
    if (!this.isUp) return
    this.pauses += 1
    this.host.resume()
    if (this.#inbox.length > 0) this.#scheduleTurn()
    this.#scheduleTick()
  }

  receive(input: Input): void {
    if (!this.isUp) return
    this.#inbox.push(input)
    this.#scheduleTurn()
  }

  /** The host has something to say: a turn is wanted. */
  wake(): void {
    this.#scheduleTurn()
  }

  /** Runs an action after a delay, unless this process has died by then. */
  later(delay: number, action: () => void): void {
    const { incarnation } = this
    this.#world.after(delay, () => {
      if (this.isUp && this.incarnation === incarnation) action()
    })
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled || this.isPaused || !this.isUp) return
    this.#turnScheduled = true
    this.later(this.#world.turnDelay(this), () => {
      this.#turnScheduled = false
      if (!this.isPaused) this.#turn()
    })
  }

  #turn(): void {
    this.#noteSpin()
    const inputs = this.#inbox
    this.#inbox = []
    for (const input of inputs) {
      this.step(input)
      if (!this.isUp) return
    }
    const requests = this.host.takeRequests()
    if (requests.length > 0) this.step({ type: 'request', requests })
    if (this.isUp) this.step({ type: 'flush' })
    if (this.isUp) this.#scheduleTick()
    if (this.peer?.wantsTurn === true) this.#scheduleTurn()
  }

  #noteSpin(): void {
    this.#spins = this.#world.now - this.#lastTurnAt < 0.001 ? this.#spins + 1 : 0
    this.#lastTurnAt = this.#world.now
    // A long log that is delivered an entry at a time takes so many turns in a row, and not for ever.
    if (this.#spins > 5000) throw new Violation('Liveness', `${this.name} spins`)
  }

  #scheduleTick(): void {
    const deadline = this.peer?.deadline ?? Number.POSITIVE_INFINITY
    this.#tickGeneration += 1
    if (deadline === Number.POSITIVE_INFINITY) return
    const generation = this.#tickGeneration
    const due = Math.max(0, this.worldTimeOf(deadline) - this.#world.now)
    this.later(due + this.#world.lateness(this) + 0.01, () => {
      if (generation !== this.#tickGeneration || this.isPaused) return
      const lateMs = this.localNow - deadline
      this.receive({ type: 'tick', lateMs: lateMs > latenessMs ? lateMs : 0 })
    })
  }

  step(input: Input): void {
    const { peer } = this
    if (peer === undefined) return
    const wallMs = this.#world.wallOf(this)
    this.#world.traceInput(this, input)
    this.#world.check('onInput', this, input)
    const outputs = peer.step(input, { now: this.localNow, wallMs })
    for (const output of outputs) this.#perform(output)
    this.#askAgain()
    if (this.isRemoved) this.crash()
    if (this.isSuperseded) this.#onSuperseded()
    if (!this.isUp) return
    this.#observe(peer)
    this.#world.check('onStep', this)
    if (this.crashAfterSteps !== undefined) {
      this.crashAfterSteps -= 1
      if (this.crashAfterSteps <= 0) this.crash()
    }
  }

  /** What has no answer yet, in a new term: before anything else happens. */
  #askAgain(): void {
    if (!this.#asksAgain) return
    this.#asksAgain = false
    for (const [id, { request }] of this.#asked) this.step({ type: 'membership', id, request })
  }

  /** A life without what it held; on a disk it is for its operator to decide. */
  #onSuperseded(): void {
    this.crash()
    if (!this.spec.isDurable) this.#world.after(1, () => this.start())
  }

  #perform(output: Output): void {
    this.#world.traceOutput(this, output)
    this.#world.check('onOutput', this, output)
    switch (output.type) {
      case 'persist':
        this.#persist(output.token, output.change)
        return
      case 'send':
        this.#world.check('onSend', this, output.message)
        this.#world.network.send(this, output.to, this.#world.frozen(output.message))
        return
      case 'closeLink': {
        const other = this.#world.memberById(output.to)
        if (other !== undefined) this.#world.network.reset(this, other)
        return
      }
      case 'probe':
        this.#world.probe(this, output.id, output.address)
        return
      case 'readReady':
        this.host.onReadReady(output.id, output.zxid)
        return
      case 'heartbeatConfirmed':
        this.host.onHeartbeatConfirmed(output.id, output.ended)
        return
      case 'status':
        this.host.onStatus(output.status)
        if (this.#wasDiverged && output.status.standing === 'sound') this.checkpoint()
        this.#wasDiverged = output.status.standing === 'diverged'
        this.#asksAgain ||= output.status.serving
        return
      case 'membershipReply': {
        const asked = this.#asked.get(output.id)
        this.#asked.delete(output.id)
        this.#world.mark(output.outcome.code === undefined ? 'asked.done' : 'asked.refused')
        asked?.answered?.(output.outcome)
        return
      }
      case 'forgotten':
        throw new Violation('Marks', `${this.name} is told that it has forgotten: ${output.reason}`)
      case 'superseded':
        this.isSuperseded = true
        return
      case 'refused':
        this.refusals.push(output.code)
        if (output.code === 'COORD_REMOVED') this.isRemoved = true
        return
      case 'installed':
        this.host.onInstalled()
        return
      case 'applied':
        this.#world.check('onApplied', this, output.applied)
        this.host.onApplied(output.applied)
        return
      case 'members':
      case 'progress':
        return
    }
  }

  #persist(token: number, change: PersistChange): void {
    this.#world.check('onPersist', this, change)
    if (change.truncateAfter !== undefined) {
      while (this.log.length > 0 && lastOf(this.log.at(-1) as Batch) > change.truncateAfter) this.log.pop()
    }
    if (change.install !== undefined) {
      this.log = [...this.#world.history.prefixThrough(change.install.zxid)]
      this.delivered = this.log.length
      this.committed = this.log.length
    }
    if (change.append !== undefined) {
      this.log.push(this.#world.frozen(change.append))
      if (this.peer?.zab.role.name === 'leading') this.#world.history.notePropose(this, change.append)
    }
    this.#write({ token, change: { ...change, install: this.#stored(change.install) } })
  }

  /** Read out at once: a disk has no turns. */
  #stored(snapshot: CoreSnapshot | undefined): StoredSnapshot | undefined {
    if (snapshot === undefined) return undefined
    const { zxid, configurations, marks, state } = snapshot
    return this.#world.frozen({ zxid, configurations, marks, records: state.take(Number.POSITIVE_INFINITY) })
  }

  #write(job: DiskJob): void {
    this.disk.write(
      job,
      (action) => this.later(this.#world.diskDelay(this), action),
      ({ token }) => {
        if (token !== undefined) this.receive({ type: 'persisted', token })
        this.#world.noteDurable(this)
      },
    )
  }

  /** Takes a checkpoint of what is applied. */
  checkpoint(): void {
    const { peer } = this
    if (peer === undefined || !this.spec.isDurable || peer.state.lastZxid === zxidZero) return
    const zxid = peer.state.lastZxid
    const configurations = peer.zab.configurations.at(zxid)
    this.#world.trace(this, `checkpoints ${formatZxid(zxid)}`)
    const marks = peer.zab.memberMarks()
    if (peer.state.isFrozen || peer.status.standing !== 'sound') return
    const checkpoint = this.#stored({ zxid, configurations, marks, state: peer.state.freeze() })
    this.#write({ token: undefined, change: { checkpoint } })
  }

  /** Records what the core now says is committed and delivered. */
  #observe({ zab, state }: Peer): void {
    while (this.committed < this.log.length) {
      const batch = this.log[this.committed] as Batch
      if (lastOf(batch) > zab.committed) break
      this.#world.check('onCommitted', this, batch, this.committed)
      const epoch = 'epoch' in zab.role ? zab.role.epoch : undefined
      this.#world.history.noteCommitted(batch, this.committed, epoch ?? epochOf(batch.first), zab.configurations.active)
      this.committed += 1
    }
    while (this.delivered < this.log.length) {
      const batch = this.log[this.delivered] as Batch
      if (lastOf(batch) > state.lastZxid) break
      this.#world.check('onDelivered', this, batch, this.delivered)
      this.delivered += 1
    }
    if (this.lastDelivered !== state.lastZxid) {
      throw new Violation(
        'TotalOrder',
        `${this.name} is at ${formatZxid(state.lastZxid)}, delivered ${formatZxid(this.lastDelivered)}`,
      )
    }
  }
}
