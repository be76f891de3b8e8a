/**
 * The faults of a schedule, performed: crashes, restarts, resets, partitions of one or both directions, pauses, bad
 * disks and clocks. Within a budget: voters that forget are never so many that those who remember are no quorum; what
 * survives a crash may crash all at once. What the budget, or the moment, does not allow is left out.
 */
import type { Configuration, MemberId } from '../../lib/core/zab/configuration.ts'
import type { MembershipOutcome, MembershipRequest } from '../../lib/core/zab/membership-request.ts'
import { type Credentials, compareCredentials } from '../../lib/core/zab/zab.ts'
import { zxidZero } from '../../lib/core/zab/zxid.ts'
import type { CoreWorld } from './core-world.ts'
import { isTrueQuorum } from './invariants/quorum.ts'
import type { SimMember } from './sim-member.ts'

/** A member by its name, or by what it is when the fault happens. */
export type Target = string

export type FaultEvent = { readonly at: number } & (
  | {
      readonly type: 'crash'
      readonly member: Target
      readonly downMs: number
      /** In the middle of a turn, after so many more steps; at once where it is not given. */
      readonly afterSteps?: number | undefined
      /** Its disk is lost with it. */
      readonly isWiped?: boolean | undefined
    }
  /** All durable members lose power at once, and come back after so long each. */
  | { readonly type: 'powerCut'; readonly downMs: readonly number[] }
  | { readonly type: 'diskError'; readonly member: Target; readonly downMs: number }
  | { readonly type: 'diskStall'; readonly member: Target; readonly forMs: number }
  | { readonly type: 'reset'; readonly between: readonly [Target, Target] }
  /** Between these and all the others. `isAbrupt`: links break at once, not by timeouts. */
  | {
      readonly type: 'partition'
      readonly members: readonly Target[]
      readonly forMs: number
      readonly isAbrupt?: boolean | undefined
    }
  | {
      readonly type: 'cut'
      readonly from: Target
      readonly to: Target
      readonly isOneWay: boolean
      readonly isAbrupt?: boolean | undefined
      readonly forMs: number
    }
  | { readonly type: 'pause'; readonly member: Target; readonly forMs: number }
  | { readonly type: 'stepDown'; readonly member: Target }
  /** An operator wants something of the configuration. */
  | { readonly type: 'ask'; readonly member: Target; readonly request: MembershipRequest }
  /** A process stops in order, asking first, and comes back. After the grace it is killed. */
  | {
      readonly type: 'stop'
      readonly member: Target
      readonly request: 'leave' | 'close'
      readonly graceMs: number
      readonly downMs: number
    }
  /**
   * Whoever coordinates the founding is gone as soon as it has founded, and has forgotten it; what it wants to found anew
   * comes to the others when they may be more than founded. `isSplit`: just then the others lose sight of each other.
   */
  | {
      readonly type: 'lateFounder'
      readonly afterMs: number
      readonly downMs: number
      readonly heldMs: number
      readonly isSplit?: boolean | undefined
    }
  /** As soon as somebody is about to get a vote, it is gone, and all the others with it that would get one. */
  | { readonly type: 'halfChange'; readonly forMs: number }
  /** As soon as a learner has a part of a snapshot, it stands still, or cannot be reached, or has to come back for the rest. */
  | { readonly type: 'midSnapshot'; readonly stop: 'reset' | 'cut' | 'pause'; readonly forMs: number }
  | { readonly type: 'wallJump'; readonly member: Target; readonly byMs: number }
  /** The member evaluates its next write otherwise than the others. */
  | { readonly type: 'diverge'; readonly member: Target }
)

/** Within so long after the healing, everything is well. */
export const healingMs = 30_000

export class Faults {
  readonly #world: CoreWorld
  #stopped = false
  /** How many faults of each kind came about. */
  readonly counts: Map<string, number> = new Map()

  constructor(world: CoreWorld, events: readonly FaultEvent[]) {
    this.#world = world
    for (const event of events) {
      world.at(event.at, () => {
        if (this.#stopped || !this.#perform(event)) return
        this.counts.set(event.type, (this.counts.get(event.type) ?? 0) + 1)
      })
    }
  }

  /** No more faults; what is broken heals, whoever is down comes back. */
  stop(): void {
    this.#stopped = true
    this.#world.network.heal()
    for (const member of this.#world.members) this.#mend(member)
  }

  /**
   * No more faults, and these alone are well. Each of the others reaches one of them at most, until `stop` heals all.
   * `isHard`: the leader of before, where it is not among them, does, namely the one that would lead next; or it reaches
   * all of them, and its disk hangs all the while, as those of some others do.
   */
  stopFor(core: readonly SimMember[], isHard: boolean): void {
    const random = this.#world.random('network', 'core')
    const { leader } = this.#world
    this.#stopped = true
    this.#world.network.heal()
    for (const member of core) this.#mend(member)
    const hung = isHard && leader !== undefined && !core.includes(leader) && random.chance(0.5) ? leader : undefined
    for (const other of this.#world.members) {
      if (core.includes(other) || other === hung) continue
      const hasFriend = random.chance(0.6) || (isHard && other === leader)
      const anyFriend = random.pick(core)
      const friend = !hasFriend ? undefined : isHard && other === leader ? foremost(core) : anyFriend
      for (const member of this.#world.members) {
        if (member === other || member === friend) continue
        this.#world.network.block(member, other)
        this.#world.network.block(other, member)
      }
      if (friend === undefined) continue
      this.#mend(other)
      // Its disk may hang all the while: then it cannot lead, whatever it has in its log.
      if (isHard && other !== leader && random.chance(0.3)) this.#hang(other)
    }
    if (hung === undefined) return
    this.#mend(hung)
    if (random.chance(0.5)) {
      // All look for a leader, and this one has the best log.
      for (const member of this.#world.members) {
        if (!member.spec.isDurable || !member.isUp) continue
        member.crash()
        member.start()
      }
    }
    this.#hang(hung)
    // A store that is asked for nothing does not hang, as far as anybody knows.
    hung.host.openSession(1000)
  }

  #hang(member: SimMember): void {
    member.diskStalledUntil = this.#world.now + healingMs
  }

  #mend(member: SimMember): void {
    member.resume()
    member.crashAfterSteps = undefined
    member.disk.failNext = undefined
    member.diskStalledUntil = 0
    member.start()
  }

  /** Returns whether it came about. */
  #perform(event: FaultEvent): boolean {
    switch (event.type) {
      case 'crash':
        return this.#crash(this.#find(event.member), event)
      case 'powerCut':
        return this.#powerCut(event.downMs)
      case 'diskError': {
        const member = this.#find(event.member)
        if (member?.isUp !== true || !member.spec.isDurable) return false
        member.failNextCommit()
        this.#restartLater(member, event.downMs)
        return true
      }
      case 'diskStall': {
        const member = this.#find(event.member)
        if (member !== undefined) member.diskStalledUntil = this.#world.now + event.forMs
        return member !== undefined
      }
      case 'reset': {
        const [a, b] = event.between.map((target) => this.#find(target))
        if (a === undefined || b === undefined || a === b) return false
        this.#world.network.reset(a, b)
        return true
      }
      case 'partition': {
        const left = event.members.flatMap((target) => this.#find(target) ?? [])
        const right = this.#world.members.filter((member) => !left.includes(member))
        const pairs = left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const]))
        return this.#cutFor(event, pairs)
      }
      case 'cut': {
        const from = this.#find(event.from)
        const to = this.#find(event.to)
        if (from === undefined || to === undefined || from === to) return false
        const there = [from, to] as const
        return this.#cutFor(event, event.isOneWay ? [there] : [there, [to, from]])
      }
      case 'pause': {
        const member = this.#find(event.member)
        member?.pause()
        if (member !== undefined) this.#unlessStopped(event.forMs, () => member.resume())
        return member !== undefined
      }
      case 'stepDown': {
        const member = this.#find(event.member)
        member?.receive({ type: 'stepDown' })
        return member !== undefined
      }
      case 'ask': {
        const member = this.#find(event.member)
        member?.ask(event.request)
        return member?.isUp === true
      }
      case 'stop':
        return this.#stopInOrder(this.#find(event.member), event)
      case 'lateFounder': {
        const member = this.#world.members.find(({ spec }) => spec.founders[0] === spec.address)
        if (member !== undefined) this.#awaitFounding(member, event, 2000)
        return member !== undefined
      }
      case 'halfChange':
        this.#awaitChange(event, 3000)
        return true
      case 'midSnapshot':
        this.#awaitSnapshot(event, 2000)
        return true
      case 'diverge':
        return this.#diverge(this.#find(event.member))
      case 'wallJump': {
        const member = this.#find(event.member)
        if (member !== undefined) this.#world.jumpWall(member, event.byMs)
        return member !== undefined
      }
    }
  }

  /**
   * One at a time, and with all the others there: two of three that are wrong would be right, and one that comes back so
   * late that it needs a snapshot is of no help where one stands against one.
   */
  #diverge(member: SimMember | undefined): boolean {
    const { members, isCalm } = this.#world
    const isSound = (one: SimMember): boolean =>
      one.status?.serving === true && !one.isPaused && !one.isDiverged && one.isDiskSound
    if (member === undefined || isCalm || !members.every(isSound)) return false
    for (const one of members) one.stayAlike()
    member.diverge()
    return true
  }

  #find(target: Target): SimMember | undefined {
    const { leader, members } = this.#world
    if (target === 'leader') return leader
    if (target === 'follower') return members.find((member) => member !== leader && member.status?.serving === true)
    if (target === 'looking') return members.find(({ status }) => status?.role === 'looking')
    return members.find(({ name }) => name === target)
  }

  #unlessStopped(delay: number, action: () => void): void {
    this.#world.after(delay, () => {
      if (!this.#stopped) action()
    })
  }

  #restartLater(member: SimMember, downMs: number): void {
    this.#unlessStopped(downMs, () => member.start())
  }

  #crash(member: SimMember | undefined, event: FaultEvent & { type: 'crash' }): boolean {
    if (member?.isUp !== true) return false
    const forgets = event.isWiped === true || !member.spec.isDurable
    if (forgets && !mayForget(this.#world, [member])) return false
    if (member.spec.isDurable && event.afterSteps !== undefined) member.crashAfterSteps = event.afterSteps
    else member.crash()
    if (event.isWiped === true && member.spec.isDurable && !member.isUp) {
      this.#world.mark('fault.wiped')
      member.wipe()
    }
    this.#restartLater(member, event.downMs)
    return true
  }

  #awaitFounding(member: SimMember, event: FaultEvent & { type: 'lateFounder' }, tries: number): void {
    const { presence } = member.peer?.zab.belonging ?? {}
    if (presence !== 'founded') {
      if (tries > 0) this.#unlessStopped(1, () => this.#awaitFounding(member, event, tries - 1))
      return
    }
    this.#unlessStopped(event.afterMs, () => {
      if (!this.#crash(member, { at: 0, type: 'crash', member: member.name, downMs: event.downMs, isWiped: true }))
        return
      const { network } = this.#world
      const others = this.#world.members.filter((other) => other !== member)
      for (const other of others) {
        network.hold(member, other, 'prepare')
        // They elect only after it is back.
        other.diskStalledUntil = this.#world.now + event.heldMs / 2
      }
      const release = (): void => {
        for (const other of others) network.release(member, other)
      }
      if (event.isSplit === true) {
        const pairs = others.flatMap((a) => others.flatMap((b) => (a === b ? [] : [[a, b] as const])))
        this.#unlessStopped(event.heldMs - 40, () => this.#cutFor({ forMs: event.heldMs, isAbrupt: true }, pairs))
      }
      this.#unlessStopped(event.heldMs, release)
    })
  }

  #awaitChange(event: FaultEvent & { type: 'halfChange' }, tries: number): void {
    const { leader, members } = this.#world
    const { active = [], pending } = leader?.peer?.zab.configurations ?? {}
    const before = active[0]?.voters.map(({ id }) => id) ?? []
    const voters = pending?.configuration.voters ?? []
    const fresh = members.filter(({ id }) => !before.includes(id) && voters.some((voter) => voter.id === id))
    if (fresh.length === 0) {
      if (tries > 0) this.#unlessStopped(1, () => this.#awaitChange(event, tries - 1))
      return
    }
    const others = members.filter((member) => !fresh.includes(member))
    const pairs = fresh.flatMap((a) => others.flatMap((b) => [[a, b] as const, [b, a] as const]))
    this.#cutFor({ forMs: event.forMs, isAbrupt: true }, pairs)
  }

  #awaitSnapshot(event: FaultEvent & { type: 'midSnapshot' }, tries: number): void {
    const { leader, network } = this.#world
    const readers = [...(leader?.peer?.zab.stream?.readers ?? [])]
    const [id] = readers.find(([, { acked }]) => acked > 0) ?? []
    const learner = this.#world.members.find((member) => member.id === id)
    if (leader === undefined || learner === undefined) {
      if (tries > 0) this.#unlessStopped(1, () => this.#awaitSnapshot(event, tries - 1))
      return
    }
    if (event.stop === 'reset') network.reset(leader, learner)
    else if (event.stop === 'cut') {
      const pairs = [[leader, learner] as const, [learner, leader] as const]
      this.#cutFor({ forMs: event.forMs, isAbrupt: true }, pairs)
    } else {
      learner.pause()
      this.#unlessStopped(event.forMs, () => learner.resume())
    }
  }

  #stopInOrder(member: SimMember | undefined, event: FaultEvent & { type: 'stop' }): boolean {
    if (member?.isUp !== true) return false
    const { incarnation } = member
    const isSame = (): boolean => member.isUp && member.incarnation === incarnation && !this.#stopped
    let isStopping = false
    const goOn = (outcome?: MembershipOutcome): void => {
      if (isStopping || !isSame()) return
      isStopping = true
      this.#world.mark(outcome !== undefined && outcome.code === undefined ? 'stopped.inOrder' : 'stopped.late')
      member.receive({ type: 'stepDown' })
      this.#unlessStopped(20, () => {
        // Who did not get what it asked for may hold what nobody else does.
        if (isSame() && (member.spec.isDurable || mayForget(this.#world, [member]))) member.crash()
        this.#restartLater(member, event.downMs)
      })
    }
    member.ask({ kind: event.request }, goOn)
    this.#unlessStopped(event.graceMs, () => goOn())
    return true
  }

  #powerCut(downMs: readonly number[]): boolean {
    for (const [index, member] of this.#world.members.entries()) {
      if (!member.spec.isDurable || !member.isUp) continue
      member.crash()
      this.#restartLater(member, downMs[index % downMs.length] ?? 0)
    }
    return true
  }

  #cutFor(
    { forMs, isAbrupt }: { readonly forMs: number; readonly isAbrupt?: boolean | undefined },
    directions: readonly (readonly [SimMember, SimMember])[],
  ): boolean {
    const { network } = this.#world
    for (const [from, to] of directions) {
      this.#world.trace(from, `is cut off from ${to.name}`)
      network.block(from, to)
      if (isAbrupt === true) network.reset(from, to)
    }
    this.#unlessStopped(forMs, () => {
      for (const [from, to] of directions) network.unblock(from, to)
    })
    return directions.length > 0
  }
}

/** The one that would be elected, of these. */
function foremost(members: readonly SimMember[]): SimMember | undefined {
  const credentials = ({ id, peer }: SimMember): Credentials => {
    const { epochs, log } = peer?.zab ?? {}
    return { currentEpoch: epochs?.current ?? 0, lastZxid: log?.last ?? zxidZero, id }
  }
  return [...members].sort((a, b) => compareCredentials(credentials(b), credentials(a)))[0]
}

/** Whether those who remember would still be a quorum of every configuration that anybody knows, without these. */
export function mayForget(world: CoreWorld, lost: readonly SimMember[]): boolean {
  const rememberers = new Set<MemberId>()
  for (const member of world.members) {
    if (!lost.includes(member) && (member.isUp || member.spec.isDurable)) rememberers.add(member.id)
  }
  // Before there is an ensemble, there is nothing to forget: it is founded anew.
  if (!isFounded(world)) return true
  return allConfigurations(world).every((configuration) => isTrueQuorum([configuration], (id) => rememberers.has(id)))
}

/** Whether anybody may rely on an ensemble by now. */
export function isFounded({ members }: CoreWorld): boolean {
  return members.some(({ peer, disk, spec, isUp }) => {
    if (peer?.zab.belonging.presence === 'member') return true
    if (spec.isDurable && disk.image.belonging?.presence === 'member') return true
    const role = isUp ? peer?.zab.role : undefined
    return role?.name === 'leading' && role.phase !== 'discovery'
  })
}

/** Every configuration that is in force in somebody's eyes. */
export function allConfigurations({ members }: CoreWorld): readonly Configuration[] {
  return [...new Set(members.flatMap(knownConfigurations))]
}

function knownConfigurations(member: SimMember): readonly Configuration[] {
  if (member.peer !== undefined) return member.peer.zab.configurations.active
  const { snapshot, batches } = member.disk.image
  const logged = snapshot?.configurations.map(({ configuration }) => configuration) ?? []
  const appended = batches.flatMap(({ requests }) =>
    requests.flatMap((request) => (request.type === 'reconfigure' ? [request.configuration] : [])),
  )
  return [...logged, ...appended].slice(-2)
}
