/**
 * Something that this process has, as long as a session of its own lives: an ephemeral node stands for it, or somebody who
 * watches one. It ends when the session is over, which this process hears before the ensemble may give it to another one.
 */
import type { Session } from '../api/session.ts'
import { CoordError } from '../errors.ts'
import type { RecipeHost } from './host.ts'

export abstract class Held {
  /** The node that stands for it, as the client names it: for `multi(…, { ifHeld })`. */
  readonly path: string
  /** The same as the session names it. */
  protected readonly absolute: string
  /** The fencing token, the czxid of that node: greater for every later holder. */
  readonly token: bigint
  readonly #session: Session<Uint8Array>
  readonly #controller = new AbortController()
  readonly #unsubscribe: () => void

  constructor(host: RecipeHost, session: Session<Uint8Array>, path: string, token: bigint) {
    this.#session = session
    this.absolute = path
    this.path = path.slice(host.root.length)
    this.token = token
    this.#unsubscribe = host.onState(() => {
      if (!this.#isAlive) this.end()
    })
    if (!this.#isAlive) this.end()
  }

  /** Aborts when it is lost or given up; the reason is a CoordError with COORD_LOCK_LOST. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get held(): boolean {
    return this.#isAlive && !this.#controller.signal.aborted
  }

  /** Throws COORD_LOCK_LOST where it is not held any more: right before what must not be done then. */
  assertHeld(): void {
    if (!this.held) throw this.#lost()
  }

  protected end(): void {
    this.#unsubscribe()
    if (!this.#controller.signal.aborted) this.#controller.abort(this.#lost())
  }

  get #isAlive(): boolean {
    return this.#session.state === 'connected' || this.#session.state === 'suspended'
  }

  #lost(): CoordError {
    return new CoordError('COORD_LOCK_LOST', undefined, { path: this.path })
  }
}
