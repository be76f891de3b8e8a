/** What scenarios are told with: a world without random work and faults, and the verbs of its stories. */
import assert from 'node:assert/strict'
import type { MemberId } from '../../lib/core/zab/configuration.ts'
import { CoreWorld, defaultOptions, type Watching, type WorldOptions } from './core-world.ts'
import type { MemberSpec, SimMember } from './sim-member.ts'
import { specsOf } from './specs.ts'

/** A world without random work and faults: what happens is what the scenario does. */
export function worldOf(
  members: readonly MemberSpec[],
  more: Partial<WorldOptions> = {},
  watching: Watching = {},
): CoreWorld {
  return new CoreWorld({ ...defaultOptions, seed: 1, sessionTimeoutsMs: [30_000], members, ...more }, watching)
}

export const durable = (count: number): MemberSpec[] => specsOf(count, 0, () => true)
export const volatile = (count: number): MemberSpec[] => specsOf(count, 0, () => false)

export function startAndServe(world: CoreWorld): SimMember {
  world.startAll()
  assert.ok(
    world.runFor(5000, () => world.isServing()),
    'serves',
  )
  return world.leader as SimMember
}

/** The rest is started later. */
export function startFounders(world: CoreWorld, count: number): SimMember {
  const founders = world.members.slice(0, count)
  for (const member of founders) member.start()
  assert.ok(
    world.runFor(5000, () => world.isServing(founders)),
    'serves',
  )
  return world.leader as SimMember
}

export function others(world: CoreWorld, member: SimMember): SimMember[] {
  return world.members.filter((other) => other !== member)
}

/** Writes at a member, and runs until all of it is acknowledged. */
export function writeAt(world: CoreWorld, member: SimMember, count = 1): void {
  submitAt(world, member, count)
  const isDone = world.runFor(10_000, () => !member.host.isWaiting)
  assert.ok(isDone, `${member.name} has its writes acknowledged`)
}

export function submitAt(world: CoreWorld, member: SimMember, count: number): void {
  if (member.host.sessionCount === 0) {
    member.host.openSession(30_000)
    world.runFor(5000, () => !member.host.isWaiting)
  }
  for (let index = 0; index < count; index += 1) {
    const isSent = (): boolean =>
      member.host.write({ type: 'create', path: '/s-', data: undefined, mode: 'persistent-sequential' })
    if (!isSent()) world.runFor(1000, isSent)
  }
}

export function isolate(world: CoreWorld, member: SimMember, from: readonly SimMember[] = others(world, member)): void {
  for (const other of from) {
    world.network.block(member, other)
    world.network.block(other, member)
  }
}

export function votersOf(member: SimMember): readonly MemberId[] {
  return member.peer?.zab.configurations.latest?.configuration.voters.map(({ id }) => id) ?? []
}

export function epochIn(world: CoreWorld): number {
  return world.leader?.status?.epoch ?? 0
}

/** Is started with another list of founders from now on. */
export function relist(member: SimMember, founders: readonly string[]): void {
  Object.assign(member.spec, { founders })
}

export function foundersOf(member: SimMember): readonly string[] {
  return member.peer?.zab.configurations.latest?.configuration.founders ?? []
}
