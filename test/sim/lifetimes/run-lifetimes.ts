/** What happens to a world of lifetimes, drawn from a seed: founding under faults, or members that come and go. */
import type { MemberId } from '../../../lib/core/zab/configuration.ts'
import { isQuorum } from '../../../lib/core/zab/quorum.ts'
import { Violation } from '../invariants/invariant.ts'
import { Prng } from '../prng.ts'
import type { Place, PlaceSpec, StartSpec } from './place.ts'
import { LifetimesWorld } from './world.ts'

export interface LifetimesResult {
  readonly seed: number
  readonly virtualMs: number
  readonly steps: number
  /** Ensembles that were alive, one after the other. */
  readonly ensembles: number
  readonly acknowledged: number
  /** Whether one serves everybody at the end; where it does not, everybody says why. */
  readonly isServing: boolean
  readonly marks: ReadonlyMap<string, number>
}

const letters = 'abcdefghij'
const settleMs = 40_000

/** What ends for good with what is on the disk: its store is emptied then. */
const emptied: ReadonlySet<string> = new Set(['COORD_MAJORITY_LOST', 'COORD_REMOVED', 'COORD_FOUNDERS_DIFFER'])

const addressOf = (index: number): string => `host-${letters[index]}:1`

export function specsOf(count: number, isDurable: (index: number) => boolean): PlaceSpec[] {
  return Array.from({ length: count }, (_, index) => ({
    name: letters[index] as string,
    address: addressOf(index),
    isDurable: isDurable(index),
  }))
}

/**
 * Founders and joiners start in any order and find each other by half of the answers; processes crash at every step and come
 * back with or without their memory; founders move. In the end all are up, and either one ensemble serves them, or each
 * that is not served says why.
 */
export function runFounding(seed: number, onTrace?: (line: string) => void): LifetimesResult {
  const random = new Prng(seed, 'founding')
  const founders = random.pick([1, 2, 3, 3, 3, 4, 5])
  const joiners = random.pick([0, 0, 1, 2, 3])
  const mix = random.pick(['volatile', 'durable', 'mixed'])
  const isDurable = (): boolean => (mix === 'mixed' ? random.chance(0.5) : mix === 'durable')
  const world = new LifetimesWorld(seed, specsOf(founders + joiners, isDurable), random.pick([1, 3, 5]), onTrace)
  let list = Array.from({ length: founders }, (_, index) => addressOf(index))
  const everybody = world.places.map(({ spec }) => spec.address)
  const startOf = (place: Place): StartSpec => {
    const isListed = list.includes(place.spec.address)
    const half = random.shuffled(everybody).slice(0, random.between(1, everybody.length))
    return isListed ? { founders: list, contacts: list } : { founders: [], contacts: half }
  }
  const chaosMs = random.real(500, 8000)
  for (const place of world.places)
    world.at(random.real(0, random.pick([5, 300, 3000])), () => place.begin(startOf(place)))
  const every = (meanMs: number, act: () => void): void => {
    for (let at = random.exponential(meanMs); at < chaosMs; at += random.exponential(meanMs)) world.at(at, act)
  }
  const crashMs = random.pick([60, 300, 1500])
  every(crashMs, () => {
    const place = random.pick(world.places)
    place.crash()
    // A blank restart, of anybody, at any moment.
    if (random.chance(0.4)) place.wipe()
    world.at(world.now + random.real(1, random.pick([20, 1000])), () => place.begin(startOf(place)))
  })
  every(random.pick([200, 1000]), () => {
    const [a, b] = random.shuffled(world.places)
    if (a === undefined || b === undefined) return
    const ways: [Place, Place][] = random.chance(0.4)
      ? [[a, b]]
      : [
          [a, b],
          [b, a],
        ]
    for (const [from, to] of ways) world.cut(from, to)
    world.at(world.now + random.exponential(1000), () => {
      for (const [from, to] of ways) world.mend(from, to)
    })
  })
  every(300, () => random.pick(world.places).write())
  // An operator gives seats to joiners, and takes them from founders.
  if (random.chance(0.5)) {
    every(600, () => {
      const [one, other] = random.shuffled(world.places)
      if (one === undefined || other === undefined) return
      const add = [
        { name: one.name, role: 'voter' as const },
        { name: other.name, role: 'observer' as const },
      ].slice(0, random.between(1, 2))
      random.pick(world.places).ask({ kind: 'change', add, remove: [], seats: undefined })
    })
  }
  // One address of the list changes: processes that are started from then on have the other list.
  if (joiners > 0 && founders > 1 && random.chance(0.4)) {
    world.at(random.real(0, chaosMs), () => {
      const [before, after] = [random.pick(list), random.pick(everybody.slice(founders))]
      list = list.map((address) => (address === before ? after : address))
      world.count('lists.changed')
    })
  }
  world.begin()
  world.runFor(chaosMs)
  return settle(seed, world, startOf)
}

/** Everything is well again, everybody is there. */
function settle(seed: number, world: LifetimesWorld, startOf: (place: Place) => StartSpec): LifetimesResult {
  world.heal()
  const everybody = world.places.map(({ spec }) => spec.address)
  for (const place of world.places) {
    // Whoever was started with another list is started with the last one; discovery finds everybody now.
    if (place.start.founders.join() !== startOf(place).founders.join()) place.crash()
    place.start = { ...place.start, contacts: everybody }
  }
  const wake = (): void => {
    for (const place of world.places) {
      if (place.isUp) continue
      // What its operator does, as the error says.
      if (place.refusal !== undefined && emptied.has(place.refusal)) place.wipe()
      place.begin({ ...startOf(place), contacts: everybody })
    }
  }
  wake()
  for (let at = 500; at < settleMs; at += 500) world.at(world.now + at, wake)
  const isAtRest = (): boolean => isServing(world.places)
  world.runFor(settleMs, isAtRest)
  // What was asked for meanwhile may change who leads once more.
  world.runFor(2000)
  world.runFor(settleMs, isAtRest)
  checkEnd(world)
  return resultOf(seed, world, isAtRest())
}

/** Whether one leader serves all of these, and they have applied the same. */
export function isServing(places: readonly Place[]): boolean {
  const leaders = new Set(places.map(({ peer }) => peer?.status.serving === true && peer.status.leader?.id))
  const ends = new Set(places.map(({ peer }) => peer?.state.lastZxid))
  return leaders.size === 1 && ends.size === 1 && !leaders.has(false)
}

export function resultOf(seed: number, world: LifetimesWorld, served: boolean): LifetimesResult {
  const { alive, acknowledged, steps, marks, now } = world
  const counts = { ensembles: alive.length, acknowledged: acknowledged.length }
  return { seed, virtualMs: now, steps, ...counts, isServing: served, marks }
}

function checkEnd(world: LifetimesWorld): void {
  const served = new Set(world.places.filter(({ peer }) => peer?.status.serving === true).map(({ cluster }) => cluster))
  if (served.size > 1) throw new Violation('OneAlive', `${[...served].join()} serve at the same time`)
  const cluster = [...served][0] ?? ''
  for (const place of world.places) {
    if (!isExplained(world, place)) throw new Violation('Liveness', `${place.name} waits for ever\n${world.describe()}`)
  }
  // What was acknowledged in the ensemble that serves is there.
  for (const { peer, name } of world.places) {
    if (peer?.status.serving !== true) continue
    for (const one of world.acknowledged) {
      if (one.cluster !== cluster || peer.state.sessions.get(one.session) !== undefined) continue
      throw new Violation(
        'NothingLost',
        `${name} lacks ${one.session}, which was acknowledged in ${cluster}\n${world.describe()}`,
      )
    }
  }
}

/** Served; or it says why not, and is right. */
function isExplained(world: LifetimesWorld, place: Place): boolean {
  const { peer, refusal } = place
  // Founders that were about to found when one of them was replaced by another list.
  if (
    world.places.some(
      (one) =>
        one.peer?.zab.belonging.presence === 'founded' && isWithoutQuorum(world, one.peer.zab.configurations.active),
    )
  )
    return true
  if (peer === undefined) return refusal !== undefined
  if (peer.status.serving || peer.status.majorityLost) return true
  return peer.otherClusters().length > 0 || isWithoutQuorum(world, peer.zab.configurations.active)
}

/** Whether those who remember are no quorum any more. */
function isWithoutQuorum(world: LifetimesWorld, active: Parameters<typeof isQuorum>[0]): boolean {
  const rememberers = new Set<MemberId>(world.places.map(({ id }) => id))
  return active.length > 0 && !isQuorum(active, (id) => rememberers.has(id))
}
