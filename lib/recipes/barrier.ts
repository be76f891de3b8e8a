/**
 * A barrier: a node that stands while the way is closed. Whoever waits is let through when it goes. It belongs to nobody:
 * it stays closed when the process that closed it ends.
 */
import { absolutePath, type HandleOptions, hasCode, inSomeSession, lookUntil, type RecipeHost } from './host.ts'

export class Barrier {
  readonly #host: RecipeHost
  readonly #path: string

  constructor(host: RecipeHost, path: string) {
    this.#host = host
    this.#path = absolutePath(host, path)
  }

  /** Closes the way. Nothing happens where it is closed. */
  async set({ signal }: HandleOptions = {}): Promise<void> {
    try {
      await inSomeSession(this.#host, (session) => session.create(this.#path, undefined, { parents: true, signal }))
    } catch (error) {
      if (!hasCode(error, 'COORD_NODE_EXISTS')) throw error
    }
  }

  /** Opens it: everybody who waits goes on. Nothing happens where it is open. */
  async remove({ signal }: HandleOptions = {}): Promise<void> {
    try {
      await inSomeSession(this.#host, (session) => session.delete(this.#path, { signal }))
    } catch (error) {
      if (!hasCode(error, 'COORD_NO_NODE')) throw error
    }
  }

  /** Resolves once the way is, or was, open. It waits through lost connections and sessions; a signal ends it. */
  async wait({ signal }: HandleOptions = {}): Promise<void> {
    let first: bigint | undefined
    await lookUntil(
      this.#host,
      async (session, watch) => {
        const stat = await session.exists(this.#path, { watch, signal })
        if (stat === undefined) return true
        // Opened and closed again while this process did not see it: it was open.
        if (first !== undefined && stat.czxid !== first) return true
        first = stat.czxid
        return undefined
      },
      signal,
    )
  }
}
