/** A check reads a finished history, and throws a `Violation` for the first thing that is not as promised. */
import type { Replay } from '../replay.ts'

export type Check = (replay: Replay) => void
