/**
 * A copy of a part of the tree that keeps itself true: the one place where the recipes observe. It reads with one-shot
 * watches and reads again what changed; in a new session it reads all again.
 *
 * What is published is one state of the tree, never a mixture: a read sets its watch atomically, and an event comes
 * before the reply to any read that shows the change. So if no watch has fired by the time the last reply is in, the whole
 * copy is what the tree was then. Changes that come faster than they can be read are published together.
 *
 * Reads cost no message where the member is in this process.
 */
import { CoordError } from '../errors.ts'
import type { WatchEvent } from '../ports/session-link.ts'
import {
  abortError,
  below,
  Complaint,
  hasCode,
  isOutage,
  isOver,
  overError,
  pause,
  type RecipeHost,
  type Stat,
} from './host.ts'

/** A node as it was read. */
export interface MirrorNode {
  readonly data: Uint8Array | undefined
  readonly stat: Stat
}

/** What became of one node between two published states: created, changed (or deleted and created anew), or deleted. */
export interface MirrorChange {
  readonly path: string
  readonly before: MirrorNode | undefined
  readonly after: MirrorNode | undefined
}

export interface MirrorOptions {
  /** The topmost node, which need not exist. An absolute path. */
  readonly path: string
  /** How many levels below it belong to the copy: 0 is that node alone. */
  readonly depth: number
  /** Whether a node below belongs to the copy, with all below it. Default: all. */
  readonly includes?: ((path: string) => boolean) | undefined
  /** Called after each change of the copy, with what is different; the first time with everything, be it nothing. */
  readonly onChange: (changes: readonly MirrorChange[]) => void
}

/** What of a node has to be read again. */
interface Stale {
  data: boolean
  children: boolean
}

const pauseMs = { first: 50, max: 2000 } as const

export class Mirror {
  readonly #host: RecipeHost
  readonly #options: MirrorOptions
  /** As published. */
  readonly #nodes = new Map<string, MirrorNode>()
  /** As read last. */
  readonly #read = new Map<string, MirrorNode>()
  readonly #children = new Map<string, readonly string[]>()
  /** Read again since the last publication. */
  readonly #touched = new Set<string>()
  readonly #stale = new Map<string, Stale>()
  readonly #closing = new AbortController()
  readonly #unsubscribe: () => void
  readonly #complaint: Complaint
  #isRunning = false
  #isPublished = false
  /** Counts sessions: what was read in an earlier one has no watch any more. */
  #generation = 0
  #zxid = 0n
  #first: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined

  constructor(host: RecipeHost, options: MirrorOptions) {
    this.#host = host
    this.#options = options
    this.#complaint = new Complaint(
      `${options.path} cannot be read any more, and is tried again: what was read last stays`,
    )
    this.#unsubscribe = host.onState((next) => {
      if (isOver(host)) this.close()
      else if (next === 'lost') this.#onNewSession()
    })
  }

  /** The copy, by absolute path. */
  get nodes(): ReadonlyMap<string, MirrorNode> {
    return this.#nodes
  }

  /** The copy is what the tree was at this zxid. */
  get zxid(): bigint {
    return this.#zxid
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Resolves when the first state has been published. Rejects, and is closed, where it cannot be read. */
  async start(signal?: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#first?.reject(abortError(signal as AbortSignal))
    try {
      if (isOver(this.#host)) throw overError(this.#host)
      await new Promise<void>((resolve, reject) => {
        this.#first = { resolve, reject }
        if (signal?.aborted === true) onAbort()
        else signal?.addEventListener('abort', onAbort, { once: true })
        this.#mark(this.#options.path, true, true)
      })
    } catch (error) {
      this.close()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#first = undefined
    }
  }

  /** Idempotent; nothing is called after it. */
  close(): void {
    if (this.isClosed) return
    this.#unsubscribe()
    this.#closing.abort()
    for (const path of new Set([this.#options.path, ...this.#read.keys()])) {
      // What is not there to be removed has fired.
      this.#host.session.removeWatches(path, 'any', this.#onEvent).catch(() => {})
    }
    this.#first?.reject(new CoordError('COORD_CLOSED'))
  }

  /** One function for all watches: however often it is set, it is called once. */
  readonly #onEvent = ({ type, path, zxid }: WatchEvent): void => {
    if (zxid > this.#zxid) this.#zxid = zxid
    const isWhole = type === 'created' || type === 'deleted'
    this.#mark(path, isWhole || type === 'changed', isWhole || type === 'children')
  }

  #onNewSession(): void {
    this.#generation += 1
    for (const path of [this.#options.path, ...this.#read.keys()]) this.#mark(path, true, true)
  }

  #mark(path: string, data: boolean, children: boolean): void {
    if (this.isClosed) return
    const stale = this.#stale.get(path) ?? { data: false, children: false }
    stale.data ||= data
    stale.children ||= children && this.#levelOf(path) < this.#options.depth
    this.#stale.set(path, stale)
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run()
  }

  /** 0 for the topmost node. */
  #levelOf(path: string): number {
    const top = this.#options.path
    if (path === top) return 0
    return path.slice(top === '/' ? 0 : top.length).split('/').length - 1
  }

  async #run(): Promise<void> {
    let delayMs: number = pauseMs.first
    // All events of one transaction come in one go, each before what follows it: let them come first, or what is read of
    // one node would be published without the others.
    await Promise.resolve()
    while (this.#stale.size > 0 && !this.isClosed) {
      const batch = [...this.#stale]
      this.#stale.clear()
      const generation = this.#generation
      const failures = await Promise.all(batch.map(([path, stale]) => this.#readAgain(path, stale, generation)))
      const failure = failures.find((error) => error !== undefined)
      if (this.isClosed) break
      if (failure === undefined) {
        delayMs = pauseMs.first
        this.#complaint.over()
        if (this.#stale.size === 0) this.#publish()
        continue
      }
      this.#onFailure(failure, generation)
      await pause(this.#host, delayMs, this.#closing.signal)
      delayMs = Math.min(2 * delayMs, pauseMs.max)
    }
    this.#isRunning = false
  }

  #onFailure(error: unknown, generation: number): void {
    if (isOver(this.#host)) this.close()
    // What was under way when a session ended fails, whatever it says: it is asked again in the next one.
    else if (generation !== this.#generation) return
    else if (this.#first !== undefined) this.#first.reject(error)
    else if (!isOutage(error)) this.#complaint.tell(error)
  }

  /** Reads what is stale of a node. Resolves with the error where that fails: then it is stale still. */
  async #readAgain(path: string, stale: Stale, generation: number): Promise<unknown> {
    const { session } = this.#host
    const watch = this.#onEvent
    // In one go, so that both are of one state where the member is in this process.
    const reading = [
      stale.data ? session.getData(path, { watch }) : Promise.resolve(undefined),
      stale.children ? session.getChildren(path, { watch }) : Promise.resolve(undefined),
    ] as const
    const [data, children] = await Promise.allSettled(reading)
    if (this.isClosed) return undefined
    const errors = [data, children].flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    )
    const failure = errors.find((error) => !hasCode(error, 'COORD_NO_NODE'))
    if (failure !== undefined || generation !== this.#generation) {
      this.#mark(path, stale.data, stale.children)
      return failure
    }
    if (errors.length > 0) return this.#onMissing(path, generation)
    if (data.status === 'fulfilled' && data.value !== undefined) this.#set(path, data.value)
    if (children.status === 'fulfilled' && children.value !== undefined) this.#setChildren(path, children.value)
    return undefined
  }

  /** Of all but the topmost node the parent tells when they come back. */
  async #onMissing(path: string, generation: number): Promise<unknown> {
    this.#forget(path)
    if (path !== this.#options.path) return undefined
    try {
      const stat = await this.#host.session.exists(path, { watch: this.#onEvent })
      if (stat !== undefined || generation !== this.#generation) this.#mark(path, true, true)
      return undefined
    } catch (error) {
      this.#mark(path, true, true)
      return error
    }
  }

  #set(path: string, node: MirrorNode): void {
    this.#read.set(path, node)
    this.#touched.add(path)
    this.#see(node.stat)
  }

  #setChildren(path: string, { children, stat }: { readonly children: readonly string[]; readonly stat: Stat }): void {
    const { includes = () => true } = this.#options
    const wanted = children.filter((name) => includes(below(path, name)))
    const names = new Set(wanted)
    for (const name of this.#children.get(path) ?? []) if (!names.has(name)) this.#forget(below(path, name))
    this.#children.set(path, wanted)
    for (const name of wanted) {
      const child = below(path, name)
      if (!this.#read.has(child)) this.#mark(child, true, true)
    }
    const node = this.#read.get(path)
    if (node !== undefined && node.stat.czxid === stat.czxid) this.#set(path, { data: node.data, stat })
    else this.#mark(path, true, false)
  }

  #forget(path: string): void {
    for (const name of this.#children.get(path) ?? []) this.#forget(below(path, name))
    this.#children.delete(path)
    this.#read.delete(path)
    this.#touched.add(path)
  }

  #see({ mzxid, pzxid, czxid }: Stat): void {
    for (const zxid of [mzxid, czxid, ...(this.#options.depth > 0 ? [pzxid] : [])]) {
      if (zxid > this.#zxid) this.#zxid = zxid
    }
  }

  #publish(): void {
    const changes: MirrorChange[] = []
    for (const path of this.#touched) {
      const before = this.#nodes.get(path)
      const after = this.#read.get(path)
      if (after === undefined) this.#nodes.delete(path)
      else this.#nodes.set(path, after)
      const isSame = before?.stat.czxid === after?.stat.czxid && before?.stat.mzxid === after?.stat.mzxid
      if (!isSame) changes.push({ path, before, after })
    }
    this.#touched.clear()
    const isFirst = !this.#isPublished
    this.#isPublished = true
    if (isFirst || changes.length > 0) this.#options.onChange(changes)
    if (isFirst) this.#first?.resolve()
  }
}
