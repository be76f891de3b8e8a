/**
 * Configuration that changes while the process runs: a local copy of one znode. A data watch is set with each read, so no
 * change can pass unseen between a read and the next watch.
 */
import type { Coord } from 'embedded-coord'
import { oneShotWatch, whileConnected } from './while-connected.ts'

export class LiveConfig<T> {
  readonly #coord: Coord<unknown>
  readonly #path: string
  readonly #parse: (data: unknown) => T
  #value: T

  /** The node `path` has to exist. `parse` throws for what is no configuration: then the last good one stays. */
  constructor(coord: Coord<unknown>, path: string, initial: T, parse: (data: unknown) => T) {
    this.#coord = coord
    this.#path = path
    this.#value = initial
    this.#parse = parse
  }

  /** As of now. Without a quorum it is the last one known. */
  get value(): T {
    return this.#value
  }

  /** Follows the node until the coord is closed. */
  run(): Promise<void> {
    return whileConnected(this.#coord, async (signal) => {
      while (!signal.aborted) {
        const { watch, fired } = oneShotWatch(signal)
        const { data } = await this.#coord.getData(this.#path, { watch, signal })
        this.#take(data)
        await fired
      }
    })
  }

  /** Changes it for every process. Throws for what is no configuration. */
  async set(data: unknown): Promise<T> {
    const value = this.#parse(data)
    await this.#coord.setData(this.#path, value)
    return value
  }

  #take(data: unknown): void {
    try {
      this.#value = this.#parse(data)
    } catch (error) {
      console.error(`${this.#path} is no valid configuration, the last one stays:`, error)
    }
  }
}
