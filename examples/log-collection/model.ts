/** What the collectors and the console speak of. */

/** The workers and their tasks: one task for each source. */
export const sourcesPath = '/sources'

/** Below it, a node for each source: how far it has been read. */
export const collectedPath = '/collected'

export interface Source {
  readonly name: string
  readonly file: string
}

export interface Collected {
  /** Bytes. */
  readonly offset: number
  readonly lines: number
  /** The collector that read last. */
  readonly by: string
}
