/**
 * Makes a failing plan small: leaves out clients, faults and operations, half of them at a time, then less, as long as the
 * same check fails. Streams of random numbers belong to single concerns, so what is left happens as before, nearly.
 */
import type { Fault, HolderPlan, Operation, Plan, RecipePlan, WatcherPlan } from './plan.ts'
import { runPlan } from './run-plan.ts'

/** What a plan has to offer for leaving out. */
type Item =
  | { readonly type: 'fault'; readonly fault: Fault }
  | { readonly type: 'turn'; readonly holder: number; readonly turn: HolderPlan['turns'][number] }
  | { readonly type: 'recipe'; readonly recipe: RecipePlan }
  | { readonly type: 'watcher'; readonly watcher: WatcherPlan }
  | { readonly type: 'operation'; readonly client: number; readonly operation: Operation }

export async function shrink(plan: Plan, check: string, runsMax: number): Promise<Plan> {
  const fails = async (candidate: Plan): Promise<boolean> => {
    const result = await runPlan(candidate)
    return 'violation' in result && result.violation.check === check
  }
  let items = itemsOf(plan)
  let runs = 0
  for (let chunk = Math.ceil(items.length / 2); chunk >= 1 && runs < runsMax; ) {
    let hasShrunk = false
    for (let start = 0; start < items.length && runs < runsMax; ) {
      const rest = [...items.slice(0, start), ...items.slice(start + chunk)]
      runs += 1
      if (await fails(planWith(plan, rest))) {
        items = rest
        hasShrunk = true
      } else {
        start += chunk
      }
    }
    if (chunk === 1 && !hasShrunk) break
    chunk = chunk === 1 ? 1 : Math.ceil(chunk / 2)
  }
  return planWith(plan, items)
}

function itemsOf({ faults, clients, holders, watchers = [], recipes = [] }: Plan): Item[] {
  const operations = clients.flatMap((client, index) =>
    client.operations.map((operation): Item => ({ type: 'operation', client: index, operation })),
  )
  const turns = holders.flatMap((holder, index) =>
    holder.turns.map((turn): Item => ({ type: 'turn', holder: index, turn })),
  )
  const watching = watchers.map((watcher): Item => ({ type: 'watcher', watcher }))
  return [
    ...operations,
    ...turns,
    ...watching,
    ...recipes.map((recipe): Item => ({ type: 'recipe', recipe })),
    ...faults.map((fault): Item => ({ type: 'fault', fault })),
  ]
}

function planWith(plan: Plan, items: readonly Item[]): Plan {
  const faults = items.flatMap((item) => (item.type === 'fault' ? [item.fault] : []))
  const clients = plan.clients.map((client, index) => ({
    ...client,
    operations: items.flatMap((item) => (item.type === 'operation' && item.client === index ? [item.operation] : [])),
  }))
  const holders = plan.holders.map((holder, index) => ({
    ...holder,
    turns: items.flatMap((item) => (item.type === 'turn' && item.holder === index ? [item.turn] : [])),
  }))
  const watchers = items.flatMap((item) => (item.type === 'watcher' ? [item.watcher] : []))
  const recipes = items.flatMap((item) => (item.type === 'recipe' ? [item.recipe] : []))
  return { ...plan, faults, clients, holders, watchers, recipes }
}
