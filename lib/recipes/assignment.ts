/**
 * Which worker does which task: a pure function from what is to the moves that make it right. The master calls it after
 * every change. It gives the same answer for the same input, and no move at all where nothing is wrong, so that it comes
 * to rest.
 */
import { rendezvous } from './rendezvous.ts'

/**
 * - `'balanced'`: each worker has as many tasks as any other, give or take one.
 * - `'capacity'`: each worker has tasks in proportion to its capacity.
 * - `'sticky'`: a task goes where it last was or, if that is gone, where its name belongs; it never moves from a live worker.
 */
export const policyNames = ['balanced', 'capacity', 'sticky'] as const
export type PolicyName = (typeof policyNames)[number]

export interface AssignableTask {
  readonly id: string
  /** The worker that has it now. */
  readonly worker?: string | undefined
  /** The name of the worker that last had it. */
  readonly lastName?: string | undefined
  /** It is being taken back from its worker: it counts there, and moves no more until it is free. */
  readonly isLeaving?: boolean | undefined
}

export interface AssignableWorker {
  readonly id: string
  /** The same over the worker's restarts. */
  readonly name: string
  /** How many tasks at once; may be infinite. */
  readonly capacity: number
  /** It takes no more tasks, and those that it has go elsewhere. */
  readonly isDraining?: boolean | undefined
}

export interface Move {
  readonly task: string
  /** The worker to take it back from; undefined: it is free, or its worker is gone. */
  readonly from: string | undefined
  /** Where it goes at once. Undefined with `from`: to be taken back first; where it goes is decided when it is free. */
  readonly to: string | undefined
}

/** A worker and what it has now. */
interface Place {
  readonly worker: AssignableWorker
  readonly tasks: string[]
  /** How many it would have once everything that leaves it has left. */
  staying: number
}

export function assign(
  policy: PolicyName,
  tasks: readonly AssignableTask[],
  workers: readonly AssignableWorker[],
): Move[] {
  const places = new Map<string, Place>()
  for (const worker of [...workers].sort(byId)) places.set(worker.id, { worker, tasks: [], staying: 0 })
  const free: AssignableTask[] = []
  for (const task of [...tasks].sort(byId)) {
    const place = task.worker === undefined ? undefined : places.get(task.worker)
    if (place === undefined) {
      free.push(task)
      continue
    }
    place.tasks.push(task.id)
    if (task.isLeaving !== true) place.staying += 1
  }
  const leaving = new Set(tasks.filter(({ isLeaving }) => isLeaving === true).map(({ id }) => id))
  return [...placeFree(policy, free, places), ...takeBack(policy, leaving, places, free)]
}

const byId = (one: { readonly id: string }, other: { readonly id: string }): number =>
  one.id < other.id ? -1 : one.id > other.id ? 1 : 0

const hasRoom = ({ worker, tasks }: Place): boolean => worker.isDraining !== true && tasks.length < worker.capacity

function placeFree(policy: PolicyName, free: AssignableTask[], places: ReadonlyMap<string, Place>): Move[] {
  const moves: Move[] = []
  for (const task of [...free]) {
    const open = [...places.values()].filter(hasRoom)
    const place = policy === 'sticky' ? stickyPlace(task, open) : emptiest(policy, open)
    if (place === undefined) continue
    place.tasks.push(task.id)
    place.staying += 1
    moves.push({ task: task.id, from: undefined, to: place.worker.id })
    free.splice(free.indexOf(task), 1)
  }
  return moves
}

function stickyPlace(task: AssignableTask, open: readonly Place[]): Place | undefined {
  return (
    open.find(({ worker }) => worker.name === task.lastName) ?? rendezvous(task.id, open, ({ worker }) => worker.name)
  )
}

/** How full a worker is with `tasks` tasks. Workers without a bound are compared by their number of tasks. */
function fill(policy: PolicyName, { worker }: Place, tasks: number): number {
  return policy === 'capacity' && Number.isFinite(worker.capacity) ? tasks / worker.capacity : tasks
}

function emptiest(policy: PolicyName, open: readonly Place[]): Place | undefined {
  let best: Place | undefined
  for (const place of open) {
    if (best === undefined || fill(policy, place, place.staying + 1) < fill(policy, best, best.staying + 1))
      best = place
  }
  return best
}

/** What has to leave its live worker: everything of one that drains, and whatever makes it uneven. */
function takeBack(
  policy: PolicyName,
  leaving: ReadonlySet<string>,
  places: ReadonlyMap<string, Place>,
  waiting: readonly AssignableTask[],
): Move[] {
  const moves: Move[] = []
  const all = [...places.values()]
  const release = (place: Place): void => {
    // The last one: whoever came latest has done the least.
    const task = place.tasks.findLast((id) => !leaving.has(id) && !moves.some((move) => move.task === id))
    if (task === undefined) return
    place.staying -= 1
    moves.push({ task, from: place.worker.id, to: undefined })
  }
  for (const place of all) if (place.worker.isDraining === true) while (place.staying > 0) release(place)
  // What waits for a place, or is on its way to one, evens things out by itself.
  let underway = waiting.length + leaving.size + moves.length
  if (policy === 'sticky') return moves
  for (;;) {
    const open = all.filter((place) => place.worker.isDraining !== true && place.staying < place.worker.capacity)
    const to = emptiest(policy, open)
    const from = fullest(policy, all)
    if (to === undefined || from === undefined || from === to) return moves
    // Only if the one that gives stays at least as full as the one that gets becomes.
    if (fill(policy, from, from.staying - 1) < fill(policy, to, to.staying + 1)) return moves
    to.staying += 1
    if (underway > 0) underway -= 1
    else release(from)
  }
}

function fullest(policy: PolicyName, all: readonly Place[]): Place | undefined {
  let best: Place | undefined
  for (const place of all) {
    if (place.worker.isDraining === true || place.staying === 0) continue
    if (best === undefined || fill(policy, place, place.staying) > fill(policy, best, best.staying)) best = place
  }
  return best
}
