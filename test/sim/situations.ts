/**
 * Situations that schedules of the simulation seldom come to: made around one kind of trouble, again and again in one run. A
 * seed varies what is left to chance. They are where some deliberate bugs are looked for (test/mutants).
 */
import { defaultOptions } from './core-world.ts'
import type { FaultEvent } from './faults.ts'
import { Prng } from './prng.ts'
import type { Schedule } from './schedule.ts'
import { inTime, round, specsOf } from './specs.ts'
import type { ActionEvent } from './workload.ts'

export type Situation = (seed: number) => Schedule

/**
 * A leader steps down with entries that nobody else has, and all links between the voters break, so it may well lead again:
 * with those who have no vote near it, and quicker than the voters.
 */
const fastObservers: Situation = (seed) => {
  const random = new Prng(seed, 'fast observers')
  const members = specsOf(3, 3, () => true).map((spec) =>
    spec.founders.length > 0 ? spec : { ...spec, wish: 'observer' as const },
  )
  const chaosMs = 20_000
  const faults: FaultEvent[] = []
  const actions: ActionEvent[] = []
  for (let at = 2_000; at < chaosMs; at += random.real(600, 1_000)) {
    const write = { at: round(at), member: 'leader', session: 0, do: 'write' } as const
    for (let count = 0; count < 3; count += 1)
      actions.push({
        ...write,
        operation: { type: 'create', path: '/s-', data: undefined, mode: 'persistent-sequential' },
      })
    const brokenAt = round(at + random.real(0.05, 0.5))
    for (const between of [
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'c'],
    ] as const)
      faults.push({ at: brokenAt, type: 'reset', between })
    faults.push({ at: round(brokenAt + 0.01), type: 'stepDown', member: 'leader' })
  }
  for (const [index, { name }] of members.entries())
    actions.push({ at: 1_000 + index, member: name, do: 'open', timeoutMs: 8_000 })
  const options = { ...defaultOptions, seed, members, seats: 3, latencyMs: 2, diskMs: random.pick([0.1, 1, 5]) }
  faults.sort(inTime)
  actions.sort(inTime)
  return { options, startsAt: members.map(() => 0), faults, actions, chaosMs, healsToCore: false }
}

export const situations: Readonly<Record<string, Situation>> = { fastObservers }
