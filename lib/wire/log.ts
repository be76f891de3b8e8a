/**
 * The bytes of the log and of snapshots. A batch is encoded once: the same bytes are in the proposal, in the journal and
 * in the DIFF (design D4). Lists of variants may only grow at their end; the golden bytes keep that (test/wire/golden.test.ts).
 */

import type { AclEntry, Identity } from '../core/tree/acl.ts'
import {
  createModes,
  type HistoryDigest,
  type Operation,
  type OperationResult,
  type SnapshotRecord,
  type SubOperation,
  type SubResult,
} from '../core/tree/operation.ts'
import { type SessionId, sessionIdFrom } from '../core/tree/session-id.ts'
import type { Stat } from '../core/tree/stat.ts'
import type { Batch, EncodedBatch, LogRequest, Parcel } from '../core/zab/batch.ts'
import {
  type Configuration,
  type LoggedConfiguration,
  type MemberId,
  type MemberRecord,
  memberIdFrom,
} from '../core/zab/configuration.ts'
import type { MarkOf } from '../core/zab/marks.ts'
import type { Preparation } from '../core/zab/message.ts'
import { type Zxid, zxidFrom } from '../core/zab/zxid.ts'
import { type ErrorCode, errorCodes } from '../errors.ts'
import { decode, decodeItems, encode, written } from './cbor.ts'
import {
  boolean,
  branded,
  bytes,
  copied,
  integer,
  latin1,
  list,
  malformed,
  natural,
  oneOf,
  optional,
  ownedText,
  type Schema,
  type Struct,
  struct,
  text,
  union,
} from './schema.ts'

/** Limits of what is read; those of what an application may write are smaller (docs/LIMITS.md). */
const pathLengthMax = 0x1_0000
const dataBytesMax = 0x10_0000
const countMax = 0x10_0000
const batchBytesMax = 0x100_0000
/** What is packed of a node checks itself (core/tree/packed-node.ts). */
const packedBytesMax = 1024

export const zxid: Schema<Zxid> = branded(zxidFrom)
export const sessionId: Schema<SessionId> = branded((value) =>
  value === 0n ? (0n as SessionId) : sessionIdFrom(value),
)
const memberIdText = ownedText(64)
export const memberId: Schema<MemberId> = {
  write: memberIdText.write,
  read: (plain) => memberIdFrom(memberIdText.read(plain)),
}
export const memberRecord: Schema<MemberRecord> = struct<MemberRecord>({
  id: memberId,
  name: ownedText(256),
  address: ownedText(1024),
})

const path = text(pathLengthMax)
const data = optional(copied(dataBytesMax))
const hash = copied(64)

const aclEntry = struct<AclEntry>({ scheme: text(64), id: text(1024), permissions: text(8) })
const acl = list(aclEntry, 1024)
const identity = struct<Identity>({ scheme: text(64), id: text(1024) })

const createFields = {
  path,
  data,
  mode: oneOf(createModes),
  acl: optional(acl),
  ttlMs: optional(natural),
  parents: optional(boolean),
}
const subOperations = {
  create: struct<Omit<Extract<SubOperation, { type: 'create' }>, 'type'>>(createFields),
  delete: struct<Omit<Extract<SubOperation, { type: 'delete' }>, 'type'>>({
    path,
    version: integer,
    recursive: optional(boolean),
  }),
  setData: struct<Omit<Extract<SubOperation, { type: 'setData' }>, 'type'>>({ path, data, version: integer }),
  check: struct<Omit<Extract<SubOperation, { type: 'check' }>, 'type'>>({ path, version: integer }),
}
const subOperation: Schema<SubOperation> = union<SubOperation, 'type'>('type', subOperations)
const nothing = struct<object>({})

const operation: Schema<Operation> = union<Operation, 'type'>('type', {
  ...subOperations,
  setAcl: struct<Omit<Extract<Operation, { type: 'setAcl' }>, 'type'>>({ path, acl, version: integer }),
  multi: struct<Omit<Extract<Operation, { type: 'multi' }>, 'type'>>({
    operations: list(subOperation, countMax),
    ifHeld: optional(struct<{ readonly path: string; readonly czxid: Zxid }>({ path, czxid: zxid })),
  }),
  closeSession: nothing,
})

export const configuration: Schema<Configuration> = struct<Configuration>({
  voters: list(memberRecord, 1024),
  observers: list(memberRecord, countMax),
  founders: list(ownedText(1024), 1024),
  seats: natural,
  features: natural,
  pinned: list(text(256), 1024),
  removed: list(memberId, 1024),
})

export const preparation: Struct<Preparation> = struct<Preparation>({
  cluster: ownedText(128),
  epoch: natural,
  wallMs: natural,
  members: list(memberRecord, 1024),
  seats: natural,
  features: natural,
})

export const loggedConfiguration: Schema<LoggedConfiguration> = struct<LoggedConfiguration>({
  zxid,
  configuration,
  settledAt: optional(zxid),
})

type Variant<T extends { readonly type: string }, K> = Omit<Extract<T, { type: K }>, 'type'>

export const logRequest: Schema<LogRequest> = union<LogRequest, 'type'>('type', {
  write: struct<Variant<LogRequest, 'write'>>({
    session: sessionId,
    generation: natural,
    cxid: natural,
    answeredThrough: natural,
    operation,
    identities: optional(list(identity, 1024)),
  }),
  createSession: struct<Variant<LogRequest, 'createSession'>>({
    session: sessionId,
    passwordHash: hash,
    timeoutMs: natural,
  }),
  attachSession: struct<Variant<LogRequest, 'attachSession'>>({
    session: sessionId,
    passwordHash: hash,
    timeoutMs: natural,
    generation: natural,
  }),
  expireSession: struct<Variant<LogRequest, 'expireSession'>>({ session: sessionId, generation: natural }),
  reconfigure: struct<Variant<LogRequest, 'reconfigure'>>({ configuration }),
  noop: nothing,
  reap: struct<Variant<LogRequest, 'reap'>>({ path, czxid: zxid }),
})

const logRequests = list(logRequest, countMax)
const batchBytes = bytes(batchBytesMax)

/** The bytes of requests inside a message or a batch, which go on as they came (design D4). */
export const encodeParcel = ({ requests, encoded }: Parcel): Uint8Array => encoded ?? encode(logRequests, requests)

export function readParcel(plain: unknown): Parcel {
  const encoded = batchBytes.read(plain)
  return { requests: decode(logRequests, encoded), encoded }
}

/** What a batch begins with; its parcels follow. */
const batchHeader = struct<Omit<Batch, 'requests' | 'parcels' | 'encoded'>>({
  first: zxid,
  previous: zxid,
  timeMs: natural,
  clockMs: natural,
  settled: zxid,
  acknowledged: optional(list(zxid, 1024)),
})

export const markOf: Schema<MarkOf> = struct<MarkOf>({ id: memberId, epoch: natural, zxid })

/** The bytes of a batch; made at most once. Parcels that came from others are copied, not encoded again. */
export function encodeBatch(batch: Batch): Uint8Array {
  if (batch.encoded === undefined) {
    const whole = written((writer) => {
      batchHeader.write(writer, batch)
      const parcels: readonly Parcel[] = batch.parcels ?? [{ requests: batch.requests }]
      for (const { requests, encoded } of parcels) {
        if (encoded === undefined) logRequests.write(writer, requests)
        else writer.items(encoded)
      }
    })
    batch.encoded = encodedBatch(whole)
    batch.parcels = undefined
  }
  return batch.encoded.bytes
}

export function decodeBatch(encoded: Uint8Array): Batch {
  return decodeItems(encoded, ([header, ...parcels]) => {
    const lists = parcels.map((plain) => logRequests.read(plain))
    // Not by `flat`, which takes twenty times as long.
    const requests = ([] as LogRequest[]).concat(...lists)
    if (requests.length === 0) malformed('a batch without requests')
    // Read into what it already has: a copy of it would take V8 off its fast path, here and wherever the batch goes.
    return batchHeader.readInto({ requests, encoded: encodedBatch(encoded) }, header) as Batch
  })
}

function encodedBatch(bytes: Uint8Array): EncodedBatch {
  return { bytes, readRequests: () => decodeBatch(bytes).requests, at: encodedBatch }
}

export const readBatch = (plain: unknown): Batch => decodeBatch(batchBytes.read(plain))

const stat = struct<Stat>({
  czxid: zxid,
  mzxid: zxid,
  pzxid: zxid,
  ctime: integer,
  mtime: integer,
  version: integer,
  cversion: integer,
  aversion: integer,
  ephemeralOwner: sessionId,
  dataLength: natural,
  numChildren: natural,
})

const errorCode = text(64) as Schema<ErrorCode>
/** As a text: one of a later version is an error all the same. */
export const knownErrorCode: Schema<ErrorCode> = {
  write: errorCode.write,
  read: (plain) => {
    const code = errorCode.read(plain)
    return Object.hasOwn(errorCodes, code) ? code : 'COORD_SYSTEM_ERROR'
  },
}

const simpleResults = {
  create: struct<{ path: string; stat: Stat }>({ path, stat }),
  setData: struct<{ stat: Stat }>({ stat }),
  setAcl: struct<{ stat: Stat }>({ stat }),
  delete: nothing,
  check: nothing,
  closeSession: nothing,
}
const subError = struct<Variant<SubResult, 'error'>>({
  code: knownErrorCode,
  path: optional(path),
  index: optional(natural),
  // Of a sub-operation there are none.
  results: { write: (writer) => writer.nothing(), read: () => undefined },
})
const subResult: Schema<SubResult> = union<SubResult, 'type'>('type', {
  ...simpleResults,
  rolledBack: nothing,
  error: subError,
} as never)
const operationResult: Schema<OperationResult> = union<OperationResult, 'type'>('type', {
  ...simpleResults,
  multi: struct<Variant<OperationResult, 'multi'>>({ results: list(subResult, countMax) }),
  error: struct<Variant<OperationResult, 'error'>>({
    code: knownErrorCode,
    path: optional(path),
    index: optional(natural),
    results: optional(list(subResult, countMax)),
  }),
} as never)

export const historyDigest: Schema<HistoryDigest> = struct<HistoryDigest>({ left: natural, right: natural })

type RecordVariant<K> = Omit<Extract<SnapshotRecord, { kind: K }>, 'kind'>

export const snapshotRecord: Schema<SnapshotRecord> = union<SnapshotRecord, 'kind'>('kind', {
  header: struct<RecordVariant<'header'>>({
    zxid,
    clockMs: natural,
    version: natural,
    history: optional(historyDigest),
  }),
  session: struct<RecordVariant<'session'>>({
    session: sessionId,
    passwordHash: hash,
    timeoutMs: natural,
    generation: natural,
    lastCxid: natural,
    results: list(
      struct<{ cxid: number; result: OperationResult }>({ cxid: natural, result: operationResult }),
      countMax,
    ),
  }),
  node: struct<RecordVariant<'node'>>({
    path,
    packed: latin1(packedBytesMax),
    longData: data,
    acl: optional(acl),
  }),
})
