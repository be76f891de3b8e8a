/**
 * Requests of ZooKeeper's clients as calls of a session, and the results as responses. Nothing here has a state; what
 * is no valid request is a `Refusal` with ZooKeeper's number for it.
 */
import type { CallBody } from '../../lib/api/znodes.ts'
import type {
  CreateMode,
  CreateOperation,
  OperationResult,
  SubOperation,
  SubResult,
} from '../../lib/core/tree/operation.ts'
import { zxidFrom } from '../../lib/core/zab/zxid.ts'
import { errorCodes } from '../../lib/errors.ts'
import type {
  AclEntry,
  CallResult,
  NodeRead,
  NodeReadResult,
  PersistentWatchKind,
  ReadOperation,
  WatchKind,
} from '../../lib/ports/session-link.ts'
import { aclFromWire, aclToWire, isOpenAcl } from './acl.ts'
import type { JuteReader, JuteWriter, Schema } from './jute.ts'
import type { WireOperation, WireResult } from './multi.ts'
import { type Exchange, exchanges, type OperationName, type RequestOf, type ResponseOf } from './operations.ts'
import { addWatchModes, createFlags, opcodes, watcherTypes, zkErrors } from './protocol.ts'
import type { CreateRequest, CreateTtlRequest, SetWatches2Request, WireAcl } from './records.ts'

/** A request that fails before it becomes a call. */
export class Refusal extends Error {
  readonly zkCode: number

  constructor(zkCode: number, message: string) {
    super(message)
    this.zkCode = zkCode
  }

  override get name(): string {
    return 'Refusal'
  }
}

/** What a request became. */
export interface Translated {
  readonly call: CallBody
  /** Writes the response to a result that is no error. */
  respond(writer: JuteWriter, result: CallResult): void
}

/** The longest path, UTF-16 code units: as at the door of the API. */
const pathLengthMax = 0x4000

type Answer<K extends OperationName> = {
  readonly call: CallBody
  readonly response: (result: CallResult) => ResponseOf<K>
}

type Translator<K extends OperationName> = (request: RequestOf<K>) => Answer<K>

const read = (operation: ReadOperation): CallBody => ({ kind: 'read', read: operation, consistency: 'session' })

/** The result as the type that this call gets. */
function expect<T extends CallResult['type']>(result: CallResult, type: T): CallResult & { readonly type: T } {
  if (result.type !== type) throw new Refusal(-1, `a ${result.type} where a ${type} was expected`)
  return result as CallResult & { readonly type: T }
}

function requireShort(path: string): string {
  if (path.length > pathLengthMax) throw new Refusal(zkErrors.badArguments, 'a path that is too long')
  return path
}

/** The one thing that ZooKeeper says of a bad path in a read; to the others it is merely not there. */
function requireNoNul(path: string): string {
  if (path.includes('\0')) throw new Refusal(zkErrors.badArguments, 'a path with a NUL')
  return requireShort(path)
}

function aclOf(entries: readonly WireAcl[]): readonly AclEntry[] | undefined {
  if (isOpenAcl(entries)) return undefined
  return aclFromWire(entries)
}

type CreateType = 'create' | 'create2' | 'createContainer' | 'createTTL'

/** Each kind of create has its flags. */
function modeOf(type: CreateType, flags: number): CreateMode {
  const found = Object.entries(createFlags).find(([, flag]) => flag === flags)?.[0] as CreateMode | undefined
  const isTtl = flags === createFlags['persistent-ttl'] || flags === createFlags['persistent-sequential-ttl']
  const belongsTo = flags === createFlags.container ? 'createContainer' : isTtl ? 'createTTL' : 'create'
  const isRight = belongsTo === 'create' ? type === 'create' || type === 'create2' : belongsTo === type
  if (found === undefined || !isRight) throw new Refusal(zkErrors.badArguments, `flags ${flags} in a ${type}`)
  return found
}

function createOf(type: CreateType, request: CreateRequest | CreateTtlRequest): CreateOperation {
  const mode = modeOf(type, request.flags)
  const acl = aclOf(request.acl)
  return {
    type: 'create',
    path: requireShort(request.path),
    data: request.data,
    mode,
    ...(acl === undefined ? {} : { acl }),
    ...(type === 'createTTL' && 'ttlMs' in request ? { ttlMs: request.ttlMs } : {}),
  }
}

function subOperationOf({ type, request }: WireOperation): SubOperation {
  const path = requireShort(request.path)
  switch (type) {
    case 'create':
    case 'create2':
    case 'createContainer':
    case 'createTTL':
      return createOf(type, request)
    case 'setData':
      return { type, path, data: request.data, version: request.version }
    case 'delete':
    case 'check':
      return { type, path, version: request.version }
    default:
      throw new Refusal(zkErrors.marshallingError, 'a read in a multi of writes')
  }
}

/** ZooKeeper answers a create2 in a multi like a create, without a stat. */
function resultToWire(result: SubResult, asked: WireOperation | undefined): WireResult {
  switch (result.type) {
    case 'create':
      return asked?.type === 'create' || asked?.type === 'create2'
        ? { type: 'create', path: result.path }
        : { type: 'create2', path: result.path, stat: result.stat }
    case 'setData':
    case 'setAcl':
      return { type: 'setData', stat: result.stat }
    case 'rolledBack':
      return { type: 'error', error: zkErrors.ok }
    case 'error':
      return { type: 'error', error: errorCodes[result.code].zk }
    case 'delete':
    case 'check':
      return { type: result.type }
    default:
      throw new Refusal(-1, `a ${result.type} in a multi`)
  }
}

/** The results of a multi; `undefined` if it failed as a whole, with a code and no list. */
function multiResults(result: CallResult): readonly SubResult[] | undefined {
  if (result.type === 'multi') return result.results
  return (result as Extract<OperationResult, { type: 'error' }>).results
}

function nodeReadOf({ type, request }: WireOperation): NodeRead {
  if (type !== 'getData' && type !== 'getChildren') {
    throw new Refusal(zkErrors.marshallingError, 'a write among several reads')
  }
  return { type, path: requireShort(request.path) }
}

function readToWire(result: NodeReadResult): WireResult {
  switch (result.type) {
    case 'data':
      return { type: 'getData', data: result.data, stat: result.stat }
    case 'childNames':
      return { type: 'getChildren', children: result.children }
    case 'error':
      return { type: 'error', error: errorCodes[result.code].zk }
    default:
      throw new Refusal(-1, `a ${result.type} among reads`)
  }
}

function watchModeOf(mode: number): PersistentWatchKind {
  if (mode === addWatchModes.persistent) return 'persistent'
  if (mode === addWatchModes.persistentRecursive) return 'persistent-recursive'
  throw new Refusal(zkErrors.badArguments, `a watch of mode ${mode}`)
}

function watchKindsOf(type: number): readonly WatchKind[] {
  if (type === watcherTypes.children) return ['children']
  if (type === watcherTypes.data) return ['data', 'exists']
  if (type === watcherTypes.any) return ['data', 'exists', 'children', 'persistent', 'persistent-recursive']
  throw new Refusal(zkErrors.badArguments, `watches of type ${type}`)
}

function resumeWatches(request: SetWatches2Request): Answer<'setWatches' | 'setWatches2'> {
  const { relativeZxid, data, exists, children, persistent, persistentRecursive } = request
  if (relativeZxid < 0n) throw new Refusal(zkErrors.badArguments, 'a negative zxid')
  const watched = { data, exists, children, persistent, 'persistent-recursive': persistentRecursive }
  return {
    call: read({ type: 'resumeWatches', seen: zxidFrom(relativeZxid), watched }),
    response: () => undefined,
  }
}

const translators: { readonly [K in OperationName]?: Translator<K> } = {
  create: (request) => ({
    call: { kind: 'write', operation: createOf('create', request) },
    response: (result) => expect(result, 'create'),
  }),
  create2: (request) => ({
    call: { kind: 'write', operation: createOf('create2', request) },
    response: (result) => expect(result, 'create'),
  }),
  createContainer: (request) => ({
    call: { kind: 'write', operation: createOf('createContainer', request) },
    response: (result) => expect(result, 'create'),
  }),
  createTTL: (request) => ({
    call: { kind: 'write', operation: createOf('createTTL', request) },
    response: (result) => expect(result, 'create'),
  }),
  delete: ({ path, version }) => ({
    call: { kind: 'write', operation: { type: 'delete', path: requireShort(path), version } },
    response: () => undefined,
  }),
  setData: ({ path, data, version }) => ({
    call: { kind: 'write', operation: { type: 'setData', path: requireShort(path), data, version } },
    response: (result) => expect(result, 'setData'),
  }),
  multi: (operations) => ({
    call: { kind: 'write', operation: { type: 'multi', operations: operations.map(subOperationOf) } },
    response: (result) =>
      (multiResults(result) ?? []).map((sub, index): WireResult => resultToWire(sub, operations[index])),
  }),
  exists: ({ path, watch }) => ({
    call: read({ type: 'exists', path: requireNoNul(path), watch }),
    response: (result) => {
      const { stat } = expect(result, 'stat')
      if (stat === undefined) throw new Refusal(zkErrors.noNode, 'no such node')
      return { stat }
    },
  }),
  getData: ({ path, watch }) => ({
    call: read({ type: 'getData', path: requireShort(path), watch }),
    response: (result) => expect(result, 'data'),
  }),
  getChildren: ({ path, watch }) => ({
    call: read({ type: 'getChildren', path: requireShort(path), watch }),
    response: (result) => expect(result, 'childNames'),
  }),
  getChildren2: ({ path, watch }) => ({
    call: read({ type: 'getChildren', path: requireShort(path), watch }),
    response: (result) => expect(result, 'childNames'),
  }),
  getAllChildrenNumber: ({ path }) => ({
    call: read({ type: 'getAllChildrenNumber', path: requireShort(path) }),
    response: (result) => expect(result, 'count'),
  }),
  getEphemerals: ({ prefix }) => ({
    call: read({ type: 'getEphemerals', prefix }),
    response: (result) => expect(result, 'paths'),
  }),
  getACL: ({ path }) => ({
    call: read({ type: 'getAcl', path: requireShort(path) }),
    response: (result) => {
      const { acl, stat } = expect(result, 'acl')
      return { acl: aclToWire(acl), stat }
    },
  }),
  setACL: ({ path, acl, version }) => ({
    call: {
      kind: 'write',
      operation: { type: 'setAcl', path: requireShort(path), acl: aclFromWire(acl), version },
    },
    response: (result) => expect(result, 'setAcl'),
  }),
  multiRead: (operations) => ({
    call: read({ type: 'multiRead', reads: operations.map(nodeReadOf) }),
    response: (result) => expect(result, 'reads').results.map(readToWire),
  }),
  whoAmI: () => ({
    call: read({ type: 'whoAmI' }),
    response: (result) => ({ identities: expect(result, 'identities').identities }),
  }),
  auth: ({ scheme, auth }) => ({
    call: { kind: 'auth', scheme, credentials: auth ?? new Uint8Array(0) },
    response: () => undefined,
  }),
  addWatch: ({ path, mode }) => ({
    call: read({ type: 'addWatch', path: requireShort(path), kind: watchModeOf(mode) }),
    response: () => ({ error: zkErrors.ok }),
  }),
  removeWatches: ({ path, type }) => ({
    call: read({ type: 'removeWatches', path: requireShort(path), kinds: watchKindsOf(type) }),
    response: () => undefined,
  }),
  checkWatches: ({ path, type }) => ({
    call: read({ type: 'checkWatches', path: requireShort(path), kinds: watchKindsOf(type) }),
    response: () => undefined,
  }),
  setWatches: (request) => resumeWatches({ ...request, persistent: [], persistentRecursive: [] }),
  setWatches2: resumeWatches,
  // The configuration changes by the members themselves: a client that may do everything learns that it cannot do this.
  reconfig: () => ({
    call: read({ type: 'whoAmI' }),
    response: (result) => {
      const isSuper = expect(result, 'identities').identities.some(({ scheme }) => scheme === 'super')
      throw new Refusal(isSuper ? zkErrors.unimplemented : zkErrors.noAuth, 'not by this way')
    },
  }),
  sync: ({ path }) => ({ call: { kind: 'sync' }, response: () => ({ path }) }),
  ping: () => ({ call: { kind: 'awaitZxid', zxid: zxidFrom(0n) }, response: () => undefined }),
  closeSession: () => ({
    call: { kind: 'write', operation: { type: 'closeSession' } },
    response: () => undefined,
  }),
}

const namesByOpcode = new Map<number, OperationName>(
  (Object.keys(exchanges) as OperationName[]).map((name) => [opcodes[name], name]),
)

/** The operation that a number stands for; `undefined` for what no client sends (a lone `check` among it). */
export function operationOf(opcode: number): OperationName | undefined {
  const name = namesByOpcode.get(opcode)
  return name === 'check' ? undefined : name
}

/** Throws a Refusal, or a MarshallingError for bytes that are no such request. */
export function translate(name: OperationName, reader: JuteReader): Translated {
  const translator = translators[name] as ((request: unknown) => Answer<OperationName>) | undefined
  if (translator === undefined) throw new Refusal(zkErrors.unimplemented, `${name} is not supported`)
  const { request, response } = exchanges[name] as Exchange<unknown, unknown>
  const answer = translator(request.read(reader))
  const schema: Schema<unknown> = response
  return {
    call: answer.call,
    respond: (writer, result) => schema.write(writer, answer.response(result)),
  }
}

/** Whether a failed multi answers with a list of errors: the header then says that all is well. */
export function isListedFailure(name: OperationName | undefined, result: CallResult): boolean {
  return name === 'multi' && result.type === 'error' && multiResults(result) !== undefined
}
