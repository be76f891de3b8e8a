/**
 * What happens to a world from outside, as data: its members and settings, the faults, and what the clients do. A seed
 * stands for one; a file can hold one, which is what is left of a failure after shrinking. All numbers are milliseconds of
 * virtual time. The same schedule gives the same run.
 */
import type { MembershipRequest } from '../../lib/core/zab/membership-request.ts'
import { defaultOptions, type WorldOptions } from './core-world.ts'
import type { FaultEvent, Target } from './faults.ts'
import { anyOperation } from './operations.ts'
import { Prng } from './prng.ts'
import type { MemberSpec } from './sim-member.ts'
import { inTime, letters, round, specsOf } from './specs.ts'
import { applyTheme, membersFor, type Theme, themeOf } from './themes.ts'
import type { ActionEvent } from './workload.ts'

export interface Schedule {
  readonly options: WorldOptions
  /** When each member starts first; the members' order. */
  readonly startsAt: readonly number[]
  readonly faults: readonly FaultEvent[]
  readonly actions: readonly ActionEvent[]
  /** When the faults end. */
  readonly chaosMs: number
  /** Whether only a quorum heals first, and must get along without the others. */
  readonly healsToCore: boolean
  /** Then one without the leader, where there is a choice; and the disks of some of the others hang. */
  readonly isHardCore?: boolean | undefined
}

/** One seed in twenty is about a member whose state is not that of the others: then nothing forgets, and little else goes wrong. */
const isAboutDivergence = (seed: number): boolean => seed % 20 === 11

/** Each seed draws its own size, settings, faults and work; some draw no faults at all. */
export function scheduleOf(seed: number): Schedule {
  if (isAboutDivergence(seed)) return divergenceOf(seed)
  const theme = themeOf(seed)
  const random = new Prng(seed, 'schedule')
  const drawn = membersOf(random)
  const members = membersFor(theme, new Prng(seed, 'members')) ?? drawn
  const options = optionsOf(seed, members, random, theme)
  const chaosMs = round(random.real(2000, 12_000) + (theme === 'namesakes' ? 3000 : 0))
  const names = members.map(({ name }) => name)
  const startsAt = members.map(() => round(random.real(0, 200)))
  const healsToCore = random.chance(0.3) || theme === 'core'
  const faults = random.chance(0.1) ? [] : faultsOf(new Prng(seed, 'faults'), names, chaosMs)
  if (faults.length > 0) addChanges(new Prng(seed, 'operators'), members, chaosMs, faults)
  const actions = actionsOf(new Prng(seed, 'workload'), names, options, chaosMs)
  if (faults.length > 0) addSeesaws(new Prng(seed, 'seesaws'), names, chaosMs, faults)
  if (faults.length > 0) addLostTails(new Prng(seed, 'tails'), chaosMs, faults, actions)
  applyTheme(theme, new Prng(seed, 'own'), { members, chaosMs, faults, actions })
  return { options, startsAt, faults, actions, chaosMs, healsToCore, ...(theme === 'core' ? { isHardCore: true } : {}) }
}

/** A member evaluates something otherwise than the others, in the midst of crashes, cuts and pauses. */
function divergenceOf(seed: number): Schedule {
  const random = new Prng(seed, 'divergence')
  const members = specsOf(random.pick([3, 3, 5]), 0, () => true)
  const names = members.map(({ name }) => name)
  const { tail, batchBytesMax } = defaultOptions
  const drawn = optionsOf(seed, members, random, undefined)
  const options = { ...drawn, tail, batchBytesMax, spikeChance: 0, diskMs: random.pick([0.1, 1, 5]), actionMs: 50 }
  const chaosMs = round(random.real(6000, 20_000))
  const faults: FaultEvent[] = []
  for (let at = 1000 + random.exponential(1000); at < chaosMs; at += random.exponential(1000)) {
    const member = random.pick(['leader', 'leader', ...names])
    faults.push({ at: round(at), type: 'diverge', member })
    if (random.chance(0.4)) continue
    const later = { at: round(at + random.real(0, 600)), forMs: round(random.exponential(1500)) }
    const other = random.pick(['leader', 'follower', ...names])
    const kind = random.pick(['crash', 'crash', 'pause', 'partition', 'reset'])
    if (kind === 'crash') faults.push({ at: later.at, type: 'crash', member: other, downMs: later.forMs })
    else if (kind === 'pause') faults.push({ ...later, type: 'pause', member: other })
    else if (kind === 'partition')
      faults.push({ ...later, type: 'partition', members: [other], isAbrupt: random.chance(0.5) })
    else faults.push({ at: later.at, type: 'reset', between: [other, random.pick(names)] })
  }
  faults.sort(inTime)
  const actions = actionsOf(new Prng(seed, 'workload'), names, options, chaosMs)
  return { options, startsAt: members.map(() => 0), faults, actions, chaosMs, healsToCore: false }
}

function membersOf(random: Prng): MemberSpec[] {
  const founders = random.pick([1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7])
  const joiners = founders < 6 ? random.pick([0, 0, 0, 1, 2]) : 0
  const mix = random.pick(['durable', 'durable', 'volatile', 'mixed'])
  const specs = specsOf(founders, joiners, () => (mix === 'mixed' ? random.chance(0.5) : mix === 'durable'))
  // Some newcomers have the name of a founder, and take its seat when it seems to be gone; others want one of their own.
  return specs.map((spec) => {
    if (spec.founders.length > 0) return spec
    if (random.chance(0.4)) return { ...spec, alias: letters[random.between(0, founders - 1)] }
    return { ...spec, wish: random.pick(['auto', 'auto', 'voter', 'observer'] as const) }
  })
}

/** Entries are delivered, and logs are sent, a few at a time in every other run. */
function sliceOf(random: Prng): Partial<WorldOptions> {
  if (random.chance(0.5)) return {}
  return { slice: { entries: random.pick([1, 1, 3, 10]), bytes: random.pick([1, 200, 2000]), pauseMs: 2 } }
}

/** What is rare elsewhere is common here: short tails, small batches and chunks, counters that end. */
function optionsOf(seed: number, members: readonly MemberSpec[], random: Prng, theme: Theme | undefined): WorldOptions {
  const size = members.length
  const isShort = theme === 'snapshots'
  return {
    ...defaultOptions,
    ...(theme === 'growing' ? { timing: { ...defaultOptions.timing, forgetMs: 600 } } : {}),
    seed,
    members,
    tail: random.chance(0.4) || isShort ? { entries: random.between(0, 8), bytes: 1 << 20 } : defaultOptions.tail,
    batchBytesMax: random.chance(0.3) ? 1 : defaultOptions.batchBytesMax,
    chunkBytesMax: random.chance(0.3) || isShort ? 1 : defaultOptions.chunkBytesMax,
    ...sliceOf(new Prng(seed, 'slice')),
    ...(random.chance(0.15) ? { counterLast: random.between(3, 40) } : {}),
    latencyMs: random.pick([0.3, 2, 2, 20]),
    spikeChance: random.pick([0, 0, 0.01, 0.1]),
    diskMs: random.pick([0.1, 1, 5, 50]),
    drift: random.pick([0, 0.001, 0.05]),
    isChoppy: random.chance(0.3),
    isFrozen: random.chance(0.2),
    seats: theme === 'growing' ? 5 : new Prng(seed, 'seats').pick([1, 3, 5, 5]),
    sessionsPerMember: random.between(1, 3),
    sessionTimeoutsMs: random.pick([[1000], [4000], [1000, 8000]]),
    actionMs: random.pick([20, 100, 100, 500, 2000]) * (size > 4 ? 2 : 1),
    checkpointEvery: random.chance(0.5) ? random.between(5, 60) : 0,
  }
}

/** The kinds of a seed are drawn first, each with a rate of its own. */
function faultsOf(random: Prng, names: readonly string[], chaosMs: number): FaultEvent[] {
  const events: FaultEvent[] = []
  const repeat = (chance: number, from: number, to: number, make: (at: number) => FaultEvent): void => {
    if (!random.chance(chance)) return
    const meanMs = random.real(from, to)
    for (let at = random.exponential(meanMs); at < chaosMs; at += random.exponential(meanMs)) {
      events.push(make(round(at)))
    }
  }
  // Whom it hits: anybody, or preferably who leads just then, or looks for a leader.
  const bias = random.pick([0, 0, 0.3, 0.7])
  const anybody = (): Target =>
    random.chance(bias) ? random.pick(['leader', 'leader', 'leader', 'follower', 'looking']) : random.pick(names)
  const duration = (mean: number): number => round(random.chance(0.4) ? random.real(1, 60) : random.exponential(mean))
  const wipes = random.chance(0.3)

  repeat(0.6, 300, 5000, (at) => ({
    at,
    type: 'crash',
    member: anybody(),
    downMs: duration(3000),
    ...(random.chance(0.3)
      ? { afterSteps: random.between(1, 12) }
      : wipes && random.chance(0.3)
        ? { isWiped: true }
        : {}),
  }))
  repeat(0.3, 2000, 15_000, (at) => ({ at, type: 'powerCut', downMs: names.map(() => duration(1000)) }))
  repeat(0.2, 1000, 6000, (at) => ({ at, type: 'diskError', member: anybody(), downMs: 20 + duration(2000) }))
  repeat(0.3, 1000, 6000, (at) => ({ at, type: 'diskStall', member: anybody(), forMs: duration(1500) }))
  repeat(0.5, 200, 5000, (at) => ({ at, type: 'reset', between: [anybody(), random.pick(names)] }))
  repeat(0.5, 1000, 8000, (at) => {
    const some = random.shuffled(names).slice(0, random.between(1, Math.max(1, names.length - 1)))
    return {
      at,
      type: 'partition',
      members: random.chance(0.5) ? [anybody()] : some,
      forMs: duration(4000),
      isAbrupt: random.chance(0.6),
    }
  })
  repeat(0.4, 600, 6000, (at) => ({
    at,
    type: 'cut',
    from: anybody(),
    to: random.pick(names),
    isOneWay: random.chance(0.5),
    isAbrupt: random.chance(0.5),
    forMs: duration(3000),
  }))
  // Links that come and go.
  repeat(0.3, 40, 800, (at) => {
    const cut = { from: anybody(), to: random.pick(names), isOneWay: false, isAbrupt: true }
    return { at, type: 'cut', ...cut, forMs: round(random.real(1, 500)) }
  })
  repeat(0.4, 500, 8000, (at) => ({ at, type: 'pause', member: anybody(), forMs: duration(3000) }))
  repeat(0.15, 1000, 5000, (at) => ({ at, type: 'stepDown', member: 'leader' }))
  repeat(0.2, 1000, 5000, (at) => ({
    at,
    type: 'wallJump',
    member: anybody(),
    byMs: random.between(-3_600_000, 3_600_000),
  }))
  return events.sort(inTime)
}

/** What operators and orchestrators want: other seats, another leader, members gone for good or for a while. */
function addChanges(random: Prng, members: readonly MemberSpec[], chaosMs: number, faults: FaultEvent[]): void {
  if (!random.chance(0.4)) return
  const meanMs = random.real(200, 4000)
  const names = members.map(({ name }) => name)
  const stop = (request: 'leave' | 'close', member: string): Omit<FaultEvent & { type: 'stop' }, 'at'> => ({
    type: 'stop',
    member,
    request,
    graceMs: 4000,
    downMs: round(random.exponential(2000)),
  })
  for (let at = random.exponential(meanMs); at < chaosMs; at += random.exponential(meanMs)) {
    const name = random.pick(names)
    const { name: member, isDurable } = random.pick(members)
    const dice = random.random()
    const request = changeOf(random, dice, name)
    if (request !== undefined) faults.push({ at: round(at), type: 'ask', member, request })
    else faults.push({ at: round(at), ...stop(dice < 0.85 || isDurable ? 'leave' : 'close', member) })
  }
  faults.sort(inTime)
}

function changeOf(random: Prng, dice: number, name: string): MembershipRequest | undefined {
  const nothing = { kind: 'change', add: [], remove: [], seats: undefined } as const
  if (dice < 0.2) return { kind: 'transfer', name: random.chance(0.5) ? name : undefined }
  if (dice < 0.35) return { ...nothing, seats: random.pick([1, 3, 5]) }
  if (dice < 0.5) return { ...nothing, add: [{ name, role: 'voter' }] }
  if (dice < 0.6) return { ...nothing, add: [{ name, role: 'observer' }] }
  if (dice < 0.65) return { ...nothing, remove: [name] }
  return dice < 0.7 ? { kind: 'mayStop' } : undefined
}

/**
 * A leader that appends what reaches few or nobody, and comes back later with it: what truncation is for. The leader is
 * cut off, or its messages are, or the others' disks are slow; it goes on writing, and crashes or is deposed.
 */
function addLostTails(random: Prng, chaosMs: number, faults: FaultEvent[], actions: ActionEvent[]): void {
  if (!random.chance(0.5)) return
  const meanMs = random.real(500, 4000)
  for (let at = 500 + random.exponential(meanMs); at < chaosMs; at += 300 + random.exponential(meanMs)) {
    const forMs = round(random.chance(0.5) ? random.real(20, 500) : random.real(500, 5000))
    const kind = random.pick(['partition', 'cut', 'diskStall', 'none'])
    const event = { at: round(at), forMs }
    const isAbrupt = random.chance(0.5)
    if (kind === 'partition') faults.push({ ...event, type: 'partition', members: ['leader'], isAbrupt: false })
    else if (kind === 'cut') faults.push({ ...event, type: 'cut', from: 'leader', to: 'follower', isOneWay: true })
    if (isAbrupt) {
      // What is written meanwhile stays here; then the others elect without it.
      const resetAt = round(at + random.real(20, 120))
      faults.push({ at: resetAt, forMs, type: 'partition', members: ['leader'], isAbrupt: true })
    }
    if (kind === 'diskStall') faults.push({ ...event, type: 'diskStall', member: 'follower' })
    const writes = random.between(0, 6)
    for (let count = 0; count < writes; count += 1) {
      const write = { at: round(at + random.real(0, 60)), member: 'leader', session: random.between(0, 2) }
      actions.push({ ...write, do: 'write', operation: anyOperation(random) })
    }
    if (!random.chance(0.7)) continue
    const crash = { at: round(at + random.real(1, Math.min(forMs, 300))), downMs: round(random.real(20, 3000)) }
    if (random.chance(0.2))
      faults.push({ at: crash.at, type: 'powerCut', downMs: [crash.downMs, round(random.real(20, 3000))] })
    else faults.push({ ...crash, type: 'crash', member: 'leader' })
  }
  faults.sort(inTime)
  actions.sort(inTime)
}

/**
 * Two sides that do not see each other, and one member between them whose links to both come and go: it is promised to
 * one side, and needed by the other.
 */
function addSeesaws(random: Prng, names: readonly string[], chaosMs: number, faults: FaultEvent[]): void {
  if (names.length < 3 || !random.chance(0.25)) return
  const meanMs = random.real(1000, 4000)
  const swingMs = random.pick([15, 40, 100])
  for (let at = random.exponential(meanMs); at < chaosMs; at += random.exponential(meanMs)) {
    const forMs = random.real(300, 3000)
    const [pivot = '', ...rest] = random.shuffled(names)
    const left = rest.slice(0, Math.ceil(rest.length / 2))
    const right = rest.slice(left.length)
    const cut = (cutAt: number, from: Target, to: Target, ms: number): void => {
      const pair = { from, to, isOneWay: false, isAbrupt: true }
      faults.push({ at: round(cutAt), type: 'cut', ...pair, forMs: round(ms) })
    }
    for (const a of left) for (const b of right) cut(at, a, b, forMs)
    for (let swing = at; swing < at + forMs; ) {
      const side = random.chance(0.5) ? left : right
      const ms = random.exponential(swingMs)
      for (const other of side) cut(swing, pivot, other, ms)
      swing += ms + random.exponential(swingMs)
    }
  }
  faults.sort(inTime)
}

/** What the clients of each member do, as long as there is chaos and a little longer. */
function actionsOf(random: Prng, names: readonly string[], options: WorldOptions, chaosMs: number): ActionEvent[] {
  const events: ActionEvent[] = []
  const moves = random.chance(0.4)
  for (const member of names) {
    for (
      let at = random.exponential(options.actionMs);
      at < chaosMs + 2000;
      at += random.exponential(options.actionMs)
    ) {
      const burst = random.chance(0.2) ? random.between(2, 5) : 1
      const event = { at: round(at), member }
      const dice = random.random()
      if (dice < 0.1) events.push({ ...event, do: 'read' })
      else if (dice < 0.12)
        events.push({ ...event, do: 'write', session: random.between(0, 2), operation: { type: 'closeSession' } })
      else if (dice < 0.13) events.push({ ...event, do: 'silence', session: random.between(0, 2) })
      else if (dice < 0.16 && moves) events.push({ ...event, do: 'move', session: random.between(0, 5) })
      else if (dice < 0.3) events.push({ ...event, do: 'open', timeoutMs: random.pick(options.sessionTimeoutsMs) })
      else
        for (let count = 0; count < burst; count += 1)
          events.push({ ...event, do: 'write', session: random.between(0, 2), operation: anyOperation(random) })
    }
  }
  return events.sort(inTime)
}

/** A schedule as a file holds it; bytes are lists of numbers. */
export function stringifySchedule(schedule: Schedule, more: object = {}): string {
  const plain = (_key: string, value: unknown): unknown => (value instanceof Uint8Array ? { bytes: [...value] } : value)
  const line = (value: unknown): string => `    ${JSON.stringify(value, plain)}`
  const { options, startsAt, faults, actions, chaosMs, healsToCore, isHardCore } = schedule
  const list = (items: readonly unknown[]): string =>
    items.length === 0 ? '[]' : `[\n${items.map(line).join(',\n')}\n  ]`
  const fields = Object.entries({
    ...more,
    chaosMs,
    healsToCore,
    ...(isHardCore === true ? { isHardCore } : {}),
    startsAt,
  }).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
  const { members, ...rest } = options
  const settings = `  "options": ${JSON.stringify({ ...rest, members: 0 }).replace('"members":0', `"members": ${list(members)}`)}`
  return `{\n${[...fields, settings, `  "faults": ${list(faults)}`, `  "actions": ${list(actions)}`].join(',\n')}\n}\n`
}

export function parseSchedule(text: string): Schedule & { readonly [key: string]: unknown } {
  return JSON.parse(text, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'bytes' in value && Array.isArray(value.bytes)
      ? new Uint8Array(value.bytes as number[])
      : value,
  ) as Schedule & { readonly [key: string]: unknown }
}
