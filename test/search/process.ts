/**
 * One process of the search: a `Peer` in every state that it can get into. The core cannot be copied, but it is pure: a
 * state is the inputs that lead to it, and to go on from it in another direction they are played again, on a fresh
 * `Peer`. What a state does with an input is worked out once. States of one text are one state.
 */
import { createHash } from 'node:crypto'
import type { Input } from '../../lib/core/input.ts'
import type { Output } from '../../lib/core/output.ts'
import { Peer, type PeerStart } from '../../lib/core/peer.ts'
import { ReplicatedState } from '../../lib/core/tree/apply.ts'
import type { Batch } from '../../lib/core/zab/batch.ts'
import type { Message } from '../../lib/core/zab/message.ts'
import type { Role } from '../../lib/core/zab/roles.ts'
import type { CoreSnapshot, PersistPurpose, Zab, ZabOptions } from '../../lib/core/zab/zab.ts'
import { type Zxid, zxidFrom, zxidZero } from '../../lib/core/zab/zxid.ts'
import type { StoredSnapshot } from '../sim/disk.ts'
import { Pool, textOf, textOfConstant } from './text.ts'

/** Virtual wall clocks stand still: times in entries do not matter here. */
const wallMs = 1_790_000_000_000
const zxidLast: Zxid = zxidFrom(2n ** 62n)

/** What a process takes. The oldest write that is on its way is the one that becomes durable. */
export type Stimulus =
  | { readonly type: 'message'; readonly from: string; readonly message: number }
  | { readonly type: 'persisted' }
  /** So much time has passed. */
  | { readonly type: 'tick'; readonly byMs: number }
  | { readonly type: 'plain'; readonly input: Input }

export interface Transition {
  readonly next: ProcessState
  readonly outputs: readonly Output[]
}

export class ProcessState {
  readonly number: number
  /** In this state for good: never stepped. */
  readonly peer: Peer
  readonly now: number
  readonly transitions: Map<string, Transition> = new Map()
  readonly from: { readonly state: ProcessState; readonly stimulus: Stimulus } | undefined
  readonly start: PeerStart
  /** Of what it has applied. */
  readonly digest: string
  /** Another peer in this state, to go on with. */
  spare: LivePeer | undefined

  constructor(number: number, live: LivePeer, digest: string, start: PeerStart, from: ProcessState['from']) {
    this.number = number
    this.peer = live.peer
    this.digest = digest
    this.now = live.now
    this.start = start
    this.from = from
  }
}

/** A peer with what only it knows: which writes are on their way, and what for. */
class LivePeer {
  readonly peer: Peer
  readonly awaited: Map<number, PersistPurpose> = new Map()
  now = 0
  attempts = 0

  constructor(start: PeerStart, options: ZabOptions) {
    // A start is played more than once, and a peer goes on with the state that it is given.
    const state = start.state && ReplicatedState.fromSnapshot(start.state.snapshot())
    this.peer = new Peer({ ...start, state }, options)
    this.#watch(this.peer.zab)
  }

  #watch(zab: Zab): void {
    const persist = zab.persist.bind(zab)
    const nextAttempt = zab.nextAttempt.bind(zab)
    zab.persist = (change, purpose): void => {
      persist(change, purpose)
      const output = zab.outputs.at(-1)
      if (output?.type === 'persist') this.awaited.set(output.token, purpose)
    }
    zab.nextAttempt = (): number => {
      this.attempts = nextAttempt()
      return this.attempts
    }
  }

  step(input: Input): readonly Output[] {
    return this.peer.step(input, { now: this.now, wallMs })
  }
}

/** All processes of all members, and what they say: numbered. */
export class Processes {
  readonly #options: ZabOptions
  readonly #byText = new Map<string, ProcessState>()
  readonly messages: Pool<Message> = new Pool<Message>()
  readonly batches: Pool<Batch> = new Pool<Batch>()
  /** How often the core was stepped, plays included. */
  steps = 0

  constructor(options: ZabOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#byText.size
  }

  start(start: PeerStart): ProcessState {
    const live = new LivePeer(start, this.#options)
    return this.#stateOf(live, start, undefined)
  }

  take(state: ProcessState, stimulus: Stimulus): Transition {
    const key = textOf(stimulus)
    let transition = state.transitions.get(key)
    if (transition === undefined) {
      const live = this.#play(state)
      const outputs = this.#feed(live, stimulus).map((output) => this.#shared(output))
      transition = { next: this.#stateOf(live, state.start, { state, stimulus }), outputs }
      state.transitions.set(key, transition)
    }
    return transition
  }

  numberOf(message: Message): number {
    return this.messages.number(textOfConstant(message), () => message)
  }

  numberOfBatch(batch: Batch): number {
    return this.batches.number(textOfConstant(batch), () => batch)
  }

  #play(state: ProcessState): LivePeer {
    const { spare } = state
    state.spare = undefined
    if (spare !== undefined) return spare
    const path: Stimulus[] = []
    for (let { from } = state; from !== undefined; from = from.state.from) path.push(from.stimulus)
    const live = new LivePeer(state.start, this.#options)
    for (const stimulus of path.reverse()) this.#feed(live, stimulus)
    return live
  }

  #feed(live: LivePeer, stimulus: Stimulus): readonly Output[] {
    this.steps += 1
    return this.#step(live, stimulus).map(stored)
  }

  #step(live: LivePeer, stimulus: Stimulus): readonly Output[] {
    switch (stimulus.type) {
      case 'message': {
        const message = this.messages.at(stimulus.message)
        return live.step({ type: 'message', from: stimulus.from as Zab['id'], message })
      }
      case 'persisted': {
        const [token = 0] = live.awaited.keys()
        live.awaited.delete(token)
        return live.step({ type: 'persisted', token })
      }
      case 'tick':
        live.now += stimulus.byMs
        return live.step({ type: 'tick', lateMs: 0 })
      case 'plain':
        return live.step(stimulus.input)
    }
  }

  /** Equal batches and messages are the same objects: invariants compare batches by identity. */
  #shared(output: Output): Output {
    if (output.type === 'send') {
      const { message } = output
      const own = message.type === 'propose' ? { ...message, batch: this.#sharedBatch(message.batch) } : message
      return { ...output, message: this.messages.at(this.numberOf(own)) }
    }
    if (output.type === 'persist' && output.change.append !== undefined) {
      return { ...output, change: { ...output.change, append: this.#sharedBatch(output.change.append) } }
    }
    return output
  }

  #sharedBatch(batch: Batch): Batch {
    return this.batches.at(this.numberOfBatch(batch))
  }

  #stateOf(live: LivePeer, start: PeerStart, from: ProcessState['from']): ProcessState {
    const digest = live.peer.state.digest()
    const text = createHash('sha1').update(this.#textOf(live, digest)).digest('base64')
    let state = this.#byText.get(text)
    if (state === undefined) {
      state = new ProcessState(this.#byText.size, live, digest, start, from)
      this.#byText.set(text, state)
    } else {
      state.spare = live
    }
    return state
  }

  /** Everything that decides what this peer does next. */
  #textOf({ peer, awaited, now, attempts }: LivePeer, digest: string): string {
    const { zab, state } = peer
    const { log, role } = zab
    const links = [...zab.links].map(([id, link]) => [
      id,
      textOfConstant(link.presence),
      textOfConstant(link.notification),
      textOfConstant(link.heldFollowerInfo),
      textOfConstant(link.announcedPresence),
      textOfConstant(link.announcedNotification),
    ])
    return textOf([
      [zab.id, now, attempts, zab.wish, zab.isProven, zab.isOver, zab.committed, zab.epochs, zab.begun],
      textOfConstant(zab.belonging),
      zab.configurations.at(zxidLast).map(textOfConstant),
      zab.marks.list(() => true),
      links,
      zab.departed,
      [log.base, log.last, log.durable, log.after(zxidZero).map((batch) => this.numberOfBatch(batch))],
      [state.lastZxid, state.clockMs, digest],
      streamText(zab),
      [...awaited.values()].map((purpose) => purposeText(purpose, role, log.fence)),
      // Why it looks is for people.
      role.name === 'looking' ? role.settleAt : role,
    ])
  }
}

/** A snapshot on its way to the disk is read out at once: a disk has no turns. */
function stored(output: Output): Output {
  if (output.type !== 'persist' || output.change.install === undefined) return output
  const { state, ...head } = output.change.install
  const install: StoredSnapshot = { ...head, records: state.take(Number.POSITIVE_INFINITY) }
  return { ...output, change: { ...output.change, install: install as unknown as CoreSnapshot } }
}

/** Without the role that it belongs to and the state that it reads. */
function streamText({ stream, reception }: Zab): unknown {
  const out = stream && [stream.id, stream.state.zxid, stream.state.records, stream.dropped, [...stream.readers]]
  const into = reception && [reception.leader, reception.id, reception.zxid, reception.records, reception.chunks]
  return [out, into]
}

/** What the completion of a write will mean: nothing, where its role or its log is no more. */
function purposeText(purpose: PersistPurpose, role: Role, fence: number): string {
  if (purpose.kind === 'append') return purpose.fence === fence ? `append ${purpose.through}` : 'void'
  if (purpose.kind === 'acceptEpoch') return purpose.role === role ? `acceptEpoch ${purpose.epoch}` : 'void'
  if (purpose.kind === 'prepare') return `prepare ${purpose.cluster}`
  if (purpose.kind === 'restore') return `restore ${purpose.founded.cluster}`
  if (purpose.kind === 'remember') return 'void'
  return purpose.role === role ? `currentEpoch ${purpose.epoch} ${purpose.lastZxid}` : 'void'
}
