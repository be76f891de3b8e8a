/**
 * The world of the scripts: a few cores, the messages between them, their writes, and a clock, all of which move only
 * when a script says so. Everything that happens is a line of the trace.
 *
 * Members are a, b, c …; the first life of `a` has the id A1, the next one without memory A2. The wall clock stands at
 * the first second of 2025, so that epochs begin at 1 and counters at 1.
 */
import assert from 'node:assert/strict'
import type { Input } from '../../lib/core/input.ts'
import type { Output, Status } from '../../lib/core/output.ts'
import { Peer, type PeerStart } from '../../lib/core/peer.ts'
import { ReplicatedState } from '../../lib/core/tree/apply.ts'
import type { Applied, SnapshotRecord, TreeRequest } from '../../lib/core/tree/operation.ts'
import { sessionIdFrom } from '../../lib/core/tree/session-id.ts'
import { WatchTable } from '../../lib/core/tree/watch-table.ts'
import { lastOf } from '../../lib/core/zab/batch.ts'
import { memberIdFrom } from '../../lib/core/zab/configuration.ts'
import type { Message } from '../../lib/core/zab/message.ts'
import type { PersistChange, ZabOptions } from '../../lib/core/zab/zab.ts'
import { formatZxid } from '../../lib/core/zab/zxid.ts'
import { formatMessage, formatPersist, formatRequest } from './format.ts'

const wallMs = 1_735_689_600_000

interface Write {
  readonly token: number
  readonly change: PersistChange
  /** Of a snapshot in it: read out at once, since a disk has no turns. */
  readonly records: readonly SnapshotRecord[]
}

export interface ScriptMember {
  readonly name: string
  peer: Peer
  life: number
  isUp: boolean
  writes: Write[]
  /** What the disk holds: the changes that were completed, in order. */
  disk: Write[]
  watches: WatchTable
  cxids: Map<bigint, number>
}

export class ScriptWorld {
  readonly members: Map<string, ScriptMember> = new Map()
  readonly lines: string[] = []
  readonly #queues = new Map<string, Message[]>()
  readonly #links = new Set<string>()
  #now = 0
  #quiet = false
  #tail: ZabOptions['tail'] = { entries: 1000, bytes: 1 << 20 }
  #slice: ZabOptions['slice'] = { entries: 500, bytes: 1 << 20, pauseMs: 0 }
  #chunkBytesMax = 1 << 16
  #founders: string[] = []

  /** Creates blank founders, all linked. */
  found(names: readonly string[]): void {
    this.#founders = [...names].sort()
    for (const name of names) this.start(name, 1, {})
    for (const a of names) for (const b of names) if (a < b) this.link(a, b)
  }

  setTail(entries: number): void {
    this.#tail = { entries, bytes: 1 << 20 }
  }

  /** A chunk of a snapshot is a record, and so long it rests between two of them where others write. */
  setRest(pauseMs: number): void {
    this.#chunkBytesMax = 1
    this.#slice = { ...this.#slice, pauseMs }
  }

  /** So many entries are delivered in a turn, and one batch of a log is sent. */
  setSlice(entries: number): void {
    this.#slice = { ...this.#slice, entries, bytes: 1 }
  }

  /** Runs without a trace. */
  quietly(run: () => void): void {
    this.#quiet = true
    run()
    this.#quiet = false
  }

  print(line: string): void {
    if (!this.#quiet) this.lines.push(line)
  }

  member(name: string): ScriptMember {
    const member = this.members.get(name)
    assert.ok(member !== undefined, `no member ${name}`)
    return member
  }

  start(name: string, life: number, start: Omit<PeerStart, 'self'>, disk: Write[] = []): ScriptMember {
    const self = { id: memberIdFrom(`${name.toUpperCase()}${life}`), name, address: name }
    const options: ZabOptions = {
      timing: {
        pingIntervalMs: 500,
        syncLimitMs: 2000,
        electionSettleMs: 200,
        seatStableMs: 1000,
        seatFailedMs: 5000,
        forgetMs: 20_000,
      },
      tail: this.#tail,
      batchBytesMax: 1 << 20,
      chunkBytesMax: this.#chunkBytesMax,
      slice: this.#slice,
      founders: this.#founders,
    }
    const member: ScriptMember = {
      name,
      peer: undefined as unknown as Peer,
      life,
      isUp: true,
      writes: [],
      disk,
      watches: new WatchTable(),
      cxids: new Map(),
    }
    member.peer = new Peer({ ...start, self }, options, (applied) => this.#onApplied(member, applied))
    this.members.set(name, member)
    return member
  }

  link(a: string, b: string): void {
    this.#links.add(`${a} ${b}`).add(`${b} ${a}`)
    this.step(a, { type: 'linkUp', peer: this.member(b).peer.zab.self })
    this.step(b, { type: 'linkUp', peer: this.member(a).peer.zab.self })
  }

  unlink(a: string, b: string): void {
    if (!this.#links.delete(`${a} ${b}`)) return
    this.#links.delete(`${b} ${a}`)
    this.#queues.delete(`${a} ${b}`)
    this.#queues.delete(`${b} ${a}`)
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      if (this.member(from).isUp) this.step(from, { type: 'linkDown', id: this.member(to).peer.zab.id })
    }
  }

  /** The process is gone; of its writes, those that were not completed are, too. */
  crash(name: string): void {
    const member = this.member(name)
    member.isUp = false
    member.writes = []
    this.print(`${name} crashes`)
    for (const other of this.members.keys()) if (other !== name) this.unlink(name, other)
  }

  /** The next entry is evaluated otherwise than elsewhere: as if a bit had flipped where nobody looks. */
  diverge(name: string, path: string): void {
    const { state } = this.member(name).peer
    const apply = state.apply.bind(state)
    state.apply = (stamp, request): Applied => {
      state.apply = apply
      const operation = { type: 'create', path, data: undefined, mode: 'persistent' } as const
      return apply(stamp, request.type === 'write' ? { ...request, operation } : request)
    }
  }

  /** With what its disk holds, under its old id. */
  restart(name: string): void {
    const { disk, life } = this.member(name)
    const start: { -readonly [K in keyof PeerStart]?: PeerStart[K] } = {}
    let batches = [...(start.batches ?? [])]
    for (const { change, records } of disk) {
      if (change.epochs !== undefined) start.epochs = change.epochs
      if (change.belonging !== undefined) start.belonging = change.belonging
      if (change.truncateAfter !== undefined)
        batches = batches.filter((batch) => lastOf(batch) <= (change.truncateAfter ?? 0n))
      if (change.install !== undefined) {
        start.configurations = change.install.configurations
        start.state = ReplicatedState.fromSnapshot(records)
        batches = []
      }
      if (change.append !== undefined) batches.push(change.append)
    }
    this.start(name, life, { ...start, batches }, disk)
    this.#relink(name)
  }

  /** With nothing: another incarnation. */
  forget(name: string): void {
    this.start(name, this.member(name).life + 1, {})
    this.#relink(name)
  }

  #relink(name: string): void {
    for (const [other, { isUp }] of this.members) if (other !== name && isUp) this.link(name, other)
  }

  step(name: string, input: Input): void {
    const member = this.member(name)
    for (const output of member.peer.step(input, { now: this.#now, wallMs: wallMs + this.#now }))
      this.#perform(member, output)
  }

  flush(): void {
    for (const [name, { isUp }] of this.members) if (isUp) this.step(name, { type: 'flush' })
  }

  /** Delivers the next message of a link. */
  deliver(from: string, to: string): boolean {
    const message = this.#queues.get(`${from} ${to}`)?.shift()
    if (message === undefined) return false
    this.step(to, { type: 'message', from: this.member(from).peer.zab.id, message })
    return true
  }

  /** Completes the next write of a member. */
  persist(name: string): boolean {
    const member = this.member(name)
    const write = member.writes.shift()
    if (write === undefined) return false
    member.disk.push(write)
    this.step(name, { type: 'persisted', token: write.token })
    return true
  }

  /** Until nothing is under way any more. */
  settle(): void {
    for (let round = 0; round < 1000; round++) {
      let moved = false
      for (const name of this.members.keys()) while (this.persist(name)) moved = true
      for (const link of this.#links) {
        const [from, to] = link.split(' ') as [string, string]
        while (this.deliver(from, to)) moved = true
      }
      this.flush()
      for (const { name, isUp, peer } of this.members.values()) {
        if (!isUp || !peer.wantsTurn) continue
        this.print(`${name}      goes on in its next turn`)
        moved = true
      }
      const isQuiet = [...this.#queues.values()].every((queue) => queue.length === 0)
      if (!moved && isQuiet && [...this.members.values()].every(({ writes }) => writes.length === 0)) return
    }
    assert.fail('the world does not come to rest')
  }

  /** Time passes, with everything that happens in it, tick by tick. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const due = [...this.members.values()].filter(({ isUp, peer }) => isUp && peer.deadline <= until)
      if (due.length === 0) break
      this.#now = Math.max(this.#now, Math.min(...due.map(({ peer }) => peer.deadline)))
      for (const { name, peer } of due) if (peer.deadline <= this.#now) this.step(name, { type: 'tick', lateMs: 0 })
      this.settle()
    }
    this.#now = until
  }

  request(name: string, request: TreeRequest): void {
    this.step(name, { type: 'request', requests: [request] })
  }

  /** A write of a session, with its next cxid. */
  write(name: string, session: number, operation: Extract<TreeRequest, { type: 'write' }>['operation']): void {
    const member = this.member(name)
    const id = sessionIdFrom(BigInt(session))
    const cxid = (member.cxids.get(id) ?? 0) + 1
    member.cxids.set(id, cxid)
    this.request(name, { type: 'write', session: id, generation: 1, cxid, answeredThrough: cxid - 1, operation })
  }

  #perform(member: ScriptMember, output: Output): void {
    switch (output.type) {
      case 'send': {
        const to = [...this.members.values()].find(({ peer }) => peer.zab.id === output.to)
        if (to === undefined || !this.#links.has(`${member.name} ${to.name}`)) return
        const key = `${member.name} ${to.name}`
        this.#queues.set(key, [...(this.#queues.get(key) ?? []), output.message])
        this.print(`${member.name} → ${to.name}  ${formatMessage(output.message)}`)
        return
      }
      case 'persist':
        member.writes.push({ ...output, records: output.change.install?.state.take(Number.POSITIVE_INFINITY) ?? [] })
        this.print(`${member.name}      writes ${formatPersist(output.change)}`)
        return
      case 'closeLink': {
        const to = [...this.members.values()].find(({ peer }) => peer.zab.id === output.to)
        this.print(`${member.name}      closes its link to ${to?.name}: ${output.reason}`)
        if (to !== undefined) this.unlink(member.name, to.name)
        return
      }
      case 'probe': {
        const reached = [...this.members.values()].some(({ isUp, peer }) => isUp && peer.zab.id === output.id)
        this.print(
          `${member.name}      looks whether ${output.id} is still at ${output.address}: ${reached ? 'yes' : 'no'}`,
        )
        this.step(member.name, { type: 'probed', id: output.id, reached })
        return
      }
      case 'status':
        this.print(`${member.name}      ${formatStatus(output.status)}`)
        return
      case 'membershipReply':
        this.print(`${member.name}      is told: ${output.outcome.code ?? 'done'} ${output.outcome.reason}`.trimEnd())
        return
      case 'forgotten':
        this.print(`${member.name}      has forgotten: ${output.reason}`)
        return
      case 'superseded':
        this.print(`${member.name}      is superseded: ${output.reason}`)
        return
      case 'refused':
        this.print(`${member.name}      is refused: ${output.code}, ${output.reason}`)
        return
      case 'readReady':
        this.print(`${member.name}      may read at ${formatZxid(output.zxid)}`)
        return
      case 'heartbeatConfirmed':
        this.print(
          `${member.name}      heartbeat ${output.id} is confirmed${output.ended.length > 0 ? `, but for ${output.ended.join()}` : ''}`,
        )
        return
      case 'members':
      case 'progress':
      case 'installed':
      case 'applied':
    }
  }

  #onApplied(member: ScriptMember, { stamp, request, result, changes }: Applied): void {
    const code =
      result.type === 'error'
        ? ` = ${result.code}`
        : result.type === 'create'
          ? ` = ${result.path}`
          : ` = ${result.type}`
    this.print(
      `${member.name}      applies ${formatZxid(stamp.zxid)} ${request.type === 'publishConfiguration' ? request.type : formatRequest(request)}${code}`,
    )
    for (const { session, event } of member.watches.trigger(changes, stamp.zxid)) {
      this.print(
        `${member.name}      tells session ${session}: ${event.type} ${event.path} at ${formatZxid(event.zxid)}`,
      )
    }
  }
}

function formatStatus({ role, serving, epoch, leader, isVoter, reason }: Status): string {
  if (role === 'outside') return 'belongs to no ensemble'
  if (!serving) return `is ${role} (${reason})`
  const what = role === 'leading' ? 'leads' : `follows ${leader?.name}`
  return `${what} in epoch ${epoch}${isVoter ? '' : ', without a vote'}`
}
