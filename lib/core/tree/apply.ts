/**
 * The replicated state and the one way in which it changes: the committed entries of the log are applied in zxid order,
 * on every member alike, live, in recovery and in synchronization. An entry reads nothing but the state and itself, so
 * members that applied the same entries have the same state, and the same digest.
 *
 * A request that fails as expected is a result like any other. A throw is a bug of ours, and the caller must stop its
 * member: the state may be half changed.
 *
 * Entries that are not for the tree (configurations, no-ops) only move the zxid and the log clock: `advance`.
 */
import { assert, unreachable } from '../../errors.ts'
import { formatZxid, type Zxid, zxidZero } from '../zab/zxid.ts'
import { noIdentities } from './acl.ts'
import { DataTree } from './data-tree.ts'
import { digestOf } from './digest.ts'
import { deleteEphemerals, type EvaluationContext, evaluate, reap } from './evaluate.ts'
import { FrozenState } from './frozen-state.ts'
import { History } from './history-digest.ts'
import type {
  Applied,
  EntryStamp,
  HistoryDigest,
  RequestResult,
  SnapshotRecord,
  TreeChange,
  TreeRequest,
  WriteRequest,
} from './operation.ts'
import { Restoration, type RestoredState } from './restoration.ts'
import { noSession } from './session-id.ts'
import { SessionTable } from './sessions.ts'
import { snapshotVersion } from './snapshot.ts'

/** Shared: nothing is ever added to it. */
const nothing: readonly never[] = []

export class ReplicatedState {
  readonly tree: DataTree
  readonly sessions: SessionTable
  #lastZxid: Zxid
  #clockMs: number
  readonly #history: History

  /** How often it was frozen. */
  #freezes = 0
  #frozen: FrozenState | undefined

  /** Unless it is restored, the state before the first entry. */
  constructor(restored?: RestoredState) {
    this.tree = restored?.tree ?? new DataTree()
    this.sessions = restored?.sessions ?? new SessionTable()
    this.#lastZxid = restored?.lastZxid ?? zxidZero
    this.#clockMs = restored?.clockMs ?? 0
    this.#history = restored === undefined ? History.begin() : new History(restored.history)
  }

  /** The last entry that was applied. */
  get lastZxid(): Zxid {
    return this.#lastZxid
  }

  /** The log clock at that entry. */
  get clockMs(): number {
    return this.#clockMs
  }

  /** Of everything that was applied; unknown where that began with a snapshot without one. */
  get history(): HistoryDigest | undefined {
    return this.#history.digest
  }

  apply(stamp: EntryStamp, request: TreeRequest): Applied {
    this.#moveOn(stamp)
    const context = this.#contextOf(request, stamp)
    const result = this.#answer(context, request)
    this.#history.noteApplied(result, context.changes, context.warnings)
    const endedSession = result.type === 'closeSession' && 'session' in request ? request.session : undefined
    return { stamp, request, result, changes: context.changes, warnings: context.warnings, endedSession }
  }

  #contextOf(request: TreeRequest, stamp: EntryStamp): EvaluationContext {
    const session = 'session' in request ? request.session : noSession
    const identities = (request.type === 'write' ? request.identities : undefined) ?? noIdentities
    return { tree: this.tree, session, identities, stamp, changes: nothing, warnings: nothing }
  }

  /** The entry changed the configuration of the ensemble: its text is in the tree, for everybody to read and watch. */
  publishConfiguration(stamp: EntryStamp, data: Uint8Array): Applied {
    this.#moveOn(stamp)
    const { path, node } = this.tree.publishConfiguration(data, stamp)
    const changes: TreeChange[] = [{ type: 'changed', path, acl: node.acl, parentAcl: undefined, data }]
    const result: RequestResult = { type: 'void' }
    this.#history.noteApplied(result, changes, [])
    return {
      stamp,
      request: { type: 'publishConfiguration', data },
      result,
      changes,
      warnings: [],
      endedSession: undefined,
    }
  }

  /** Moves on to an entry that is not for the tree. */
  advance(stamp: EntryStamp): void {
    this.#moveOn(stamp)
    this.#history.notePassed()
  }

  #moveOn({ zxid, clockMs }: EntryStamp): void {
    assert(zxid > this.#lastZxid, () => `${formatZxid(zxid)} after ${formatZxid(this.#lastZxid)}`)
    assert(clockMs >= this.#clockMs, () => `the log clock went back from ${this.#clockMs} to ${clockMs}`)
    this.#lastZxid = zxid
    this.#clockMs = clockMs
  }

  #answer(context: EvaluationContext, request: TreeRequest): RequestResult {
    switch (request.type) {
      case 'createSession':
        return this.sessions.create(request)
      case 'attachSession':
        return this.sessions.attach(request)
      case 'expireSession':
        return this.sessions.isExpirable(request) ? this.#endSession(context) : { type: 'void' }
      case 'reap':
        return { type: reap(context, request) ? 'delete' : 'void' }
      case 'write':
        return this.sessions.answerWithoutEvaluation(request) ?? this.#write(context, request)
      default:
        return unreachable(request)
    }
  }

  #write(context: EvaluationContext, request: WriteRequest): RequestResult {
    if (request.operation.type === 'closeSession') return this.#endSession(context)
    const result = evaluate(context, request.operation)
    this.sessions.record(request, result)
    return result
  }

  /** Its result is not kept: there is no session left to ask for it. */
  #endSession(context: EvaluationContext): RequestResult {
    deleteEphemerals(context)
    this.sessions.remove(context.session)
    return { type: 'closeSession' }
  }

  /**
   * The state as records, in one order on every member: header, sessions by id, nodes parent first and siblings sorted.
   * To be read to its end before the next entry is applied. The arrays in it are the state's own.
   */
  *snapshot(): Generator<SnapshotRecord, void, undefined> {
    yield this.#header()
    yield* this.sessions.snapshot()
    for (const { path, node } of this.tree.walk('/')) yield node.record(path)
  }

  /** Whether somebody reads it out: nobody else may freeze it then. */
  get isFrozen(): boolean {
    return this.#frozen !== undefined
  }

  /** As `freeze`; nothing while somebody else reads it out, who is told that another one waits. */
  tryFreeze(): FrozenState | undefined {
    if (this.#frozen === undefined) return this.freeze()
    this.#frozen.isAwaited = true
    return undefined
  }

  /** The state as it is now, to be read in slices while it goes on changing. To be read to its end, or released. */
  freeze(): FrozenState {
    assert(this.#frozen === undefined, 'a state is frozen once at a time')
    this.#freezes += 1
    const thaw = (): void => {
      this.#frozen = undefined
      this.sessions.thaw()
      this.tree.thaw()
    }
    const [sessions, tree] = [this.sessions.freeze(this.#freezes), this.tree.freeze(this.#freezes)]
    this.#frozen = new FrozenState(this.#header(), sessions, tree, thaw)
    return this.#frozen
  }

  #header(): Extract<SnapshotRecord, { kind: 'header' }> {
    const { history } = this
    return { kind: 'header', zxid: this.#lastZxid, clockMs: this.#clockMs, version: snapshotVersion, history }
  }

  /** The state that a snapshot holds; it takes over the arrays. Throws COORD_STORE_DAMAGED if it makes no sense. */
  static fromSnapshot(records: Iterable<SnapshotRecord>): ReplicatedState {
    const restoration = new Restoration()
    for (const record of records) restoration.add(record)
    return new ReplicatedState(restoration.finish())
  }

  /** Recomputed over the whole state as it is, however it came about: for tests and simulations. */
  digest(): string {
    return digestOf(withoutHistory(this.snapshot()))
  }
}

function* withoutHistory(records: Iterable<SnapshotRecord>): Generator<SnapshotRecord, void, undefined> {
  for (const record of records) yield record.kind === 'header' ? { ...record, history: undefined } : record
}
