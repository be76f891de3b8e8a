/**
 * What one seed in two is about, besides all that it draws: situations that take a history of their own, and that faults at
 * random times would hardly ever meet.
 */
import type { FaultEvent, Target } from './faults.ts'
import { anySubOperation } from './operations.ts'
import { Prng } from './prng.ts'
import type { MemberSpec } from './sim-member.ts'
import { inTime, letters, round, specsOf } from './specs.ts'
import type { ActionEvent } from './workload.ts'

const themes = ['growing', 'growing', 'founding', 'moves', 'namesakes', 'core', 'core', 'snapshots'] as const
export type Theme = (typeof themes)[number]

/** A schedule as it was drawn: a theme adds to it, or takes something away. */
interface Drawn {
  readonly members: readonly MemberSpec[]
  readonly chaosMs: number
  readonly faults: FaultEvent[]
  readonly actions: ActionEvent[]
}

export function themeOf(seed: number): Theme | undefined {
  return seed % 2 === 0 ? new Prng(seed, 'theme').pick(themes) : undefined
}

export function membersFor(theme: Theme | undefined, random: Prng): MemberSpec[] | undefined {
  if (theme === 'growing') {
    // Around one founder or two: those who vote later are a majority, and no quorum without them.
    const [founders, joiners] = random.pick([
      [1, 2],
      [1, 4],
      [2, 3],
      [2, 4],
    ] as const)
    return specsOf(founders, joiners, (index) => index < founders || random.chance(0.7))
  }
  if (theme === 'namesakes') {
    const specs = specsOf(3, random.between(1, 2), () => random.chance(0.7))
    return specs.map((spec) => (spec.founders.length > 0 ? spec : { ...spec, alias: letters[random.between(0, 2)] }))
  }
  if (theme === 'core') return specsOf(random.pick([3, 4, 5, 5, 5, 6, 7]), 0, () => random.chance(0.8))
  if (theme === 'snapshots') return specsOf(random.pick([3, 3, 5]), random.between(0, 2), () => random.chance(0.7))
  return theme === 'founding'
    ? specsOf(random.pick([2, 3, 3, 3, 5]), random.between(0, 1), () => random.chance(0.5))
    : undefined
}

/** In place of or besides what was drawn. */
export function applyTheme(theme: Theme | undefined, random: Prng, drawn: Drawn): void {
  const { members, chaosMs, faults, actions } = drawn
  if (theme === 'founding') addTroubledFounding(random, members, faults)
  else if (theme === 'growing') addHalfChanges(random, members, chaosMs, faults)
  else if (theme === 'namesakes') onlyResetNamesakes(random, members, chaosMs, faults)
  else if (theme === 'moves') addMoves(random, members, chaosMs, actions)
  else if (theme === 'snapshots') addStrandedSnapshots(random, chaosMs, faults, actions)
  faults.sort(inTime)
  actions.sort(inTime)
}

/** Founders that come and go while an ensemble is founded: some have prepared, some know that all have, some have forgotten. */
function addTroubledFounding(random: Prng, members: readonly MemberSpec[], faults: FaultEvent[]): void {
  if (random.chance(0.6)) {
    const times = { afterMs: round(random.real(0, 20)), downMs: round(random.real(0.1, 30)) }
    const isSplit = random.chance(0.5)
    const heldMs = round(isSplit ? random.real(400, 1200) : random.real(200, 600))
    faults.push({ at: 0, type: 'lateFounder', ...times, heldMs, ...(isSplit ? { isSplit } : {}) })
    return
  }
  const names = members.filter(({ founders }) => founders.length > 0).map(({ name }) => name)
  const lowest = names[0] as Target
  const meanMs = random.pick([15, 40, 100])
  const endMs = random.real(300, 1200)
  for (let at = 20 + random.exponential(meanMs); at < endMs; at += 5 + random.exponential(meanMs)) {
    const member = random.chance(0.5) ? lowest : random.pick(names)
    const downMs = round(random.chance(0.8) ? random.real(0.1, 30) : random.exponential(300))
    const dice = random.random()
    if (dice < 0.6) faults.push({ at: round(at), type: 'crash', member, downMs, isWiped: random.chance(0.5) })
    else if (dice < 0.8) faults.push({ at: round(at), type: 'reset', between: [member, random.pick(names)] })
    else
      faults.push({ at: round(at), type: 'cut', from: member, to: random.pick(names), isOneWay: false, forMs: downMs })
  }
}

/**
 * Those who are about to get a vote are gone: the change can be neither committed nor waited for. Or the founders are, when
 * all the others have votes: those are a majority, and no quorum.
 */
function addHalfChanges(random: Prng, members: readonly MemberSpec[], chaosMs: number, faults: FaultEvent[]): void {
  const founders = members.flatMap(({ name, founders: list }) => (list.length > 0 ? [name] : []))
  for (let at = random.real(300, 1500); at < chaosMs; at += random.real(3000, 5000)) {
    const forMs = round(random.real(2500, 4500))
    if (random.chance(0.6)) faults.push({ at: round(at), type: 'halfChange', forMs })
    else faults.push({ at: round(at + 1000), type: 'partition', members: founders, isAbrupt: true, forMs })
  }
}

/** In place of all other faults: two live members with one name, of which the one that has the place is out of sight for moments. */
function onlyResetNamesakes(random: Prng, members: readonly MemberSpec[], chaosMs: number, faults: FaultEvent[]): void {
  const names = members.flatMap(({ alias }) => alias ?? [])
  faults.length = 0
  const meanMs = random.real(50, 400)
  for (let at = 3000 + random.exponential(meanMs); at < chaosMs; at += random.exponential(meanMs)) {
    faults.push({ at: round(at), type: 'reset', between: ['leader', random.pick(names)] })
  }
}

/** Clients that go from one member to another and on at once; and writes that overtake each other on the way. */
function addMoves(random: Prng, members: readonly MemberSpec[], chaosMs: number, actions: ActionEvent[]): void {
  const names = members.map(({ name }) => name)
  const meanMs = random.real(100, 1500)
  for (let at = random.exponential(meanMs); at < chaosMs; at += random.exponential(meanMs)) {
    const session = random.between(0, 5)
    const [from, to] = random.shuffled(names)
    const event = { at: round(at), session }
    if (random.chance(0.4)) {
      const operations = [anySubOperation(random), anySubOperation(random)] as const
      actions.push({ ...event, member: random.pick(names), do: 'overtake', operations })
    } else {
      actions.push({ ...event, member: from as string, do: 'move' })
      const later = round(at + random.real(0.1, 60))
      actions.push({ ...event, at: later, member: to ?? (from as string), do: 'move', isSame: true })
    }
  }
}

/**
 * Learners that are stopped in the middle of a snapshot, and come back for the rest, or too late for it. The tree is large
 * enough for that, and changes all the while.
 */
function addStrandedSnapshots(random: Prng, chaosMs: number, faults: FaultEvent[], actions: ActionEvent[]): void {
  const operation = { type: 'create', path: '/s-', mode: 'persistent-sequential', data: new Uint8Array(1) } as const
  const meanMs = random.real(10, 60)
  for (let at = 500; at < chaosMs; at += random.exponential(meanMs)) {
    const write = { at: round(at), member: 'leader', session: random.between(0, 2), do: 'write' } as const
    if (random.chance(0.5)) actions.push({ ...write, operation })
    else actions.push({ ...write, operation: anySubOperation(random) })
  }
  for (let at = random.real(1000, 2000); at < chaosMs; at += random.real(100, 1200)) {
    const stop = random.pick(['reset', 'cut', 'cut', 'pause'] as const)
    const forMs = round(random.chance(0.5) ? random.real(1, 200) : random.real(2100, 4000))
    faults.push({ at: round(at), type: 'midSnapshot', stop, forMs })
  }
}
