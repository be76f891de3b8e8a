/**
 * Writes at a real ensemble. One request where ZooKeeper has one; a create with its parents and a recursive delete are
 * several, and not atomic there.
 */

import type {
  CreateOperation,
  DeleteOperation,
  MultiOperation,
  OperationResult,
  SetAclOperation,
  SubOperation,
  SubResult,
} from '../../lib/core/tree/operation.ts'
import { anyVersion } from '../../lib/core/tree/operation.ts'
import { joinPath, parentOf } from '../../lib/core/tree/path.ts'
import { noSession } from '../../lib/core/tree/session-id.ts'
import type { Stat } from '../../lib/core/tree/stat.ts'
import { zxidFrom } from '../../lib/core/zab/zxid.ts'
import { aclToWire, openAcl } from './acl.ts'
import type { Ask } from './ensemble-link.ts'
import type { WireOperation, WireResult } from './multi.ts'
import { codeOf, createFlags, zkErrors } from './protocol.ts'
import type { CreateRequest } from './records.ts'
import { failed, statFromWire } from './results.ts'

/** Others may be at work below the same node: how often a delete of all of it, or a create of parents, begins again. */
const attemptsMax = 20
/** Deletes in one transaction. */
const deletesPerMulti = 500

type CreateName = 'create2' | 'createContainer' | 'createTTL'

function nameOf({ mode }: CreateOperation): CreateName {
  if (mode === 'container') return 'createContainer'
  return mode.endsWith('ttl') ? 'createTTL' : 'create2'
}

function creationOf({ path, data, acl, mode, ttlMs }: CreateOperation): CreateRequest & { readonly ttlMs: number } {
  return {
    path,
    data,
    acl: acl === undefined ? openAcl : aclToWire(acl),
    flags: createFlags[mode],
    ttlMs: ttlMs ?? 0,
  }
}

async function create(ask: Ask, operation: CreateOperation): Promise<OperationResult> {
  const { error, response } = await ask(nameOf(operation), creationOf(operation))
  if (response === undefined) return failed(codeOf(error), undefined, operation.path)
  return { type: 'create', path: response.path, stat: statFromWire(response.stat) }
}

export async function performSingle(ask: Ask, operation: SubOperation | SetAclOperation): Promise<OperationResult> {
  const { path } = operation
  switch (operation.type) {
    case 'create':
      return create(ask, operation)
    case 'delete': {
      const { error } = await ask('delete', { path, version: operation.version })
      return error === 0 ? { type: 'delete' } : failed(codeOf(error), undefined, path)
    }
    case 'setData': {
      const { data, version } = operation
      const { error, response } = await ask('setData', { path, data, version })
      if (response === undefined) return failed(codeOf(error), undefined, path)
      return { type: 'setData', stat: statFromWire(response.stat) }
    }
    case 'setAcl': {
      const { acl, version } = operation
      const { error, response } = await ask('setACL', { path, acl: aclToWire(acl), version })
      if (response === undefined) return failed(codeOf(error), undefined, path)
      return { type: 'setAcl', stat: statFromWire(response.stat) }
    }
    case 'check':
      return performMulti(ask, { type: 'multi', operations: [operation] })
  }
}

/** Missing parents are created one by one, with the same ACL. */
export async function createWithParents(ask: Ask, operation: CreateOperation): Promise<OperationResult> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await create(ask, operation)
    const isParentMissing = result.type === 'error' && result.code === 'COORD_NO_NODE'
    if (!isParentMissing || attempt === attemptsMax) return result
    const missing: string[] = []
    for (let path = parentOf(operation.path); path !== '/'; path = parentOf(path)) {
      if ((await ask('exists', { path, watch: false })).error === 0) break
      missing.unshift(path)
    }
    for (const path of missing) {
      const parent = await create(ask, { ...operation, path, data: undefined, mode: 'persistent', ttlMs: undefined })
      if (parent.type === 'error' && parent.code !== 'COORD_NODE_EXISTS' && parent.code !== 'COORD_NO_NODE')
        return parent
    }
  }
}

/** Children before parents, in transactions; what comes up meanwhile is deleted, too. */
export async function deleteRecursively(ask: Ask, { path, version }: DeleteOperation): Promise<OperationResult> {
  for (let attempt = 1; ; attempt += 1) {
    const all = await descendants(ask, path)
    const operations = all.map((one): SubOperation => ({ type: 'delete', path: one, version: anyVersion }))
    operations.push({ type: 'delete', path, version })
    const result = await deleteAll(ask, operations, { path, version })
    const isOvertaken =
      result.type === 'error' &&
      (result.code === 'COORD_NOT_EMPTY' || (result.code === 'COORD_NO_NODE' && result.path !== path))
    if (!isOvertaken || attempt === attemptsMax) return result
  }
}

async function deleteAll(
  ask: Ask,
  operations: readonly SubOperation[],
  root: { readonly path: string; readonly version: number },
): Promise<OperationResult> {
  for (let start = 0; start < operations.length; start += deletesPerMulti) {
    const some = operations.slice(start, start + deletesPerMulti)
    // Each transaction holds only while the root has the version that was asked for.
    const check: SubOperation = { type: 'check', path: root.path, version: root.version }
    const result = await performMulti(ask, { type: 'multi', operations: [check, ...some] })
    if (result.type !== 'error') continue
    const index = result.index ?? 0
    return failed(result.code, undefined, index === 0 ? root.path : some[index - 1]?.path)
  }
  return { type: 'delete' }
}

/** Below a node, children before parents. */
async function descendants(ask: Ask, root: string): Promise<string[]> {
  const found: string[] = []
  for (let at = -1; at < found.length; at += 1) {
    const path = at === -1 ? root : (found[at] as string)
    const { response } = await ask('getChildren', { path, watch: false })
    for (const name of response?.children ?? []) found.push(joinPath(path, name))
  }
  return found.reverse()
}

/**
 * `ifHeld`: ZooKeeper can check a version but not a czxid. So the node is looked at first, and the version that it has is
 * checked in the transaction. Whoever deletes it and creates another one of this name and version between the two, is
 * not noticed; names with a sequence number do not come twice.
 */
async function performHeldMulti(
  ask: Ask,
  operations: readonly SubOperation[],
  { path, czxid }: NonNullable<MultiOperation['ifHeld']>,
): Promise<OperationResult> {
  const lost = failed('COORD_LOCK_LOST', undefined, path)
  const { response } = await ask('exists', { path, watch: false })
  if (response?.stat.czxid !== czxid) return lost
  const check: SubOperation = { type: 'check', path, version: response.stat.version }
  const result = await performMulti(ask, { type: 'multi', operations: [check, ...operations] })
  if (result.type === 'multi') return { type: 'multi', results: result.results.slice(1) }
  if (result.type !== 'error' || result.index === undefined) return result
  if (result.index === 0) return lost
  return { ...result, index: result.index - 1, results: result.results?.slice(1) }
}

export async function performMulti(ask: Ask, { operations, ifHeld }: MultiOperation): Promise<OperationResult> {
  if (ifHeld !== undefined) return performHeldMulti(ask, operations, ifHeld)
  const { error, response } = await ask('multi', operations.map(toWire))
  if (response === undefined) return failed(codeOf(error))
  const index = response.findIndex((result) => result.type === 'error' && result.error !== zkErrors.ok)
  if (index !== -1) {
    const first = response[index] as Extract<WireResult, { type: 'error' }>
    const results = response.map((result, at) => failureOf(result, operations[at]?.path))
    return { type: 'error', code: codeOf(first.error), index, results }
  }
  const results: SubResult[] = []
  for (const [at, result] of response.entries()) results.push(await successOf(ask, result, operations[at]))
  return { type: 'multi', results }
}

function toWire(operation: SubOperation): WireOperation {
  switch (operation.type) {
    case 'create':
      return { type: nameOf(operation), request: creationOf(operation) }
    case 'setData':
      return { type: 'setData', request: operation }
    default:
      return { type: operation.type, request: operation }
  }
}

function failureOf(result: WireResult, path: string | undefined): SubResult {
  if (result.type !== 'error' || result.error === zkErrors.ok) return { type: 'rolledBack' }
  return failed(codeOf(result.error), undefined, path)
}

/** ZooKeeper's multi tells no stat of a created node: it is read behind it. */
async function successOf(ask: Ask, result: WireResult, operation: SubOperation | undefined): Promise<SubResult> {
  switch (result.type) {
    case 'create': {
      const { response } = await ask('exists', { path: result.path, watch: false })
      return {
        type: 'create',
        path: result.path,
        stat: response === undefined ? unknownStat : statFromWire(response.stat),
      }
    }
    case 'create2':
      return { type: 'create', path: result.path, stat: statFromWire(result.stat) }
    case 'setData':
      return { type: 'setData', stat: statFromWire(result.stat) }
    case 'delete':
    case 'check':
      return { type: result.type }
    default:
      return failed('COORD_SYSTEM_ERROR', `a ${result.type} for a ${operation?.type}`)
  }
}

/** Of a node that was created and is gone again. */
const unknownStat: Stat = {
  czxid: zxidFrom(0n),
  mzxid: zxidFrom(0n),
  pzxid: zxidFrom(0n),
  ctime: 0,
  mtime: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: noSession,
  dataLength: 0,
  numChildren: 0,
}
