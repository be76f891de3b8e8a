/** What comes from a real ensemble, as the seam has it. */
import { noSession, type SessionId } from '../../lib/core/tree/session-id.ts'
import type { Stat } from '../../lib/core/tree/stat.ts'
import { zxidFrom } from '../../lib/core/zab/zxid.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { WireStat } from './records.ts'

export interface FailedResult {
  readonly type: 'error'
  readonly code: ErrorCode
  readonly path?: string | undefined
  readonly reason?: string | undefined
}

export function failed(code: ErrorCode, reason?: string, path?: string): FailedResult {
  return { type: 'error', code, reason, path }
}

export function statFromWire(stat: WireStat): Stat {
  const { czxid, mzxid, pzxid, ephemeralOwner } = stat
  return {
    ...stat,
    czxid: zxidFrom(czxid),
    mzxid: zxidFrom(mzxid),
    pzxid: zxidFrom(pzxid),
    // ZooKeeper's session ids may be negative as signed numbers.
    ephemeralOwner: ephemeralOwner === 0n ? noSession : (BigInt.asUintN(64, ephemeralOwner) as SessionId),
  }
}
