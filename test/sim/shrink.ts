/**
 * Makes a failing schedule small: fewer faults, actions and members, plainer settings, an earlier end, as long as it
 * still fails in the same way. Lists are shrunk by halves, then quarters and so on (delta debugging, Zeller 1999).
 */
import { defaultOptions, type WorldOptions } from './core-world.ts'
import type { Schedule } from './schedule.ts'

/** `fails` says whether a schedule still shows the failure; it is asked at most `runsMax` times. */
export function shrink(schedule: Schedule, fails: (schedule: Schedule) => boolean, runsMax: number = 600): Schedule {
  let runs = 0
  let best = schedule
  const attempt = (candidate: Schedule): boolean => {
    if (runs >= runsMax) return false
    runs += 1
    if (!fails(candidate)) return false
    best = candidate
    return true
  }
  for (let before = ''; before !== sizeOf(best) && runs < runsMax; ) {
    before = sizeOf(best)
    shorten(best, attempt)
    best = { ...best, actions: reduced(best.actions, (actions) => attempt({ ...best, actions })) }
    best = { ...best, faults: reduced(best.faults, (faults) => attempt({ ...best, faults })) }
    dropMembers(() => best, attempt)
    simplify(() => best, attempt)
  }
  return best
}

function sizeOf({ faults, actions, options, chaosMs }: Schedule): string {
  return `${faults.length} ${actions.length} ${options.members.length} ${chaosMs}`
}

/** The shortest list that one gets by leaving out parts, ever smaller ones, while the rest still fails. */
function reduced<T>(list: readonly T[], attempt: (list: readonly T[]) => boolean): readonly T[] {
  let kept = list
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < kept.length; ) {
      const rest = [...kept.slice(0, start), ...kept.slice(start + size)]
      if (attempt(rest)) kept = rest
      else start += size
    }
  }
  return kept
}

/** Ends the chaos earlier, and leaves out what comes after it. */
function shorten(schedule: Schedule, attempt: (schedule: Schedule) => boolean): void {
  let low = 0
  let high = schedule.chaosMs
  const until = (ms: number): Schedule => {
    const isBefore = ({ at }: { readonly at: number }): boolean => at <= ms
    return {
      ...schedule,
      chaosMs: ms,
      faults: schedule.faults.filter(isBefore),
      actions: schedule.actions.filter(isBefore),
    }
  }
  for (let round = 0; round < 8; round += 1) {
    const middle = Math.ceil((low + high) / 2)
    if (attempt(until(middle))) high = middle
    else low = middle
  }
  if (schedule.healsToCore) attempt({ ...until(high), healsToCore: false })
}

/** Newcomers may go; founders stay, since the others list them. */
function dropMembers(current: () => Schedule, attempt: (schedule: Schedule) => boolean): void {
  for (const { name, founders } of current().options.members) {
    if (founders.length > 0) continue
    const best = current()
    const index = best.options.members.findIndex((member) => member.name === name)
    attempt({
      ...best,
      options: { ...best.options, members: best.options.members.filter((member) => member.name !== name) },
      startsAt: best.startsAt.filter((_, place) => place !== index),
    })
  }
}

/** One setting after the other as it is by default. */
function simplify(current: () => Schedule, attempt: (schedule: Schedule) => boolean): void {
  for (const key of Object.keys(defaultOptions) as (keyof typeof defaultOptions)[]) {
    const best = current()
    if (JSON.stringify(best.options[key]) === JSON.stringify(defaultOptions[key])) continue
    attempt({ ...best, options: { ...best.options, [key]: defaultOptions[key] } as WorldOptions })
  }
}
