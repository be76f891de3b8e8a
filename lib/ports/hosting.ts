/**
 * What a member offers to whoever lets other clients in, such as the gateway for ZooKeeper's clients: the door to its
 * sessions, and how it stands. Nothing here changes anything but by the door.
 */
import type { Zxid } from '../core/zab/zxid.ts'
import type { Clock } from './clock.ts'
import type { SessionDoor } from './session-link.ts'

export interface Hosting {
  readonly door: SessionDoor
  readonly clock: Clock
  /** How long a call may wait while no quorum serves, milliseconds. */
  readonly requestTimeoutMs: number
  /** Whether a quorum serves this member now. */
  readonly serving: boolean
  /** Through which zxid this replica has applied the log. */
  readonly lastZxid: Zxid
  /** What this member is in its ensemble, and how many members that has. */
  readonly standing: HostingStanding
  /** All nodes, the root included. */
  readonly nodeCount: number
  /** Walks the whole tree: for operators, not for each request. */
  treeSize(): TreeSize
  /** Every session of the ensemble, by id. */
  sessions(): readonly SessionOverview[]
  /** The watches of the sessions that are attached to this member. */
  watches(): readonly WatchOverview[]
}

export interface HostingStanding {
  readonly role: 'leader' | 'follower' | 'observer' | 'looking' | 'unreachable'
  /** Of the leader that serves this member; 0 while none does. */
  readonly epoch: number
  readonly leader: string | undefined
  readonly members: readonly { readonly name: string; readonly address: string; readonly role: string }[]
}

export interface TreeSize {
  readonly ephemerals: number
  /** Paths and data, bytes. */
  readonly bytes: number
}

export interface SessionOverview {
  readonly id: bigint
  readonly timeoutMs: number
  /** The paths of its ephemeral nodes, sorted. */
  readonly ephemerals: readonly string[]
}

export interface WatchOverview {
  readonly session: bigint
  readonly path: string
}
