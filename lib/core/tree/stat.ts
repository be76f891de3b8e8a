/** What a znode tells about itself besides its data: ZooKeeper's eleven fields. */
import type { Zxid } from '../zab/zxid.ts'
import type { SessionId } from './session-id.ts'

/** All counters as ZooKeeper reports them; times are milliseconds since 1970 by the leader's wall clock. */
export interface Stat {
  /** The zxid that created the node: tells two incarnations of one path apart, and is a fencing token. */
  readonly czxid: Zxid
  /** The zxid of the last change of the data. */
  readonly mzxid: Zxid
  /** The zxid of the last creation or deletion of a child. */
  readonly pzxid: Zxid
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  /** Creations and deletions of children. */
  readonly cversion: number
  readonly aversion: number
  /** The session that owns an ephemeral node, else 0. */
  readonly ephemeralOwner: SessionId
  readonly dataLength: number
  readonly numChildren: number
}
