/** At least one of everything that is written to a link or to a store, with every field set in one of them. */
import type { Operation, OperationResult, SnapshotRecord } from '../../lib/core/tree/operation.ts'
import { packNode } from '../../lib/core/tree/packed-node.ts'
import { sessionIdFrom } from '../../lib/core/tree/session-id.ts'
import type { Batch, LogRequest } from '../../lib/core/zab/batch.ts'
import {
  type Configuration,
  type LoggedConfiguration,
  type MemberRecord,
  memberIdFrom,
} from '../../lib/core/zab/configuration.ts'
import type { MembershipRequest } from '../../lib/core/zab/membership-request.ts'
import type { MessageOf, MessageType, Preparation } from '../../lib/core/zab/message.ts'
import type { Belonging, Epochs, SnapshotHead } from '../../lib/core/zab/zab.ts'
import { zxidOf } from '../../lib/core/zab/zxid.ts'
import type { HandshakeFrame } from '../../lib/wire/handshake.ts'

/** One of each kind: the compiler sees to it that none is missing. */
type Each<T, D extends keyof T> = { readonly [K in T[D] & string]: Extract<T, Record<D, K>> }
const listOf = <T>(each: { readonly [K in string]: T }): readonly T[] => Object.values(each)

const a: MemberRecord = { id: memberIdFrom('A'), name: 'a', address: 'ws://a' }
const b: MemberRecord = { id: memberIdFrom('B'), name: 'b', address: 'ws://b' }
const session = sessionIdFrom(0x7fff_ffff_ffff_ffffn)
const zxid = zxidOf(3, 4)
const hash = new Uint8Array([1, 2, 3])
const acl = [{ scheme: 'digest', id: 'me:hash', permissions: 'crwda' }]
const stat = {
  czxid: zxidOf(1, 1),
  mzxid: zxidOf(1, 2),
  pzxid: zxidOf(1, 3),
  ctime: 1,
  mtime: 2,
  version: 3,
  cversion: 4,
  aversion: 5,
  ephemeralOwner: session,
  dataLength: 6,
  numChildren: 7,
}

const configuration: Configuration = {
  voters: [a],
  observers: [b],
  founders: ['ws://a'],
  seats: 5,
  features: 1,
  pinned: ['b'],
  removed: [memberIdFrom('Z')],
}
const configurations: readonly LoggedConfiguration[] = [
  { zxid: zxidOf(1, 1), configuration, settledAt: zxidOf(1, 2) },
  { zxid, configuration, settledAt: undefined },
]
const preparation: Preparation = { cluster: 'c', epoch: 7, wallMs: 8, members: [a, b], seats: 3, features: 1 }
const marks = [{ id: a.id, epoch: 3, zxid }]

const operations: Each<Operation, 'type'> = {
  create: {
    type: 'create',
    path: '/ä',
    data: new Uint8Array([0, 255]),
    mode: 'persistent-ttl',
    acl,
    ttlMs: 9,
    parents: true,
  },
  delete: { type: 'delete', path: '/d', version: -1, recursive: true },
  setData: { type: 'setData', path: '/s', data: undefined, version: 2 },
  check: { type: 'check', path: '/c', version: 0 },
  setAcl: { type: 'setAcl', path: '/a', acl, version: 1 },
  multi: {
    type: 'multi',
    operations: [
      { type: 'create', path: '/m', data: undefined, mode: 'ephemeral-sequential' },
      { type: 'check', path: '/c', version: 0 },
    ],
    ifHeld: { path: '/lock', czxid: zxid },
  },
  closeSession: { type: 'closeSession' },
}

const write = { type: 'write', session, generation: 1, cxid: 9, answeredThrough: 8 } as const
const requests: Each<LogRequest, 'type'> = {
  write: { ...write, operation: operations.create, identities: [{ scheme: 'digest', id: 'me:hash' }] },
  createSession: { type: 'createSession', session, passwordHash: hash, timeoutMs: 10_000 },
  attachSession: { type: 'attachSession', session, passwordHash: hash, timeoutMs: 10_000, generation: 2 },
  expireSession: { type: 'expireSession', session, generation: 3 },
  reconfigure: { type: 'reconfigure', configuration },
  noop: { type: 'noop' },
  reap: { type: 'reap', path: '/t', czxid: zxid },
}

export const batches: readonly Batch[] = [
  {
    first: zxidOf(3, 5),
    previous: zxid,
    timeMs: 1_800_000_000_000,
    clockMs: 5,
    settled: zxidOf(1, 1),
    requests: [
      ...listOf<LogRequest>(requests),
      ...listOf<Operation>(operations).map((operation) => ({ ...write, operation })),
    ],
    acknowledged: [zxid],
  },
  {
    first: zxidOf(3, 5),
    previous: zxid,
    timeMs: 0,
    clockMs: 0,
    settled: zxidOf(1, 1),
    requests: [{ type: 'noop' }],
  },
]

const results: { readonly [K in OperationResult['type']]: OperationResult } = {
  create: { type: 'create', path: '/ä', stat },
  setData: { type: 'setData', stat },
  setAcl: { type: 'setAcl', stat },
  delete: { type: 'delete' },
  check: { type: 'check' },
  closeSession: { type: 'closeSession' },
  multi: {
    type: 'multi',
    results: [
      { type: 'create', path: '/x', stat },
      { type: 'setData', stat },
      { type: 'delete' },
      { type: 'check' },
      { type: 'rolledBack' },
      { type: 'error', code: 'COORD_NO_NODE' },
    ],
  },
  error: { type: 'error', code: 'COORD_NO_NODE', path: '/x', index: 1, results: [{ type: 'rolledBack' }] },
}

const recordOf: Each<SnapshotRecord, 'kind'> = {
  header: { kind: 'header', zxid, clockMs: 3, version: 1, history: { left: 0, right: 2 ** 32 - 1 } },
  session: {
    kind: 'session',
    session,
    passwordHash: hash,
    timeoutMs: 4,
    generation: 1,
    lastCxid: 2,
    results: listOf<OperationResult>(results).map((result, index) => ({ cxid: index + 1, result })),
  },
  node: {
    kind: 'node',
    path: '/n',
    packed: packNode({
      data: undefined,
      mode: 'ttl',
      ttlMs: 1,
      ephemeralOwner: session,
      czxid: zxidOf(1, 1),
      mzxid: zxidOf(1, 2),
      pzxid: zxidOf(1, 3),
      ctime: 1,
      mtime: 2,
      touchedClockMs: 6,
      version: -3,
      creates: 4,
      aversion: 5,
    }),
    longData: new Uint8Array([7]),
    acl,
  },
}
export const records: readonly SnapshotRecord[] = listOf<SnapshotRecord>(recordOf)

const memberships: Each<MembershipRequest, 'kind'> = {
  change: { kind: 'change', add: [{ name: 'b', role: 'observer' }], remove: ['c'], seats: 3 },
  transfer: { kind: 'transfer', name: 'b' },
  leave: { kind: 'leave' },
  close: { kind: 'close' },
  mayStop: { kind: 'mayStop' },
}

const streamId = { epoch: 3, number: 1 }

export const messages: { readonly [K in MessageType]: readonly MessageOf<K>[] } = {
  presence: [
    {
      type: 'presence',
      state: 'member',
      cluster: 'c',
      since: 3,
      founders: ['ws://a'],
      acceptedEpoch: 4,
      features: 1,
      majorityLost: true,
      restores: '0123456789abcdef',
    },
    {
      type: 'presence',
      state: 'blank',
      cluster: '',
      since: 0,
      founders: [],
      acceptedEpoch: 0,
      features: 1,
      majorityLost: false,
      restores: undefined,
    },
  ],
  prepare: [{ type: 'prepare', ...preparation }],
  prepared: [{ type: 'prepared', cluster: 'c' }],
  refusePrepare: [{ type: 'refusePrepare', cluster: 'c', reason: 'why' }],
  abandonPrepare: [{ type: 'abandonPrepare', cluster: 'c' }],
  found: [{ type: 'found', cluster: 'c' }],
  notification: [
    {
      type: 'notification',
      role: 'leading',
      currentEpoch: 3,
      lastZxid: zxid,
      electable: true,
      leader: a,
      epoch: 4,
      mark: { epoch: 3, zxid },
      isDiverged: true,
    },
    {
      type: 'notification',
      role: 'looking',
      currentEpoch: 0,
      lastZxid: zxid,
      electable: false,
      leader: undefined,
      epoch: 0,
      mark: undefined,
    },
  ],
  followerInfo: [
    { type: 'followerInfo', attempt: 1, acceptedEpoch: 2, acceptedFrom: a.id, wish: 'leaving', features: 1 },
    { type: 'followerInfo', attempt: 1, acceptedEpoch: 0, acceptedFrom: undefined, wish: 'auto', features: 1 },
  ],
  newEpoch: [{ type: 'newEpoch', attempt: 1, epoch: 3 }],
  ackEpoch: [
    {
      type: 'ackEpoch',
      epoch: 3,
      currentEpoch: 2,
      lastZxid: zxid,
      configured: zxidOf(1, 1),
      received: { id: streamId, chunks: 2 },
    },
    { type: 'ackEpoch', epoch: 3, currentEpoch: 2, lastZxid: zxid, configured: zxidOf(1, 1), received: undefined },
  ],
  refuse: [{ type: 'refuse', code: 'COORD_PROTOCOL', reason: 'why' }],
  diff: [{ type: 'diff', after: zxid, entries: 5 }],
  trunc: [{ type: 'trunc', after: zxid, entries: 5 }],
  snapshot: [{ type: 'snapshot', id: streamId, zxid, total: 6, from: 2, configurations, marks }],
  snapshotChunk: [{ type: 'snapshotChunk', index: 1, records }],
  snapshotEnd: [{ type: 'snapshotEnd', chunks: 2, records: 6, entries: 1 }],
  wantSnapshot: [{ type: 'wantSnapshot', epoch: 3 }],
  newLeader: [{ type: 'newLeader', epoch: 3, lastZxid: zxid }],
  ackNewLeader: [{ type: 'ackNewLeader', epoch: 3, lastZxid: zxid }],
  upToDate: [{ type: 'upToDate', epoch: 3, committed: zxid }],
  propose: batches.map((batch) => ({ type: 'propose', batch, committed: zxid })),
  ack: [{ type: 'ack', lastZxid: zxid }],
  commit: [{ type: 'commit', committed: zxid }],
  ping: [{ type: 'ping', round: 2 ** 40, committed: zxid }],
  pong: [
    { type: 'pong', round: 3, replica: { zxid, history: { left: 0, right: 1 }, standing: 'diverged' } },
    { type: 'pong', round: 3 },
  ],
  request: [{ type: 'request', parcel: { requests: [requests.write] } }],
  readIndex: [{ type: 'readIndex', id: 1 }],
  readIndexReply: [{ type: 'readIndexReply', id: 1, zxid }],
  heartbeat: [{ type: 'heartbeat', id: -1, sessions: [session] }],
  heartbeatReply: [{ type: 'heartbeatReply', id: -1, ended: [session] }],
  handOver: [{ type: 'handOver', epoch: 3, to: a }],
  farewell: [{ type: 'farewell' }],
  membership: [
    ...listOf<MembershipRequest>(memberships),
    { kind: 'change', add: [], remove: [], seats: undefined } as const,
    { kind: 'transfer', name: undefined } as const,
  ].map((request) => ({ type: 'membership', id: 1, request })),
  membershipReply: [
    { type: 'membershipReply', id: 1, outcome: { code: undefined, reason: '' } },
    { type: 'membershipReply', id: 1, outcome: { code: 'COORD_NEW_CONFIG_NO_QUORUM', reason: 'why' } },
  ],
  snapshotAck: [{ type: 'snapshotAck', chunks: 2 }],
  verdict: [{ type: 'verdict', epoch: 3, standing: 'doubtful', reason: 'why' }],
}

const introduction = {
  version: 1,
  id: a.id,
  name: 'a',
  address: 'ws://a',
  cluster: 'c',
  features: 1,
  incarnation: new Uint8Array([1]),
  nonce: new Uint8Array([2]),
}
export const handshakes: Each<HandshakeFrame, 'type'> = {
  hello: { type: 'hello', ...introduction },
  welcome: { type: 'welcome', ...introduction, proof: hash },
  proof: { type: 'proof', proof: hash },
  reject: { type: 'reject', rejection: 'closing', reason: 'why' },
}

export const stored: {
  readonly epochs: Epochs
  readonly belonging: Belonging
  readonly snapshotHead: SnapshotHead
} = {
  epochs: { accepted: 4, acceptedFrom: a.id, current: 3 },
  belonging: { presence: 'prepared', cluster: 'c', since: 8, preparation, founded: preparation, founders: ['ws://a'] },
  snapshotHead: { zxid, configurations, marks },
}
