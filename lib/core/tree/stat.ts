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
  /** When it was created. */
  readonly ctime: number
  /** When its data changed last. */
  readonly mtime: number
  /** Changes of the data: what `version` of `setData` and `delete` is compared with. */
  readonly version: number
  /** Creations and deletions of children. */
  readonly cversion: number
  /** Changes of the ACL: what `version` of `setAcl` is compared with. */
  readonly aversion: number
  /** The session that owns an ephemeral node, else 0. */
  readonly ephemeralOwner: SessionId
  /** Bytes. */
  readonly dataLength: number
  /** Direct ones. */
  readonly numChildren: number
}
