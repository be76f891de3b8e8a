/**
 * The master among workers: whoever is first in the line. It looks at everything, computes what should be, and writes the
 * difference, each write fenced by its place in the line; then it looks again. It keeps nothing in memory that a successor
 * would miss, except since when a failed task has waited.
 */
import type { MultiOperation } from '../api/znodes.ts'
import type { Timer } from '../ports/clock.ts'
import { type AssignableTask, assign, type PolicyName } from './assignment.ts'
import { below, Complaint, isOutage, isOver, pause, type RecipeHost, toJson } from './host.ts'
import { isConflict, type Place, standInLine } from './line.ts'
import { type Assignment, mirrorOf, stateOf, type WorkersPaths, type WorkersState } from './workers-tree.ts'

/** The first pause after a failure; it doubles with each attempt. */
const failurePauseMs = { first: 200, max: 30_000 } as const

/** So many operations go in one multi. */
const operationsMax = 200

type Operation = MultiOperation<Uint8Array>

export class Master {
  readonly #host: RecipeHost
  readonly #paths: WorkersPaths
  readonly #policy: PolicyName
  readonly #attempts: number
  readonly #closing = new AbortController()
  /** By token of the failed assignment: when it may be tried again, by the local monotonic clock. */
  readonly #dueAt = new Map<bigint, number>()
  readonly #complaint: Complaint
  #running: Promise<void> | undefined
  #place: Place | undefined

  constructor(host: RecipeHost, paths: WorkersPaths, policy: PolicyName, attempts: number) {
    this.#host = host
    this.#paths = paths
    this.#policy = policy
    this.#attempts = attempts
    this.#complaint = new Complaint(`the tasks of ${paths.root} cannot be assigned, which is tried again`)
  }

  get isMaster(): boolean {
    return this.#place !== undefined
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Idempotent. Another one becomes master. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted && !isOver(this.#host)) {
      try {
        const place = await standInLine(this.#host, this.#paths.masters, signal)
        this.#place = place
        try {
          await this.#rule(place)
        } finally {
          this.#place = undefined
          await place.leave()
        }
      } catch (error) {
        // Outages, or a missing permission: it stands for master again.
        const isEnd = signal.aborted || isOver(this.#host) || isOutage(error) || (error as Error).name === 'AbortError'
        if (!isEnd) this.#complaint.tell(error)
        await pause(this.#host, 500, signal)
      }
    }
  }

  /** Until the place is lost, or this is closed. */
  async #rule(place: Place): Promise<void> {
    const ended = new AbortController()
    const stop = this.#host.onState(() => {
      if (this.#host.session !== place.session || isOver(this.#host)) ended.abort()
    })
    const signal = AbortSignal.any([ended.signal, this.#closing.signal])
    let wake: () => void = () => {}
    let isChanged = true
    let timer: Timer | undefined
    const mirror = mirrorOf(this.#host, this.#paths, false, () => {
      isChanged = true
      wake()
    })
    try {
      if (this.#host.session !== place.session) return
      await mirror.start(signal)
      while (!signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve
        })
        signal.addEventListener('abort', wake, { once: true })
        if (isChanged) {
          isChanged = false
          const nextMs = await this.#order(place, stateOf(mirror.nodes, this.#paths), signal)
          this.#complaint.over()
          timer?.cancel()
          timer =
            nextMs === undefined
              ? undefined
              : this.#host.clock.setTimer(nextMs, () => {
                  isChanged = true
                  wake()
                })
        }
        if (!isChanged && !signal.aborted) await woken
        signal.removeEventListener('abort', wake)
      }
    } finally {
      timer?.cancel()
      stop()
      mirror.close()
    }
  }

  /** Writes what makes it right. Resolves with when to look again although nothing may have changed, in milliseconds. */
  async #order(place: Place, state: WorkersState, signal: AbortSignal): Promise<number | undefined> {
    const { operations, nextMs } = this.#operations(state)
    let isStale = false
    for (let index = 0; index < operations.length && !signal.aborted; ) {
      const batch: Operation[] = []
      while (index < operations.length && batch.length < operationsMax)
        batch.push(...(operations[index++] as Operation[]))
      try {
        await place.session.multi(batch, { ifHeld: { path: place.path, token: place.token } })
      } catch (error) {
        // It was computed from what is no longer so.
        if (!isConflict(error) && !isOutage(error)) throw error
        isStale = true
      }
    }
    return isStale ? Math.min(100, nextMs ?? 100) : nextMs
  }

  /** Each list is to be written as a whole. */
  #operations(state: WorkersState): { operations: Operation[][]; nextMs: number | undefined } {
    const operations: Operation[][] = []
    const now = this.#host.clock.now()
    const tasks = new Map<string, AssignableTask>()
    const lastOf = new Map<string, { readonly path: string; readonly assignment: Assignment }>()
    const seen = new Set<bigint>()
    let nextMs: number | undefined
    for (const id of state.tasks.keys()) if (!state.failed.has(id)) tasks.set(id, { id })
    for (const [worker, inbox] of state.inboxes) {
      const isLive = state.workers.has(worker)
      if (!isLive && inbox.size === 0) operations.push([{ type: 'delete', path: below(this.#paths.inbox, worker) }])
      for (const [id, assignment] of inbox) {
        const path = below(below(this.#paths.inbox, worker), id)
        const { attempt, error, name, revoked, free, version } = assignment
        const isHeld = isLive && !free
        const task = state.tasks.get(id)
        if (task === undefined || (isHeld && !task.isMarked)) {
          // Cancelled, and perhaps submitted anew since; or of a task that is done.
          if (!isHeld) operations.push([{ type: 'delete', path, version }])
          else if (!revoked) operations.push([revoke(path, assignment)])
          if (isHeld && task !== undefined) tasks.set(id, { id, worker, lastName: name, isLeaving: true })
        } else if (isHeld) {
          tasks.set(id, { id, worker, lastName: name, isLeaving: revoked })
        } else if (error !== undefined && attempt >= this.#attempts) {
          tasks.delete(id)
          operations.push([
            { type: 'delete', path, version },
            { type: 'create', path: below(this.#paths.failed, id), data: toJson({ attempt, error }) },
          ])
        } else {
          lastOf.set(id, { path, assignment })
          tasks.set(id, { id, lastName: name })
          if (error === undefined) continue
          seen.add(assignment.token)
          const pauseMs = Math.min(failurePauseMs.first * 2 ** (attempt - 1), failurePauseMs.max)
          const dueAt = this.#dueAt.get(assignment.token) ?? now + pauseMs
          this.#dueAt.set(assignment.token, dueAt)
          if (dueAt <= now) continue
          tasks.delete(id)
          nextMs = Math.min(nextMs ?? Number.POSITIVE_INFINITY, dueAt - now)
        }
      }
    }
    for (const token of this.#dueAt.keys()) if (!seen.has(token)) this.#dueAt.delete(token)
    const workers = [...state.workers].map(([id, record]) => ({ id, ...record }))
    for (const { task, from, to } of assign(this.#policy, [...tasks.values()], workers)) {
      const last = lastOf.get(task)
      if (to !== undefined) {
        const record = { attempt: (last?.assignment.attempt ?? 0) + 1, name: state.workers.get(to)?.name }
        const create: Operation = {
          type: 'create',
          path: below(below(this.#paths.inbox, to), task),
          data: toJson(record),
        }
        const node = below(this.#paths.tasks, task)
        // Only while the worker is there and the task is wanted. It is marked when it is first assigned, and moved only from
        // where it is: so it is never assigned twice, however old the view is from which this was computed.
        const checks: Operation[] = [
          { type: 'check', path: below(this.#paths.workers, to) },
          state.tasks.get(task)?.isMarked === true
            ? { type: 'check', path: below(node, 'assigned') }
            : { type: 'create', path: below(node, 'assigned') },
        ]
        const remove: Operation[] =
          last === undefined ? [] : [{ type: 'delete', path: last.path, version: last.assignment.version }]
        operations.push([...checks, ...remove, create])
      } else if (from !== undefined) {
        const assignment = state.inboxes.get(from)?.get(task)
        if (assignment !== undefined) operations.push([revoke(below(below(this.#paths.inbox, from), task), assignment)])
      }
    }
    return { operations, nextMs }
  }
}

function revoke(path: string, { attempt, name, version }: Assignment): Operation {
  return { type: 'setData', path, data: toJson({ attempt, name, revoked: true }), version }
}
