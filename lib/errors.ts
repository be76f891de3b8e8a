/**
 * The one list of operational errors. Each has a stable `code` (part of the contract, never reused), ZooKeeper's
 * number where ZooKeeper has one, and says whether the operation was certainly not applied (`retryable`).
 * Misuse (a bad path, a bad option) is a plain `TypeError` or `RangeError` and has no code.
 *
 * `docs/ERRORS.md` tells for each code what happened and what to do; a test compares the two lists.
 */

/** What is known of a code before it happens. */
export interface ErrorFacts {
  /** ZooKeeper's error number; ours that ZooKeeper does not know share the nearest one. */
  readonly zk: number
  /** True when the operation certainly was not applied, so that trying again is safe. */
  readonly retryable: boolean
  readonly text: string
}

/** Every code with its facts. */
export const errorCodes = {
  COORD_SYSTEM_ERROR: { zk: -1, retryable: false, text: 'the member failed' },
  COORD_RUNTIME_INCONSISTENCY: {
    zk: -2,
    retryable: true,
    text: 'not evaluated: an operation of the same multi failed',
  },
  COORD_CONNECTION_LOSS: { zk: -4, retryable: false, text: 'sent, but the outcome is unknown' },
  COORD_MARSHALLING_ERROR: { zk: -5, retryable: true, text: 'a malformed request' },
  COORD_UNIMPLEMENTED: { zk: -6, retryable: true, text: 'not implemented' },
  COORD_TIMEOUT: { zk: -7, retryable: false, text: 'timed out' },
  COORD_BAD_ARGUMENTS: { zk: -8, retryable: true, text: 'bad arguments' },
  COORD_NEW_CONFIG_NO_QUORUM: { zk: -13, retryable: true, text: 'no synchronised quorum of the new configuration' },
  COORD_RECONFIG_IN_PROGRESS: { zk: -14, retryable: true, text: 'another change of the configuration is pending' },
  COORD_NO_NODE: { zk: -101, retryable: true, text: 'no such node' },
  COORD_NO_AUTH: { zk: -102, retryable: true, text: 'not permitted' },
  COORD_BAD_VERSION: { zk: -103, retryable: true, text: 'the version differs from the expected one' },
  COORD_NO_CHILDREN_FOR_EPHEMERALS: { zk: -108, retryable: true, text: 'an ephemeral node may not have children' },
  COORD_NODE_EXISTS: { zk: -110, retryable: true, text: 'the node exists' },
  COORD_NOT_EMPTY: { zk: -111, retryable: true, text: 'the node has children' },
  COORD_SESSION_EXPIRED: { zk: -112, retryable: true, text: 'the session has ended' },
  COORD_INVALID_ACL: { zk: -114, retryable: true, text: 'the ACL is not valid' },
  COORD_AUTH_FAILED: { zk: -115, retryable: true, text: 'authentication failed' },
  COORD_SESSION_MOVED: { zk: -118, retryable: true, text: 'the session was attached anew elsewhere' },
  COORD_NOT_READ_ONLY: { zk: -119, retryable: true, text: 'not possible while read-only' },
  COORD_NO_WATCHER: { zk: -121, retryable: true, text: 'no such watch' },
  COORD_QUOTA_EXCEEDED: { zk: -125, retryable: true, text: 'a hard quota would be exceeded' },
  COORD_THROTTLED: { zk: -127, retryable: true, text: 'too many outstanding requests' },
  COORD_NO_QUORUM: { zk: -4, retryable: true, text: 'not sent: no quorum serves this member' },
  COORD_TOO_LARGE: { zk: -8, retryable: true, text: 'larger than the limit' },
  COORD_BAD_DATA: { zk: -5, retryable: true, text: 'the data does not decode' },
  COORD_LOCK_LOST: { zk: -103, retryable: true, text: 'the lock or term is no longer held' },
  COORD_CLOSED: { zk: -112, retryable: true, text: 'closed' },
  COORD_FOUNDERS_DIFFER: { zk: -8, retryable: true, text: 'founders were started with different lists of peers' },
  COORD_NAME_IN_USE: { zk: -8, retryable: true, text: 'another live member has this name' },
  COORD_REMOVED: { zk: -8, retryable: true, text: 'this member was removed from the ensemble' },
  COORD_ADDRESS_IN_USE: { zk: -8, retryable: true, text: 'the address to listen on is taken' },
  COORD_STORE_LOCKED: { zk: -1, retryable: true, text: 'another process uses this store' },
  COORD_STORE_DAMAGED: { zk: -1, retryable: true, text: 'the store is damaged' },
  COORD_STORE_FAILED: { zk: -1, retryable: false, text: 'the store failed' },
  COORD_STORE_FOREIGN: { zk: -1, retryable: true, text: 'the store belongs to another member or cluster' },
  COORD_SNAPSHOT_DAMAGED: { zk: -1, retryable: true, text: 'the snapshot file is damaged, or none' },
  COORD_SNAPSHOT_UNKNOWN: { zk: -1, retryable: true, text: 'the snapshot file has a format of a later release' },
  COORD_SNAPSHOT_FAILED: { zk: -1, retryable: true, text: 'the snapshot file could not be written or read' },
  COORD_NOT_RESTORED: { zk: -8, retryable: true, text: 'there is an ensemble already: nothing was restored' },
  COORD_MAJORITY_LOST: { zk: -4, retryable: true, text: 'a majority of the voters lost its memory' },
  COORD_CLUSTER_DIFFERS: { zk: -8, retryable: true, text: 'the peer belongs to another ensemble' },
  COORD_ACCESS_DENIED: { zk: -115, retryable: true, text: 'the peer could not prove the shared secret' },
  COORD_PROTOCOL: { zk: -5, retryable: true, text: 'the peer sent something that this version cannot read' },
} as const

/** The stable code of an operational error. */
export type ErrorCode = keyof typeof errorCodes

/** What an error may say beside its code and message. */
export interface CoordErrorDetails {
  readonly path?: string | undefined
  /** In a failed multi: which operation failed first. */
  readonly index?: number | undefined
  /** In a failed multi: one result per operation, as ZooKeeper gives them. */
  readonly results?: readonly unknown[] | undefined
  readonly cause?: unknown
}

const brand: unique symbol = Symbol.for('embedded-coord.error') as never

/** An operational failure. Two copies of the package in one process know each other's errors (`instanceof`). */
export class CoordError extends Error {
  readonly code: ErrorCode
  readonly path: string | undefined
  readonly index: number | undefined
  readonly results: readonly unknown[] | undefined

  constructor(code: ErrorCode, message?: string, details: CoordErrorDetails = {}) {
    const what = message ?? errorCodes[code].text
    super(details.path === undefined || message !== undefined ? what : `${what}: ${details.path}`, {
      cause: details.cause,
    })
    this.code = code
    this.path = details.path
    this.index = details.index
    this.results = details.results
    Object.defineProperty(this, brand, { value: true })
  }

  override get name(): string {
    return 'CoordError'
  }

  /** ZooKeeper's number for this error. */
  get zkCode(): number {
    return errorCodes[this.code].zk
  }

  /** True when the operation certainly was not applied. */
  get retryable(): boolean {
    return errorCodes[this.code].retryable
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }
}

/** A broken invariant of our own: a bug. It stops the member that found it, never the application. */
export class InvariantError extends Error {
  override get name(): string {
    return 'InvariantError'
  }
}

/** States what must hold; stays on in production. `what`: a function where making the text takes work. */
export function assert(condition: unknown, what: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantError(typeof what === 'string' ? what : what())
}

/** Marks what the type system says cannot be reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`)
}
