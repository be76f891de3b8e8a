/**
 * A state in the making: one event is performed on it, step by step, as the simulator performs it (test/sim), and the same
 * invariants look on. Then it is frozen into a state of its own.
 */
import type { Output } from '../../lib/core/output.ts'
import type { Peer } from '../../lib/core/peer.ts'
import { type Batch, lastOf } from '../../lib/core/zab/batch.ts'
import { epochOf, formatZxid, type Zxid, zxidZero } from '../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../sim/core-world.ts'
import type { DiskImage, DiskJob } from '../sim/disk.ts'
import type { History } from '../sim/history.ts'
import { allInvariants } from '../sim/invariants/index.ts'
import { hooks, type Invariant, Violation } from '../sim/invariants/invariant.ts'
import type { SimMember } from '../sim/sim-member.ts'
import { type Processes, ProcessState, type Stimulus } from './process.ts'
import { down, type LinkState, type MemberState, pairsOf, type WorldState } from './state.ts'
import { type Pool, textOfConstant } from './text.ts'

/** These compare what happens over a whole run; a branch of a search has none, and no clients and clocks to speak of. */
const ofWholeRuns = new Set(['PatientLeader', 'ReferenceModel', 'DigestEquality'])

const kinds = allInvariants()
  .filter((invariant) => !ofWholeRuns.has(invariant.constructor.name))
  .map((invariant) => invariant.constructor as new () => Invariant)

export const searchedInvariants: readonly string[] = [...kinds.map(({ name }) => name), 'EqualStates', 'Marks']

/** By hook, which of the kinds listen to it. */
const listeners = new Map(
  hooks.map((hook) => [
    hook,
    kinds.flatMap((Kind, index) => ((new Kind() as Invariant)[hook] === undefined ? [] : [index])),
  ]),
)

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Job = DiskJob & { readonly number: number }

/** What does not depend on the state: numbers for everything, and the settings. */
export interface Ground {
  readonly processes: Processes
  readonly images: Pool<DiskImage>
  readonly jobs: Pool<DiskJob>
}

/** A member as the invariants see it: the part of `SimMember` that they look at. */
class DraftMember {
  readonly spec = { isDurable: true }
  readonly incarnation = 0
  readonly runningMs = 0
  readonly pauses = 0
  readonly index: number
  state: Mutable<MemberState>
  /** While a step is looked at, that after it. */
  peer: Peer | undefined
  log: Batch[]
  isChanged = false

  constructor(index: number, state: MemberState) {
    this.index = index
    this.state = { ...state }
    this.peer = state.process?.peer
    this.log = state.log as Batch[]
  }

  get id(): string {
    return this.state.record.id
  }
  get name(): string {
    return this.state.record.name
  }
  get record(): MemberState['record'] {
    return this.state.record
  }
  get isUp(): boolean {
    return this.state.process !== undefined
  }
  get status(): Peer['status'] | undefined {
    return this.peer?.status
  }
  get disk(): { readonly image: DiskImage } {
    return { image: this.state.image }
  }
  get delivered(): number {
    return this.state.delivered
  }
  get committed(): number {
    return this.state.committed
  }
}

export class Draft {
  readonly members: readonly DraftMember[]
  readonly sessions: readonly never[] = []
  readonly options = { timing: { pingIntervalMs: 0 } }
  readonly now = 0
  history: History
  readonly links: (LinkState | undefined)[]
  readonly #ground: Ground
  readonly #before: WorldState
  readonly #pairs: readonly (readonly [number, number])[]
  readonly #invariants: readonly Invariant[] = kinds.map((Kind) => new Kind())

  constructor(ground: Ground, before: WorldState) {
    this.#ground = ground
    this.#before = before
    this.members = before.members.map((member, index) => new DraftMember(index, member))
    this.links = [...before.links]
    this.history = before.history.copy()
    this.#pairs = pairsOf(before.members.length)
  }

  get running(): readonly DraftMember[] {
    return this.members.filter(({ isUp }) => isUp)
  }

  /** The state that this has become. */
  freeze(more: Partial<Pick<WorldState, 'cutOff' | 'budget' | 'turn'>>): WorldState {
    const historyKey = this.#historyKey()
    const isSame = historyKey === this.#before.historyKey
    return {
      cutOff: this.#before.cutOff,
      budget: this.#before.budget,
      turn: this.#before.turn,
      ...more,
      members: this.members.map((member, index) =>
        member.isChanged ? { ...member.state, log: member.log } : (this.#before.members[index] as MemberState),
      ),
      links: this.links,
      history: isSame ? this.#before.history : this.history,
      historyKey,
    }
  }

  // What happens to processes

  /** An input and the end of the turn. */
  turn(index: number, stimulus: Stimulus): void {
    this.#step(index, stimulus)
    if (this.members[index]?.isUp) this.#step(index, { type: 'plain', input: { type: 'flush' } })
  }

  start(index: number): void {
    const member = this.#changed(index)
    const { image, record } = member.state
    member.state.process = this.#ground.processes.start(image.startOf(record))
    member.peer = member.state.process.peer
    member.log = [...this.history.prefixThrough(image.snapshot?.zxid ?? zxidZero), ...image.batches]
    member.state.delivered = image.snapshot === undefined ? 0 : member.log.length - image.batches.length
    member.state.committed = member.state.delivered
    this.turn(index, { type: 'plain', input: { type: 'tick', lateMs: 0 } })
  }

  /** Of what was on its way to the disk, the first `kept` changes made it. */
  crash(index: number, kept: number, isDrained: boolean): void {
    const member = this.#changed(index)
    for (const job of member.state.jobs.slice(0, kept)) this.#writeTo(member, job)
    member.state.jobs = []
    member.state.process = undefined
    member.peer = undefined
    for (const other of this.members) if (other.index !== index) this.closeLink(index, other.index, isDrained)
    this.check('onCrash', member)
  }

  /** The oldest change becomes durable. */
  completeWrite(index: number): void {
    const member = this.#changed(index)
    const [job, ...rest] = member.state.jobs
    member.state.jobs = rest
    this.#writeTo(member, job as Job)
    this.turn(index, { type: 'persisted' })
  }

  #writeTo(member: DraftMember, job: Job): void {
    const image = member.state.image.copy()
    image.apply(job)
    const { epochs, belonging, snapshot, batches } = image
    const numbers = batches.map((batch) => this.#ground.processes.numberOfBatch(batch))
    const parts = [textOfConstant(epochs), textOfConstant(belonging), textOfConstant(snapshot), numbers.join()]
    const number = this.#ground.images.number(parts.join('|'), () => image)
    member.state.image = this.#ground.images.at(number)
    member.state.imageNumber = number
  }

  // Links

  pairOf(a: number, b: number): number {
    return this.#pairs.findIndex(([lower, higher]) => lower === Math.min(a, b) && higher === Math.max(a, b))
  }

  /** Takes what is first in a direction, and hands it over. */
  deliver(from: number, to: number): void {
    const pair = this.pairOf(from, to)
    const link = this.links[pair] as LinkState
    const [first, ...rest] = link.queues[from < to ? 0 : 1]
    this.#setQueue(pair, from < to ? 0 : 1, rest)
    const peer = this.members[from]?.state.record as MemberState['record']
    if (first === down) {
      this.#dropIfOver(pair)
      this.turn(to, { type: 'plain', input: { type: 'linkDown', id: peer.id } })
    } else if (first !== undefined && first >= 0) {
      this.turn(to, { type: 'message', from: peer.id, message: first })
    } else {
      this.turn(to, { type: 'plain', input: { type: 'linkUp', peer } })
    }
  }

  /** Both ends learn of it after what still arrives: all of it, or nothing. Who is down learns nothing. */
  closeLink(a: number, b: number, isDrained: boolean): void {
    const pair = this.pairOf(a, b)
    const link = this.links[pair]
    if (link === undefined) return
    const [lower, higher] = this.#pairs[pair] as readonly [number, number]
    const ends = [higher, lower] as const
    const queues = link.queues.map((queue, side) => {
      if (this.members[ends[side] as number]?.isUp !== true) return []
      if (!link.isOpen) return queue
      // An end that does not know of the link yet never will.
      if (isDrained) return [...queue, down]
      return queue[0] === -1 ? [] : [down]
    }) as unknown as LinkState['queues']
    this.links[pair] = { isOpen: false, queues }
    this.#dropIfOver(pair)
  }

  #dropIfOver(pair: number): void {
    const link = this.links[pair]
    if (link !== undefined && !link.isOpen && link.queues.every((queue) => queue.length === 0))
      this.links[pair] = undefined
  }

  #setQueue(pair: number, side: 0 | 1, queue: readonly number[]): void {
    const { isOpen, queues } = this.links[pair] as LinkState
    this.links[pair] = { isOpen, queues: side === 0 ? [queue, queues[1]] : [queues[0], queue] }
  }

  #send(from: number, toId: string, message: number): void {
    const to = this.members.findIndex(({ id }) => id === toId)
    const pair = this.pairOf(from, to)
    const link = this.links[pair]
    if (link?.isOpen !== true) return
    const side = from < to ? 0 : 1
    this.#setQueue(pair, side, [...link.queues[side], message])
  }

  // One step of one process, as `SimMember` performs it

  #changed(index: number): DraftMember {
    const member = this.members[index] as DraftMember
    member.isChanged = true
    return member
  }

  #step(index: number, stimulus: Stimulus): void {
    const member = this.#changed(index)
    const { process } = member.state
    if (!(process instanceof ProcessState)) return
    if (stimulus.type === 'message') {
      const message = this.#ground.processes.messages.at(stimulus.message)
      this.check('onInput', member, { type: 'message', from: stimulus.from, message })
    } else if (stimulus.type === 'plain') this.check('onInput', member, stimulus.input)
    const { next, outputs } = this.#ground.processes.take(process, stimulus)
    member.state.process = next
    member.peer = next.peer
    for (const output of outputs) this.#perform(member, output)
    this.#observe(member)
    this.check('onStep', member)
  }

  #perform(member: DraftMember, output: Output): void {
    this.check('onOutput', member, output)
    switch (output.type) {
      case 'persist':
        this.#persist(member, output)
        return
      case 'send':
        this.check('onSend', member, output.message)
        this.#send(member.index, output.to, this.#ground.processes.numberOf(output.message))
        return
      case 'closeLink':
        this.closeLink(
          member.index,
          this.members.findIndex(({ id }) => id === output.to),
          false,
        )
        return
      case 'applied':
        this.check('onApplied', member, output.applied)
        return
      case 'forgotten':
        throw new Violation('Marks', `${member.name} is told that it has forgotten: ${output.reason}`)
      default:
        return
    }
  }

  #persist(member: DraftMember, { token, change }: Extract<Output, { type: 'persist' }>): void {
    this.check('onPersist', member, change)
    const { truncateAfter, install, append } = change
    if (truncateAfter !== undefined) member.log = member.log.filter((batch) => lastOf(batch) <= truncateAfter)
    if (install !== undefined) {
      member.log = [...this.history.prefixThrough(install.zxid)]
      member.state.delivered = member.log.length
      member.state.committed = member.log.length
    }
    if (append !== undefined) {
      member.log = [...member.log, append]
      if (member.peer?.zab.role.name === 'leading') this.history.notePropose(member as unknown as SimMember, append)
    }
    // The token is the process's business: what is on its way comes back in order.
    const number = this.#ground.jobs.number(textOfConstant(change), () => ({
      token,
      change: change as DiskJob['change'],
    }))
    member.state.jobs = [...member.state.jobs, { ...this.#ground.jobs.at(number), number }]
  }

  /** What the core now says is committed and delivered. */
  #observe(member: DraftMember): void {
    const { zab, state } = member.peer as Peer
    while (member.state.committed < member.log.length) {
      const batch = member.log[member.state.committed] as Batch
      if (lastOf(batch) > zab.committed) break
      this.check('onCommitted', member, batch, member.state.committed)
      const epoch = 'epoch' in zab.role ? zab.role.epoch : undefined
      const { active } = zab.configurations
      this.history.noteCommitted(batch, member.state.committed, epoch ?? epochOf(batch.first), active)
      member.state.committed += 1
    }
    while (member.state.delivered < member.log.length) {
      const batch = member.log[member.state.delivered] as Batch
      if (lastOf(batch) > state.lastZxid) break
      this.check('onDelivered', member, batch, member.state.delivered)
      member.state.delivered += 1
    }
    const last = member.log[member.state.delivered - 1]
    const delivered: Zxid = last === undefined ? zxidZero : lastOf(last)
    if (delivered !== state.lastZxid) {
      throw new Violation(
        'TotalOrder',
        `${member.name} is at ${formatZxid(state.lastZxid)}, delivered ${formatZxid(delivered)}`,
      )
    }
    this.#compareStates(member)
  }

  /** Who has applied the same has the same state. */
  #compareStates(member: DraftMember): void {
    for (const other of this.members) {
      if (other === member || other.peer?.state.lastZxid !== member.peer?.state.lastZxid) continue
      if (this.#digestOf(other) === this.#digestOf(member)) continue
      throw new Violation('EqualStates', `${member.name} and ${other.name} have applied the same and differ`)
    }
  }

  #digestOf({ state }: DraftMember): string | undefined {
    return state.process?.digest
  }

  // Invariants

  /** They take this for the simulator's world: it has of that what they look at. */
  check(hook: keyof Invariant, ...args: readonly unknown[]): void {
    for (const index of listeners.get(hook) ?? []) {
      const invariant = this.#invariants[index] as Invariant
      const handler = invariant[hook] as (world: CoreWorld, ...rest: unknown[]) => void
      handler.call(invariant, this as unknown as CoreWorld, ...args)
    }
  }

  #historyKey(): string {
    const { committed, committedIn, proposals, leaders } = this.history
    const number = (batch: Batch): number => this.#ground.processes.numberOfBatch(batch)
    const proposed = [...proposals].map(([epoch, batches]) => `${epoch}:${batches.map(number).join()}`)
    const led = [...leaders].map(([epoch, ids]) => `${epoch}:${[...ids].sort().join()}`)
    return `${committed.map(number).join()}/${committedIn.join()}/${proposed.sort().join(';')}/${led.sort().join(';')}`
  }
}
