/**
 * Evaluates the operations of sessions on the tree. The first check that fails decides the result, so the order of the
 * checks is ZooKeeper's, line by line; a result depends on the tree and the entry alone.
 *
 * All checks of an operation come before its first change, therefore a single operation that fails has changed
 * nothing; a multi is made so by the tree's undo log.
 *
 * Changes are listed in the order in which they fire watches: of created parents, the upper ones first; of a recursive
 * deletion, children before parents.
 */
import { assert } from '../../errors.ts'
import type { Zxid } from '../zab/zxid.ts'
import { type Acl, type Identity, isPermitted, type Permission, resolveAcl } from './acl.ts'
import { type DataTree, isReservedPath, type Place } from './data-tree.ts'
import { failure } from './failure.ts'
import {
  anyVersion,
  type CheckOperation,
  type CloseSessionOperation,
  type CreateMode,
  type CreateOperation,
  type CreateResult,
  type DeleteOperation,
  type EntryStamp,
  type ErrorResult,
  type MultiOperation,
  type MultiResult,
  type Operation,
  type OperationResult,
  type ReapRequest,
  type SetAclOperation,
  type SetDataOperation,
  type SubOperation,
  type SubResult,
  type TreeChange,
  ttlMsMax,
} from './operation.ts'
import type { ZnodeFields } from './packed-node.ts'
import { parentOf, segmentEnd, validatePath } from './path.ts'
import type { Quota, QuotaWarning } from './quota.ts'
import { noSession, type SessionId } from './session-id.ts'
import { Znode } from './znode.ts'

/** What an operation is evaluated in. */
export interface EvaluationContext {
  readonly tree: DataTree
  readonly session: SessionId
  /** Whom the session was proven to be. */
  readonly identities: readonly Identity[]
  readonly stamp: EntryStamp
  /** The changes of the entry so far. */
  changes: readonly TreeChange[]
  /** The soft quotas that it went over. */
  warnings: readonly QuotaWarning[]
}

/** Most entries make one change, and a list of one that never grows takes a fifth of the memory of one that may. */
function noteChange(context: EvaluationContext, change: TreeChange): void {
  if (context.changes.length === 0) context.changes = [change]
  else (context.changes as TreeChange[]).push(change)
}

/** Everything but the end of the session, which concerns more than the tree. */
export type TreeOperation = Exclude<Operation, CloseSessionOperation>

export function evaluate(context: EvaluationContext, operation: TreeOperation): OperationResult {
  return operation.type === 'multi' ? multi(context, operation) : evaluateSingle(context, operation)
}

/** Deletes all ephemeral nodes of a session that ends. */
export function deleteEphemerals(context: EvaluationContext): void {
  for (const place of context.tree.ephemeralsInOrder(context.session)) removeNode(context, place)
}

/** Its end is one entry, which every member applies in one go. The same on every member: it decides results. */
export const ephemeralsPerSessionMax = 100_000

/** A container that never had a child is given so long to get one, milliseconds of the log clock. */
export const containerUnusedMsMax = 300_000

/** Whether a container or a node with a time to live is to be deleted: asked by the leader, and again where it is applied. */
export function isReapable({ mode, numChildren, creates, ttlMs, touchedClockMs }: Znode, clockMs: number): boolean {
  if (numChildren > 0) return false
  const age = clockMs - touchedClockMs
  if (mode === 'container') return creates > 0 || age > containerUnusedMsMax
  return mode === 'ttl' && age > ttlMs
}

/** Returns whether the node was deleted. */
export function reap(context: EvaluationContext, { path, czxid }: ReapRequest): boolean {
  const node = context.tree.find(path)
  if (node?.czxid !== czxid || !isReapable(node, context.stamp.clockMs)) return false
  removeNode(context, { path, node })
  return true
}

type SingleResult = Exclude<OperationResult, MultiResult>

function evaluateSingle(context: EvaluationContext, operation: SubOperation | SetAclOperation): SingleResult {
  switch (operation.type) {
    case 'create':
      return create(context, operation)
    case 'delete':
      return remove(context, operation)
    case 'setData':
      return setData(context, operation)
    case 'setAcl':
      return setAcl(context, operation)
    case 'check':
      return check(context, operation)
  }
}

function create(context: EvaluationContext, operation: CreateOperation): CreateResult | ErrorResult {
  const { tree, identities } = context
  const acl = resolveAcl(operation.acl, identities)
  if (!hasLegalTtl(operation) || !isSeparable(operation.path)) return failure('COORD_BAD_ARGUMENTS', operation.path)
  if (!acl.isValid) return failure('COORD_INVALID_ACL', operation.path)
  const parentPath = parentOf(operation.path)
  const parent = tree.find(parentPath)
  if (parent === undefined && operation.parents !== true) return failure('COORD_NO_NODE', operation.path)
  const nearest = tree.findNearest(parentPath)
  if (!isPermitted(nearest.node.acl, 'c', identities)) return failure('COORD_NO_AUTH', operation.path)
  const path = isSequential(operation.mode) ? operation.path + sequenceSuffix(parent) : operation.path
  if (validatePath(path) !== undefined) return failure('COORD_BAD_ARGUMENTS', operation.path)
  if (tree.find(path) !== undefined) return failure('COORD_NODE_EXISTS', path)
  if (nearest.node.mode === 'ephemeral') return failure('COORD_NO_CHILDREN_FOR_EPHEMERALS', path)
  if (tree.hasQuotas && exceedsQuota(tree, nearest.path, path, operation)) return failure('COORD_QUOTA_EXCEEDED', path)
  if (isEphemeral(operation.mode) && tree.ephemeralCount(context.session) >= ephemeralsPerSessionMax)
    return failure('COORD_QUOTA_EXCEEDED', path)
  const node = newNode(context, operation, acl.acl)
  addNode(context, createParents(context, nearest, parentPath, acl.acl), { path, node })
  warnOfQuota(context, path)
  return { type: 'create', path, stat: node.stat() }
}

/** A time to live is for the modes that have one, and those need it. */
function hasLegalTtl({ mode, ttlMs }: CreateOperation): boolean {
  if (!isWithTtl(mode)) return ttlMs === undefined
  return ttlMs !== undefined && ttlMs >= 1 && ttlMs <= ttlMsMax
}

function isWithTtl(mode: CreateMode): boolean {
  return mode === 'persistent-ttl' || mode === 'persistent-sequential-ttl'
}

/** All that ZooKeeper asks of a path before it looks for the parent. */
function isSeparable(path: string): boolean {
  return path.includes('/') && !path.includes('\0')
}

function isSequential(mode: CreateMode): boolean {
  return mode === 'persistent-sequential' || mode === 'ephemeral-sequential' || mode === 'persistent-sequential-ttl'
}

function isEphemeral(mode: CreateMode): boolean {
  return mode === 'ephemeral' || mode === 'ephemeral-sequential'
}

/** Ten digits; past 9999999999 it is simply wider. ZooKeeper's counter gets stuck at 2³¹ - 1. */
function sequenceSuffix(parent: Znode | undefined): string {
  return String(parent?.creates ?? 0).padStart(10, '0')
}

/** Whether the nodes that are to be created below `nearest` would break a hard limit: each counts for its nearest quota. */
function exceedsQuota(tree: DataTree, nearest: string, path: string, { data }: CreateOperation): boolean {
  const own = tree.quotaOf(path)
  const counts = new Map<Quota, number>()
  for (let at = path; at !== nearest; at = parentOf(at)) {
    const quota = tree.quotaOf(at)
    if (quota !== undefined) counts.set(quota, (counts.get(quota) ?? 0) + 1)
  }
  return [...counts].some(([quota, count]) => quota.refuses({ count, bytes: quota === own ? (data?.length ?? 0) : 0 }))
}

/** Creates what is missing between `nearest` and `parentPath`, and returns the node of the latter. */
function createParents(context: EvaluationContext, nearest: Place, parentPath: string, acl: Acl): Znode {
  let parent = nearest.node
  for (let start = nearest.path === '/' ? 1 : nearest.path.length + 1; start < parentPath.length; ) {
    const end = segmentEnd(parentPath, start)
    const node = newNode(context, { mode: 'persistent', data: undefined }, acl)
    addNode(context, parent, { path: parentPath.substring(0, end), node })
    parent = node
    start = end + 1
  }
  return parent
}

function newNode(
  { session, stamp }: EvaluationContext,
  { mode, data, ttlMs }: Pick<CreateOperation, 'mode' | 'data' | 'ttlMs'>,
  acl: Acl,
): Znode {
  const ephemeral = isEphemeral(mode)
  const { zxid, timeMs, clockMs } = stamp
  const fields: ZnodeFields = {
    data,
    mode: ephemeral ? 'ephemeral' : mode === 'container' ? 'container' : isWithTtl(mode) ? 'ttl' : 'persistent',
    ttlMs: ttlMs ?? 0,
    ephemeralOwner: ephemeral ? session : noSession,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: timeMs,
    mtime: timeMs,
    touchedClockMs: clockMs,
    version: 0,
    creates: 0,
    aversion: 0,
  }
  return new Znode(fields, acl)
}

function addNode(context: EvaluationContext, parent: Znode, { path, node }: Place): void {
  context.tree.attach(parent, path, node)
  noteChange(context, { type: 'created', path, acl: node.acl, parentAcl: parent.acl, data: node.data })
}

function warnOfQuota(context: EvaluationContext, path: string): void {
  const quota = context.tree.quotaOf(path)
  if (quota !== undefined) context.warnings = [...context.warnings, ...quota.warnings()]
}

function remove(context: EvaluationContext, operation: DeleteOperation): SingleResult {
  const { tree, identities } = context
  const { path } = operation
  if (!isSeparable(path) || isReservedPath(path)) return failure('COORD_BAD_ARGUMENTS', path)
  const parent = tree.find(parentOf(path))
  if (parent === undefined) return failure('COORD_NO_NODE', path)
  if (!isPermitted(parent.acl, 'd', identities)) return failure('COORD_NO_AUTH', path)
  const node = tree.find(path)
  if (node === undefined) return failure('COORD_NO_NODE', path)
  if (!hasVersion(node, operation.version)) return failure('COORD_BAD_VERSION', path)
  if (node.numChildren > 0)
    return operation.recursive === true ? removeSubtree(context, path) : failure('COORD_NOT_EMPTY', path)
  removeNode(context, { path, node })
  return { type: 'delete' }
}

/** In the reverse order of the walk, every node comes after its children. All is permitted before anything is deleted. */
function removeSubtree(context: EvaluationContext, path: string): SingleResult {
  const places = [...context.tree.walk(path)]
  const forbidden = places.find(({ node }) => node.numChildren > 0 && !isPermitted(node.acl, 'd', context.identities))
  if (forbidden !== undefined) return failure('COORD_NO_AUTH', forbidden.path)
  for (const place of places.reverse()) removeNode(context, place)
  return { type: 'delete' }
}

function removeNode(context: EvaluationContext, place: Place): void {
  const parent = context.tree.detach(place, context.stamp.zxid)
  noteChange(context, {
    type: 'deleted',
    path: place.path,
    acl: place.node.acl,
    parentAcl: parent.acl,
    data: undefined,
  })
}

function setData(context: EvaluationContext, operation: SetDataOperation): SingleResult {
  const { tree, stamp } = context
  const { path, data, version } = operation
  const node = findPermitted(context, path, 'w')
  if (!(node instanceof Znode)) return node
  if (tree.hasQuotas && outgrowsQuota(tree, path, node, data)) return failure('COORD_QUOTA_EXCEEDED', path)
  if (!hasVersion(node, version)) return failure('COORD_BAD_VERSION', path)
  tree.setData({ path, node }, data, stamp)
  // Nobody is told of the children here, so the parent's ACL does not matter.
  noteChange(context, { type: 'changed', path, acl: node.acl, parentAcl: undefined, data })
  warnOfQuota(context, path)
  return { type: 'setData', stat: node.stat() }
}

function outgrowsQuota(tree: DataTree, path: string, node: Znode, data: Uint8Array | undefined): boolean {
  const bytes = (data?.length ?? 0) - node.dataLength
  return tree.quotaOf(path)?.refuses({ count: 0, bytes }) === true
}

function setAcl(context: EvaluationContext, { path, acl: given, version }: SetAclOperation): SingleResult {
  const acl = resolveAcl(given, context.identities)
  if (validatePath(path) !== undefined) return failure('COORD_BAD_ARGUMENTS', path)
  if (!acl.isValid) return failure('COORD_INVALID_ACL', path)
  const node = findPermitted(context, path, 'a')
  if (!(node instanceof Znode)) return node
  if (version !== anyVersion && version !== node.aversion) return failure('COORD_BAD_VERSION', path)
  context.tree.setAcl({ path, node }, acl.acl)
  return { type: 'setAcl', stat: node.stat() }
}

function check(context: EvaluationContext, { path, version }: CheckOperation): SingleResult {
  const node = findPermitted(context, path, 'r')
  if (!(node instanceof Znode)) return node
  return hasVersion(node, version) ? { type: 'check' } : failure('COORD_BAD_VERSION', path)
}

/** The node at a path, if the session may do with it what it wants to, or why not. */
function findPermitted({ tree, identities }: EvaluationContext, path: string, wanted: Permission): Znode | ErrorResult {
  const node = tree.find(path)
  // There is no node at a path that is none: so only one without a node is looked at.
  if (node === undefined)
    return failure(validatePath(path) === undefined ? 'COORD_NO_NODE' : 'COORD_BAD_ARGUMENTS', path)
  return isPermitted(node.acl, wanted, identities) ? node : failure('COORD_NO_AUTH', path)
}

function hasVersion(node: Znode, version: number): boolean {
  return version === anyVersion || version === node.version
}

function multi(context: EvaluationContext, { operations, ifHeld }: MultiOperation): MultiResult | ErrorResult {
  const { tree } = context
  if (ifHeld !== undefined && !isHeld(tree, ifHeld)) return failure('COORD_LOCK_LOST', ifHeld.path)
  const results: SingleResult[] = []
  const succeeded = tree.atomically(() =>
    operations.every((operation) => {
      const result = evaluateSingle(context, operation)
      results.push(result)
      return result.type !== 'error'
    }),
  )
  if (succeeded) return { type: 'multi', results }
  context.changes = []
  context.warnings = []
  return failedMulti(operations.length, results)
}

/** Only in the incarnation that was created then: a lock that was lost and taken again has another czxid. */
function isHeld(tree: DataTree, { path, czxid }: { readonly path: string; readonly czxid: Zxid }): boolean {
  return tree.find(path)?.czxid === czxid
}

/** `results` ends with the failure; the operations behind it were not evaluated. */
function failedMulti(size: number, results: readonly SingleResult[]): ErrorResult {
  const index = results.length - 1
  const error = results[index]
  assert(error?.type === 'error', 'a multi failed without a failure')
  const all = Array.from({ length: size }, (_, position): SubResult => {
    if (position < index) return { type: 'rolledBack' }
    return position === index ? error : failure('COORD_RUNTIME_INCONSISTENCY')
  })
  return { type: 'error', code: error.code, index, results: all }
}
