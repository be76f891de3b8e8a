/**
 * Members come and go: three founders grow to seven and shrink to three again, or one to five and to one, while processes
 * crash, lose their memory and are replaced. Never do so many forget at once that those who remember are no quorum; so there
 * is one ensemble from beginning to end, it serves in the end, and it lacks nothing that was acknowledged.
 */
import type { MemberId } from '../../../lib/core/zab/configuration.ts'
import { isQuorum } from '../../../lib/core/zab/quorum.ts'
import { Violation } from '../invariants/invariant.ts'
import { Prng } from '../prng.ts'
import type { Place, StartSpec } from './place.ts'
import { isServing, type LifetimesResult, resultOf, specsOf } from './run-lifetimes.ts'
import { LifetimesWorld } from './world.ts'

const limitMs = 60_000

export function runChurn(seed: number, onTrace?: (line: string) => void): LifetimesResult {
  const random = new Prng(seed, 'churn')
  const [few, many] = random.pick([
    [3, 7],
    [3, 7],
    [1, 5],
  ] as const)
  const mix = random.pick(['volatile', 'volatile', 'durable', 'mixed'])
  const isDurable = (): boolean => (mix === 'mixed' ? random.chance(0.5) : mix === 'durable')
  const world = new LifetimesWorld(seed, specsOf(many, isDurable), many, onTrace)
  const founders = world.places.slice(0, few)
  const joiners = world.places.slice(few)
  const list = founders.map(({ spec }) => spec.address)
  const contacts = world.places.map(({ spec }) => spec.address)
  const startOf = (place: Place): StartSpec => ({ founders: founders.includes(place) ? list : [], contacts })
  /** Who is meant to be there. */
  const wanted = new Set<Place>(founders)
  const restart = (place: Place): void => {
    if (wanted.has(place)) place.begin(startOf(place))
  }
  const stir = (untilMs: number): void => churn(world, random, untilMs, wanted, restart)

  world.begin()
  for (const place of founders) place.begin(startOf(place))
  demand(world, () => isServing(founders), 'the founders serve')
  for (const place of joiners) {
    world.at(world.now + random.real(0, 3000), () => {
      wanted.add(place)
      restart(place)
    })
  }
  stir(random.real(3000, 8000))
  calm(world, wanted, restart)
  demand(world, () => isServing([...wanted]) && votersOf(world) === many, `${many} vote`)
  for (const place of joiners) {
    world.at(world.now + random.real(0, 4000), () => {
      leave(world, wanted, place)
    })
  }
  stir(random.real(4000, 9000))
  calm(world, wanted, restart)
  const isGone = (): boolean => joiners.every(({ isUp }) => !isUp)
  demand(world, () => isGone() && isServing(founders), 'those who stay serve')
  world.runFor(1000)
  demand(world, () => isServing(founders), 'those who stay serve on')
  checkEnd(world, founders)
  return resultOf(seed, world, true)
}

/** Gives up its membership, and goes: when that is done, or when it has waited for long and may. Until then it comes back. */
function leave(world: LifetimesWorld, wanted: Set<Place>, place: Place): void {
  const until = world.now + 8000
  const go = (): void => {
    wanted.delete(place)
    place.crash()
  }
  const tryOn = (): void => {
    if (!wanted.has(place)) return
    const isLate = world.now > until && mayForget(world, wanted, place)
    if (isLate) {
      go()
      return
    }
    const { life } = place
    place.ask({ kind: 'leave' }, ({ code }) => {
      if (code === undefined && place.life === life) go()
    })
    world.at(world.now + 1000, tryOn)
  }
  tryOn()
}

function churn(
  world: LifetimesWorld,
  random: Prng,
  untilMs: number,
  wanted: ReadonlySet<Place>,
  restart: (place: Place) => void,
): void {
  const every = (meanMs: number, act: () => void): void => {
    for (let at = random.exponential(meanMs); at < untilMs; at += random.exponential(meanMs))
      world.at(world.now + at, act)
  }
  every(random.pick([200, 800, 3000]), () => {
    const place = random.pick(world.places)
    if (!place.isUp || !wanted.has(place)) return
    const forgets = !place.spec.isDurable || random.chance(0.3)
    if (forgets && !mayForget(world, wanted, place)) return
    place.crash()
    if (forgets) {
      place.wipe()
      world.count('churn.forgot')
    }
    world.at(world.now + random.real(1, random.pick([50, 2000])), () => restart(place))
  })
  every(random.pick([400, 2000]), () => {
    const [a, b] = random.shuffled(world.places)
    if (a === undefined || b === undefined) return
    const ways = random.chance(0.4)
      ? ([[a, b]] as const)
      : ([
          [a, b],
          [b, a],
        ] as const)
    for (const [from, to] of ways) world.cut(from, to)
    world.at(world.now + random.exponential(800), () => {
      for (const [from, to] of ways) world.mend(from, to)
    })
  })
  every(100, () => random.pick(world.places).write())
  every(2500, () => random.pick(world.places).ask({ kind: 'transfer', name: undefined }))
  world.runFor(untilMs)
}

function calm(world: LifetimesWorld, wanted: ReadonlySet<Place>, restart: (place: Place) => void): void {
  world.heal()
  for (const place of wanted) restart(place)
  for (let at = 500; at < limitMs; at += 500)
    world.at(world.now + at, () => {
      for (const place of wanted) restart(place)
    })
}

/** Whether those who remember would still be a quorum of every configuration that anybody goes by. */
function mayForget(world: LifetimesWorld, wanted: ReadonlySet<Place>, lost: Place): boolean {
  const rememberers = new Set<MemberId>()
  for (const place of world.places)
    if (place !== lost && (place.isUp || (place.spec.isDurable && wanted.has(place)))) rememberers.add(place.id)
  return world.places.every(({ peer }) => {
    const active = peer?.zab.configurations.active ?? []
    return active.length === 0 || isQuorum(active, (id) => rememberers.has(id))
  })
}

function votersOf(world: LifetimesWorld): number {
  const leader = world.places.find(({ isLeading }) => isLeading)
  return leader?.peer?.zab.configurations.latest?.configuration.voters.length ?? 0
}

function demand(world: LifetimesWorld, isSo: () => boolean, what: string): void {
  if (!world.runFor(limitMs, isSo)) throw new Violation('Liveness', `not in time: ${what}\n${world.describe()}`)
}

function checkEnd(world: LifetimesWorld, founders: readonly Place[]): void {
  if (world.alive.length !== 1) throw new Violation('OneAlive', `${world.alive.join()} were alive`)
  for (const { peer, name } of founders) {
    for (const { session } of world.acknowledged) {
      if (peer?.state.sessions.get(session) === undefined)
        throw new Violation('NothingLost', `${name} lacks session ${session}\n${world.describe()}`)
    }
  }
}
