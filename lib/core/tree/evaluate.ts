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
  type SetAclOperation,
  type SetDataOperation,
  type SubOperation,
  type SubResult,
  type TreeChange,
} from './operation.ts'
import { parentOf, segmentEnd, validatePath } from './path.ts'
import { noSession, type SessionId } from './session-id.ts'
import { Znode } from './znode.ts'

/** What an operation is evaluated in. */
export interface EvaluationContext {
  readonly tree: DataTree
  readonly session: SessionId
  readonly stamp: EntryStamp
  /** Collects the changes of the entry. */
  readonly changes: TreeChange[]
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

type SingleResult = Exclude<OperationResult, MultiResult>

function evaluateSingle(context: EvaluationContext, operation: SubOperation | SetAclOperation): SingleResult {
  if (!isSupported(operation)) return failure('COORD_UNIMPLEMENTED', operation.path)
  switch (operation.type) {
    case 'create':
      return create(context, operation)
    case 'delete':
      return remove(context, operation)
    case 'setData':
      return setData(context, operation)
    case 'check':
      return check(context, operation)
  }
}

const supportedModes: ReadonlySet<CreateMode> = new Set<CreateMode>([
  'persistent',
  'persistent-sequential',
  'ephemeral',
  'ephemeral-sequential',
])

function isSupported(operation: SubOperation | SetAclOperation): operation is SubOperation {
  if (operation.type === 'setAcl') return false
  if (operation.type !== 'create') return true
  return supportedModes.has(operation.mode) && operation.acl === undefined && operation.ttlMs === undefined
}

function create(context: EvaluationContext, operation: CreateOperation): CreateResult | ErrorResult {
  const { tree } = context
  if (!isSeparable(operation.path)) return failure('COORD_BAD_ARGUMENTS', operation.path)
  const parentPath = parentOf(operation.path)
  const parent = tree.find(parentPath)
  if (parent === undefined && operation.parents !== true) return failure('COORD_NO_NODE', operation.path)
  const path = isSequential(operation.mode) ? operation.path + sequenceSuffix(parent) : operation.path
  if (validatePath(path) !== undefined) return failure('COORD_BAD_ARGUMENTS', operation.path)
  if (tree.find(path) !== undefined) return failure('COORD_NODE_EXISTS', path)
  const nearest = tree.findNearest(parentPath)
  if (nearest.node.mode === 'ephemeral') return failure('COORD_NO_CHILDREN_FOR_EPHEMERALS', path)
  const node = newNode(context, operation)
  addNode(context, createParents(context, nearest, parentPath), { path, node })
  return { type: 'create', path, stat: node.stat() }
}

/** All that ZooKeeper asks of a path before it looks for the parent. */
function isSeparable(path: string): boolean {
  return path.includes('/') && !path.includes('\0')
}

function isSequential(mode: CreateMode): boolean {
  return mode === 'persistent-sequential' || mode === 'ephemeral-sequential' || mode === 'persistent-sequential-ttl'
}

/** Ten digits; past 9999999999 it is simply wider. ZooKeeper's counter gets stuck at 2³¹ - 1. */
function sequenceSuffix(parent: Znode | undefined): string {
  return String(parent?.creates ?? 0).padStart(10, '0')
}

/** Creates what is missing between `nearest` and `parentPath`, and returns the node of the latter. */
function createParents(context: EvaluationContext, nearest: Place, parentPath: string): Znode {
  let parent = nearest.node
  for (let start = nearest.path === '/' ? 1 : nearest.path.length + 1; start < parentPath.length; ) {
    const end = segmentEnd(parentPath, start)
    const node = newNode(context, { mode: 'persistent', data: undefined })
    addNode(context, parent, { path: parentPath.substring(0, end), node })
    parent = node
    start = end + 1
  }
  return parent
}

function newNode({ session, stamp }: EvaluationContext, operation: Pick<CreateOperation, 'mode' | 'data'>): Znode {
  const isEphemeral = operation.mode === 'ephemeral' || operation.mode === 'ephemeral-sequential'
  return new Znode({
    data: operation.data,
    acl: undefined,
    mode: isEphemeral ? 'ephemeral' : 'persistent',
    ttlMs: 0,
    czxid: stamp.zxid,
    mzxid: stamp.zxid,
    pzxid: stamp.zxid,
    ctime: stamp.timeMs,
    mtime: stamp.timeMs,
    version: 0,
    creates: 0,
    aversion: 0,
    ephemeralOwner: isEphemeral ? session : noSession,
    touchedClockMs: stamp.clockMs,
  })
}

function addNode({ tree, changes }: EvaluationContext, parent: Znode, { path, node }: Place): void {
  tree.attach(parent, path, node)
  changes.push({ type: 'created', path })
}

function remove(context: EvaluationContext, operation: DeleteOperation): SingleResult {
  const { path } = operation
  if (!isSeparable(path) || isReservedPath(path)) return failure('COORD_BAD_ARGUMENTS', path)
  const node = context.tree.find(path)
  if (node === undefined) return failure('COORD_NO_NODE', path)
  if (!hasVersion(node, operation.version)) return failure('COORD_BAD_VERSION', path)
  if (node.numChildren === 0) removeNode(context, { path, node })
  else if (operation.recursive === true) removeSubtree(context, path)
  else return failure('COORD_NOT_EMPTY', path)
  return { type: 'delete' }
}

/** In the reverse order of the walk, every node comes after its children. */
function removeSubtree(context: EvaluationContext, path: string): void {
  for (const place of [...context.tree.walk(path)].reverse()) removeNode(context, place)
}

function removeNode({ tree, stamp, changes }: EvaluationContext, place: Place): void {
  tree.detach(place, stamp.zxid)
  changes.push({ type: 'deleted', path: place.path })
}

function setData({ tree, stamp, changes }: EvaluationContext, operation: SetDataOperation): SingleResult {
  const { path, data } = operation
  const node = findVersion(tree, operation)
  if (!(node instanceof Znode)) return node
  tree.setData(node, data, stamp)
  changes.push({ type: 'changed', path })
  return { type: 'setData', stat: node.stat() }
}

function check({ tree }: EvaluationContext, operation: CheckOperation): SingleResult {
  const node = findVersion(tree, operation)
  return node instanceof Znode ? { type: 'check' } : node
}

/** The node in the version that the operation expects, or why it is not there. */
function findVersion(tree: DataTree, { path, version }: SetDataOperation | CheckOperation): Znode | ErrorResult {
  if (validatePath(path) !== undefined) return failure('COORD_BAD_ARGUMENTS', path)
  const node = tree.find(path)
  if (node === undefined) return failure('COORD_NO_NODE', path)
  return hasVersion(node, version) ? node : failure('COORD_BAD_VERSION', path)
}

function hasVersion(node: Znode, version: number): boolean {
  return version === anyVersion || version === node.version
}

function multi(context: EvaluationContext, { operations, ifHeld }: MultiOperation): MultiResult | ErrorResult {
  const { tree, changes } = context
  if (ifHeld !== undefined && !isHeld(tree, ifHeld)) return failure('COORD_LOCK_LOST', ifHeld.path)
  const results: SingleResult[] = []
  const changesBefore = changes.length
  const succeeded = tree.atomically(() =>
    operations.every((operation) => {
      const result = evaluateSingle(context, operation)
      results.push(result)
      return result.type !== 'error'
    }),
  )
  if (succeeded) return { type: 'multi', results }
  changes.length = changesBefore
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
