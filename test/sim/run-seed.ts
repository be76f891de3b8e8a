/** One seed from the founding to the end: chaos, healing, and then everything must be well again. */
import { CoreWorld, type CoreWorld as World, type WorldOptions } from './core-world.ts'
import { Faults } from './faults.ts'
import { Violation } from './invariants/invariant.ts'
import { scheduleOf } from './schedule.ts'
import type { SimMember } from './sim-member.ts'

export interface SeedResult {
  readonly seed: number
  readonly virtualMs: number
  readonly steps: number
  readonly acknowledged: number
  readonly terms: number
  readonly faults: number
  readonly traceHash: number
  readonly marks: ReadonlyMap<string, number>
}

/** Within so long after the healing, everything is well. */
const healingMs = 30_000

export function runSeed(seed: number, extra: Pick<WorldOptions, 'onTrace' | 'without'> = {}): SeedResult {
  const { options, rates, chaosMs } = scheduleOf(seed)
  const world = new CoreWorld({ ...options, ...extra })
  const { faults: random } = world.random
  for (const member of world.members) world.after(random.real(0, 200), () => member.start())
  const faults = new Faults(world, rates)
  world.run(chaosMs)
  faults.stop()
  settle(world)
  return {
    seed,
    virtualMs: world.now,
    steps: world.steps,
    acknowledged: world.clients.acknowledgedCount,
    terms: world.history.terms,
    faults: faults.count,
    traceHash: world.traceHash,
    marks: world.marks,
  }
}

/** Demands that a healed world comes to rest: one leader, all serving, all answered, all equal. */
export function settle(world: World, limitMs: number = healingMs): void {
  world.isCalm = true
  world.runFor(2000)
  world.isQuiet = true
  stopNamesakes(world, limitMs)
  if (!world.runFor(limitMs, () => world.isServing())) throw new Violation('Liveness', stuck(world, 'serving'))
  const isAnswered = (): boolean => world.running.every(({ host }) => !host.isWaiting)
  if (!world.runFor(limitMs, () => world.isServing() && isAnswered() && isEqual(world) && isSeated(world))) {
    throw new Violation('Liveness', stuck(world, 'quiet'))
  }
  world.check('onEnd')
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
    if (namesakes.length > 1) for (const other of namesakes) if (other !== (heir ?? namesakes[0])) other.crash()
  }
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
