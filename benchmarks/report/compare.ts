/** The rows of ours against those of the others, and against what is aimed at. */
import { type Goal, goals } from '../goals.ts'
import { median, ratios } from '../statistics.ts'
import type { Row } from '../workload.ts'

export const ours = 'embedded-coord'
/** Of ours, what each contender is compared as: the goals are the same, whichever store an application takes. */
const compared: Readonly<Record<string, string>> = { [ours]: '', 'embedded-coord-file': ', FileStorage' }

export interface Comparison {
  readonly goal: Goal
  readonly setting: string
  /** Ours over theirs, window by window; or ours, where the figure itself is bounded. */
  readonly ratios: readonly number[]
  readonly reached: 'aim' | 'goal' | 'no'
}

/** Those goals for which both sides were measured, for each setting that they are about. */
export function compare(workload: string, rows: readonly Row[]): Comparison[] {
  return goals
    .filter((goal) => goal.workload === workload)
    .flatMap((goal) =>
      rows
        .filter(({ contender, setting }) => contender in compared && setting.startsWith(goal.setting))
        .flatMap((own) => comparisonOf(goal, own, rows) ?? []),
    )
}

function comparisonOf(goal: Goal, own: Row, rows: readonly Row[]): Comparison | undefined {
  const other = rows.find(({ contender, setting }) => contender === goal.against && setting === own.setting)
  const [mine, theirs] = [own.figures[goal.figure], other?.figures[goal.figure]]
  if (mine === undefined || (goal.against !== undefined && theirs === undefined)) return undefined
  const measured = theirs === undefined ? mine : ratios(mine, theirs)
  return {
    goal,
    setting: `${own.setting}${compared[own.contender] ?? ''}`,
    ratios: measured,
    reached: reachedBy(goal, median(measured)),
  }
}

function reachedBy({ wanted, atLeast, aim }: Goal, ratio: number): Comparison['reached'] {
  const isReached = (bound: number): boolean => (wanted === 'more' ? ratio >= bound : ratio <= bound)
  if (aim !== undefined && isReached(aim)) return 'aim'
  return isReached(atLeast) ? 'goal' : 'no'
}
