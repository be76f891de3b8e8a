/**
 * Those who order. They keep a list of what was acknowledged to them, which is what the fleet is measured by. An order
 * that gets no answer is repeated at the next process, under the same id, as a browser or a queue would do.
 */
import { setTimeout as delay } from 'node:timers/promises'

export class Customers {
  readonly acknowledged: Set<string> = new Set()
  /** How many requests got no answer, or one that said to try again. */
  unanswered = 0
  /** How many of those had been counted all the same. */
  countedUnanswered = 0
  readonly #urls: readonly string[]
  readonly #signal: AbortSignal
  #ordered = 0

  constructor(urls: readonly string[], signal: AbortSignal) {
    this.#urls = urls
    this.#signal = signal
  }

  /** One new order. Resolves with its id once it is acknowledged, or with undefined if it was refused. */
  async order(options: { readonly url?: string; readonly items?: number } = {}): Promise<string | undefined> {
    this.#ordered += 1
    const id = `order-${String(this.#ordered).padStart(5, '0')}`
    let choice = options.url === undefined ? this.#ordered : this.#urls.indexOf(options.url)
    for (;;) {
      const status = await this.post(this.#urls[choice % this.#urls.length] as string, id, options.items ?? 1)
      if (status === 422) return undefined
      if (status === 200) this.countedUnanswered += 1
      if (status === 200 || status === 201) {
        this.acknowledged.add(id)
        return id
      }
      this.unanswered += 1
      choice += 1
      await delay(20, undefined, { signal: this.#signal })
    }
  }

  /** One request. Resolves with its HTTP status, or with 503 where the connection broke before it came. */
  async post(url: string, id: string, items: number): Promise<number> {
    try {
      const response = await fetch(`${url}/orders`, {
        method: 'POST',
        body: JSON.stringify({ id, items }),
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(5_000)]),
      })
      await response.arrayBuffer()
      return response.status
    } catch {
      this.#signal.throwIfAborted()
      return 503
    }
  }

  /** Orders on and on, a few at a time, until the function that it returns is called; that resolves when all is settled. */
  keepOrdering(atOnce = 4): () => Promise<void> {
    let goesOn = true
    const one = async (): Promise<void> => {
      while (goesOn) {
        await this.order()
        await delay(10, undefined, { signal: this.#signal })
      }
    }
    const all = Promise.all(Array.from({ length: atOnce }, one))
    // Who stops them hears of a failure; until then nobody listens.
    all.catch(() => {})
    return async () => {
      goesOn = false
      await all
    }
  }
}
