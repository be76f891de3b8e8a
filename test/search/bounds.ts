/** How large a world is searched, and how far. */
export interface Bounds {
  /** How many members: all of them voters, with disks, in an ensemble that has just been founded. */
  readonly members: number
  /** How many entries clients ask for. */
  readonly entries: number
  /** How many crashes, each with any part of what was not synced. */
  readonly crashes: number
  /** How many times a member is cut off from the others. */
  readonly partitions: number
  /** How often a member's patience may end, beyond where it is all that is left to happen. */
  readonly timeouts: number
  /**
   * What happens by itself, happens in turn: every disk, every direction of a link, every client. A deviation is a fault,
   * or somebody's turn that comes before another's. Infinite: everything in any order.
   */
  readonly deviations: number
  /** Ends the search. */
  readonly states: number
  /** The leader keeps no log for those who come back: they get a snapshot. */
  readonly tailEntries: number
}

export const defaultBounds: Bounds = {
  members: 3,
  entries: 2,
  crashes: 2,
  partitions: 1,
  timeouts: 1,
  deviations: 3,
  states: 100_000,
  tailEntries: 1000,
}
