/** One plan on both systems, compared; and a smaller plan that shows the same difference. */
import { isDeepStrictEqual } from 'node:util'
import { deviations } from './deviations.ts'
import { Execution, type Observed } from './execute.ts'
import type { Plan } from './plan.ts'

export interface Systems {
  readonly theirs: number
  readonly ours: number
}

export interface Difference {
  readonly at: number
  readonly theirs: Observed | undefined
  readonly ours: Observed | undefined
}

let executions = 0

/** The first step at which the systems differ. */
export async function compare(systems: Systems, plan: Plan): Promise<Difference | undefined> {
  executions += 1
  const root = `/d${executions}`
  const [theirs, ours] = await Promise.all([
    new Execution(systems.theirs, root, plan).run(),
    new Execution(systems.ours, root, plan).run(),
  ])
  for (let at = 0; at < plan.steps.length; at += 1) {
    const [one, other] = [theirs[at], ours[at]]
    if (one === undefined || other === undefined) return { at, theirs: one, ours: other }
    if (isDeepStrictEqual(one, other)) continue
    if (!deviations.some((deviation) => deviation.explains(one, other))) return { at, theirs: one, ours: other }
  }
  return undefined
}

/** Leaves out steps while a difference stays. */
export async function shrink(systems: Systems, plan: Plan): Promise<{ plan: Plan; difference: Difference }> {
  let best = plan
  let difference = (await compare(systems, plan)) as Difference
  if (difference === undefined) throw new Error('it does not happen again')
  best = { ...best, steps: best.steps.slice(0, difference.at + 1) }
  for (let size = best.steps.length >> 1; size >= 1; ) {
    let found = false
    for (let start = 0; start < best.steps.length; ) {
      const steps = [...best.steps.slice(0, start), ...best.steps.slice(start + size)]
      const again = steps.length === 0 ? undefined : await compare(systems, { ...best, steps })
      if (again === undefined) start += size
      else {
        difference = again
        best = { ...best, steps: steps.slice(0, again.at + 1) }
        found = true
      }
    }
    if (!found || size > 1) size >>= 1
  }
  return { plan: best, difference }
}

export function describeDifference(plan: Plan, difference: Difference): string {
  const shown = (value: unknown): string =>
    JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? `${inner}` : inner))
  const steps = plan.steps.map(({ session, operation }, index) => `  ${index}. session ${session}: ${shown(operation)}`)
  const { at, theirs, ours } = difference
  return [
    `subject ${plan.subject}, at step ${at}:`,
    ...steps,
    `ZooKeeper: ${shown({ outcome: theirs?.outcome, events: theirs?.events })}`,
    `ours:      ${shown({ outcome: ours?.outcome, events: ours?.events })}`,
  ].join('\n')
}
