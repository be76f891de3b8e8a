/** One schedule from the founding to the end: chaos, healing, and then everything must be well again. */

import { CoreWorld, type Watching, type CoreWorld as World } from './core-world.ts'
import { allConfigurations, Faults, healingMs, isFounded } from './faults.ts'
import { Violation } from './invariants/invariant.ts'
import { isTrueQuorum } from './invariants/quorum.ts'
import { type Schedule, scheduleOf } from './schedule.ts'
import type { SimMember } from './sim-member.ts'

export interface SeedResult {
  readonly seed: number
  readonly virtualMs: number
  readonly steps: number
  readonly acknowledged: number
  readonly terms: number
  /** How many faults of each kind came about. */
  readonly faults: ReadonlyMap<string, number>
  readonly traceHash: number
  readonly marks: ReadonlyMap<string, number>
}

export function runSeed(seed: number, watching: Watching = {}): SeedResult {
  return runSchedule(scheduleOf(seed), watching)
}

export function runSchedule(schedule: Schedule, watching: Watching = {}): SeedResult {
  const { options, startsAt, actions, chaosMs } = schedule
  const world = new CoreWorld(options, watching)
  for (const [index, member] of world.members.entries()) world.at(startsAt[index] ?? 0, () => member.start())
  const faults = new Faults(world, schedule.faults)
  for (const event of actions) {
    world.at(event.at, () => {
      const member = event.member === 'leader' ? world.leader : world.members.find(({ name }) => name === event.member)
      if (member?.isUp === true) member.host.act(event)
    })
  }
  world.run(chaosMs)
  if (schedule.healsToCore) healToCore(world, faults, schedule.isHardCore === true)
  faults.stop()
  settle(world)
  return {
    seed: options.seed,
    virtualMs: world.now,
    steps: world.steps,
    acknowledged: world.clients.acknowledgedCount,
    terms: world.history.terms,
    faults: faults.counts,
    traceHash: world.traceHash,
    marks: world.marks,
  }
}

/** A quorum that is well must get along, whatever becomes of the others. */
function healToCore(world: World, faults: Faults, isHard: boolean): void {
  const core = coreOf(world, isHard)
  if (core === undefined) return
  world.mark('world.core')
  faults.stopFor(core, isHard)
  world.isCalm = true
  if (!world.runFor(healingMs, () => isLedByQuorum(world))) throw new Violation('Liveness', stuck(world, 'led'))
  world.isCalm = false
}

/** Whether a leader serves, and can write, with a quorum: of the core, or of one of it and others that it reaches. */
function isLedByQuorum({ leader, running, now }: World): boolean {
  if (leader?.status?.serving !== true || leader.diskStalledUntil > now) return false
  const led = new Set(
    running.filter(({ status }) => status?.serving && status.leader?.id === leader.id).map(({ id }) => id),
  )
  return isTrueQuorum(leader.peer?.zab.configurations.active ?? [], (id) => led.has(id))
}

/** The first members that remember and are a quorum of every configuration that anybody has. */
function coreOf(world: World, isHard: boolean): readonly SimMember[] | undefined {
  const configurations = allConfigurations(world)
  if (!isFounded(world) || configurations.length === 0) return undefined
  const core: SimMember[] = []
  const order = world.random('network', 'core').shuffled(world.members)
  const { leader } = world
  if (isHard) order.sort((a, b) => Number(a === leader) - Number(b === leader))
  for (const member of order) {
    if (!member.isUp && !member.spec.isDurable) continue
    if (member.peer === undefined || member.peer.zab.belonging.presence !== 'member') continue
    if (!configurations.every(({ voters }) => voters.some(({ id }) => id === member.id))) continue
    core.push(member)
    if (isTrueQuorum(configurations, (id) => core.some((one) => one.id === id))) return core
  }
  return undefined
}

/** Demands that a healed world comes to rest: one leader, all serving, all answered, all equal. */
export function settle(world: World, limitMs: number = healingMs): void {
  world.isCalm = true
  world.runFor(2000)
  stopNamesakes(world, limitMs)
  if (!world.runFor(limitMs, () => world.isServing())) throw new Violation('Liveness', stuck(world, 'serving'))
  const isAnswered = (): boolean => world.running.every(({ host }) => !host.isWaiting)
  const isAtRest = (): boolean =>
    world.isServing() && isAnswered() && isEqual(world) && isSeated(world) && isSwept(world)
  if (!world.runFor(limitMs, isAtRest)) throw new Violation('Liveness', stuck(world, 'quiet'))
  world.check('onEnd')
}

/** Whoever is silent for good has no session any more. */
function isSwept({ running }: World): boolean {
  const kept = new Set(running.flatMap(({ host }) => host.kept.map(({ id }) => id)))
  return running.every(({ peer }) => peer?.state.sessions.list().every(({ id }) => kept.has(id)) === true)
}

/** Of two live members with one name, only one can ever be served: the other one goes. */
function stopNamesakes(world: World, limitMs: number): void {
  if (world.members.every(({ spec }) => spec.alias === undefined)) return
  const votersNow = (): readonly { id: string }[] | undefined => {
    const history = world.leader?.peer?.zab.configurations
    return history?.pending === undefined ? history?.latest?.configuration.voters : undefined
  }
  if (!world.runFor(limitMs, () => votersNow() !== undefined)) throw new Violation('Liveness', stuck(world, 'led'))
  const isVoter = (member: SimMember): boolean => votersNow()?.some(({ id }) => id === member.id) === true
  for (const member of world.members) {
    const namesakes = world.members.filter((other) => other.record.name === member.record.name && other.isUp)
    const heir = namesakes.find(isVoter)
    if (heir !== undefined) awaitRefusal(world, namesakes, heir, limitMs)
    if (namesakes.length > 1) for (const other of namesakes) if (other !== (heir ?? namesakes[0])) other.crash()
  }
}

/** Whoever has the name of a voter that is well is told so. */
function awaitRefusal(world: World, namesakes: readonly SimMember[], heir: SimMember, limitMs: number): void {
  const isTold = (one: SimMember): boolean => one === heir || !one.isUp || one.refusals.length > 0
  if (world.runFor(limitMs, () => !heir.isUp || namesakes.every(isTold))) return
  throw new Violation('Liveness', stuck(world, `told that ${heir.record.name} is in use`))
}

function isEqual({ running }: World): boolean {
  const zxid = running[0]?.peer?.zab.log.last
  return running.every(({ peer }) => peer?.state.lastZxid === zxid && peer?.zab.log.last === zxid)
}

/** Whoever has the name of a voter has its seat. */
function isSeated({ running }: World): boolean {
  return running.every(({ peer, record }) => {
    const voters = peer?.zab.configurations.latest?.configuration.voters ?? []
    const seat = voters.find(({ name }) => name === record.name)
    return seat === undefined || seat.id === record.id
  })
}

function stuck({ members }: World, what: string): string {
  const lines = members.map(({ name, id, peer, host }) => {
    const zab = peer?.zab
    const role = zab?.role
    const phase = role !== undefined && 'phase' in role ? `${role.phase} ${role.epoch}` : ''
    const voters = zab?.configurations.active.map(({ voters }) => voters.map((voter) => voter.id).join(' '))
    return (
      `${name} ${id}: ${role?.name} ${phase} ${zab?.belonging.presence} ${zab?.belonging.cluster} ` +
      `last ${zab?.log.last} durable ${zab?.log.durable} committed ${zab?.committed} ` +
      `current ${zab?.epochs.current} accepted ${zab?.epochs.accepted} drained ${zab?.isDrained} ` +
      `waiting ${host.isWaiting} voters [${voters?.join(' | ')}] ${peer?.status.reason}`
    )
  })
  return `not ${what} in time\n${lines.join('\n')}`
}
