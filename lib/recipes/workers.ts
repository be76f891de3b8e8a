/**
 * Master and workers. Whoever works also stands for master; the master, one at a time, gives every task to one live worker
 * and takes it back when that worker dies, drains, or another one should have it.
 *
 *     <path>/tasks/<task>            the task, until it is done: its data is the payload
 *     <path>/tasks/<task>/assigned   from its first assignment on
 *     <path>/tasks/<task>/report     what its worker last reported
 *     <path>/workers/<worker>        ephemeral: name and capacity
 *     <path>/inbox/<worker>/<task>   the assignment: only the master makes, moves and deletes it, the worker marks it
 *     <path>/failed/<task>           it has failed too often and is not tried again
 *     <path>/masters/<place>         the line of those who stand for master
 *
 * A worker watches its inbox alone. An assignment is moved from a dead worker to another one in one multi, and every write
 * of a master holds only while its place in the line stands. A worker's session has ended at the worker before its node
 * goes (and so before anybody else gets its tasks); a live worker's task is moved only after the worker has let go of it.
 */
import { EventEmitter } from 'node:events'
import { emitFailure, textOfError } from '../api/emit.ts'
import { decodeValue, encodeValue } from '../api/values.ts'
import { CoordError } from '../errors.ts'
import { type PolicyName, policyNames } from './assignment.ts'
import { Held } from './held.ts'
import {
  abortError,
  absolutePath,
  below,
  Complaint,
  type HandleOptions,
  type HostSession,
  hasCode,
  inSomeSession,
  insist,
  isOutage,
  isOver,
  lookUntil,
  nodeName,
  overError,
  pause,
  type RecipeHost,
  toJson,
} from './host.ts'
import { Master } from './master.ts'
import { Mirror } from './mirror.ts'
import {
  type Assignment,
  assignmentOf,
  pathsOf,
  readStatus,
  type WorkersPaths,
  type WorkersStatus,
  workerRecord,
} from './workers-tree.ts'

export interface WorkersOptions {
  /** Which worker gets which task; the same for all who work. Default `'balanced'`. */
  readonly policy?: PolicyName | undefined
  /** A task that fails is tried again, with growing pauses, so often in all. Default 10. */
  readonly attempts?: number | undefined
}

export interface SubmitOptions extends HandleOptions {
  /** Submitting another task of the same id does nothing while that one is not done. Default: a new id. */
  readonly id?: string | undefined
}

export interface WorkOptions extends HandleOptions {
  /** How many tasks at once. Default 1; `Infinity`: however many there are. */
  readonly capacity?: number | undefined
  /** As others see it; the same after a restart, so that `'sticky'` finds it again. Default: the member's. */
  readonly name?: string | undefined
}

/** Does a task. Resolving means that it is done, rejecting that it is to be tried again. When the signal aborts it is not
 * this worker's any more, whatever the function then does. */
export type TaskFunction<V> = (value: V, run: TaskRun) => unknown

export interface WorkerEvents {
  /** A function has rejected. The task is tried again, here or elsewhere. Where nobody listens, the process prints a warning. */
  failed: [error: unknown, task: string]
}

/** More of an error's text is not kept: the whole record has to fit a znode. UTF-16 code units. */
const errorLengthMax = 1000

export class Workers<V> {
  readonly #host: RecipeHost<V>
  readonly #paths: WorkersPaths
  readonly #policy: PolicyName
  readonly #attempts: number

  constructor(host: RecipeHost<V>, path: string, { policy = 'balanced', attempts = 10 }: WorkersOptions = {}) {
    if (!policyNames.includes(policy))
      throw new TypeError(`policy must be one of ${policyNames.join(', ')}, not ${policy}`)
    if (!Number.isInteger(attempts) || attempts < 1)
      throw new RangeError(`attempts must be a whole number above 0, not ${attempts}`)
    this.#host = host
    this.#paths = pathsOf(absolutePath(host, path))
    this.#policy = policy
    this.#attempts = attempts
  }

  /** Hands in a task. It is done by one worker at a time, again if that one dies or fails: at least once. */
  async submit(value: V, { id, signal }: SubmitOptions = {}): Promise<SubmittedTask> {
    const data = encodeValue(this.#host.codec, value)
    const path = below(this.#paths.tasks, id === undefined ? 't-' : `k-${nodeName('id', id)}`)
    const mode = id === undefined ? 'persistent-sequential' : 'persistent'
    try {
      const real = await inSomeSession(this.#host, (session) =>
        session.create(path, data, { mode, parents: true, signal }),
      )
      return new SubmittedTask(this.#host, this.#paths, real.slice(real.lastIndexOf('/') + 1))
    } catch (error) {
      if (id === undefined || !hasCode(error, 'COORD_NODE_EXISTS')) throw error
      return new SubmittedTask(this.#host, this.#paths, `k-${id}`)
    }
  }

  /**
   * Makes these, by key, the tasks that have ids: what is missing is submitted, what is not among them is cancelled. For
   * work that never ends and has to be divided: sources to read, partitions to own.
   */
  async partition(values: Readonly<Record<string, V>>, { signal }: HandleOptions = {}): Promise<void> {
    const wanted = new Map(Object.entries(values).map(([key, value]) => [`k-${nodeName('a key', key)}`, value]))
    const { tasks } = await this.status({ signal })
    await Promise.all([
      ...[...wanted].map(([id, value]) => this.submit(value, { id: id.slice(2), signal })),
      ...tasks
        .filter(({ id }) => id.startsWith('k-') && !wanted.has(id))
        .map(({ id }) => new SubmittedTask(this.#host, this.#paths, id).cancel({ signal })),
    ])
  }

  /** Works until closed: `fn` is called for every task that is assigned to this process. Resolves once it is registered. */
  async work(fn: TaskFunction<V>, options: WorkOptions = {}): Promise<Worker<V>> {
    const worker = new Worker(this.#host, this.#paths, fn, options, (error, task) => {
      emitFailure(worker, `task ${task} of ${this.#paths.root}`, error, task)
    })
    try {
      await worker.start(new Master(this.#host, this.#paths, this.#policy, this.#attempts), options.signal)
    } catch (error) {
      void worker.close()
      throw error
    }
    return worker
  }

  /** Who works, and what becomes of every task: one moment of it. Local reads. */
  async status(options: HandleOptions = {}): Promise<WorkersStatus> {
    return readStatus(this.#host, this.#paths, options.signal)
  }
}

async function createMissing(session: HostSession, path: string): Promise<void> {
  try {
    if ((await session.exists(path)) === undefined) await session.create(path, undefined, { parents: true })
  } catch (error) {
    if (!hasCode(error, 'COORD_NODE_EXISTS')) throw error
  }
}

/** A task that was handed in. */
export class SubmittedTask {
  readonly id: string
  readonly #host: RecipeHost
  readonly #paths: WorkersPaths

  constructor(host: RecipeHost, paths: WorkersPaths, id: string) {
    this.#host = host
    this.#paths = paths
    this.id = id
  }

  /** Resolves with `'done'` when it is done (or cancelled), with `'failed'` when it is not tried again. */
  finished({ signal }: HandleOptions = {}): Promise<'done' | 'failed'> {
    const { tasks, failed } = this.#paths
    return lookUntil(
      this.#host,
      async (session, watch) => {
        if ((await session.exists(below(failed, this.id), { watch, signal })) !== undefined) return 'failed'
        return (await session.exists(below(tasks, this.id), { watch, signal })) === undefined ? 'done' : undefined
      },
      signal,
    )
  }

  /** Takes it back from whoever does it. It is not done any more. */
  async cancel({ signal }: HandleOptions = {}): Promise<void> {
    for (const parent of [this.#paths.tasks, this.#paths.failed]) {
      try {
        await inSomeSession(this.#host, (session) =>
          session.delete(below(parent, this.id), { recursive: true, signal }),
        )
      } catch (error) {
        if (!hasCode(error, 'COORD_NO_NODE')) throw error
      }
    }
  }
}

/** A task while this process does it. Fence what it writes with `token`, or `ifHeld`: `coord.multi(…, { ifHeld: run })`. */
export class TaskRun extends Held {
  readonly id: string
  /** How often it was begun, this time included. */
  readonly attempt: number
  readonly #host: RecipeHost
  readonly #session: HostSession
  readonly #report: string

  constructor(host: RecipeHost, session: HostSession, task: string, path: string, assignment: Assignment) {
    super(host, session, path, assignment.token)
    this.id = task.slice(task.lastIndexOf('/') + 1)
    this.attempt = assignment.attempt
    this.#host = host
    this.#session = session
    this.#report = below(task, 'report')
  }

  /** Tells `status()` how it goes: anything that JSON can say. COORD_LOCK_LOST when the task is not this worker's any more. */
  async report(status: unknown, { signal }: HandleOptions = {}): Promise<void> {
    const data = toJson(status)
    const ifHeld = { path: this.absolute, token: this.token }
    for (;;) {
      const isThere = (await this.#session.exists(this.#report, { signal })) !== undefined
      try {
        const path = this.#report
        await this.#session.multi([isThere ? { type: 'setData', path, data } : { type: 'create', path, data }], {
          ifHeld,
          signal,
        })
        return
      } catch (error) {
        if (!hasCode(error, 'COORD_NODE_EXISTS', 'COORD_NO_NODE')) throw error
        // Cancelled: the task itself is gone.
        if ((await this.#session.exists(this.#report.slice(0, -'/report'.length))) === undefined)
          throw new CoordError('COORD_LOCK_LOST', undefined, { path: this.path })
      }
    }
  }

  override toJSON(): object {
    return { ...super.toJSON(), id: this.id, attempt: this.attempt }
  }

  /** @internal The assignment, as the session names it. */
  get node(): string {
    return this.absolute
  }

  /** @internal */
  stop(): void {
    this.end()
  }

  /** @internal Marks the assignment: it is the master's to move. Resolves when that stands, or the session is over. */
  async giveBack(mark: Partial<Assignment>): Promise<void> {
    const { absolute: path, token, attempt } = this
    const data = toJson({ ...mark, attempt, free: true })
    await insist(this.#host, this.#session, () =>
      this.#session.multi([{ type: 'setData', path, data }], { ifHeld: { path, token } }),
    )
  }

  /** @internal Removes task and assignment. */
  async finish(): Promise<void> {
    const { absolute: path, token } = this
    const task = this.#report.slice(0, -'/report'.length)
    const mark = below(task, 'assigned')
    for (;;) {
      const hasReport = (await this.#session.exists(this.#report).catch(() => undefined)) !== undefined
      const report = hasReport ? [{ type: 'delete', path: this.#report } as const] : []
      const removed = await insist(this.#host, this.#session, () =>
        this.#session.multi(
          [{ type: 'delete', path }, ...report, { type: 'delete', path: mark }, { type: 'delete', path: task }],
          {
            ifHeld: { path, token },
          },
        ),
      )
      if (removed !== 'conflict') return
      const stands = await this.#session.exists(path).catch(() => undefined)
      if (stands?.czxid !== token) return
      if ((await this.#session.exists(mark).catch(() => undefined)) !== undefined) continue
      // Cancelled meanwhile, and perhaps submitted anew: the assignment alone is left.
      await this.giveBack({})
      return
    }
  }
}

/** A process that works. Closing it gives its tasks back. */
export class Worker<V> extends EventEmitter<WorkerEvents> implements AsyncDisposable {
  readonly #host: RecipeHost<V>
  readonly #paths: WorkersPaths
  readonly #fn: TaskFunction<V>
  readonly #name: string
  readonly #capacity: number
  readonly #onFailed: (error: unknown, task: string) => void
  readonly #closing = new AbortController()
  readonly #disown: () => void
  /** By task: its run here, which settles also where the task is not ours any more. */
  readonly #runs = new Map<string, { readonly token: bigint; readonly run: TaskRun; readonly settled: Promise<void> }>()
  #master: Master | undefined
  #session: HostSession | undefined
  #id = ''
  #isDraining = false
  #working: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(
    host: RecipeHost<V>,
    paths: WorkersPaths,
    fn: TaskFunction<V>,
    { capacity = 1, name = host.memberName ?? 'worker' }: WorkOptions,
    onFailed: (error: unknown, task: string) => void,
  ) {
    super()
    if (typeof fn !== 'function') throw new TypeError('work takes a function')
    if (capacity !== Number.POSITIVE_INFINITY && (!Number.isInteger(capacity) || capacity < 1))
      throw new RangeError(`capacity must be a whole number above 0, not ${capacity}`)
    this.#host = host
    this.#paths = paths
    this.#fn = fn
    this.#name = name
    this.#capacity = capacity
    this.#onFailed = onFailed
    this.#disown = host.own(this)
  }

  /** Another one in each session. */
  get id(): string {
    return this.#id
  }

  /** The tasks that this process does now. */
  get tasks(): readonly string[] {
    return [...this.#runs.values()].filter(({ run }) => run.held).map(({ run }) => run.id)
  }

  /** Whether this process is the master now. */
  get isMaster(): boolean {
    return this.#master?.isMaster === true
  }

  /** @internal */
  async start(master: Master, signal: AbortSignal | undefined): Promise<void> {
    if (isOver(this.#host)) throw overError(this.#host)
    this.#master = master
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => reject(abortError(signal as AbortSignal))
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted === true) onAbort()
      this.#working = this.#work(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, reject)
    })
    master.start()
  }

  /** Takes no more tasks; those that it has are moved elsewhere, where others can take them. */
  async drain({ signal }: HandleOptions = {}): Promise<void> {
    this.#isDraining = true
    const { session, path, data } = this.#registration()
    if (session === undefined) return
    await session.setData(path, data, { signal })
  }

  /** Aborts what is under way, waits until it has settled, and gives everything back. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #registration() {
    const path = below(this.#paths.workers, this.#id)
    const record = { name: this.#name, capacity: this.#capacity, isDraining: this.#isDraining }
    return { session: this.#session, path, data: workerRecord(record) }
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    await this.#working
    // Also where the session had ended before.
    await Promise.all([...this.#runs.values()].map(({ settled }) => settled))
    await this.#master?.close()
    this.#disown()
  }

  /** One session after the other. */
  async #work(onRegistered: () => void, onFailure: (error: unknown) => void): Promise<void> {
    const complaint = new Complaint(`a worker of ${this.#paths.root} cannot register any more, and tries again`)
    let isRegistered = false
    while (!this.#closing.signal.aborted) {
      const session = this.#host.session
      try {
        await this.#workIn(session, () => {
          isRegistered = true
          complaint.over()
          onRegistered()
        })
      } catch (error) {
        // What ends with its session is no trouble, nor what is closed.
        const isOurs = error instanceof CoordError && session === this.#host.session && !isOver(this.#host)
        if (isRegistered && isOurs && !isOutage(error)) complaint.tell(error)
        onFailure(error)
      }
      if (isOver(this.#host)) return
      if (session === this.#host.session) await pause(this.#host, 100, this.#closing.signal)
    }
  }

  /** Registers, and does what is assigned, until the session ends or this is closed. */
  async #workIn(session: HostSession, onRegistered: () => void): Promise<void> {
    this.#session = session
    this.#id = this.#host.uniqueName()
    const inbox = below(this.#paths.inbox, this.#id)
    const mirror = new Mirror(this.#host, {
      path: inbox,
      depth: 1,
      onChange: () => this.#onInbox(session, mirror, inbox),
    })
    const ended = new AbortController()
    const stop = this.#host.onState(() => {
      if (session !== this.#host.session || isOver(this.#host)) ended.abort()
    })
    const signal = AbortSignal.any([ended.signal, this.#closing.signal])
    try {
      for (const parent of [this.#paths.inbox, this.#paths.workers, this.#paths.failed])
        await createMissing(session, parent)
      const { path, data } = this.#registration()
      // Together: the master deletes an inbox that has no worker.
      await session.multi([
        { type: 'create', path: inbox },
        { type: 'create', path, data, mode: 'ephemeral' },
      ])
      await mirror.start(signal)
      onRegistered()
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    } finally {
      stop()
      mirror.close()
      for (const { run } of this.#runs.values()) run.stop()
      if (this.#closing.signal.aborted) await Promise.all([...this.#runs.values()].map(({ settled }) => settled))
      // Also what was given up while it was under way: a session's writes are applied in order. The inbox is the master's.
      const path = below(this.#paths.workers, this.#id)
      await insist(this.#host, session, () => session.delete(path))
    }
  }

  #onInbox(session: HostSession, mirror: Mirror, inbox: string): void {
    for (const { token, run } of this.#runs.values()) {
      if (mirror.nodes.get(run.node)?.stat.czxid !== token) run.stop()
    }
    for (const [path, { data, stat }] of mirror.nodes) {
      const assignment = path === inbox ? undefined : assignmentOf(data, stat)
      if (assignment === undefined) continue
      const task = below(this.#paths.tasks, path.slice(path.lastIndexOf('/') + 1))
      const current = this.#runs.get(task)
      if (current?.token === assignment.token) {
        if (assignment.revoked) current.run.stop()
      } else if (!assignment.free) {
        const run = new TaskRun(this.#host, session, task, path, assignment)
        if (assignment.revoked) run.stop()
        const settled = this.#run(task, run, current?.settled).finally(() => {
          if (this.#runs.get(task)?.token === assignment.token) this.#runs.delete(task)
        })
        this.#runs.set(task, { token: assignment.token, run, settled })
      }
    }
  }

  /** Never rejects. */
  async #run(task: string, run: TaskRun, previous: Promise<void> | undefined): Promise<void> {
    // The same task was ours before, and its function may not have settled yet: never twice at once.
    await previous
    let failure: { readonly error: unknown } | undefined
    try {
      if (run.held) await this.#do(task, run)
    } catch (error) {
      failure = { error }
    }
    const isOurs = run.held
    run.stop()
    if (failure !== undefined && isOurs) {
      this.#onFailed(failure.error, run.id)
      await run.giveBack({ name: this.#name, error: textOfError(failure.error).slice(0, errorLengthMax) })
    } else if (isOurs) {
      await run.finish()
    } else {
      await run.giveBack({ name: this.#name })
    }
  }

  async #do(task: string, run: TaskRun): Promise<void> {
    const session = this.#session as HostSession
    let value: V
    try {
      value = decodeValue(this.#host.codec, (await session.getData(task)).data, task) as V
    } catch (error) {
      if (!hasCode(error, 'COORD_NO_NODE')) throw error
      // Cancelled before it began.
      run.stop()
      return
    }
    await this.#fn(value, run)
  }
}
