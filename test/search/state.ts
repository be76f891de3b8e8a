/**
 * A state of the whole world: processes, disks, links, and what the world remembers for its invariants. Never changed:
 * what happens makes another one, which shares whatever stayed as it was.
 */
import type { Batch } from '../../lib/core/zab/batch.ts'
import type { MemberRecord } from '../../lib/core/zab/configuration.ts'
import type { DiskImage, DiskJob } from '../sim/disk.ts'
import type { History } from '../sim/history.ts'
import type { ProcessState } from './process.ts'

export interface MemberState {
  readonly record: MemberRecord
  /** None while it is down. */
  readonly process: ProcessState | undefined
  readonly image: DiskImage
  /** Of the image: a number for its content. */
  readonly imageNumber: number
  /** On their way to the disk, oldest first. */
  readonly jobs: readonly (DiskJob & { readonly number: number })[]
  /** As `SimMember` has them. */
  readonly log: readonly Batch[]
  readonly delivered: number
  readonly committed: number
}

/** What is on its way in one direction: numbers of messages, and the news of the link itself. */
export type Queue = readonly number[]
export const up = -1
export const down = -2

export interface LinkState {
  readonly isOpen: boolean
  /** From the member with the lower index, and to it. */
  readonly queues: readonly [Queue, Queue]
}

export interface Budget {
  readonly entries: number
  readonly crashes: number
  readonly partitions: number
  readonly timeouts: number
  /** Ticks where nothing else was left to happen. */
  readonly idleTicks: number
}

export interface WorldState {
  readonly members: readonly MemberState[]
  /** By pair, in the order of `pairsOf`; none where there is no link. */
  readonly links: readonly (LinkState | undefined)[]
  /** The index of the member that is cut off, if any. */
  readonly cutOff: number | undefined
  readonly history: History
  /** Grows with the history; the same for the same one. */
  readonly historyKey: string
  readonly budget: Budget
  /** Whose turn is next, among what happens by itself. */
  readonly turn: number
}

/** Every pair of members, lower index first. */
export function pairsOf(count: number): readonly (readonly [number, number])[] {
  const pairs: [number, number][] = []
  for (let a = 0; a < count; a += 1) for (let b = a + 1; b < count; b += 1) pairs.push([a, b])
  return pairs
}
