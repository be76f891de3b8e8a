/**
 * What is held: a lock, a lease, a term of office. It stands on an ephemeral node of a session, and is held for as long as
 * the ensemble certainly has not given that session up: by the local monotonic clock, so that it ends here before
 * anybody else can get it (design D9). It does not matter whether the event loop hung meanwhile: `held` looks at the clock.
 */
import { setMaxListeners } from 'node:events'
import { CoordError } from '../errors.ts'
import type { HostSession, RecipeHost } from './host.ts'

/** Something that is held, and may be lost at any moment. */
export class Held {
  /** The node that stands for it, as the client names it: what `multi(…, { ifHeld: lock })` checks. */
  readonly path: string
  /** @internal The same as the session names it. */
  readonly absolute: string
  /** For fencing: larger than that of every earlier holder. Send it along with what you do, and let the resource refuse smaller ones. */
  readonly token: bigint
  readonly #session: HostSession
  readonly #controller = new AbortController()
  readonly #letGo: () => void

  /** @internal */
  constructor(host: Pick<RecipeHost, 'root'>, session: HostSession, path: string, token: bigint) {
    this.path = path.slice(host.root.length)
    this.absolute = path
    this.token = token
    this.#session = session
    // A term may have many jobs that listen.
    setMaxListeners(0, this.#controller.signal)
    this.#letGo = session.hold(() => this.end())
    if (!session.isCertain) this.end()
  }

  /** Aborts when it is lost or given back; its reason is a CoordError with COORD_LOCK_LOST. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Whether it is certainly still held: true means that nobody else has it. Reads the clock, so ask again after each wait. */
  get held(): boolean {
    if (this.#controller.signal.aborted) return false
    if (this.#session.isCertain) return true
    this.end()
    return false
  }

  /** Throws COORD_LOCK_LOST unless it is still held. */
  assertHeld(): void {
    if (!this.held) throw lostError(this.path)
  }

  /** For logs: the token as text, and whether it is held now. */
  toJSON(): object {
    return { path: this.path, token: `${this.token}`, held: this.held }
  }

  /** @internal Also called when it is given back. Idempotent. */
  protected end(): void {
    if (this.#controller.signal.aborted) return
    this.#letGo()
    this.#controller.abort(lostError(this.path))
  }
}

/** Something held that its holder gives back. */
export class Lock extends Held implements AsyncDisposable {
  readonly #giveBack: () => Promise<void>
  readonly #disown: () => void
  #released: Promise<void> | undefined

  /** @internal `giveBack` deletes the node, however often that takes; it never rejects. */
  constructor(
    host: Pick<RecipeHost, 'root' | 'own'>,
    session: HostSession,
    path: string,
    token: bigint,
    giveBack: () => Promise<void>,
  ) {
    super(host, session, path, token)
    this.#giveBack = giveBack
    this.#disown = host.own(this)
    // Lost while its session goes on (a late heartbeat): the node would block everybody for nothing.
    this.signal.addEventListener('abort', () => void this.release(), { once: true })
    if (this.signal.aborted) void this.release()
  }

  /**
   * Gives it back: the next one has it when this resolves, or will have it when the session's timeout is over where no
   * quorum answers. Idempotent; never rejects.
   */
  release(): Promise<void> {
    if (this.#released === undefined) {
      this.#released = Promise.resolve()
      this.#disown()
      this.end()
      this.#released = this.#giveBack()
    }
    return this.#released
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}

function lostError(path: string): CoordError {
  return new CoordError('COORD_LOCK_LOST', undefined, { path })
}
