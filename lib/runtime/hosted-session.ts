/**
 * One session that this member hosts: its calls in order, and its writes made exact (design D11).
 *
 * A call waits in `#calls` until it is its turn to be answered. A write takes its cxid when it is first sent, and keeps
 * it for ever: until its entry has been seen applied it is in `#unanswered`, and is sent again, in order, to every new
 * leader; the tree evaluates it once. A read is evaluated when everything before it is answered, between two entries.
 */

import type { ReplicatedState } from '../core/tree/apply.ts'
import type { RequestResult, TreeRequest, WriteRequest } from '../core/tree/operation.ts'
import type { SessionId } from '../core/tree/session-id.ts'
import type { WatchTable } from '../core/tree/watch-table.ts'
import type { Zxid } from '../core/zab/zxid.ts'
import { type ErrorCode, unreachable } from '../errors.ts'
import type {
  CallResult,
  ReadOperation,
  ReadResult,
  SessionCall,
  SessionItem,
  SessionState,
} from '../ports/session-link.ts'

type AnsweredCall = Exclude<SessionCall, { kind: 'cancel' }>

interface PendingCall {
  readonly call: AnsweredCall
  readonly deadline: number
  /** Of a write: taken when it was first sent. */
  cxid: number | undefined
  /** Of a write: once applied. */
  result: CallResult | undefined
  /** What must have been applied before it is answered; undefined until that is known. */
  readableAt: Zxid | undefined
}

interface UnansweredWrite {
  readonly request: WriteRequest
  readonly pending: PendingCall
}

/** What a session needs of its host. */
export interface SessionSurroundings {
  readonly serving: boolean
  readonly state: ReplicatedState
  readonly watches: WatchTable
  now(): number
  submit(request: TreeRequest): void
  /** Calls back with a zxid at which everything acknowledged before is visible. */
  readIndex(ready: (zxid: Zxid) => void): void
  /** The next answer waits for an entry to be applied: `pump` is wanted then. */
  isBehind(session: HostedSession): void
  /** Whether one more read may be answered in this turn of the event loop; else `pump` is called in the next one. */
  mayRead(session: HostedSession): boolean
  ended(session: HostedSession): void
}

export interface HostedSessionOptions {
  readonly id: SessionId
  /** Whether the session exists already, and is to be taken over. */
  readonly takesOver: boolean
  readonly password: Uint8Array
  readonly passwordHash: Uint8Array
  readonly timeoutMs: number
  /** Vouched for only when it was touched since the last time. */
  readonly whenTouched: boolean
  readonly requestTimeoutMs: number
  /** More calls than this that are not answered yet are refused: overload is an error, not memory. */
  readonly outstandingCallsMax: number
}

export class HostedSession {
  readonly options: HostedSessionOptions
  readonly #host: SessionSurroundings
  readonly #deliver: (item: SessionItem) => void
  /** By cxid, in order: what was sent, and the call that still waits for it, if any does. */
  readonly #unanswered = new Map<number, UnansweredWrite>()
  #calls: PendingCall[] = []
  #state: SessionState | 'opening' = 'opening'
  #generation = 0
  #nextCxid = 1
  #answeredThrough = 0
  #gapSeenAt = 0
  /** Until when the ensemble certainly has not given the session up (design D9); monotonic milliseconds. */
  confirmedUntil: number = Number.POSITIVE_INFINITY
  /** When the opening was first asked for. */
  #askedAt: number | undefined
  #touched = true

  constructor(options: HostedSessionOptions, host: SessionSurroundings, deliver: (item: SessionItem) => void) {
    this.options = options
    this.#host = host
    this.#deliver = deliver
  }

  get id(): SessionId {
    return this.options.id
  }

  get isOpen(): boolean {
    return this.#state === 'connected' || this.#state === 'suspended'
  }

  touch(): void {
    this.#touched = true
  }

  /** Whether its owner lives as far as this member knows. Asked once for each heartbeat. */
  takeVouch(): boolean {
    const isVouchedFor = this.#touched || !this.options.whenTouched
    this.#touched = false
    return isVouchedFor
  }

  get isOver(): boolean {
    return this.#state === 'lost' || this.#state === 'closed'
  }

  get askedAt(): number | undefined {
    return this.#askedAt
  }

  /** The earliest deadline of a waiting call. */
  get nextDeadline(): number {
    return this.#calls[0]?.deadline ?? Number.POSITIVE_INFINITY
  }

  call(call: SessionCall): void {
    if (call.kind === 'cancel') {
      this.#cancel(call.id)
      return
    }
    if (this.isOver) {
      this.#answer(call.id, {
        type: 'error',
        code: this.#state === 'closed' ? 'COORD_CLOSED' : 'COORD_SESSION_EXPIRED',
      })
      return
    }
    if (this.#calls.length >= this.options.outstandingCallsMax) {
      this.#answer(call.id, { type: 'error', code: 'COORD_THROTTLED' })
      return
    }
    const deadline = this.#host.now() + this.options.requestTimeoutMs
    const pending: PendingCall = { call, deadline, cxid: undefined, result: undefined, readableAt: undefined }
    this.#calls.push(pending)
    if (this.#host.serving && this.#state === 'connected') {
      this.#begin(pending)
      if (this.#calls.length === 1) this.pump()
    }
  }

  /** The member serves, in a term that is new: whatever may have been lost is sent again, in order. */
  resume(): void {
    if (this.#state === 'opening') {
      this.#open()
      return
    }
    if (this.isOver) return
    this.#gapSeenAt = 0
    for (const { request } of this.#unanswered.values()) this.#host.submit(this.#stamped(request))
    this.#setState('connected', 'a quorum serves this member')
    for (const pending of this.#calls) this.#begin(pending)
    this.pump()
  }

  suspend(reason: string): void {
    if (this.#state === 'connected') this.#setState('suspended', reason)
  }

  /** An entry that opens or attaches this session was applied: ours, or that of somebody who takes it over. */
  onAttached(result: RequestResult): void {
    if (result.type === 'error' && this.#state === 'opening') {
      this.#onRefused(result.code)
      return
    }
    if (result.type !== 'attached') return
    if (this.isOpen && result.generation > this.#generation) {
      this.end('lost', 'the session was attached anew elsewhere')
      return
    }
    if (this.#state !== 'opening' || result.generation < this.#generation) return
    this.#generation = result.generation
    this.#nextCxid = result.nextCxid
    this.#answeredThrough = result.nextCxid - 1
    this.#setState('connected', 'the session is open')
    for (const pending of this.#calls) this.#begin(pending)
    this.pump()
  }

  /** An entry of this session was applied. */
  onWritten(request: WriteRequest, result: RequestResult): void {
    const unanswered = this.#unanswered.get(request.cxid)
    if (unanswered === undefined || request.generation !== this.#generation) return
    if (result.type === 'gap') {
      this.#onGap(request.cxid, result.nextCxid)
      return
    }
    if (result.type === 'void' || result.type === 'attached') return
    if (result.type === 'error' && result.code === 'COORD_SESSION_MOVED') {
      this.end('lost', 'the session was attached anew elsewhere')
      return
    }
    this.#unanswered.delete(request.cxid)
    this.#answeredThrough = request.cxid
    unanswered.pending.result = result
    this.pump()
  }

  /** The session is over: everything that waits is answered, and nothing more is. */
  end(state: 'lost' | 'closed', reason: string, unsent: ErrorCode = 'COORD_NO_QUORUM'): void {
    if (this.isOver) return
    const calls = this.#calls
    this.#calls = []
    this.#state = state
    this.#host.ended(this)
    // First: whoever tries again when a call is rejected must find the next session, not this one.
    this.#deliver({ kind: 'state', state, reason })
    for (const { call, cxid, result } of calls) {
      const code = cxid === undefined ? unsent : 'COORD_CONNECTION_LOSS'
      if (result !== undefined) this.#answer(call.id, result)
      else
        this.#answer(
          call.id,
          state === 'closed' ? { type: 'error', code: 'COORD_CLOSED' } : { type: 'error', code, reason },
        )
    }
  }

  /** The host is closed: the session never begins. */
  refuse(): void {
    this.#state = 'closed'
  }

  deliver(item: SessionItem): void {
    this.#deliver(item)
  }

  /** Answers the calls whose deadline has passed: unsent ones certainly did not happen. */
  expireCalls(now: number): void {
    while (this.#calls[0] !== undefined && this.#calls[0].deadline <= now) {
      const { call, cxid } = this.#calls.shift() as PendingCall
      const waited = `no answer within ${this.options.requestTimeoutMs} ms`
      const code = cxid === undefined ? 'COORD_NO_QUORUM' : 'COORD_CONNECTION_LOSS'
      this.#answer(call.id, { type: 'error', code, reason: waited })
    }
    this.pump()
  }

  /** Answers what can be answered, in order. */
  pump(): void {
    while (this.#calls.length > 0) {
      const result = this.#resultOf(this.#calls[0] as PendingCall)
      if (result === undefined) return
      const { call } = this.#calls.shift() as PendingCall
      this.#answer(call.id, result)
    }
  }

  /** Somebody else attached it meanwhile: then again, under a later number. Or it is gone, or not ours. */
  #onRefused(code: ErrorCode): void {
    const current = this.#host.state.sessions.get(this.options.id)
    if (code === 'COORD_SESSION_MOVED' && current !== undefined) {
      this.#generation = current.generation + 1
      this.#open()
    } else {
      this.end('lost', 'there is no such session, or the password is wrong', 'COORD_SESSION_EXPIRED')
    }
  }

  #answer(id: number, result: CallResult): void {
    this.#deliver({ kind: 'reply', id, result, zxid: this.#host.state.lastZxid })
  }

  #open(): void {
    const { id: session, passwordHash, timeoutMs, takesOver } = this.options
    this.#askedAt ??= this.#host.now()
    if (!takesOver) {
      this.#host.submit({ type: 'createSession', session, passwordHash, timeoutMs })
      return
    }
    // The requester numbers the attachments; asked again, it is the same one.
    if (this.#generation === 0) this.#generation = (this.#host.state.sessions.get(session)?.generation ?? 0) + 1
    this.#host.submit({ type: 'attachSession', session, passwordHash, timeoutMs, generation: this.#generation })
  }

  /** Sends what has to be sent for a call to be answered, once. */
  #begin(pending: PendingCall): void {
    const { call } = pending
    if (call.kind === 'write') {
      if (pending.cxid === undefined) this.#send(pending, call.operation)
    } else if (call.kind === 'awaitZxid') {
      pending.readableAt = call.zxid
    } else if (call.kind === 'sync' || call.consistency === 'linearizable') {
      if (pending.readableAt !== undefined) return
      this.#host.readIndex((zxid) => {
        pending.readableAt = zxid
        this.pump()
      })
    }
  }

  #send(pending: PendingCall, operation: WriteRequest['operation']): void {
    const cxid = this.#nextCxid
    this.#nextCxid += 1
    pending.cxid = cxid
    const request: WriteRequest = {
      type: 'write',
      session: this.options.id,
      generation: this.#generation,
      cxid,
      answeredThrough: this.#answeredThrough,
      operation,
    }
    this.#unanswered.set(cxid, { request, pending })
    this.#host.submit(request)
  }

  #stamped(request: WriteRequest): WriteRequest {
    return { ...request, answeredThrough: this.#answeredThrough }
  }

  /** Writes came out of order: all from the missing one on go again, once for each gap. */
  #onGap(seen: number, nextCxid: number): void {
    if (seen <= this.#gapSeenAt) return
    this.#gapSeenAt = this.#nextCxid - 1
    for (const [cxid, { request }] of this.#unanswered) {
      if (cxid >= nextCxid) this.#host.submit(this.#stamped(request))
    }
  }

  #resultOf({ call, result, readableAt }: PendingCall): CallResult | undefined {
    if (call.kind === 'write') return result
    if (!this.#host.serving || this.#state !== 'connected') return undefined
    const isWaiting = call.kind !== 'read' || call.consistency === 'linearizable'
    if (isWaiting && readableAt === undefined) return undefined
    if (isWaiting && this.#host.state.lastZxid < (readableAt as Zxid)) {
      this.#host.isBehind(this)
      return undefined
    }
    if (call.kind !== 'read') return { type: 'done' }
    return this.#host.mayRead(this) ? this.#read(call.read) : undefined
  }

  #read(read: ReadOperation): ReadResult {
    const { tree } = this.#host.state
    switch (read.type) {
      case 'exists': {
        if (read.watch) this.#host.watches.add('exists', this.id, read.path)
        return { type: 'stat', stat: tree.stat(read.path) }
      }
      case 'getData': {
        const found = tree.getData(read.path)
        if (found === undefined) return { type: 'error', code: 'COORD_NO_NODE', path: read.path }
        if (read.watch) this.#host.watches.add('data', this.id, read.path)
        // A copy: the application cannot corrupt the replica.
        return { type: 'data', data: found.data?.slice(), stat: found.stat }
      }
      case 'getChildren': {
        const found = tree.getChildren(read.path)
        if (found === undefined) return { type: 'error', code: 'COORD_NO_NODE', path: read.path }
        if (read.watch) this.#host.watches.add('children', this.id, read.path)
        return { type: 'childNames', children: found.children, stat: found.stat }
      }
      case 'getAllChildrenNumber': {
        const count = tree.getAllChildrenNumber(read.path)
        return count === undefined
          ? { type: 'error', code: 'COORD_NO_NODE', path: read.path }
          : { type: 'count', count }
      }
      case 'getEphemerals':
        return { type: 'paths', paths: tree.getEphemerals(this.id, read.prefix) }
      default:
        return unreachable(read)
    }
  }

  #cancel(id: number): void {
    const index = this.#calls.findIndex(({ call }) => call.id === id)
    if (index === -1) return
    this.#calls.splice(index, 1)
    this.pump()
  }

  #setState(state: SessionState, reason: string): void {
    if (this.#state === state) return
    this.#state = state
    this.#deliver({ kind: 'state', state, reason })
  }
}
