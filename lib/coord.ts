/**
 * What `joinEnsemble` returns: a client, and the member of the ensemble that lives in this process.
 */
import { EventEmitter } from 'node:events'
import { checkCallOptions } from './api/checks.ts'
import { emitSafely } from './api/emit.ts'
import { abortError, withJson } from './api/results.ts'
import type { ValueCodec } from './api/values.ts'
import type { CallOptions } from './api/znodes.ts'
import { Client, RenewingSession } from './client.ts'
import type { Zxid } from './core/zab/zxid.ts'
import { CoordError } from './errors.ts'
import type { Clock } from './ports/clock.ts'
import type { Entropy } from './ports/entropy.ts'
import type { Hosting } from './ports/hosting.ts'
import type { Member, MemberRecord, Status } from './runtime/member.ts'

export type MemberRole = 'leader' | 'follower' | 'observer' | 'looking'

/** A member as others see it. */
export interface MemberView {
  readonly id: string
  readonly name: string
  readonly role: MemberRole
  readonly address: string
}

export interface MemberEvents {
  role: [next: MemberRole, previous: MemberRole]
  leader: [leader: MemberView | undefined]
  members: [members: readonly MemberView[]]
  warning: [message: string]
}

/** The member of this process, and what it knows of the ensemble. */
export class EnsembleMember extends EventEmitter<MemberEvents> {
  readonly #member: Member
  #status: Status | undefined
  #records: readonly MemberRecord[] = []

  constructor(member: Member) {
    super()
    this.#member = member
  }

  /** Of this incarnation: another one after each start of a member without a durable store. */
  get id(): string {
    return this.#member.self.id
  }

  /** The same after a restart. */
  get name(): string {
    return this.#member.self.name
  }

  /** What others dial. */
  get address(): string {
    return this.#member.self.address
  }

  get role(): MemberRole {
    return roleOf(this.#status)
  }

  /** Of the leader that serves this member; 0 while none does. */
  get epoch(): number {
    return this.#status?.epoch ?? 0
  }

  get clusterId(): string {
    return this.#status?.cluster ?? ''
  }

  /** Through which zxid this replica has applied the log. */
  get lastZxid(): bigint {
    return this.#member.state.lastZxid
  }

  get leader(): MemberView | undefined {
    const leader = this.#status?.leader
    return leader === undefined ? undefined : this.#view(leader)
  }

  /** The members of the committed configuration. */
  get members(): readonly MemberView[] {
    return this.#records.map((record) => this.#view(record))
  }

  toJSON(): object {
    const { id, name, role, epoch, leader, members, clusterId } = this
    return { id, name, role, epoch, leader, members, clusterId, lastZxid: `${this.lastZxid}` }
  }

  /** @internal */
  onStatus(status: Status): void {
    const previous = this.role
    const previousLeader = this.#status?.leader?.id
    this.#status = status
    if (this.role !== previous) emitSafely(this, 'role', this.role, previous)
    if (status.leader?.id !== previousLeader) emitSafely(this, 'leader', this.leader)
  }

  /** @internal */
  onMembers(records: readonly MemberRecord[]): void {
    this.#records = records
    emitSafely(this, 'members', this.members)
  }

  /** @internal */
  onWarning(message: string): void {
    emitSafely(this, 'warning', message)
  }

  #view({ id, name, address }: MemberRecord): MemberView {
    const role = id === this.#status?.leader?.id ? 'leader' : id === this.id ? this.role : 'follower'
    return { id, name, role, address }
  }
}

function roleOf(status: Status | undefined): MemberRole {
  if (status === undefined || !status.serving) return 'looking'
  if (status.role === 'leading') return 'leader'
  return status.isVoter ? 'follower' : 'observer'
}

/** What a coord is made of: `lib/index.ts` puts it together. */
export interface CoordParts {
  readonly member: Member
  readonly clock: Clock
  readonly entropy: Entropy
  readonly timeoutMs: number
  readonly requestTimeoutMs: number
  readonly readOnly: boolean
  readonly root: string
}

export class Coord<V = Uint8Array> extends Client<V> {
  readonly member: EnsembleMember
  readonly #parts: CoordParts
  readonly #renewing: RenewingSession
  #failure: CoordError | undefined

  constructor(parts: CoordParts, view: EnsembleMember, codec: ValueCodec<V>) {
    const { member, clock, entropy, timeoutMs, requestTimeoutMs, readOnly, root } = parts
    const renewing = new RenewingSession({
      door: member.sessions,
      clock,
      entropy,
      memberName: () => member.self.name,
      timeoutMs,
      requestTimeoutMs,
      readOnly,
    })
    super(renewing, root, codec)
    this.#parts = parts
    this.#renewing = renewing
    this.member = view
  }

  /** Resolves once a quorum serves this member. */
  async ready(options: CallOptions = {}): Promise<void> {
    checkCallOptions(options)
    const { signal } = options
    if (signal?.aborted === true) throw abortError(signal)
    if (this.#failure !== undefined) throw this.#failure
    if (this.state === 'connected') return
    if (this.state === 'closed') throw new CoordError('COORD_CLOSED')
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        stop()
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        done()
        reject(abortError(signal as AbortSignal))
      }
      const stop = this.#renewing.onState((next) => {
        if (next !== 'connected' && next !== 'closed') return
        done()
        if (next === 'connected') resolve()
        else reject(this.#failure ?? new CoordError('COORD_CLOSED'))
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** @internal For adapters that let other clients in. */
  get hosting(): Hosting {
    const { member, clock, requestTimeoutMs } = this.#parts
    return {
      door: member.sessions,
      clock,
      requestTimeoutMs,
      get serving(): boolean {
        return member.status?.serving ?? false
      },
      get lastZxid(): Zxid {
        return member.state.lastZxid
      },
    }
  }

  /** Lets the process end although this coord is open. */
  unref(): this {
    this.#parts.member.setRef(false)
    return this
  }

  /** An open coord holds the process: the default. */
  ref(): this {
    this.#parts.member.setRef(true)
    return this
  }

  /** What an operator wants to see. */
  explain(): object {
    const { status } = this.#parts.member
    return withJson({
      state: this.state,
      role: this.member.role,
      serving: status?.serving ?? false,
      reason: status?.serving === true ? 'a quorum serves this member' : (status?.reason ?? 'starting'),
      peers: this.#parts.member.linkFailures(),
      failure: this.#failure?.message,
    })
  }

  /** @internal The member stopped by itself. */
  onFailed(error: CoordError): void {
    this.#failure = error
    emitSafely(this.member, 'warning', error.message)
    void this.close({ timeoutMs: 0 })
  }

  /** @internal */
  protected override async closeOpened(options?: { readonly timeoutMs?: number | undefined }): Promise<void> {
    const timeoutMs = options?.timeoutMs ?? 2000
    // Sessions first, while there may be a quorum: their ephemeral nodes go now and not by a timeout.
    await this.#renewing.close({ timeoutMs })
    await super.closeOpened(options)
    this.#parts.member.stepDown()
    await this.#parts.member.close()
  }
}
