/**
 * Multis on the wire: a list of (header, record), ended by a header that says done. What the record is depends on the
 * header's type; in a response the type -1 is an error.
 */
import { bool, int, type JuteReader, type JuteWriter, MarshallingError, record, type Schema } from './jute.ts'
import { opcodes } from './protocol.ts'
import {
  type ChildrenResponse,
  type CreateRequest,
  type CreateTtlRequest,
  childrenResponse,
  createRequest,
  createTtlRequest,
  type DataResponse,
  dataResponse,
  type PathRequest,
  type PathVersionRequest,
  type PathWatchRequest,
  pathResponse,
  pathStatResponse,
  pathVersionRequest,
  pathWatchRequest,
  type SetDataRequest,
  setDataRequest,
  statResponse,
  type WireStat,
} from './records.ts'

interface MultiHeader {
  readonly type: number
  readonly done: boolean
  readonly error: number
}

const multiHeader = record<MultiHeader>({ type: int, done: bool, error: int })
const end: MultiHeader = { type: -1, done: true, error: -1 }

/** `createTTL` alone has a `ttlMs`. */
export type WireOperation =
  | { readonly type: 'create' | 'create2' | 'createContainer'; readonly request: CreateRequest }
  | { readonly type: 'createTTL'; readonly request: CreateTtlRequest }
  | { readonly type: 'delete' | 'check'; readonly request: PathVersionRequest }
  | { readonly type: 'setData'; readonly request: SetDataRequest }
  | { readonly type: 'getData' | 'getChildren'; readonly request: PathRequest }

export type WireResult =
  | { readonly type: 'create'; readonly path: string }
  | { readonly type: 'create2'; readonly path: string; readonly stat: WireStat }
  | { readonly type: 'delete' | 'check' }
  | { readonly type: 'setData'; readonly stat: WireStat }
  | ({ readonly type: 'getData' } & DataResponse)
  | ({ readonly type: 'getChildren' } & ChildrenResponse)
  | { readonly type: 'error'; readonly error: number }

const operationTypes = [
  'create',
  'create2',
  'createContainer',
  'createTTL',
  'delete',
  'check',
  'setData',
  'getData',
  'getChildren',
] as const

/** A read in a multi carries the field `watch`, which means nothing. */
const unwatched: Schema<PathRequest> = {
  bytesMin: pathWatchRequest.bytesMin,
  read: (reader) => ({ path: pathWatchRequest.read(reader).path }),
  write: (writer, { path }) => pathWatchRequest.write(writer, { path, watch: false } satisfies PathWatchRequest),
}

function readOperation(reader: JuteReader, opcode: number): WireOperation {
  const type = operationTypes.find((name) => opcodes[name] === opcode)
  switch (type) {
    case 'create':
    case 'create2':
    case 'createContainer':
      return { type, request: createRequest.read(reader) }
    case 'createTTL':
      return { type, request: createTtlRequest.read(reader) }
    case 'delete':
    case 'check':
      return { type, request: pathVersionRequest.read(reader) }
    case 'setData':
      return { type, request: setDataRequest.read(reader) }
    case 'getData':
    case 'getChildren':
      return { type, request: unwatched.read(reader) }
    default:
      throw new MarshallingError(`an operation of type ${opcode} in a multi`)
  }
}

function writeOperation(writer: JuteWriter, { type, request }: WireOperation): void {
  switch (type) {
    case 'create':
    case 'create2':
    case 'createContainer':
      createRequest.write(writer, request)
      return
    case 'createTTL':
      createTtlRequest.write(writer, request)
      return
    case 'delete':
    case 'check':
      pathVersionRequest.write(writer, request)
      return
    case 'setData':
      setDataRequest.write(writer, request)
      return
    default:
      unwatched.write(writer, request)
  }
}

export const multiRequest: Schema<readonly WireOperation[]> = {
  bytesMin: multiHeader.bytesMin,
  read: (reader) => {
    const operations: WireOperation[] = []
    for (let header = multiHeader.read(reader); !header.done; header = multiHeader.read(reader)) {
      operations.push(readOperation(reader, header.type))
    }
    return operations
  },
  write: (writer, operations) => {
    for (const operation of operations) {
      multiHeader.write(writer, { type: opcodes[operation.type], done: false, error: -1 })
      writeOperation(writer, operation)
    }
    multiHeader.write(writer, end)
  },
}

function readResult(reader: JuteReader, type: number): WireResult {
  switch (type) {
    case opcodes.create:
      return { type: 'create', ...pathResponse.read(reader) }
    case opcodes.create2:
    case opcodes.createContainer:
    case opcodes.createTTL:
      return { type: 'create2', ...pathStatResponse.read(reader) }
    case opcodes.delete:
      return { type: 'delete' }
    case opcodes.check:
      return { type: 'check' }
    case opcodes.setData:
      return { type: 'setData', ...statResponse.read(reader) }
    case opcodes.getData:
      return { type: 'getData', ...dataResponse.read(reader) }
    case opcodes.getChildren:
      return { type: 'getChildren', ...childrenResponse.read(reader) }
    case opcodes.error:
      return { type: 'error', error: reader.int() }
    default:
      throw new MarshallingError(`a result of type ${type} in a multi`)
  }
}

function writeResult(writer: JuteWriter, result: WireResult): void {
  multiHeader.write(writer, {
    type: opcodes[result.type],
    done: false,
    error: result.type === 'error' ? result.error : 0,
  })
  switch (result.type) {
    case 'create':
      pathResponse.write(writer, result)
      return
    case 'create2':
      pathStatResponse.write(writer, result)
      return
    case 'setData':
      statResponse.write(writer, result)
      return
    case 'getData':
      dataResponse.write(writer, result)
      return
    case 'getChildren':
      childrenResponse.write(writer, result)
      return
    case 'error':
      writer.int(result.error)
      return
    default:
      return
  }
}

export const multiResponse: Schema<readonly WireResult[]> = {
  bytesMin: multiHeader.bytesMin,
  read: (reader) => {
    const results: WireResult[] = []
    for (let header = multiHeader.read(reader); !header.done; header = multiHeader.read(reader)) {
      results.push(readResult(reader, header.type))
    }
    return results
  },
  write: (writer, results) => {
    for (const result of results) writeResult(writer, result)
    multiHeader.write(writer, end)
  },
}
