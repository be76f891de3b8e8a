/**
 * An ephemeral node of our own that is made anew in every session, until it is closed: what registrations and memberships
 * are made of. Its name must be ours alone: whatever stands there is from an earlier session of ours, and is replaced.
 *
 * A write whose outcome is unknown does no harm: the loop looks at what is there, and a session's later writes come after
 * its earlier ones, so that the deletion at the end deletes also what was still under way.
 */
import { CoordError } from '../errors.ts'
import {
  abortError,
  Complaint,
  deleteOwn,
  type HostSession,
  hasCode,
  isOutage,
  isOver,
  overError,
  pause,
  type RecipeHost,
  type Stat,
} from './host.ts'

interface Waiting {
  /** Of `#wanted`: what it waits to see written. */
  readonly wanted: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const pauseMs = { first: 50, max: 2000 } as const

export interface PresenceOptions {
  /** Absolute; missing parents are created. */
  readonly path: string
  readonly data: Uint8Array | undefined
  /** It stands in another session than before (or for the first time). */
  readonly onStanding?: ((stat: Stat) => void) | undefined
}

export class Presence {
  readonly #host: RecipeHost
  readonly #options: PresenceOptions
  readonly #closing = new AbortController()
  readonly #unsubscribe: () => void
  #data: Uint8Array | undefined
  /** What it last stood with: what it goes back to where an update is refused. */
  #stood: { readonly data: Uint8Array | undefined } | undefined
  /** Counts what was asked to be written, and what has been. */
  #wanted = 0
  #written = -1
  #session: HostSession | undefined
  #standsIn: HostSession | undefined
  #wake: () => void = () => {}
  #waiting: Waiting[] = []
  #closed: Promise<void> | undefined
  readonly #complaint: Complaint

  /** One function for all watches: however often it is set, it is called once. */
  readonly #onChange = (): void => this.#wake()

  constructor(host: RecipeHost, options: PresenceOptions) {
    this.#host = host
    this.#options = options
    this.#data = options.data
    this.#complaint = new Complaint(`${options.path} cannot be made anew, and is tried again`)
    this.#unsubscribe = host.onState(this.#onChange)
  }

  get path(): string {
    return this.#options.path
  }

  /** Resolves when the node stands for the first time. Rejects, and is closed, where it cannot be made. */
  async start(signal?: AbortSignal): Promise<void> {
    try {
      if (isOver(this.#host)) throw overError(this.#host)
      void this.#run()
      await this.#settle(signal)
    } catch (error) {
      void this.close()
      throw error
    }
  }

  /** Resolves when the node stands with this data. Where that is refused, it rejects, and the node stays what it was. */
  async update(data: Uint8Array | undefined, signal?: AbortSignal): Promise<void> {
    if (this.#closed !== undefined) throw new CoordError('COORD_CLOSED')
    if (isOver(this.#host)) throw overError(this.#host)
    this.#data = data
    this.#wanted += 1
    const settled = this.#settle(signal)
    this.#wake()
    await settled
  }

  /** Deletes the node, or leaves it to go with a session that is over. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#unsubscribe()
    this.#closing.abort()
    this.#wake()
    this.#rejectAll(new CoordError('COORD_CLOSED'))
    if (this.#session !== undefined) await deleteOwn(this.#host, this.#session, this.path)
  }

  #settle(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortError(signal))
        return
      }
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((each) => each !== entry)
        reject(abortError(signal as AbortSignal))
      }
      const done = (settle: () => void): void => {
        signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const entry: Waiting = {
        wanted: this.#wanted,
        resolve: () => done(resolve),
        reject: (error) => done(() => reject(error)),
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(entry)
    })
  }

  #resolveWritten(): void {
    const written = this.#waiting.filter(({ wanted }) => wanted <= this.#written)
    this.#waiting = this.#waiting.filter(({ wanted }) => wanted > this.#written)
    for (const { resolve } of written) resolve()
  }

  #rejectAll(error: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(error)
  }

  async #run(): Promise<void> {
    let delayMs: number = pauseMs.first
    while (!this.#closing.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      const session = this.#host.session
      this.#session = session
      try {
        const stat = await this.#ensure(session)
        delayMs = pauseMs.first
        if (stat === undefined) continue
        if (this.#standsIn !== session) {
          this.#standsIn = session
          this.#options.onStanding?.(stat)
        }
        this.#complaint.over()
        this.#resolveWritten()
        await woken
      } catch (error) {
        if (isOver(this.#host)) {
          this.#rejectAll(error)
          return
        }
        // Another session began meanwhile: then it is tried there at once.
        if (session !== this.#host.session) continue
        if (!isOutage(error)) this.#fail(error)
        await pause(this.#host, delayMs, this.#closing.signal)
        delayMs = Math.min(2 * delayMs, pauseMs.max)
      }
    }
  }

  #fail(error: unknown): void {
    if (this.#waiting.length === 0) {
      this.#complaint.tell(error)
      return
    }
    // Nobody counts on what was refused: it must neither come later, nor keep the node from being made anew.
    if (this.#stood !== undefined) this.#data = this.#stood.data
    this.#rejectAll(error)
  }

  /** The stat of the node if it stands as it should; undefined after a step towards that. */
  async #ensure(session: HostSession): Promise<Stat | undefined> {
    const { path } = this
    const wanted = this.#wanted
    const data = this.#data
    const stat = await session.exists(path, { watch: this.#onChange })
    if (this.#closing.signal.aborted) return undefined
    if (stat?.ephemeralOwner === session.id && this.#written === wanted) return stat
    try {
      if (stat === undefined) await session.create(path, data, { mode: 'ephemeral', parents: true })
      else if (stat.ephemeralOwner === session.id) await session.setData(path, data)
      else {
        const create = { type: 'create', path, data, mode: 'ephemeral' } as const
        await session.multi([{ type: 'delete', path, version: stat.version }, create])
      }
      this.#written = wanted
      this.#stood = { data }
    } catch (error) {
      // It came or went between the look and the write: look again.
      if (!hasCode(error, 'COORD_NO_NODE', 'COORD_NODE_EXISTS', 'COORD_BAD_VERSION')) throw error
      this.#written = -1
    }
    return undefined
  }
}
