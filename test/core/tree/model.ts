/**
 * The tree in its simplest form, to compare the real one with: a flat map from path to node, copied whole before a
 * multi, searched whole for children. It shares no code with the real one, and counts what the real one derives.
 */
import type {
  CreateOperation,
  DeleteOperation,
  EntryStamp,
  ErrorResult,
  MultiOperation,
  Operation,
  OperationResult,
  SubOperation,
  SubResult,
} from '../../../lib/core/tree/operation.ts'
import { noSession, type SessionId } from '../../../lib/core/tree/session-id.ts'
import type { Stat } from '../../../lib/core/tree/stat.ts'
import { type Zxid, zxidZero } from '../../../lib/core/zab/zxid.ts'
import type { ErrorCode } from '../../../lib/errors.ts'

export interface ModelNode {
  data: Uint8Array | undefined
  owner: SessionId
  czxid: Zxid
  mzxid: Zxid
  pzxid: Zxid
  ctime: number
  mtime: number
  version: number
  cversion: number
  nextSequence: number
}

const validPath = /^\/$|^(\/(?!\.\.?(\/|$))[^/\p{Cc}\ud800-\uf8ff\ufff0-\u{10ffff}]+)+$/u
const reserved = ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota']

export class Model {
  nodes: Map<string, ModelNode> = new Map()

  constructor() {
    for (const path of reserved) this.nodes.set(path, newNode(new Uint8Array(0), noSession, zxidZero, 0))
    this.#get('/').cversion = -1
    this.#get('/zookeeper').cversion = -2
  }

  evaluate(operation: Operation, session: SessionId, stamp: EntryStamp): OperationResult {
    switch (operation.type) {
      case 'multi':
        return this.#multi(operation, session, stamp)
      case 'closeSession':
        for (const [path, node] of this.nodes) if (node.owner === session) this.#delete(path, stamp)
        return { type: 'closeSession' }
      case 'setAcl':
        throw new Error('the model has no ACLs')
      default:
        return this.#single(operation, session, stamp)
    }
  }

  children(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`
    const below = [...this.nodes.keys()].filter((key) => key !== path && key.startsWith(prefix))
    return below.map((key) => key.slice(prefix.length)).filter((name) => !name.includes('/'))
  }

  descendants(path: string): string[] {
    return [...this.nodes.keys()].filter((key) => key !== path && key.startsWith(path === '/' ? '/' : `${path}/`))
  }

  ephemerals(session: SessionId): string[] {
    return [...this.nodes].filter(([, node]) => node.owner === session).map(([path]) => path)
  }

  stat(path: string): Stat {
    const { owner: ephemeralOwner, data, nextSequence: _, ...rest } = this.#get(path)
    const numChildren = this.children(path).length
    return { ...rest, ephemeralOwner, aversion: 0, dataLength: data?.length ?? 0, numChildren }
  }

  #get(path: string): ModelNode {
    const node = this.nodes.get(path)
    if (node === undefined) throw new Error(`the model has no ${path}`)
    return node
  }

  #multi({ operations, ifHeld }: MultiOperation, session: SessionId, stamp: EntryStamp): OperationResult {
    if (ifHeld !== undefined && this.nodes.get(ifHeld.path)?.czxid !== ifHeld.czxid) {
      return failure('COORD_LOCK_LOST', ifHeld.path)
    }
    const before = new Map([...this.nodes].map(([path, node]) => [path, { ...node }]))
    const results: SubResult[] = []
    for (const [index, operation] of operations.entries()) {
      const result = this.#single(operation, session, stamp)
      if (result.type === 'error') {
        this.nodes = before
        const rolledBack = results.map((): SubResult => ({ type: 'rolledBack' }))
        const skipped = operations.slice(index + 1).map(() => failure('COORD_RUNTIME_INCONSISTENCY'))
        return { type: 'error', code: result.code, index, results: [...rolledBack, result, ...skipped] }
      }
      results.push(result)
    }
    return { type: 'multi', results }
  }

  #single(operation: SubOperation, session: SessionId, stamp: EntryStamp): SubResult & OperationResult {
    const { path } = operation
    if (operation.type === 'create') return this.#create(operation, session, stamp)
    if (operation.type === 'delete') return this.#remove(operation, stamp)
    if (!validPath.test(path)) return failure('COORD_BAD_ARGUMENTS', path)
    const node = this.nodes.get(path)
    if (node === undefined) return failure('COORD_NO_NODE', path)
    if (path === '/zookeeper/config' && operation.type === 'setData') return failure('COORD_NO_AUTH', path)
    if (![-1, node.version].includes(operation.version)) return failure('COORD_BAD_VERSION', path)
    if (operation.type === 'check') return { type: 'check' }
    node.data = operation.data
    node.version += 1
    node.mzxid = stamp.zxid
    node.mtime = stamp.timeMs
    return { type: 'setData', stat: this.stat(path) }
  }

  #create(operation: CreateOperation, session: SessionId, stamp: EntryStamp): SubResult & OperationResult {
    const { mode, data, parents } = operation
    if (!operation.path.includes('/')) return failure('COORD_BAD_ARGUMENTS', operation.path)
    const parent = this.nodes.get(parentOf(operation.path))
    if (!parent && !parents) return failure('COORD_NO_NODE', operation.path)
    const sequence = `${parent?.nextSequence ?? 0}`
    const suffix = mode.endsWith('-sequential') ? '0'.repeat(10 - sequence.length) + sequence : ''
    const path = operation.path + suffix
    if (!validPath.test(path)) return failure('COORD_BAD_ARGUMENTS', operation.path)
    if (this.nodes.has(path)) return failure('COORD_NODE_EXISTS', path)
    const chain = ancestors(path)
    if (chain.some((key) => (this.nodes.get(key)?.owner ?? noSession) !== noSession)) {
      return failure('COORD_NO_CHILDREN_FOR_EPHEMERALS', path)
    }
    for (const key of chain) if (!this.nodes.has(key)) this.#add(key, undefined, noSession, stamp)
    this.#add(path, data, mode.startsWith('ephemeral') ? session : noSession, stamp)
    return { type: 'create', path, stat: this.stat(path) }
  }

  #add(path: string, data: Uint8Array | undefined, owner: SessionId, { zxid, timeMs }: EntryStamp): void {
    this.nodes.set(path, newNode(data, owner, zxid, timeMs))
    const parent = this.#get(parentOf(path))
    parent.nextSequence += 1
    parent.cversion += 1
    parent.pzxid = zxid
  }

  #remove({ path, version, recursive }: DeleteOperation, stamp: EntryStamp): SubResult & OperationResult {
    if (!path.includes('/') || reserved.includes(path)) return failure('COORD_BAD_ARGUMENTS', path)
    const node = this.nodes.get(path)
    if (node === undefined) return failure('COORD_NO_NODE', path)
    if (![-1, node.version].includes(version)) return failure('COORD_BAD_VERSION', path)
    if (this.children(path).length > 0 && !recursive) return failure('COORD_NOT_EMPTY', path)
    for (const key of this.descendants(path)) this.nodes.delete(key)
    this.#delete(path, stamp)
    return { type: 'delete' }
  }

  #delete(path: string, { zxid }: EntryStamp): void {
    this.nodes.delete(path)
    const parent = this.#get(parentOf(path))
    parent.cversion += 1
    parent.pzxid = zxid
  }
}

function newNode(data: Uint8Array | undefined, owner: SessionId, zxid: Zxid, timeMs: number): ModelNode {
  const zxids = { czxid: zxid, mzxid: zxid, pzxid: zxid }
  return { data, owner, ...zxids, ctime: timeMs, mtime: timeMs, version: 0, cversion: 0, nextSequence: 0 }
}

function parentOf(path: string): string {
  return path.split('/').slice(0, -1).join('/') || '/'
}

/** The paths between the root and `path`, both excluded. */
function ancestors(path: string): string[] {
  const names = path.split('/').slice(1, -1)
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
}

function failure(code: ErrorCode, path?: string): ErrorResult {
  return path === undefined ? { type: 'error', code } : { type: 'error', code, path }
}
