/**
 * One session that this member hosts: its calls in order, and its writes made exact (design D11).
 *
 * A call waits in `#calls` until it is its turn to be answered. A write takes its cxid when it is first sent, and keeps
 * it for ever: until its entry has been seen applied it is in `#unanswered`, and is sent again, in order, to every new
 * leader; the tree evaluates it once. A read is evaluated when everything before it is answered, between two entries.
 */

import { copyOf } from '../bytes.ts'
import { type Identity, isPermitted, noIdentities, userOf, visibleAcl } from '../core/tree/acl.ts'
import type { ReplicatedState } from '../core/tree/apply.ts'
import type { RequestResult, TreeRequest, WriteRequest } from '../core/tree/operation.ts'
import type { SessionId } from '../core/tree/session-id.ts'
import type { FiredWatch, WatchKind, WatchTable } from '../core/tree/watch-table.ts'
import type { Znode } from '../core/tree/znode.ts'
import type { Zxid } from '../core/zab/zxid.ts'
import { CoordError, type ErrorCode, unreachable } from '../errors.ts'
import { Numbered } from '../numbered.ts'
import type {
  CallResult,
  NodeRead,
  NodeReadResult,
  ReadOperation,
  ReadResult,
  SessionCall,
  SessionItem,
  SessionLoss,
  SessionState,
  StreamEvent,
} from '../ports/session-link.ts'
import type { Authentication } from './authentication.ts'
import type { WatchStream, WatchStreams } from './watch-streams.ts'

type AnsweredCall = Exclude<SessionCall, { kind: 'cancel' | 'pull' | 'closeStream' }>

interface PendingCall {
  readonly call: AnsweredCall
  readonly deadline: number
  /** Of a write: taken when it was first sent. */
  cxid: number | undefined
  /** Of a write: once applied. Of a proof: once verified. */
  result: CallResult | undefined
  /** Whom the session was proven to be when this was begun. */
  identities: readonly Identity[] | undefined
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
  /** What the replica has applied; 0 before there is one. */
  readonly lastZxid: Zxid
  readonly watches: WatchTable
  readonly streams: WatchStreams
  readonly authentication: Authentication
  /** Whether the replica is not known to be wrong: else nobody reads it, not even without a quorum. */
  readonly isSound: boolean
  /** Calls of all sessions of this member that are not answered yet: each session counts its own in. */
  readonly outstanding: { count: number }
  now(): number
  submit(request: TreeRequest): void
  /** Calls back with a zxid at which everything acknowledged before is visible. */
  readIndex(ready: (zxid: Zxid) => void): void
  /** The next answer waits for an entry to be applied: `pump` is wanted then. */
  isBehind(session: HostedSession): void
  /** A generation for an attachment of ours: above the one that is known, and unlike any that others choose now. */
  nextGeneration(known: number): number
  /** Whether so many more reads may be answered in this turn of the event loop; else `pump` is called in the next one. */
  mayRead(session: HostedSession, count: number): boolean
  /** The same, for a read that becomes a call where it may not. */
  mayReadAtOnce(): boolean
  ended(session: HostedSession): void
  /** Its state is another one, and whoever has it was told. `loss`: where it is over. */
  stateChanged(session: HostedSession, state: SessionState, reason: string, loss: SessionLoss | undefined): void
}

const takenOver: SessionLoss = { cause: 'takenOver', by: 'leader', durationMs: undefined }

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
  /** The same for all sessions of the member together. */
  readonly allOutstandingCallsMax: number
  /** One-shot and persistent watches, and streams. */
  readonly watchesMax: number
  readonly address: string | undefined
  readonly readOnly: boolean
  readonly superDigest: string | undefined
}

/** They go with every write of the session. */
const identitiesMax = 64

export class HostedSession {
  readonly options: HostedSessionOptions
  readonly #host: SessionSurroundings
  readonly #deliver: (item: SessionItem) => void
  /** By cxid, in order: what was sent, and the call that still waits for it, if any does. */
  readonly #unanswered = new Numbered<UnansweredWrite>()
  readonly #streams = new Map<number, WatchStream>()
  #calls: PendingCall[] = []
  /** How many calls those are, reads that wait together being one each. */
  #outstanding = 0
  #identities: readonly Identity[]
  /** A proof that is being verified: calls behind it are not begun. */
  #verifying: PendingCall | undefined
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
    this.#identities = options.address === undefined ? noIdentities : [{ scheme: 'ip', id: options.address }]
  }

  get id(): SessionId {
    return this.options.id
  }

  /** Whom it was proven to be: what it may do and hear. */
  get identities(): readonly Identity[] {
    return this.#identities
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
    // Patient calls are the first ones of a session that took the place of another.
    return this.#calls.find(({ deadline }) => deadline < Number.POSITIVE_INFINITY)?.deadline ?? Number.POSITIVE_INFINITY
  }

  call(call: SessionCall): void {
    if (call.kind === 'cancel') {
      this.#cancel(call.id)
      return
    }
    if (call.kind === 'pull' || call.kind === 'closeStream') {
      const stream = this.#streams.get(call.id)
      if (call.kind === 'pull') stream?.pull()
      else stream?.close()
      if (call.kind === 'closeStream') this.#streams.delete(call.id)
      return
    }
    if (this.isOver) {
      this.#answer(call.id, {
        type: 'error',
        code: this.#state === 'closed' ? 'COORD_CLOSED' : 'COORD_SESSION_EXPIRED',
      })
      return
    }
    const { outstandingCallsMax, allOutstandingCallsMax } = this.options
    if (this.#outstanding >= outstandingCallsMax || this.#host.outstanding.count >= allOutstandingCallsMax) {
      const ofSession = this.#outstanding >= outstandingCallsMax
      const reason = ofSession
        ? `at most ${outstandingCallsMax} of a session`
        : `at most ${allOutstandingCallsMax} of a member`
      this.#answer(call.id, { type: 'error', code: 'COORD_THROTTLED', reason })
      return
    }
    const isPatient = 'patient' in call && call.patient === true
    const deadline = isPatient ? Number.POSITIVE_INFINITY : this.#host.now() + this.options.requestTimeoutMs
    const pending: PendingCall = {
      call,
      deadline,
      cxid: undefined,
      result: undefined,
      identities: undefined,
      readableAt: undefined,
    }
    this.#calls.push(pending)
    this.#count(call, 1)
    if (this.#host.serving && this.#state === 'connected') {
      if (this.#verifying === undefined) this.#begin(pending)
      if (this.#calls.length === 1) this.pump()
    } else if (this.options.readOnly) this.pump()
  }

  /** A read whose turn is now. The data in its result is the tree's own. */
  readNow(read: NodeRead): NodeReadResult | undefined {
    if (this.#calls.length > 0 || this.#state !== 'connected' || !this.#host.serving) return undefined
    return this.#host.mayReadAtOnce() ? this.#readNode(read, this.#identities, undefined, sharedData) : undefined
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
    // What was to be waited for may be gone with the term in which that was said.
    for (const pending of this.#calls) pending.readableAt = undefined
    this.#setState('connected', 'a quorum serves this member')
    this.#beginAll()
    this.pump()
  }

  suspend(reason: string): void {
    if (this.#state === 'connected') this.#setState('suspended', reason)
    if (this.options.readOnly) this.pump()
  }

  /** An entry that opens or attaches this session was applied: ours, or that of somebody who takes it over. */
  onAttached(result: RequestResult): void {
    if (result.type === 'error' && this.#state === 'opening') {
      this.#onRefused(result.code)
      return
    }
    if (result.type !== 'attached') return
    if (this.isOpen && result.generation > this.#generation) {
      this.end('lost', 'the session was attached anew elsewhere', takenOver)
      return
    }
    // What somebody else attached is not ours: the answer to our own request is still to come.
    const isOwn = result.generation === this.#generation || !this.options.takesOver
    if (this.#state !== 'opening' || !isOwn) return
    this.#generation = result.generation
    this.#nextCxid = result.nextCxid
    this.#answeredThrough = result.nextCxid - 1
    this.#setState('connected', 'the session is open')
    this.#beginAll()
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
      this.end('lost', 'the session was attached anew elsewhere', takenOver)
      return
    }
    this.#unanswered.take(request.cxid)
    this.#answeredThrough = request.cxid
    unanswered.pending.result = result
    this.pump()
  }

  /** The session is over: everything that waits is answered, and nothing more is. */
  end(state: 'lost' | 'closed', reason: string, loss: SessionLoss, unsent: ErrorCode = 'COORD_NO_QUORUM'): void {
    if (this.isOver) return
    const calls = this.#calls
    this.#calls = []
    for (const { call } of calls) this.#count(call, -1)
    this.#state = state
    for (const stream of this.#streams.values()) stream.close()
    this.#streams.clear()
    this.#host.ended(this)
    // First: whoever tries again when a call is rejected must find the next session, not this one.
    this.#deliver({
      kind: 'state',
      state,
      reason,
      seen: this.#host.lastZxid,
      loss: state === 'lost' ? loss : undefined,
    })
    this.#host.stateChanged(this, state, reason, loss)
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

  /** A watch fired: the session hears of it if it may read the node. */
  notify({ event, acl }: FiredWatch): void {
    if (isPermitted(acl, 'r', this.#identities)) this.#deliver({ kind: 'event', event })
  }

  /** Answers the calls whose deadline has passed: unsent ones certainly did not happen. */
  expireCalls(now: number): void {
    const overdue = this.#calls.filter(({ deadline }) => deadline <= now)
    this.#calls = this.#calls.filter(({ deadline }) => deadline > now)
    for (const pending of overdue) {
      const { call, cxid } = pending
      this.#count(call, -1)
      const unsent = pending === this.#verifying ? 'COORD_TIMEOUT' : 'COORD_NO_QUORUM'
      const code = cxid === undefined ? unsent : 'COORD_CONNECTION_LOSS'
      const reason = `no answer within ${this.options.requestTimeoutMs} ms`
      this.#answer(call.id, { type: 'error', code, reason })
      this.#giveUp(pending)
    }
    this.pump()
  }

  /** Answers what can be answered, in order. */
  pump(): void {
    while (this.#calls.length > 0) {
      const result = this.#resultOf(this.#calls[0] as PendingCall)
      if (result === undefined) return
      const { call } = this.#calls.shift() as PendingCall
      this.#count(call, -1)
      this.#answer(call.id, result)
    }
  }

  /** Somebody else attached it meanwhile: then again, under a later number. Or it is gone, or not ours. */
  #onRefused(code: ErrorCode): void {
    const current = this.#host.state.sessions.get(this.options.id)
    if (code === 'COORD_SESSION_MOVED' && current !== undefined) {
      this.#generation = this.#host.nextGeneration(current.generation)
      this.#open()
    } else {
      const loss: SessionLoss = { cause: 'unknown', by: 'leader', durationMs: undefined }
      this.end('lost', 'there is no such session, or the password is wrong', loss, 'COORD_SESSION_EXPIRED')
    }
  }

  /** Counts a call in (1) or out (-1). */
  #count(call: AnsweredCall, sign: 1 | -1): void {
    const change = sign * weightOf(call)
    this.#outstanding += change
    this.#host.outstanding.count += change
  }

  #answer(id: number, result: CallResult): void {
    this.#deliver({ kind: 'reply', id, result, zxid: this.#host.lastZxid })
  }

  #open(): void {
    const { id: session, passwordHash, timeoutMs, takesOver } = this.options
    this.#askedAt ??= this.#host.now()
    if (!takesOver) {
      this.#host.submit({ type: 'createSession', session, passwordHash, timeoutMs })
      return
    }
    // The requester numbers the attachments; asked again, it is the same one.
    if (this.#generation === 0)
      this.#generation = this.#host.nextGeneration(this.#host.state.sessions.get(session)?.generation ?? 0)
    this.#host.submit({ type: 'attachSession', session, passwordHash, timeoutMs, generation: this.#generation })
  }

  #beginAll(): void {
    for (const pending of this.#calls) {
      if (this.#verifying !== undefined) return
      this.#begin(pending)
    }
  }

  /** Sends what has to be sent for a call to be answered, once. */
  #begin(pending: PendingCall): void {
    const { call } = pending
    pending.identities ??= this.#identities
    if (call.kind === 'auth') {
      if (pending.result === undefined) this.#verify(pending, call)
    } else if (call.kind === 'write') {
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
      operation: this.#host.authentication.withKnownSchemes(operation),
      ...(this.#identities.length === 0 ? {} : { identities: this.#identities }),
    }
    this.#unanswered.add(cxid, { request, pending })
    this.#host.submit(request)
  }

  /** What a proof found holds for the calls behind it: those wait where it takes its time. */
  #verify(pending: PendingCall, { scheme, credentials }: Extract<SessionCall, { kind: 'auth' }>): void {
    try {
      const found = this.#host.authentication.authenticate(scheme, credentials, this.options.superDigest)
      if (!(found instanceof Promise)) {
        pending.result = this.#prove(found)
        return
      }
      this.#verifying = pending
      found.then(
        (identities) => this.#onVerified(pending, () => this.#prove(identities)),
        (error: unknown) => this.#onVerified(pending, () => refused(error)),
      )
    } catch (error) {
      pending.result = refused(error)
    }
  }

  /** Nobody waits for it any more where it was given up: then it has proven nothing. */
  #onVerified(pending: PendingCall, result: () => CallResult): void {
    if (this.#verifying !== pending || this.isOver) return
    pending.result = result()
    this.#verifying = undefined
    this.#beginWaiting()
  }

  /** Lets the calls behind a proof go on that is not waited for. */
  #giveUp(pending: PendingCall): void {
    if (this.#verifying !== pending) return
    this.#verifying = undefined
    this.#beginWaiting()
  }

  #beginWaiting(): void {
    if (this.#host.serving && this.#state === 'connected') this.#beginAll()
    this.pump()
  }

  #prove(found: readonly Identity[]): CallResult {
    const known = this.#identities
    const added = found.filter((one) => !known.some(({ scheme, id }) => scheme === one.scheme && id === one.id))
    if (known.length + added.length > identitiesMax)
      return { type: 'error', code: 'COORD_AUTH_FAILED', reason: `at most ${identitiesMax} identities` }
    this.#identities = [...known, ...added]
    return { type: 'done' }
  }

  #stamped(request: WriteRequest): WriteRequest {
    return { ...request, answeredThrough: this.#answeredThrough }
  }

  /** Writes came out of order: all from the missing one on go again, once for each gap. */
  #onGap(seen: number, nextCxid: number): void {
    if (seen <= this.#gapSeenAt) return
    this.#gapSeenAt = this.#nextCxid - 1
    for (const { request } of this.#unanswered.values()) {
      if (request.cxid >= nextCxid) this.#host.submit(this.#stamped(request))
    }
  }

  #resultOf({ call, result, identities, readableAt }: PendingCall): CallResult | undefined {
    if (call.kind === 'write' || call.kind === 'auth') return result
    if (!this.#host.serving || this.#state !== 'connected') return this.#staleResultOf(call)
    // Not begun yet: it waits for a proof that is being verified.
    if (identities === undefined) return undefined
    const isWaiting = call.kind !== 'read' || call.consistency === 'linearizable'
    if (isWaiting && readableAt === undefined) return undefined
    if (isWaiting && this.#host.state.lastZxid < (readableAt as Zxid)) {
      this.#host.isBehind(this)
      return undefined
    }
    if (call.kind !== 'read') return { type: 'done' }
    return this.#host.mayRead(this, weightOf(call)) ? this.#read(call.read, identities) : undefined
  }

  /** Without a quorum, only who asked for it gets what this replica happens to know. */
  #staleResultOf(call: AnsweredCall): CallResult | undefined {
    if (!this.options.readOnly || call.kind !== 'read' || call.consistency !== 'session') return undefined
    if (!this.#host.isSound) return undefined
    return this.#host.mayRead(this, weightOf(call)) ? this.#read(call.read, this.#identities) : undefined
  }

  #read(read: ReadOperation, identities: readonly Identity[]): ReadResult {
    const { tree } = this.#host.state
    switch (read.type) {
      case 'exists':
        return this.#readNode(read, identities, read.watch ? 'exists' : undefined, ownData)
      case 'getData':
        return this.#readNode(read, identities, read.watch ? 'data' : undefined, ownData)
      case 'getChildren':
        return this.#readNode(read, identities, read.watch ? 'children' : undefined, ownData)
      case 'multiRead':
      case 'reads':
        return { type: 'reads', results: read.reads.map((one) => this.#readNode(one, identities, undefined, ownData)) }
      case 'getAllChildrenNumber': {
        const node = this.#readable(read.path, 'r', identities)
        if ('code' in node) return node
        return { type: 'count', count: tree.getAllChildrenNumber(read.path) as number }
      }
      case 'getEphemerals':
        return { type: 'paths', paths: tree.getEphemerals(this.id, read.prefix) }
      case 'getMode': {
        const node = this.#readable(read.path, 'r', identities)
        if ('code' in node) return node
        const { mode, ttlMs } = node
        return { type: 'mode', mode, ttlMs: mode === 'ttl' ? ttlMs : undefined, stat: node.stat() }
      }
      case 'getAcl': {
        const node = this.#readable(read.path, 'ra', identities)
        return 'code' in node ? node : { type: 'acl', acl: visibleAcl(node.acl, identities), stat: node.stat() }
      }
      case 'whoAmI':
        return { type: 'identities', identities: identities.map(({ scheme, id }) => ({ scheme, id: userOf(id) })) }
      case 'addWatch':
        return this.#watch(read.kind, read.path) ?? { type: 'done' }
      case 'removeWatches':
      case 'checkWatches':
        return this.#removeWatches(read)
      case 'resumeWatches':
        return this.#resumeWatches(read)
      case 'openStream':
        return this.#openStream(read)
      default:
        return unreachable(read)
    }
  }

  /** The node at a path, if these identities may read it (one of `wanted` is enough), or why not. */
  #readable(
    path: string,
    wanted: string,
    identities: readonly Identity[],
  ): Znode | Extract<ReadResult, { type: 'error' }> {
    const node = this.#host.state.tree.find(path)
    if (node === undefined) return { type: 'error', code: 'COORD_NO_NODE', path }
    return isPermitted(node.acl, wanted, identities) ? node : { type: 'error', code: 'COORD_NO_AUTH', path }
  }

  /** A watch is left only where the read succeeds; that of a missing node's existence does. */
  #readNode(
    read: NodeRead,
    identities: readonly Identity[],
    watch: WatchKind | undefined,
    dataOf: (node: Znode) => Uint8Array | undefined,
  ): NodeReadResult {
    const { type, path } = read
    const node = this.#readable(path, 'r', identities)
    const isMissing = 'code' in node && node.code === 'COORD_NO_NODE'
    if ('code' in node && !(isMissing && type === 'exists')) return node
    const refused = watch === undefined ? undefined : this.#watch(watch, path)
    if (refused !== undefined) return refused
    if ('code' in node) return { type: 'stat', stat: undefined }
    if (type === 'exists') return { type: 'stat', stat: node.stat() }
    if (type === 'getChildren') return { type: 'childNames', children: childrenOf(node, read), stat: node.stat() }
    return { type: 'data', data: dataOf(node), stat: node.stat() }
  }

  #watch(kind: WatchKind, path: string): Extract<ReadResult, { type: 'error' }> | undefined {
    const { watches } = this.#host
    if (watches.countOf(this.id) + this.#streams.size >= this.options.watchesMax && !watches.has(kind, this.id, path)) {
      return { type: 'error', code: 'COORD_THROTTLED', path, reason: `at most ${this.options.watchesMax} watches` }
    }
    watches.add(kind, this.id, path)
    return undefined
  }

  #removeWatches({
    type,
    path,
    kinds,
  }: Extract<ReadOperation, { type: 'removeWatches' | 'checkWatches' }>): ReadResult {
    const { watches } = this.#host
    const found = kinds.filter((kind) => watches.has(kind, this.id, path))
    if (found.length === 0) return { type: 'error', code: 'COORD_NO_WATCHER', path }
    if (type === 'removeWatches') for (const kind of found) watches.remove(kind, this.id, path)
    return { type: 'done' }
  }

  #resumeWatches({ seen, watched }: Extract<ReadOperation, { type: 'resumeWatches' }>): ReadResult {
    const { watches, state } = this.#host
    for (const fired of watches.resume(this.id, seen, watched, state.tree, state.lastZxid)) this.notify(fired)
    return { type: 'done' }
  }

  #openStream({ stream, ...request }: Extract<ReadOperation, { type: 'openStream' }>): ReadResult {
    const { watches, streams } = this.#host
    if (watches.countOf(this.id) + this.#streams.size >= this.options.watchesMax) {
      return { type: 'error', code: 'COORD_THROTTLED', reason: `at most ${this.options.watchesMax} watches` }
    }
    const identities = (): readonly Identity[] => this.#identities
    const deliver = this.#deliver
    const consumer = {
      get identities(): readonly Identity[] {
        return identities()
      },
      deliver: (events: readonly StreamEvent[], through: Zxid): void =>
        deliver({ kind: 'stream', stream, events, through }),
    }
    this.#streams.set(stream, streams.open(request, consumer))
    return { type: 'done' }
  }

  #cancel(id: number): void {
    const index = this.#calls.findIndex(({ call }) => call.id === id)
    if (index === -1) return
    const [cancelled] = this.#calls.splice(index, 1) as [PendingCall]
    this.#count(cancelled.call, -1)
    this.#giveUp(cancelled)
    this.pump()
  }

  #setState(state: SessionState, reason: string): void {
    if (this.#state === state) return
    this.#state = state
    this.#deliver({ kind: 'state', state, reason, seen: this.#host.lastZxid })
    this.#host.stateChanged(this, state, reason, undefined)
  }
}

/** The names of the children, sorted: all, or a page of them. */
function childrenOf(node: Znode, { after, limit }: NodeRead): string[] {
  const names = node.childNames()
  if (after === undefined && limit === undefined) return names
  const found = after === undefined ? 0 : names.findIndex((name) => name > after)
  const start = found === -1 ? names.length : found
  return names.slice(start, limit === undefined ? undefined : start + limit)
}

/** As how many calls it counts. */
function weightOf(call: AnsweredCall): number {
  return call.kind === 'read' && call.read.type === 'reads' ? call.read.reads.length : 1
}

function refused(error: unknown): CallResult {
  const code = error instanceof CoordError ? error.code : 'COORD_AUTH_FAILED'
  return { type: 'error', code, reason: error instanceof Error ? error.message : String(error) }
}

/** What is delivered belongs to the receiver: the application cannot corrupt the replica. */
function ownData(node: Znode): Uint8Array | undefined {
  const { data } = node
  return data === undefined || node.isPacked ? data : copyOf(data)
}

/** What is used at once, and neither kept nor changed. */
function sharedData({ data }: Znode): Uint8Array | undefined {
  return data
}
