/**
 * Leader election, as ZooKeeper's recipe has it: each candidate queues up with an ephemeral-sequential node, the first in
 * the queue leads, and everybody else watches only the one before. The node of a process that dies goes with its session.
 */
import type { Coord } from 'embedded-coord'
import { hasCode, ignoring } from './coord-errors.ts'
import { oneShotWatch, whileConnected } from './while-connected.ts'

/** The time in which this process leads. */
export interface Term {
  /** The node that stands for it: `multi(…, { ifHeld: term })` commits only while it does. */
  readonly path: string
  /** A fencing token: each term of another candidate has a greater one. */
  readonly token: bigint
  /** Aborts when the term ends. What the leader does has to stop then. */
  readonly signal: AbortSignal
}

export class Election {
  readonly #coord: Coord<unknown>
  readonly #path: string
  readonly #name: string

  /** The node `path` has to exist. `name` says who the candidate is. */
  constructor(coord: Coord<unknown>, path: string, name: string) {
    this.#coord = coord
    this.#path = path
    this.#name = name
  }

  /**
   * Stands for election until the coord is closed. `lead` is called at the beginning of each term; when it settles while
   * the term lasts, it is called again.
   */
  run(lead: (term: Term) => Promise<void>): Promise<void> {
    return whileConnected(this.#coord, async (signal) => {
      while (!signal.aborted) {
        const path = await this.#queueUp()
        await this.#becomeFirst(path, signal)
        const stat = await this.#coord.exists(path, { signal })
        if (stat !== undefined) await lead({ path, token: stat.czxid, signal })
      }
    })
  }

  /** Who leads, as far as this process knows. A local read: it costs nothing to ask often. */
  async leader(): Promise<{ name: string; token: bigint } | undefined> {
    const { children } = await this.#coord.getChildren(this.#path)
    if (children[0] === undefined) return undefined
    const first = await this.#coord.getData(`${this.#path}/${children[0]}`).catch(ignoring('COORD_NO_NODE'))
    return first && { name: String(first.data), token: first.stat.czxid }
  }

  /**
   * Our place in the queue: the one that this session has already, or a new one. No signal: a creation that was sent may
   * happen even if we stop waiting for it, and then we would queue twice.
   */
  async #queueUp(): Promise<string> {
    const candidate = `${this.#path}/candidate-`
    const [existing] = await this.#coord.getEphemerals(candidate)
    return existing ?? this.#coord.create(candidate, this.#name, { mode: 'ephemeral-sequential' })
  }

  async #becomeFirst(own: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { children } = await this.#coord.getChildren(this.#path, { signal })
      const before = children[children.indexOf(own.slice(this.#path.length + 1)) - 1]
      if (before === undefined) return
      const { watch, fired } = oneShotWatch(signal)
      try {
        await this.#coord.getData(`${this.#path}/${before}`, { watch, signal })
        await fired
      } catch (error) {
        // It went between the two reads: look again.
        if (!hasCode(error, 'COORD_NO_NODE')) throw error
      }
    }
  }
}
