/** The rows of ours against those of the others, and against what is aimed at. */
import { type Goal, goals } from '../goals.ts'
import { median, ratios } from '../statistics.ts'
import type { Row } from '../workload.ts'

export const ours = 'embedded-coord'

export interface Comparison {
  readonly goal: Goal
  readonly setting: string
  /** Ours over theirs, window by window. */
  readonly ratios: readonly number[]
  readonly reached: 'aim' | 'goal' | 'no'
}

/** Those goals for which both sides were measured. */
export function compare(workload: string, rows: readonly Row[]): Comparison[] {
  const comparisons: Comparison[] = []
  for (const goal of goals.filter((one) => one.workload === workload)) {
    const own = rows.find((row) => row.contender === ours && row.setting.startsWith(goal.setting))
    const other = rows.find((row) => row.contender === goal.against && row.setting === own?.setting)
    const [mine, theirs] = [own?.figures[goal.figure], other?.figures[goal.figure]]
    if (own === undefined || mine === undefined || theirs === undefined) continue
    const measured = ratios(mine, theirs)
    comparisons.push({ goal, setting: own.setting, ratios: measured, reached: reachedBy(goal, median(measured)) })
  }
  return comparisons
}

function reachedBy({ wanted, atLeast, aim }: Goal, ratio: number): Comparison['reached'] {
  const isReached = (bound: number): boolean => (wanted === 'more' ? ratio >= bound : ratio <= bound)
  if (aim !== undefined && isReached(aim)) return 'aim'
  return isReached(atLeast) ? 'goal' : 'no'
}
