/** How the runner looks at the fleet: from outside, over HTTP, until it sees what it waits for or time is up. */
import { setTimeout as delay } from 'node:timers/promises'
import type { FleetProcess } from './fleet.ts'

/** What `GET /status` tells. */
export interface Status {
  readonly name: string
  readonly state: string
  readonly role: string
  readonly leader?: { readonly name: string; readonly token: string }
  readonly lastBeat: { readonly beat: number; readonly by: string; readonly token: string } | null
  readonly config: { readonly itemsMax: number }
  readonly services: readonly { readonly name: string; readonly url: string }[]
  readonly members: readonly string[]
  readonly orders: { readonly counter: number; readonly nodes: number }
}

/** Of one step. Seconds are enough; a machine that is busy with something else may take its time. */
const deadlineMs = 60_000

export class Observer {
  readonly #signal: AbortSignal

  /** The signal ends all waiting, with its reason. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** The JSON that a process answers. Throws for anything but success. */
  async get<T>(process: FleetProcess, path: string): Promise<T> {
    return this.send<T>(process, 'GET', path)
  }

  async send<T>(process: FleetProcess, method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(process.url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(5_000)]),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} at ${process.name} answers ${response.status}: ${text.trim()}`)
    return JSON.parse(text) as T
  }

  /** Looks at all these processes, again and again, until they show what is wanted. Resolves with what they showed. */
  async statuses(
    what: string,
    processes: readonly FleetProcess[],
    isWanted: (statuses: readonly Status[]) => boolean,
  ): Promise<readonly Status[]> {
    return this.until(
      what,
      () => Promise.all(processes.map((process) => this.get<Status>(process, '/status'))),
      isWanted,
    )
  }

  /** Looks again and again until it sees what is wanted. Looks that fail are looks that did not see it. */
  async until<T>(what: string, look: () => Promise<T>, isWanted: (seen: T) => boolean): Promise<T> {
    const deadline = performance.now() + deadlineMs
    let last: unknown
    while (performance.now() < deadline) {
      try {
        const seen = await look()
        if (isWanted(seen)) return seen
        last = JSON.stringify(seen)
      } catch (error) {
        this.#signal.throwIfAborted()
        last = error
      }
      await delay(20, undefined, { signal: this.#signal }).catch(() => this.#signal.throwIfAborted())
    }
    throw new Error(`not seen within ${deadlineMs / 1000} s: ${what}. The last look: ${String(last)}`)
  }
}
