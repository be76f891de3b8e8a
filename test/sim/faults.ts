/**
 * Faults at random: crashes, restarts, resets, partitions of one or both directions, pauses. Within a budget: voters
 * that forget are never so many that those who remember are no quorum; what survives a crash may crash all at once.
 */
import type { Configuration, MemberId } from '../../lib/core/zab/configuration.ts'
import { isQuorum } from '../../lib/core/zab/quorum.ts'
import type { CoreWorld } from './core-world.ts'
import type { SimMember } from './sim-member.ts'

/** Mean time between two faults of a kind, milliseconds; infinite for none. */
export interface FaultRates {
  readonly crashMs: number
  readonly resetMs: number
  readonly partitionMs: number
  readonly oneWayMs: number
  readonly pauseMs: number
  /** A durable member's disk is lost while it is down: another member. */
  readonly wipes: boolean
  readonly powerCutMs: number
}

export const noFaults: FaultRates = {
  crashMs: Number.POSITIVE_INFINITY,
  resetMs: Number.POSITIVE_INFINITY,
  partitionMs: Number.POSITIVE_INFINITY,
  oneWayMs: Number.POSITIVE_INFINITY,
  pauseMs: Number.POSITIVE_INFINITY,
  wipes: false,
  powerCutMs: Number.POSITIVE_INFINITY,
}

export class Faults {
  readonly #world: CoreWorld
  #stopped = false
  count = 0

  constructor(world: CoreWorld, rates: FaultRates) {
    this.#world = world
    this.#repeat(rates.crashMs, () => this.#crashOne())
    this.#repeat(rates.resetMs, () => this.#resetOne())
    this.#repeat(rates.partitionMs, () => this.#partition())
    this.#repeat(rates.oneWayMs, () => this.#blockOneWay())
    this.#repeat(rates.pauseMs, () => this.#pauseOne())
    this.#repeat(rates.powerCutMs, () => this.#powerCut())
  }

  /** No more faults; what is broken heals, whoever is down comes back. */
  stop(): void {
    this.#stopped = true
    this.#world.network.heal()
    for (const member of this.#world.members) {
      member.resume()
      member.crashAfterSteps = undefined
      member.start()
    }
  }

  #repeat(meanMs: number, fault: () => void): void {
    if (meanMs === Number.POSITIVE_INFINITY) return
    this.#world.after(this.#world.random.faults.exponential(meanMs), () => {
      if (this.#stopped) return
      this.count += 1
      fault()
      this.#repeat(meanMs, fault)
    })
  }

  #unlessStopped(delay: number, action: () => void): void {
    this.#world.after(delay, () => {
      if (!this.#stopped) action()
    })
  }

  #restartLater(member: SimMember): void {
    const { faults } = this.#world.random
    this.#unlessStopped(faults.chance(0.5) ? faults.real(1, 50) : faults.exponential(3000), () => member.start())
  }

  #crashOne(): void {
    const { faults } = this.#world.random
    const member = faults.pick(this.#world.members)
    if (!member.isUp || !(member.spec.isDurable || mayForget(this.#world, [member]))) return
    if (member.spec.isDurable && faults.chance(0.3)) member.crashAfterSteps = faults.between(1, 12)
    else member.crash()
    this.#restartLater(member)
  }

  /** All durable members lose power at once. */
  #powerCut(): void {
    for (const member of this.#world.members) {
      if (!member.spec.isDurable || !member.isUp) continue
      member.crash()
      this.#restartLater(member)
    }
  }

  #resetOne(): void {
    const [a, b] = this.#world.random.faults.shuffled(this.#world.members)
    if (a !== undefined && b !== undefined) this.#world.network.reset(a, b)
  }

  /** One side sees nothing of the other: one member alone, some, or just a pair. */
  #partition(): void {
    const { faults } = this.#world.random
    const shuffled = faults.shuffled(this.#world.members)
    const size = faults.between(1, Math.max(1, shuffled.length - 1))
    const isPair = faults.chance(0.4)
    const left = shuffled.slice(0, isPair ? 1 : size)
    const right = shuffled.slice(isPair ? 1 : size, isPair ? 2 : undefined)
    this.#cutFor(
      faults.exponential(4000),
      left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const])),
    )
  }

  #blockOneWay(): void {
    const { faults } = this.#world.random
    const [from, to] = faults.shuffled(this.#world.members)
    if (from !== undefined && to !== undefined) this.#cutFor(faults.exponential(3000), [[from, to]])
  }

  #cutFor(durationMs: number, directions: readonly (readonly [SimMember, SimMember])[]): void {
    const { network } = this.#world
    for (const [from, to] of directions) {
      this.#world.trace(from, `is cut off from ${to.name}`)
      network.block(from, to)
    }
    this.#unlessStopped(durationMs, () => {
      for (const [from, to] of directions) network.unblock(from, to)
    })
  }

  #pauseOne(): void {
    const { faults } = this.#world.random
    const member = faults.pick(this.#world.members)
    member.pause()
    this.#unlessStopped(faults.chance(0.5) ? faults.real(1, 300) : faults.exponential(3000), () => member.resume())
  }
}

/** Whether those who remember would still be a quorum of every configuration that anybody knows, without these. */
export function mayForget(world: CoreWorld, lost: readonly SimMember[]): boolean {
  const rememberers = new Set<MemberId>()
  const configurations = new Set<Configuration>()
  let isFounded = false
  for (const member of world.members) {
    if (lost.includes(member)) continue
    if (!member.isUp && !member.spec.isDurable) continue
    rememberers.add(member.id)
    for (const configuration of knownConfigurations(member)) configurations.add(configuration)
  }
  for (const { peer, disk, spec, isUp } of world.members) {
    if (peer?.zab.belonging.presence === 'member' || (spec.isDurable && disk.image.belonging?.presence === 'member')) {
      isFounded = true
    }
    const role = isUp ? peer?.zab.role : undefined
    if (role?.name === 'leading' && role.phase !== 'discovery') isFounded = true
  }
  for (const member of lost) for (const configuration of knownConfigurations(member)) configurations.add(configuration)
  // Before there is an ensemble, there is nothing to forget: it is founded anew.
  if (!isFounded) return true
  return [...configurations].every((configuration) => isQuorum([configuration], (id) => rememberers.has(id)))
}

function knownConfigurations(member: SimMember): readonly Configuration[] {
  if (member.peer !== undefined) return member.peer.zab.configurations.active
  const { snapshot, batches } = member.disk.image
  const logged = snapshot?.configurations.map(({ configuration }) => configuration) ?? []
  const appended = batches.flatMap(({ requests }) =>
    requests.flatMap((request) => (request.type === 'reconfigure' ? [request.configuration] : [])),
  )
  return [...logged, ...appended].slice(-1)
}
