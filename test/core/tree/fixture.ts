/**
 * A replicated state with a log in front of it: numbers the entries and each session's writes, so that tests say only
 * what is done. Entry n has zxid n (of epoch 0), wall time 1000 + n and log clock n.
 */
import assert from 'node:assert/strict'
import { ReplicatedState } from '../../../lib/core/tree/apply.ts'
import type {
  Applied,
  CreateMode,
  CreateOperation,
  CreateResult,
  EntryStamp,
  ErrorResult,
  MultiResult,
  Operation,
  OperationResult,
  StatResult,
  SubOperation,
  TreeRequest,
  WriteRequest,
} from '../../../lib/core/tree/operation.ts'
import { type SessionId, sessionIdFrom } from '../../../lib/core/tree/session-id.ts'
import type { Stat } from '../../../lib/core/tree/stat.ts'
import { zxidOf } from '../../../lib/core/zab/zxid.ts'

export const alice: SessionId = sessionIdFrom(1n)
export const bob: SessionId = sessionIdFrom(2n)
export const carol: SessionId = sessionIdFrom(3n)

export const passwordHash: Uint8Array = bytes('secret')

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function stampOf(counter: number): EntryStamp {
  return { zxid: zxidOf(0, counter), timeMs: 1000 + counter, clockMs: counter }
}

export class Fixture {
  state: ReplicatedState
  #entries = 0
  #skippedMs = 0

  /** Entry n opens session n; the sessions are alice, bob, and so on. */
  constructor({ sessions = [alice, bob, carol] }: { readonly sessions?: readonly SessionId[] } = {}) {
    this.state = new ReplicatedState()
    for (const session of sessions) this.open(session)
  }

  open(session: SessionId): void {
    this.apply({ type: 'createSession', session, passwordHash, timeoutMs: 10_000 })
  }

  apply(request: TreeRequest): Applied & { readonly request: TreeRequest } {
    this.#entries += 1
    const stamp = stampOf(this.#entries)
    return { ...this.state.apply({ ...stamp, clockMs: stamp.clockMs + this.#skippedMs }, request), request }
  }

  /** The log clock moves on. */
  skip(ms: number): void {
    this.#skippedMs += ms
  }

  /** The session's next write. */
  write(operation: Operation, session: SessionId = alice): Applied & { readonly request: TreeRequest } {
    return this.apply(this.writeRequest(operation, session))
  }

  writeRequest(operation: Operation, session: SessionId = alice): WriteRequest {
    const { generation, lastCxid } = this.state.sessions.get(session) ?? { generation: 1, lastCxid: 0 }
    return { type: 'write', session, generation, cxid: lastCxid + 1, answeredThrough: lastCxid, operation }
  }

  do(operation: Operation, session: SessionId = alice): OperationResult {
    return this.write(operation, session).result as OperationResult
  }

  create(path: string, mode: CreateMode = 'persistent', session: SessionId = alice): CreateResult {
    return expectType(this.do(create(path, { mode }), session), 'create')
  }

  delete(path: string, version = -1): void {
    expectType(this.do({ type: 'delete', path, version }), 'delete')
  }

  setData(path: string, text: string): StatResult {
    return expectType(this.do({ type: 'setData', path, data: bytes(text), version: -1 }), 'setData')
  }

  multi(...operations: SubOperation[]): MultiResult {
    return expectType(this.do({ type: 'multi', operations }), 'multi')
  }

  fails(operation: Operation, session: SessionId = alice): ErrorResult {
    return expectType(this.do(operation, session), 'error')
  }

  stat(path: string): Stat {
    const stat = this.state.tree.stat(path)
    assert.ok(stat, `no node at ${path}`)
    return stat
  }
}

export function create(path: string, options: Partial<CreateOperation> = {}): CreateOperation {
  return { type: 'create', path, data: undefined, mode: 'persistent', ...options }
}

export function remove(path: string, version = -1): SubOperation {
  return { type: 'delete', path, version }
}

export function setData(path: string, text: string, version = -1): SubOperation {
  return { type: 'setData', path, data: bytes(text), version }
}

export function check(path: string, version = -1): SubOperation {
  return { type: 'check', path, version }
}

function expectType<T extends OperationResult['type']>(
  result: OperationResult,
  type: T,
): Extract<OperationResult, { readonly type: T }> {
  assert.equal(result.type, type, `unexpected ${JSON.stringify(result, printable)}`)
  return result as Extract<OperationResult, { readonly type: T }>
}

function printable(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}
