/**
 * Asks a `Discovery` again and again where other members may be: often while no quorum serves this member, seldom while one
 * does. The last answer that named anybody stays in use; a failure, or an answer without an address, is told once and
 * tried again. One question at a time, each bounded.
 */
import type { Clock, Timer } from '../ports/clock.ts'
import type { Discovery } from '../ports/discovery.ts'

/** Milliseconds; the defaults are in docs/LIMITS.md. */
export interface DiscoveryLimits {
  /** Between two questions while no quorum serves this member. */
  readonly lookingMs: number
  /** The same while one does. */
  readonly servingMs: number
  /** How long an answer may take. */
  readonly timeoutMs: number
  /** More addresses than these are not dialled. */
  readonly addressesMax: number
}

export interface DiscoveryHandlers {
  /** Other addresses than before. */
  found(addresses: readonly string[]): void
  warning(message: string): void
  isServing(): boolean
}

export class PeerDiscovery {
  readonly #discovery: Discovery
  readonly #clock: Clock
  readonly #limits: DiscoveryLimits
  readonly #normalize: (address: string) => string
  readonly #handlers: DiscoveryHandlers
  #addresses: readonly string[] = []
  #timer: Timer | undefined
  #asking: AbortController | undefined
  #isClosed = false
  /** Why the last question was of no use. */
  #failure: string | undefined
  #warned: string | undefined

  /** `normalize` gives an address the form in which it is dialled; it throws for what is none. */
  constructor(
    discovery: Discovery,
    clock: Clock,
    limits: DiscoveryLimits,
    normalize: (address: string) => string,
    handlers: DiscoveryHandlers,
  ) {
    this.#discovery = discovery
    this.#clock = clock
    this.#limits = limits
    this.#normalize = normalize
    this.#handlers = handlers
  }

  /** Why nobody was found, for the error of a join that timed out; undefined where somebody was. */
  get failure(): string | undefined {
    if (this.#addresses.length > 0) return undefined
    return `${this.#discovery.description}: ${this.#failure ?? 'no answer yet'}`
  }

  /** Asks now, and from now on. Also when the member has begun to look for others: what was found may be old. */
  ask(): void {
    if (this.#isClosed || this.#asking !== undefined) return
    this.#timer?.cancel()
    const asking = new AbortController()
    this.#asking = asking
    const { timeoutMs } = this.#limits
    const limit = this.#clock.setTimer(timeoutMs, () => asking.abort(new Error(`no answer within ${timeoutMs} ms`)))
    void this.#find(asking.signal)
      .then(
        (found) => this.#onFound(found),
        (error: unknown) => this.#onFailed(messageOf(error)),
      )
      .finally(() => {
        limit.cancel()
        this.#asking = undefined
        this.#askLater()
      })
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#asking?.abort(new Error('closed'))
  }

  #askLater(): void {
    if (this.#isClosed) return
    const { lookingMs, servingMs } = this.#limits
    this.#timer = this.#clock.setTimer(this.#handlers.isServing() ? servingMs : lookingMs, () => this.ask())
  }

  /** A discovery that does not heed its signal is not waited for. */
  async #find(signal: AbortSignal): Promise<readonly string[]> {
    let onAbort = (): void => {}
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      return await Promise.race([this.#discovery.find(signal), aborted])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #onFound(found: readonly string[]): void {
    if (this.#isClosed) return
    if (!Array.isArray(found)) {
      this.#onFailed('did not give an array of addresses')
      return
    }
    const addresses = new Set<string>()
    const wrong: string[] = []
    for (const address of found.slice(0, this.#limits.addressesMax)) {
      try {
        addresses.add(this.#normalize(address))
      } catch (error) {
        wrong.push(messageOf(error))
      }
    }
    if (addresses.size === 0) {
      this.#onFailed(wrong[0] ?? 'no addresses')
      return
    }
    const [problem] = wrong
    if (problem === undefined) this.#failure = this.#warned = undefined
    else this.#warn(problem)
    const sorted = [...addresses].sort()
    if (sorted.join(' ') === this.#addresses.join(' ')) return
    this.#addresses = sorted
    this.#handlers.found(sorted)
  }

  #onFailed(reason: string): void {
    if (!this.#isClosed) this.#warn(reason)
  }

  /** The same thing is said once, until it has gone well again. */
  #warn(reason: string): void {
    this.#failure = reason
    if (this.#warned === reason) return
    this.#warned = reason
    this.#handlers.warning(`discovery by ${this.#discovery.description}: ${reason}`)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
