/** The numbers of ZooKeeper 3.8's client protocol. */
import { type ErrorCode, errorCodes } from '../../lib/errors.ts'

/** What a request asks for. */
export const opcodes = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  closeSession: -11,
  error: -1,
} as const

/** Requests and replies outside the numbering of a client. */
export const xids = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const

/** What a notification tells. */
export const eventTypes = { none: -1, created: 1, deleted: 2, changed: 3, children: 4 } as const

/** The state in a notification: always this one. */
export const syncConnected = 3

/** `mode` of addWatch. */
export const addWatchModes = { persistent: 0, persistentRecursive: 1 } as const

/** `type` of removeWatches and checkWatches. */
export const watcherTypes = { children: 1, data: 2, any: 3 } as const

/** Errors that are not of an operation. */
export const zkErrors = {
  ok: 0,
  runtimeInconsistency: -2,
  marshallingError: -5,
  unimplemented: -6,
  badArguments: -8,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  noWatcher: -121,
  throttled: -127,
} as const

/** The flags of the create modes. 4 goes with createContainer, 5 and 6 with createTTL, the others with create and create2. */
export const createFlags = {
  persistent: 0,
  ephemeral: 1,
  'persistent-sequential': 2,
  'ephemeral-sequential': 3,
  container: 4,
  'persistent-ttl': 5,
  'persistent-sequential-ttl': 6,
} as const

/** The longest frame that ZooKeeper takes, bytes. */
export const frameBytesMax = 0xf_ffff

const codesByNumber = new Map<number, ErrorCode>()
for (const [code, { zk }] of Object.entries(errorCodes) as [ErrorCode, { readonly zk: number }][]) {
  if (!codesByNumber.has(zk)) codesByNumber.set(zk, code)
}

/** Our code for a number of ZooKeeper's: COORD_SYSTEM_ERROR for those that say nothing to a client. */
export function codeOf(zkCode: number): ErrorCode {
  return codesByNumber.get(zkCode) ?? 'COORD_SYSTEM_ERROR'
}
