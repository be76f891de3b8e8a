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
}
