/** What a seed stands for: the members, the mix of faults, and which rare things are made common. */
import { defaultOptions, type WorldOptions } from './core-world.ts'
import { type FaultRates, noFaults } from './faults.ts'
import { Prng } from './prng.ts'
import type { MemberSpec } from './sim-member.ts'

export interface Schedule {
  readonly options: WorldOptions
  readonly rates: FaultRates
  readonly chaosMs: number
}

const letters = 'abcdefg'

/** Founders named a, b, c …, and newcomers that only join. */
export function specsOf(founders: number, joiners: number, isDurable: (index: number) => boolean): MemberSpec[] {
  const addressOf = (index: number): string => `host-${letters[index]}:1`
  const list = Array.from({ length: founders }, (_, index) => addressOf(index)).sort()
  return Array.from({ length: founders + joiners }, (_, index) => ({
    name: letters[index] as string,
    address: addressOf(index),
    isDurable: isDurable(index),
    founders: index < founders ? list : [],
  }))
}

export function scheduleOf(seed: number): Schedule {
  const random = new Prng(seed, 'schedule')
  const founders = random.pick([1, 2, 3, 3, 3, 3, 3, 5, 5])
  const joiners = random.pick([0, 0, 0, 1, 2])
  const mix = random.pick(['durable', 'volatile', 'mixed'])
  const specs = specsOf(founders, joiners, () => (mix === 'mixed' ? random.chance(0.5) : mix === 'durable'))
  // Some newcomers have the name of a founder, and take its seat when it seems to be gone.
  const members = specs.map((spec) =>
    spec.founders.length === 0 && random.chance(0.4)
      ? { ...spec, alias: letters[random.between(0, founders - 1)] }
      : spec,
  )
  const often = (chance: number, from: number, to: number): number =>
    random.chance(chance) ? random.real(from, to) : Number.POSITIVE_INFINITY
  const isCalm = random.chance(0.1)
  const rates: FaultRates = isCalm
    ? noFaults
    : {
        crashMs: often(0.7, 300, 5000),
        resetMs: often(0.5, 200, 5000),
        partitionMs: often(0.5, 1000, 8000),
        oneWayMs: often(0.3, 1000, 8000),
        pauseMs: often(0.4, 500, 8000),
        wipes: false,
        powerCutMs: often(0.25, 2000, 15000),
      }
  const tiny = random.chance(0.4)
  const options: WorldOptions = {
    ...defaultOptions,
    seed,
    members,
    tail: tiny ? { entries: random.between(0, 8), bytes: 1 << 20 } : defaultOptions.tail,
    batchBytesMax: random.chance(0.3) ? 1 : defaultOptions.batchBytesMax,
    chunkBytesMax: random.chance(0.3) ? 1 : defaultOptions.chunkBytesMax,
    counterLast: random.chance(0.2) ? random.between(3, 40) : undefined,
    latencyMs: random.pick([0.3, 2, 2, 20]),
    spikeChance: random.pick([0, 0, 0.01, 0.1]),
    diskMs: random.pick([0.1, 1, 5, 50]),
    drift: random.pick([0, 0.001, 0.05]),
    isChoppy: random.chance(0.3),
    isFrozen: random.chance(0.2),
    sessionsPerMember: random.between(1, 3),
    sessionTimeoutsMs: random.pick([[1000], [4000], [1000, 8000]]),
    actionMs: random.pick([20, 100, 100, 500]),
    checkpointEvery: random.chance(0.5) ? random.between(5, 60) : Number.POSITIVE_INFINITY,
  }
  return { options, rates, chaosMs: random.real(2000, 12000) }
}
