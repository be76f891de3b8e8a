/** The defaults of every limit of the runtime (design D14). docs/LIMITS.md lists them; a test compares the two. */
import type { MemberLimits } from './member.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** How many voters an ensemble wants, by default: two may be gone, and there still is a quorum. */
export const defaultSeats = 5

export const defaultLimits: MemberLimits = {
  timing: {
    pingIntervalMs: 250,
    syncLimitMs: 2000,
    electionSettleMs: 200,
    seatStableMs: 2000,
    seatFailedMs: 10_000,
    forgetMs: 60_000,
  },
  link: {
    handshakeTimeoutMs: 5000,
    unprovenBytesMax: 32 * KiB,
    unprovenPerAddressMax: 64,
    unprovenMax: 256,
    silenceMaxMs: 2000,
    frameBytesMax: 4 * MiB,
    bufferedBytesMax: 256 * MiB,
  },
  dialTimeoutMs: 5000,
  redialMs: { first: 50, max: 1000 },
  discovery: { lookingMs: 1000, servingMs: 30_000, timeoutMs: 10_000, addressesMax: 1024 },
  reopenMs: { first: 100, max: 5000 },
  tail: { entries: 10_000, bytes: 16 * MiB },
  batchBytesMax: MiB,
  chunkBytesMax: 64 * KiB,
  slice: { entries: 1000, bytes: MiB, pauseMs: 4 },
  checkpointEntries: 20_000,
  checkpointBytes: 64 * MiB,
  checkpointShare: 0.5,
  checkpointSpread: 0.5,
  checkpointPace: { pauseMs: 3, share: 0.15, workMsMax: 2, restPerWrite: 8, restMsMax: 50 },
  reapIntervalMs: 60_000,
  session: {
    outstandingCallsMax: 65_536,
    allOutstandingCallsMax: 262_144,
    watchesMax: 100_000,
    timeoutMs: { min: 500, max: 3_600_000 },
    window: { changes: 10_000, bytes: 8 * MiB },
  },
  clockDriftMax: 0.001,
  stallWarningMs: 1000,
}
