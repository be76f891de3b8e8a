/** The records of ZooKeeper 3.8's client protocol, field by field, for both sides. Multis are in `multi.ts`. */
import {
  bool,
  buffer,
  int,
  type JuteReader,
  type JuteWriter,
  long,
  millis,
  nullableText,
  record,
  type Schema,
  text,
  vector,
} from './jute.ts'

export interface WireStat {
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: bigint
}

export const statRecord: Schema<WireStat> = record<WireStat>({
  czxid: long,
  mzxid: long,
  ctime: millis,
  mtime: millis,
  version: int,
  cversion: int,
  aversion: int,
  ephemeralOwner: long,
  dataLength: int,
  numChildren: int,
  pzxid: long,
})

/** One entry of an ACL: `perms` is a sum of 1 read, 2 write, 4 create, 8 delete, 16 admin. */
export interface WireAcl {
  readonly perms: number
  readonly scheme: string | undefined
  readonly id: string | undefined
}

export const aclRecord: Schema<WireAcl> = record<WireAcl>({ perms: int, scheme: nullableText, id: nullableText })

// The opening of a session

export interface ConnectRequest {
  readonly protocolVersion: number
  readonly lastZxidSeen: bigint
  readonly timeoutMs: number
  /** 0 for a new session. */
  readonly sessionId: bigint
  readonly password: Uint8Array | undefined
  /** `undefined` from old clients, which do not send it and do not expect it in the response. */
  readonly readOnly: boolean | undefined
}

export interface ConnectResponse {
  readonly protocolVersion: number
  /** As it was negotiated; 0 when the session is refused. */
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Uint8Array | undefined
  readonly readOnly: boolean | undefined
}

/** The last byte of a record, where there is one. */
const optionalBool: Schema<boolean | undefined> = {
  bytesMin: 0,
  read: (reader: JuteReader) => (reader.remaining > 0 ? reader.bool() : undefined),
  write: (writer: JuteWriter, value) => {
    if (value !== undefined) writer.bool(value)
  },
}

export const connectRequest: Schema<ConnectRequest> = record<ConnectRequest>({
  protocolVersion: int,
  lastZxidSeen: long,
  timeoutMs: int,
  sessionId: long,
  password: buffer,
  readOnly: optionalBool,
})

export const connectResponse: Schema<ConnectResponse> = record<ConnectResponse>({
  protocolVersion: int,
  timeoutMs: int,
  sessionId: long,
  password: buffer,
  readOnly: optionalBool,
})

// Headers

export interface RequestHeader {
  readonly xid: number
  readonly opcode: number
}

export interface ReplyHeader {
  readonly xid: number
  readonly zxid: bigint
  readonly error: number
}

export const requestHeader: Schema<RequestHeader> = record<RequestHeader>({ xid: int, opcode: int })
export const replyHeader: Schema<ReplyHeader> = record<ReplyHeader>({ xid: int, zxid: long, error: int })

/** What follows a reply header with xid -1. */
export interface WatcherEvent {
  readonly type: number
  readonly state: number
  readonly path: string
}

export const watcherEvent: Schema<WatcherEvent> = record<WatcherEvent>({ type: int, state: int, path: text })

// Requests

export interface PathRequest {
  readonly path: string
}
export interface PathWatchRequest extends PathRequest {
  readonly watch: boolean
}
export interface PathVersionRequest extends PathRequest {
  readonly version: number
}
export interface CreateRequest extends PathRequest {
  readonly data: Uint8Array | undefined
  readonly acl: readonly WireAcl[]
  readonly flags: number
}
export interface CreateTtlRequest extends CreateRequest {
  readonly ttlMs: number
}
export interface SetDataRequest extends PathVersionRequest {
  readonly data: Uint8Array | undefined
}
export interface SetAclRequest extends PathVersionRequest {
  readonly acl: readonly WireAcl[]
}
export interface AuthRequest {
  readonly type: number
  readonly scheme: string
  readonly auth: Uint8Array | undefined
}
export interface SetWatchesRequest {
  readonly relativeZxid: bigint
  readonly data: readonly string[]
  readonly exists: readonly string[]
  readonly children: readonly string[]
}
export interface SetWatches2Request extends SetWatchesRequest {
  readonly persistent: readonly string[]
  readonly persistentRecursive: readonly string[]
}
export interface AddWatchRequest extends PathRequest {
  readonly mode: number
}
/** Of removeWatches and checkWatches. */
export interface WatcherTypeRequest extends PathRequest {
  readonly type: number
}
export interface GetEphemeralsRequest {
  readonly prefix: string
}
export interface ReconfigRequest {
  readonly joining: string | undefined
  readonly leaving: string | undefined
  readonly members: string | undefined
  readonly version: bigint
}

export const pathRequest: Schema<PathRequest> = record<PathRequest>({ path: text })
export const pathWatchRequest: Schema<PathWatchRequest> = record<PathWatchRequest>({ path: text, watch: bool })
export const pathVersionRequest: Schema<PathVersionRequest> = record<PathVersionRequest>({ path: text, version: int })
export const createRequest: Schema<CreateRequest> = record<CreateRequest>({
  path: text,
  data: buffer,
  acl: vector(aclRecord),
  flags: int,
})
export const createTtlRequest: Schema<CreateTtlRequest> = record<CreateTtlRequest>({
  path: text,
  data: buffer,
  acl: vector(aclRecord),
  flags: int,
  ttlMs: millis,
})
export const setDataRequest: Schema<SetDataRequest> = record<SetDataRequest>({ path: text, data: buffer, version: int })
export const setAclRequest: Schema<SetAclRequest> = record<SetAclRequest>({
  path: text,
  acl: vector(aclRecord),
  version: int,
})
export const authRequest: Schema<AuthRequest> = record<AuthRequest>({ type: int, scheme: text, auth: buffer })
export const setWatchesRequest: Schema<SetWatchesRequest> = record<SetWatchesRequest>({
  relativeZxid: long,
  data: vector(text),
  exists: vector(text),
  children: vector(text),
})
export const setWatches2Request: Schema<SetWatches2Request> = record<SetWatches2Request>({
  relativeZxid: long,
  data: vector(text),
  exists: vector(text),
  children: vector(text),
  persistent: vector(text),
  persistentRecursive: vector(text),
})
export const addWatchRequest: Schema<AddWatchRequest> = record<AddWatchRequest>({ path: text, mode: int })
export const watcherTypeRequest: Schema<WatcherTypeRequest> = record<WatcherTypeRequest>({ path: text, type: int })
export const getEphemeralsRequest: Schema<GetEphemeralsRequest> = record<GetEphemeralsRequest>({ prefix: text })
export const reconfigRequest: Schema<ReconfigRequest> = record<ReconfigRequest>({
  joining: nullableText,
  leaving: nullableText,
  members: nullableText,
  version: long,
})

// Responses

export interface StatResponse {
  readonly stat: WireStat
}
export interface PathResponse {
  readonly path: string
}
export interface PathStatResponse extends PathResponse {
  readonly stat: WireStat
}
export interface DataResponse {
  readonly data: Uint8Array | undefined
  readonly stat: WireStat
}
export interface ChildrenResponse {
  readonly children: readonly string[]
}
export interface ChildrenStatResponse extends ChildrenResponse {
  readonly stat: WireStat
}
export interface AclResponse {
  readonly acl: readonly WireAcl[]
  readonly stat: WireStat
}
export interface EphemeralsResponse {
  readonly paths: readonly string[]
}
export interface CountResponse {
  readonly count: number
}
/** Of addWatch alone: 0, as errors are in the header. */
export interface ErrorResponse {
  readonly error: number
}
/** Who a client has shown itself to be, in one scheme. */
export interface WireIdentity {
  readonly scheme: string
  readonly id: string
}
export interface WhoAmIResponse {
  readonly identities: readonly WireIdentity[]
}

export const statResponse: Schema<StatResponse> = record<StatResponse>({ stat: statRecord })
export const pathResponse: Schema<PathResponse> = record<PathResponse>({ path: text })
export const pathStatResponse: Schema<PathStatResponse> = record<PathStatResponse>({ path: text, stat: statRecord })
export const dataResponse: Schema<DataResponse> = record<DataResponse>({ data: buffer, stat: statRecord })
export const childrenResponse: Schema<ChildrenResponse> = record<ChildrenResponse>({ children: vector(text) })
export const childrenStatResponse: Schema<ChildrenStatResponse> = record<ChildrenStatResponse>({
  children: vector(text),
  stat: statRecord,
})
export const aclResponse: Schema<AclResponse> = record<AclResponse>({ acl: vector(aclRecord), stat: statRecord })
export const ephemeralsResponse: Schema<EphemeralsResponse> = record<EphemeralsResponse>({ paths: vector(text) })
export const countResponse: Schema<CountResponse> = record<CountResponse>({ count: int })
export const errorResponse: Schema<ErrorResponse> = record<ErrorResponse>({ error: int })
export const whoAmIResponse: Schema<WhoAmIResponse> = record<WhoAmIResponse>({
  identities: vector(record<WireIdentity>({ scheme: text, id: text })),
})
