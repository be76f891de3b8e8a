/**
 * A session at a real ZooKeeper ensemble behind the same seam as a session at a member: `client.ts` and the recipes work
 * over either. It keeps the connection: pings, other servers when one is silent, login and watches brought along.
 *
 * What ZooKeeper's protocol cannot promise is not pretended: a write that was sent when the connection went ends with
 * COORD_CONNECTION_LOSS; linearizable reads and streams of events are COORD_UNIMPLEMENTED.
 *
 * The session is over here when its timeout has passed since the last answered request was sent, by the local clock:
 * before the ensemble can have expired it.
 */
import type { Operation } from '../../lib/core/tree/operation.ts'
import { noSession, type SessionId } from '../../lib/core/tree/session-id.ts'
import { type Zxid, zxidFrom } from '../../lib/core/zab/zxid.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { Clock, Timer } from '../../lib/ports/clock.ts'
import type {
  CallResult,
  NodeRead,
  NodeReadResult,
  ReadOperation,
  SessionCall,
  SessionItem,
  SessionLink,
  SessionOpening,
  SessionState,
  WatchKind,
  WatchRegistrations,
} from '../../lib/ports/session-link.ts'
import { aclFromWire } from './acl.ts'
import { CarriedWatches } from './carried-watches.ts'
import { createWithParents, deleteRecursively, performMulti, performSingle } from './ensemble-operations.ts'
import type { OperationName, RequestOf, ResponseOf } from './operations.ts'
import { codeOf, eventTypes, zkErrors } from './protocol.ts'
import { failed, statFromWire } from './results.ts'
import { type WireAddress, WireConnection, type WireOptions, type WireReply } from './wire-connection.ts'

export interface EnsembleOptions {
  readonly servers: readonly WireAddress[]
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly tls: WireOptions['tls']
}

type AnsweredCall = Exclude<SessionCall, { kind: 'cancel' | 'pull' | 'closeStream' }>

interface Slot {
  readonly call: AnsweredCall
  readonly deadline: number
  isSent: boolean
  result: CallResult | undefined
}

/** Asks the server; rejects with a `Lost` when the connection goes first. */
export type Ask = <K extends OperationName>(name: K, request: RequestOf<K>) => Promise<WireReply<ResponseOf<K>>>

/** The connection went before the answer came. */
class Lost extends Error {}

/** The pause after a round through all servers, milliseconds: the first, and the longest. */
const pauseMs = { first: 100, max: 2000 } as const
/** The longest reply that is taken, bytes: getChildren of a large node is far beyond what requests may have. */
const replyBytesMax = 64 * 1024 * 1024
/** The bound on the drift of two clocks' rates, as between members: 0.001 is 1 ms in a second. */
const clockDriftMax = 0.001
/** Between two looks at whether a server has come to a zxid. */
const awaitPauseMs = 50

export class EnsembleLink implements SessionLink {
  readonly #options: EnsembleOptions
  readonly #opening: SessionOpening
  readonly #deliver: (item: SessionItem) => void
  readonly #watches = new CarriedWatches()
  readonly #logins: { readonly scheme: string; readonly credentials: Uint8Array }[] = []
  #slots: Slot[] = []
  #id: SessionId
  #password: Uint8Array
  #timeoutMs: number
  #connection: WireConnection | undefined
  #state: SessionState | 'opening' = 'opening'
  /** Whether the connection is through its handshake, logins and watches. */
  #isReady = false
  /** A call that takes several requests is under way: nothing behind it is sent. */
  #isOccupied = false
  #lastZxid: Zxid = zxidFrom(0n)
  /** When the last answered request was sent; the session lives for its timeout from then at least. */
  #aliveSince: number | undefined
  #sentAt = 0
  #heardAt = 0
  #round: WireAddress[] = []
  #rounds = 0
  #reason = 'connecting'
  #tick: Timer | undefined
  #redial: Timer | undefined
  #isPumpDue = false

  constructor(options: EnsembleOptions, opening: SessionOpening, deliver: (item: SessionItem) => void) {
    this.#options = options
    this.#opening = opening
    this.#deliver = deliver
    this.#id = opening.attach === undefined ? noSession : (opening.attach.id as SessionId)
    this.#password = opening.attach?.password ?? new Uint8Array(16)
    this.#timeoutMs = opening.timeoutMs
    this.#schedule()
    this.#redial = options.clock.setTimer(0, () => this.#dial())
  }

  /** 0 until the session is open: the ensemble chooses it. */
  get id(): SessionId {
    return this.#id
  }

  get password(): Uint8Array {
    return this.#password
  }

  /** As negotiated, once the session is open. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** As the ensemble promises: less what two clocks may differ by. See "held" in docs/ZOOKEEPER.md for what it does not promise. */
  get confirmedUntil(): number {
    if (this.#aliveSince === undefined) return Number.POSITIVE_INFINITY
    return this.#aliveSince + (this.#timeoutMs * (1 - clockDriftMax)) / (1 + clockDriftMax)
  }

  get #isOver(): boolean {
    return this.#state === 'lost' || this.#state === 'closed'
  }

  call(call: SessionCall): void {
    if (call.kind === 'cancel') {
      this.#slots = this.#slots.filter((slot) => slot.call.id !== call.id)
      this.#pumpSoon()
      return
    }
    if (call.kind === 'pull' || call.kind === 'closeStream') return
    const isPatient = 'patient' in call && call.patient === true
    const waitMs = isPatient ? Number.POSITIVE_INFINITY : this.#opening.requestTimeoutMs
    const deadline = this.#options.clock.now() + waitMs
    const slot: Slot = { call, deadline, isSent: false, result: undefined }
    if (this.#isOver) slot.result = failed(this.#state === 'closed' ? 'COORD_CLOSED' : 'COORD_SESSION_EXPIRED')
    else slot.result = refusalOf(call)
    this.#slots.push(slot)
    this.#pumpSoon()
  }

  /** Requests alone tell the ensemble that we live, and pings. */
  touch(): void {}

  abandon(): void {
    this.#end('lost', 'abandoned')
  }

  // The connection

  #dial(): void {
    if (this.#isOver || this.#endIfLate()) return
    const { clock, servers, random, tls } = this.#options
    if (this.#round.length === 0) {
      this.#round = [...servers]
      for (let index = this.#round.length - 1; index > 0; index -= 1) {
        const other = Math.floor(random() * (index + 1))
        const [a, b] = [this.#round[index] as WireAddress, this.#round[other] as WireAddress]
        this.#round[index] = b
        this.#round[other] = a
      }
      this.#rounds += 1
    }
    const address = this.#round.shift() as WireAddress
    this.#heardAt = clock.now()
    this.#sentAt = this.#heardAt
    const sentAt = this.#heardAt
    const connection: WireConnection = new WireConnection(
      {
        address,
        tls,
        frameBytesMax: replyBytesMax,
        afterMicrotasks: (callback) => clock.afterMicrotasks(callback),
        opening: {
          protocolVersion: 0,
          lastZxidSeen: this.#lastZxid,
          timeoutMs: this.#opening.timeoutMs,
          sessionId: BigInt.asIntN(64, this.#id),
          password: this.#password,
          readOnly: false,
        },
      },
      {
        opened: (response) => {
          if (this.#connection !== connection || this.#isOver) return
          this.#heardAt = clock.now()
          if (response.timeoutMs <= 0) {
            this.#end('lost', 'there is no such session, or the password is wrong', 'COORD_SESSION_EXPIRED')
            return
          }
          // ZooKeeper's ids may be negative as signed numbers.
          this.#id = BigInt.asUintN(64, response.sessionId) as SessionId
          this.#password = response.password ?? new Uint8Array(16)
          this.#timeoutMs = response.timeoutMs
          this.#aliveSince = sentAt
          this.#rounds = 0
          this.#round = []
          void this.#takeUp(connection)
        },
        event: ({ type, path }) => {
          if (this.#connection !== connection) return
          this.#heardAt = clock.now()
          this.#onEvent(type, path)
        },
        ended: (reason) => {
          if (this.#connection === connection) this.#onEnded(`${address.host}:${address.port}: ${reason}`)
        },
      },
    )
    this.#connection = connection
  }

  /** As ZooKeeper's clients do: first the logins, then the watches, then what waits. */
  async #takeUp(connection: WireConnection): Promise<void> {
    try {
      for (const { scheme, credentials } of this.#logins) {
        await this.#ask('auth', { type: 0, scheme, auth: credentials })
      }
      for (const batch of this.#watches.batches()) {
        await this.#ask('setWatches2', { relativeZxid: this.#lastZxid, ...batch })
      }
    } catch {
      return
    }
    if (this.#connection !== connection || this.#isOver) return
    this.#isReady = true
    this.#setState('connected', 'the session is open')
    this.#pump()
  }

  #onEvent(type: number, path: string): void {
    const name = (['created', 'changed', 'deleted', 'children'] as const).find((one) => eventTypes[one] === type)
    if (name === undefined) return
    this.#watches.fired(name, path)
    // The protocol of 3.8 does not say at which zxid: at this one or later.
    this.#deliver({ kind: 'event', event: { type: name, path, zxid: this.#lastZxid } })
  }

  #onEnded(reason: string): void {
    this.#connection = undefined
    this.#isReady = false
    this.#reason = reason
    this.#rejectAll()
    if (this.#isOver) return
    for (const slot of this.#slots) {
      if (!slot.isSent || slot.result !== undefined) continue
      // A read is as good when it is asked again; of a write nobody knows.
      if (slot.call.kind === 'write') slot.result = failed('COORD_CONNECTION_LOSS', reason)
      else slot.isSent = false
    }
    if (this.#state === 'connected') this.#setState('suspended', reason)
    this.#pump()
    const isBetweenRounds = this.#round.length === 0
    const pause = isBetweenRounds ? Math.min(pauseMs.max, pauseMs.first * 2 ** Math.min(this.#rounds, 5)) : 0
    this.#redial = this.#options.clock.setTimer(pause * (0.5 + this.#options.random() / 2), () => this.#dial())
  }

  #ask: Ask = (name, request) =>
    new Promise((resolve, reject) => {
      const connection = this.#connection
      if (connection === undefined) {
        reject(new Lost())
        return
      }
      const sentAt = this.#options.clock.now()
      this.#sentAt = sentAt
      this.#rejections.add(reject)
      connection.send(name, request, (reply) => {
        this.#rejections.delete(reject)
        this.#onReplied(sentAt, reply.zxid)
        resolve(reply)
      })
    })

  readonly #rejections = new Set<(error: Error) => void>()

  #onReplied(sentAt: number, zxid: bigint): void {
    this.#heardAt = this.#options.clock.now()
    this.#aliveSince = Math.max(this.#aliveSince ?? 0, sentAt)
    if (zxid > this.#lastZxid) this.#lastZxid = zxidFrom(zxid)
  }

  // Time

  /** Now and then; and when the certainty ends, for whoever holds anything must know before the next one has it. */
  #schedule(): void {
    const { clock } = this.#options
    const step = Math.max(5, Math.min(this.#timeoutMs / 10, 200))
    const left = Math.max(0, this.confirmedUntil - clock.now())
    this.#tick = clock.setTimer(Math.min(step, left), () => clock.defer(() => this.#onTick()))
  }

  #onTick(): void {
    if (this.#isOver) return
    const now = this.#options.clock.now()
    const timeoutMs = this.#timeoutMs
    if (this.#endIfLate()) return
    const silenceMax = this.#isReady ? (timeoutMs * 2) / 3 : Math.max(1000, timeoutMs / this.#options.servers.length)
    if (this.#connection !== undefined && now - this.#heardAt > silenceMax) this.#cut(`silent for ${silenceMax} ms`)
    else if (this.#isReady && now - this.#sentAt >= timeoutMs / 3) this.#ask('ping', undefined).catch(() => {})
    this.#expireCalls(now)
    this.#schedule()
  }

  /** What is sent after the end of the certainty does not bring it back. Returns whether the session is over. */
  #endIfLate(): boolean {
    if (this.#options.clock.now() >= this.confirmedUntil)
      this.#end('lost', `not confirmed for ${this.#timeoutMs} ms: ${this.#reason}`)
    return this.#isOver
  }

  #expireCalls(now: number): void {
    for (const slot of this.#slots) {
      if (slot.result !== undefined || slot.deadline > now) continue
      const waited = `no answer within ${this.#opening.requestTimeoutMs} ms`
      slot.result = failed(slot.isSent ? 'COORD_CONNECTION_LOSS' : 'COORD_NO_QUORUM', waited)
    }
    this.#pump()
  }

  #cut(reason: string): void {
    const connection = this.#connection
    connection?.close(reason)
  }

  #end(state: 'lost' | 'closed', reason: string, unsent: ErrorCode = 'COORD_NO_QUORUM'): void {
    if (this.#isOver) return
    this.#setState(state, reason)
    this.#tick?.cancel()
    this.#redial?.cancel()
    const connection = this.#connection
    this.#connection = undefined
    this.#isReady = false
    connection?.close(reason)
    this.#rejectAll()
    for (const slot of this.#slots) {
      if (slot.result !== undefined) continue
      const code = slot.isSent && slot.call.kind === 'write' ? 'COORD_CONNECTION_LOSS' : unsent
      slot.result = failed(state === 'closed' ? 'COORD_CLOSED' : code, reason)
    }
    this.#pump()
  }

  #rejectAll(): void {
    const rejections = [...this.#rejections]
    this.#rejections.clear()
    for (const reject of rejections) reject(new Lost())
  }

  #setState(state: SessionState, reason: string): void {
    if (this.#state === state) return
    this.#state = state
    this.#deliver({ kind: 'state', state, reason, seen: this.#lastZxid })
  }

  // Calls

  #pumpSoon(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    queueMicrotask(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  /** Answers what has its result, in order, and sends what may be sent. */
  #pump(): void {
    for (let first = this.#slots[0]; first?.result !== undefined; first = this.#slots[0]) {
      this.#slots.shift()
      const { call, result } = first
      this.#deliver({ kind: 'reply', id: call.id, result: result as CallResult, zxid: this.#lastZxid })
      if (call.kind === 'write' && call.operation.type === 'closeSession' && result?.type === 'closeSession') {
        this.#end('closed', 'closed')
        return
      }
    }
    for (const slot of this.#slots) {
      if (!this.#isReady || this.#isOccupied || this.#isOver) return
      if (slot.isSent || slot.result !== undefined) continue
      if (this.#endIfLate()) return
      const isLong = takesSeveral(slot.call)
      if (isLong && slot !== this.#slots[0]) return
      this.#isOccupied = isLong
      slot.isSent = true
      this.#perform(slot, isLong)
    }
  }

  #perform(slot: Slot, isLong: boolean): void {
    const settle = (result: CallResult | undefined): void => {
      if (isLong) this.#isOccupied = false
      if (slot.result === undefined && result !== undefined) slot.result = result
      this.#pump()
    }
    this.#answer(slot.call).then(settle, (error: unknown) => {
      // `onEnded` and `end` have decided what becomes of a call whose connection went.
      if (error instanceof Lost) settle(undefined)
      else settle(failed('COORD_SYSTEM_ERROR', error instanceof Error ? error.message : String(error)))
    })
  }

  #answer(call: AnsweredCall): Promise<CallResult> {
    switch (call.kind) {
      case 'write':
        return this.#write(call.operation)
      case 'read':
        return this.#read(call.read)
      case 'sync':
        return this.#ask('sync', { path: '/' }).then(({ error }) => (error === 0 ? { type: 'done' } : errorOf(error)))
      case 'awaitZxid':
        return this.#awaitZxid(call.zxid)
      case 'auth':
        return this.#login(call.scheme, call.credentials)
    }
  }

  async #awaitZxid(zxid: Zxid): Promise<CallResult> {
    const { clock } = this.#options
    const deadline = clock.now() + this.#opening.requestTimeoutMs
    while (this.#lastZxid < zxid) {
      await this.#ask('sync', { path: '/' })
      if (this.#lastZxid >= zxid) break
      if (clock.now() >= deadline) return failed('COORD_NO_QUORUM', `the ensemble has not come to ${zxid}`)
      await new Promise<void>((resolve) => clock.setTimer(awaitPauseMs, resolve))
    }
    return { type: 'done' }
  }

  async #login(scheme: string, credentials: Uint8Array): Promise<CallResult> {
    const { error } = await this.#ask('auth', { type: 0, scheme, auth: credentials })
    if (error !== 0) return errorOf(error)
    this.#logins.push({ scheme, credentials })
    return { type: 'done' }
  }

  #write(operation: Operation): Promise<CallResult> {
    if (operation.type === 'closeSession') {
      return this.#ask('closeSession', undefined).then(({ error }) =>
        error === 0 ? { type: 'closeSession' } : errorOf(error),
      )
    }
    if (operation.type === 'multi') return performMulti(this.#ask, operation)
    if (operation.type === 'create' && operation.parents === true) return createWithParents(this.#ask, operation)
    if (operation.type === 'delete' && operation.recursive === true) return deleteRecursively(this.#ask, operation)
    return performSingle(this.#ask, operation)
  }

  async #read(read: ReadOperation): Promise<CallResult> {
    switch (read.type) {
      case 'exists':
      case 'getData':
      case 'getChildren':
        return this.#readNode(read, read.watch)
      case 'multiRead':
        return { type: 'reads', results: await Promise.all(read.reads.map((one) => this.#readNode(one, false))) }
      case 'getAcl': {
        const { error, response } = await this.#ask('getACL', { path: read.path })
        if (response === undefined) return errorOf(error, read.path)
        return { type: 'acl', acl: aclFromWire(response.acl), stat: statFromWire(response.stat) }
      }
      case 'getAllChildrenNumber': {
        const { error, response } = await this.#ask('getAllChildrenNumber', { path: read.path })
        return response === undefined ? errorOf(error, read.path) : { type: 'count', count: response.count }
      }
      case 'getEphemerals': {
        const { error, response } = await this.#ask('getEphemerals', { prefix: read.prefix })
        return response === undefined ? errorOf(error) : { type: 'paths', paths: [...response.paths].sort() }
      }
      case 'whoAmI': {
        const { error, response } = await this.#ask('whoAmI', undefined)
        return response === undefined ? errorOf(error) : { type: 'identities', identities: response.identities }
      }
      case 'addWatch': {
        const mode = read.kind === 'persistent' ? 0 : 1
        const { error } = await this.#ask('addWatch', { path: read.path, mode })
        if (error !== 0) return errorOf(error, read.path)
        this.#watches.add(read.kind, read.path)
        return { type: 'done' }
      }
      case 'checkWatches':
      case 'removeWatches':
        return this.#removeWatches(read.path, read.kinds, read.type === 'removeWatches')
      case 'resumeWatches':
        return this.#resumeWatches(read.seen, read.watched)
      case 'getMode':
        return failed('COORD_UNIMPLEMENTED', 'ZooKeeper does not tell containers and times to live')
      default:
        return failed('COORD_UNIMPLEMENTED', 'ZooKeeper has no streams of events: watch and read again')
    }
  }

  async #readNode({ type, path, after, limit }: NodeRead, watch: boolean): Promise<NodeReadResult> {
    switch (type) {
      case 'exists': {
        const { error, response } = await this.#ask('exists', { path, watch })
        if (error !== 0 && error !== zkErrors.noNode) return errorOf(error, path)
        if (watch) this.#watches.add(response === undefined ? 'exists' : 'data', path)
        return { type: 'stat', stat: response === undefined ? undefined : statFromWire(response.stat) }
      }
      case 'getData': {
        const { error, response } = await this.#ask('getData', { path, watch })
        if (response === undefined) return errorOf(error, path)
        if (watch) this.#watches.add('data', path)
        return { type: 'data', data: response.data, stat: statFromWire(response.stat) }
      }
      default: {
        const { error, response } = await this.#ask('getChildren2', { path, watch })
        if (response === undefined) return errorOf(error, path)
        if (watch) this.#watches.add('children', path)
        // ZooKeeper gives all of them: the page is cut here.
        const behind = response.children.filter((name) => after === undefined || name > after)
        return { type: 'childNames', children: behind.sort().slice(0, limit), stat: statFromWire(response.stat) }
      }
    }
  }

  /**
   * The server knows no removal of a persistent watch alone: it is told when nothing on this path is watched any more.
   * Until then it sends events that nobody here listens to.
   */
  async #removeWatches(path: string, kinds: readonly WatchKind[], removes: boolean): Promise<CallResult> {
    if (!kinds.some((kind) => this.#watches.has(kind, path))) return failed('COORD_NO_WATCHER', undefined, path)
    if (!removes) return { type: 'done' }
    for (const kind of kinds) this.#watches.remove(kind, path)
    if (!this.#watches.hasAny(path)) await this.#ask('removeWatches', { path, type: 3 })
    return { type: 'done' }
  }

  async #resumeWatches(seen: Zxid, watched: WatchRegistrations): Promise<CallResult> {
    this.#watches.addAll(watched)
    const carried = new CarriedWatches()
    carried.addAll(watched)
    for (const batch of carried.batches()) await this.#ask('setWatches2', { relativeZxid: seen, ...batch })
    return { type: 'done' }
  }
}

/** What ZooKeeper cannot do at all. */
function refusalOf(call: AnsweredCall): CallResult | undefined {
  if (call.kind === 'read' && call.consistency === 'linearizable') {
    return failed(
      'COORD_UNIMPLEMENTED',
      'ZooKeeper has no linearizable reads: sync() and read, which a deposed leader may answer',
    )
  }
  return undefined
}

/** Calls that are several requests, one after the other: nothing may come between. */
function takesSeveral(call: AnsweredCall): boolean {
  if (call.kind === 'awaitZxid' || call.kind === 'auth') return true
  if (call.kind === 'read') return ['multiRead', 'removeWatches', 'resumeWatches'].includes(call.read.type)
  if (call.kind !== 'write') return false
  const { operation } = call
  if (operation.type === 'multi') return true
  if (operation.type === 'create') return operation.parents === true
  return operation.type === 'delete' && operation.recursive === true
}

const errorOf = (zkCode: number, path?: string): Extract<CallResult, { type: 'error' }> =>
  failed(codeOf(zkCode), undefined, path)
