/** What is below the path of `workers`, as values: how records are written and read, and the status that they make. */
import { below, fromJson, type RecipeHost, type Stat, toJson } from './host.ts'
import { Mirror, type MirrorNode } from './mirror.ts'

export interface WorkersPaths {
  readonly root: string
  readonly tasks: string
  readonly workers: string
  readonly inbox: string
  readonly failed: string
  readonly masters: string
}

export function pathsOf(root: string): WorkersPaths {
  const path = (name: string): string => below(root, name)
  return {
    root,
    tasks: path('tasks'),
    workers: path('workers'),
    inbox: path('inbox'),
    failed: path('failed'),
    masters: path('masters'),
  }
}

export interface WorkerRecord {
  readonly name: string
  readonly capacity: number
  readonly isDraining: boolean
}

/** JSON knows no infinity: null. */
export function workerRecord({ name, capacity, isDraining }: WorkerRecord): Uint8Array {
  return toJson({ name, capacity: Number.isFinite(capacity) ? capacity : null, isDraining })
}

function workerOf(data: Uint8Array | undefined): WorkerRecord {
  const { name, capacity, isDraining } = (fromJson(data) ?? {}) as Record<string, unknown>
  return {
    name: String(name),
    capacity: typeof capacity === 'number' ? capacity : Number.POSITIVE_INFINITY,
    isDraining: isDraining === true,
  }
}

/** An entry of an inbox. */
export interface Assignment {
  readonly attempt: number
  /** The name of the worker that has it. */
  readonly name: string | undefined
  /** By the master: the worker is to let go of it. */
  readonly revoked: boolean
  /** By the worker: it has let go of it. */
  readonly free: boolean
  /** By the worker: why. */
  readonly error: string | undefined
  /** Its czxid: another one each time the task is assigned. */
  readonly token: bigint
  readonly version: number
}

export function assignmentOf(data: Uint8Array | undefined, { czxid, version }: Stat): Assignment {
  const { attempt, name, revoked, free, error } = (fromJson(data) ?? {}) as Record<string, unknown>
  return {
    attempt: typeof attempt === 'number' ? attempt : 1,
    name: typeof name === 'string' ? name : undefined,
    revoked: revoked === true,
    free: free === true,
    error: typeof error === 'string' ? error : undefined,
    token: czxid,
    version,
  }
}

/** Everything a master has to know. */
export interface WorkersState {
  /** By id: whether it was ever assigned since it was submitted. */
  readonly tasks: ReadonlyMap<string, { readonly isMarked: boolean }>
  readonly workers: ReadonlyMap<string, WorkerRecord>
  /** By worker: also of workers that are gone. */
  readonly inboxes: ReadonlyMap<string, ReadonlyMap<string, Assignment>>
  /** What became of a task that is not tried again. */
  readonly failed: ReadonlyMap<string, { readonly attempt: number; readonly error: string }>
  readonly reports: ReadonlyMap<string, unknown>
}

/** A mirror of everything but the line of masters; the reports only for a status. */
export function mirrorOf(host: RecipeHost, paths: WorkersPaths, withReports: boolean, onChange: () => void): Mirror {
  const { root, tasks, masters } = paths
  return new Mirror(host, {
    path: root,
    depth: 3,
    includes: (path) => path !== masters && (withReports || !path.startsWith(`${tasks}/`) || !path.endsWith('/report')),
    onChange,
  })
}

export function stateOf(nodes: ReadonlyMap<string, MirrorNode>, paths: WorkersPaths): WorkersState {
  const tasks = new Map<string, { isMarked: boolean }>()
  const workers = new Map<string, WorkerRecord>()
  const inboxes = new Map<string, Map<string, Assignment>>()
  const failed = new Map<string, { attempt: number; error: string }>()
  const reports = new Map<string, unknown>()
  const inboxOf = (worker: string): Map<string, Assignment> => {
    const inbox = inboxes.get(worker) ?? new Map<string, Assignment>()
    inboxes.set(worker, inbox)
    return inbox
  }
  for (const [path, { data, stat }] of nodes) {
    const [kind, name, inner] = path.slice(paths.root === '/' ? 1 : paths.root.length + 1).split('/')
    if (name === undefined) continue
    if (kind === 'tasks' && inner === undefined) tasks.set(name, { isMarked: tasks.get(name)?.isMarked ?? false })
    else if (kind === 'tasks' && inner === 'assigned') tasks.set(name, { isMarked: true })
    else if (kind === 'tasks' && inner === 'report') reports.set(name, fromJson(data))
    else if (kind === 'workers') workers.set(name, workerOf(data))
    else if (kind === 'failed') failed.set(name, fromJson(data) as { attempt: number; error: string })
    else if (kind === 'inbox' && inner === undefined) inboxOf(name)
    else if (kind === 'inbox' && inner !== undefined) inboxOf(name).set(inner, assignmentOf(data, stat))
  }
  return { tasks, workers, inboxes, failed, reports }
}

export interface WorkerStatus {
  readonly id: string
  readonly name: string
  readonly capacity: number
  readonly isDraining: boolean
  /** How many tasks it has. */
  readonly tasks: number
}

export interface TaskStatus {
  readonly id: string
  /** `leaving`: its worker is asked to let go of it. `waiting`: nobody has it (yet, or any more). */
  readonly state: 'waiting' | 'running' | 'leaving' | 'failed'
  /** The id of the worker that has it. */
  readonly worker: string | undefined
  /** 0: it was never begun. */
  readonly attempt: number
  /** Of the last attempt that failed. */
  readonly error: string | undefined
  /** What its worker last reported. */
  readonly report: unknown
}

export interface WorkersStatus {
  readonly workers: readonly WorkerStatus[]
  readonly tasks: readonly TaskStatus[]
}

export async function readStatus(
  host: RecipeHost,
  paths: WorkersPaths,
  signal: AbortSignal | undefined,
): Promise<WorkersStatus> {
  const mirror = mirrorOf(host, paths, true, () => {})
  await mirror.start(signal)
  const state = stateOf(mirror.nodes, paths)
  mirror.close()
  const workers = [...state.workers].map(([id, record]) => ({
    id,
    ...record,
    tasks: [...(state.inboxes.get(id)?.values() ?? [])].filter(({ free }) => !free).length,
  }))
  return { workers, tasks: [...state.tasks.keys()].map((id) => taskStatus(state, id)) }
}

function taskStatus(state: WorkersState, id: string): TaskStatus {
  const failure = state.failed.get(id)
  const report = state.reports.get(id)
  if (failure !== undefined) {
    return { id, state: 'failed', worker: undefined, attempt: failure.attempt, error: failure.error, report }
  }
  for (const [worker, inbox] of state.inboxes) {
    const assignment = inbox.get(id)
    if (assignment === undefined) continue
    const { attempt, error, revoked, free } = assignment
    const isHeld = !free && state.workers.has(worker)
    const what = isHeld ? (revoked ? 'leaving' : 'running') : 'waiting'
    return { id, state: what, worker: isHeld ? worker : undefined, attempt, error, report }
  }
  return { id, state: 'waiting', worker: undefined, attempt: 0, error: undefined, report }
}
