/** The searches that CI makes: each within its bounds to the end, all of them in less than a minute. */
import { type Bounds, defaultBounds } from './bounds.ts'

const oneEntryOneCrash = { entries: 1, crashes: 1, partitions: 0, timeouts: 0 }

export const suite: readonly Bounds[] = [
  { ...defaultBounds, deviations: 1 },
  // Who comes back gets a snapshot.
  { ...defaultBounds, deviations: 1, tailEntries: 0 },
  { ...defaultBounds, ...oneEntryOneCrash, deviations: 2 },
  { ...defaultBounds, ...oneEntryOneCrash, members: 2, deviations: Number.POSITIVE_INFINITY, states: 200_000 },
]
