/**
 * Each check can fail: a small history that is right passes all of them, and one thing made wrong in it is found by the
 * check whose business it is.
 */
import assert from 'node:assert/strict'
import type { StreamedEvent } from '../../lib/api/watch.ts'
import { checkHistory, checks } from './checks/index.ts'
import { type Call, type Entry, emptyHistory, type Final, type History, type Request, type Watch } from './history.ts'
import { ModelEnsemble } from './model/ensemble.ts'
import { textOf } from './model/text.ts'
import { Replay } from './replay.ts'
import { Violation } from './violation.ts'

type Told = History['persistents'][number]['events'][number]
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const data = (text: string): Uint8Array => new TextEncoder().encode(text)
const alice = 7n
const bob = 8n

/** A run of two sessions on one member, as it should be. */
class Story {
  readonly history: History = emptyHistory()
  readonly #model = new ModelEnsemble()
  #order = 0
  #zxid = 100n
  readonly #cxids = new Map<bigint, number>()

  constructor() {
    for (const session of [alice, bob]) {
      this.history.streams.push({
        id: this.history.streams.length,
        session,
        life: 'a 1',
        order: this.#next(),
        timeoutMs: 4_000,
        isAttached: false,
      })
      this.#enter({ type: 'createSession', session, passwordHash: data('x'), timeoutMs: 4_000 } as never)
    }
    this.history.openAtEnd.push(alice, bob)
    this.history.demands.push({ what: 'a leader', tookMs: 10, limitMs: 100 })
    this.history.gauges.push({ what: 'bytes', value: 1, limit: 2 })
  }

  write(session: bigint, operation: object): Call {
    const call = this.#call(session, { kind: 'write', operation } as never)
    const cxid = (this.#cxids.get(session) ?? 0) + 1
    this.#cxids.set(session, cxid)
    const request = { type: 'write', session, generation: 1, cxid, answeredThrough: cxid - 1, operation }
    const entry = this.#enter(request as never)
    call.reply = { order: this.#next(), at: 0, zxid: this.#zxid, result: entry.result as never }
    this.#outcome(call)
    return call
  }

  read(session: bigint, request: Request): Call {
    const call = this.#call(session, request)
    const shown = request.kind === 'read' ? this.#model.read(request.read, session) : ({ type: 'done' } as const)
    call.reply = { order: this.#next(), at: 0, zxid: this.#zxid, result: shown as never }
    this.#outcome(call)
    return call
  }

  watch(
    call: Call,
    ...events: { type: 'created' | 'changed' | 'deleted' | 'children'; path: string; zxid: bigint }[]
  ): void {
    const fired = events.map((event) => ({ order: this.#next(), event: event as never }))
    this.history.watches.push({ id: this.history.watches.length, call: call.id, events: fired })
  }

  end(): History {
    for (const life of ['a 1', 'b 1']) this.history.finals.push(this.#final(life))
    return this.history
  }

  get zxid(): bigint {
    return this.#zxid
  }

  #final(life: string): Final {
    const { tree } = this.#model
    const nodes = new Map(tree.paths().map((path) => [path, textOf([tree.data(path), tree.stat(path)])]))
    return { life, zxid: this.#zxid, digest: 'd', exported: 'e', nodes, sessions: this.#model.sessions() }
  }

  #call(session: bigint, request: Request): Call {
    const stream = session === alice ? 0 : 1
    const call = { id: this.history.calls.length, stream, order: this.#next(), at: 0, request, isCancelled: false }
    this.history.calls.push(call)
    return call
  }

  #outcome({ id }: Call): void {
    this.history.outcomes.push({ call: id, order: this.#next(), at: 0 })
  }

  #enter(request: Entry['request']): Entry {
    this.#zxid += 1n
    const stamp = { zxid: this.#zxid, timeMs: Number(this.#zxid), clockMs: Number(this.#zxid) }
    const { result, changes } = this.#model.apply(request, stamp as never)
    const order = this.#next()
    const entry = { order, at: 0, host: 'a', ...stamp, request, result, changes, believers: [], isOrdered: false }
    this.history.entries.push(entry)
    for (const life of ['a 1', 'b 1'])
      this.history.applications.push({
        order: this.#next(),
        life,
        zxid: this.#zxid,
        print: Number(this.#zxid),
        digest: 'd',
      })
    return entry
  }

  #next(): number {
    this.#order += 1
    return this.#order
  }
}

const create = (path: string, mode = 'persistent'): object => ({ type: 'create', path, data: data(path), mode })
const setData = (path: string, text: string): object => ({ type: 'setData', path, data: data(text), version: -1 })
const getData = (path: string, extra: object = {}): Request =>
  ({ kind: 'read', consistency: 'session', read: { type: 'getData', path, watch: false }, ...extra }) as never
const multi = (...operations: object[]): object => ({ type: 'multi', operations })

/** Something of everything. */
function story(): { readonly story: Story; readonly calls: readonly Call[] } {
  const it = new Story()
  const calls = [
    it.write(alice, create('/a')),
    it.read(bob, getData('/a', { read: { type: 'getData', path: '/a', watch: true } })),
    it.write(alice, setData('/a', 'one')),
    it.read(alice, getData('/a')),
    it.read(bob, { kind: 'sync' }),
    it.read(bob, getData('/a', { consistency: 'linearizable' })),
    it.write(bob, create('/q', 'persistent')),
    it.write(bob, create('/q/n-', 'persistent-sequential')),
    it.write(bob, create('/q/n-', 'ephemeral-sequential')),
    it.write(alice, multi(setData('/a', 'two'), create('/m'))),
    it.write(alice, multi(setData('/a', 'three'), create('/m'))),
    it.read(alice, getData('/a')),
    it.write(bob, { ...create('/g'), acl: [{ scheme: 'world', id: 'anyone', permissions: 'cd' }] }),
    it.write(alice, setData('/g', 'four')),
    it.read(alice, getData('/g')),
  ]
  return { story: it, calls }
}

/** Where bob's watch belongs: told of alice's first setData, before bob's sync shows it. */
function watched(): { readonly history: History; readonly calls: readonly Call[] } {
  const { story: it, calls } = story()
  const [, read, changed, , synced] = calls
  const event = { type: 'changed', path: '/a', zxid: (changed as Call).reply?.zxid } as never
  const order = (synced as Call).order - 0.5
  it.history.watches.push({ id: 0, call: (read as Call).id, events: [{ order, event }] })
  follow(it.history, calls)
  return { history: it.end(), calls }
}

/** A recursive stream on all of it, from the creation of `/a` on, and a persistent watch of bob's on `/a`. */
function follow(history: History, calls: readonly Call[]): void {
  const [made, read, first] = calls as [Call, Call, Call]
  const { zxid } = reply(made)
  const changes = new Replay(history).changes.filter((change) => change.zxid > zxid && change.isReadable)
  const events: StreamedEvent[] = [
    { type: 'created', path: '/', zxid: 0n, data: new Uint8Array(0) },
    { type: 'created', path: '/a', zxid, data: data('/a') },
    { type: 'synced', zxid },
    ...changes.map(({ type, path, zxid, data }) => ({ type, path, zxid, data })),
  ]
  const told = events.map((event) => ({ order: reply(made).order, event }))
  const how = { path: '/', recursive: true, includeData: true, from: undefined }
  history.stretches.push({ life: 'a 1', ...how, events: told, isOpen: true })
  const heard = changes.filter(({ path }) => path === '/a').map(({ type, path, zxid }) => ({ type, path, zxid }))
  const order = reply(first).order - 0.5
  const persistent = { ...read, id: history.calls.length, order: read.order + 0.1 }
  history.calls.splice(2, 0, { ...persistent, reply: { ...reply(read), order: reply(read).order + 0.1 } })
  const heardEvents = heard.map((event, index) => ({ order: order + index / 100, event: event as never }))
  history.persistents.push({ call: persistent.id, path: '/a', recursive: false, events: heardEvents })
}

const wrongs: Readonly<Record<string, readonly (readonly [string, (h: History, calls: readonly Call[]) => void])[]>> = {
  G1: [
    [
      'an answer that the model does not give',
      (_h, [made]) => Object.assign(reply(made), { result: { type: 'delete' } }),
    ],
    [
      'an entry whose result the model does not give',
      ({ entries }) => Object.assign(entries.at(-1) as Entry, { result: { type: 'delete' } }),
    ],
    [
      'a write that comes before one that was acknowledged before it was made',
      (_h, calls) => {
        // Bob makes his first node after alice's setData was answered, as the clock has it; the log has it the same way.
        const [, , changed] = calls
        Object.assign(reply(changed), { order: (calls[9] as Call).order + 1e6 })
        Object.assign(calls[2] as Call, { order: (calls[9] as Call).order + 1e5 })
      },
    ],
    [
      'an entry that nobody wrote',
      ({ calls, outcomes }) => {
        calls.pop()
        outcomes.pop()
        Object.assign(calls[10] as Call, { stream: 99 })
      },
    ],
  ],
  G2: [
    [
      'a hole in the numbers',
      ({ entries }) => {
        const entry = entries.at(-1) as Mutable<Entry>
        entry.request = { ...entry.request, cxid: 9 } as never
      },
    ],
    [
      'answers in another order',
      (_h, calls) => {
        Object.assign(reply(calls[11]), { order: reply(calls[10]).order - 0.5 })
      },
    ],
  ],
  G3: [
    [
      'a read that shows something else',
      (_h, calls) => {
        Object.assign(reply(calls[3]), { result: { ...reply(calls[3]).result, data: data('other') } })
      },
    ],
    [
      'a read that goes back',
      (_h, calls) => {
        const first = reply(calls[1])
        Object.assign(reply(calls[11]), { zxid: first.zxid, result: first.result })
      },
    ],
  ],
  G4: [['a sync that is behind what somebody was told', (_h, calls) => Object.assign(reply(calls[4]), { zxid: 103n })]],
  G5: [
    ['a watch that says nothing', ({ watches }) => watches.splice(0, 1, { ...(watches[0] as Watch), events: [] })],
    [
      'a watch that fires twice',
      ({ watches }) => watches[0]?.events.push({ ...(watches[0].events[0] as Watch['events'][number]) }),
    ],
    [
      'a watch that tells of another change',
      ({ watches }) => {
        const [first] = watches[0]?.events ?? []
        Object.assign(first as object, { event: { ...first?.event, type: 'deleted' } })
      },
    ],
    [
      'a stream that leaves a change out',
      ({ stretches }) => {
        stretches[0]?.events.splice(2, 1)
      },
    ],
    ['a stream that does not come to its end', ({ stretches }) => stretches[0]?.events.pop()],
    [
      'a stream that states what there is not',
      ({ stretches }) => {
        const [first] = stretches[0]?.events ?? []
        Object.assign(first as object, { event: { ...first?.event, path: '/other' } })
      },
    ],
    [
      'a stream that tells of other data',
      ({ stretches }) => {
        const changed = stretches[0]?.events.find(({ event }) => event.type === 'changed')
        Object.assign(changed as object, { event: { ...changed?.event, data: data('other') } })
      },
    ],
    ['a persistent watch that leaves a change out', ({ persistents }) => persistents[0]?.events.shift()],
    [
      'a persistent watch that repeats a change',
      ({ persistents }) => persistents[0]?.events.unshift({ ...(persistents[0].events[0] as Told) }),
    ],
    [
      'a persistent watch that tells of a change after the session was shown it',
      ({ persistents }, calls) => {
        Object.assign(persistents[0]?.events[0] as object, { order: (calls[6] as Call).order })
      },
    ],
    [
      'a watch that fires after the session was shown the change',
      ({ watches }, calls) => {
        Object.assign(watches[0]?.events[0] as object, { order: (calls[6] as Call).order })
      },
    ],
  ],
  G6: [
    [
      'an expiry of a session that somebody takes for alive',
      ({ entries, openAtEnd, applications }) => {
        const request = { type: 'expireSession', session: alice, generation: 1 } as never
        const last = entries.at(-1) as Entry
        const stamp = { zxid: last.zxid + 1n, timeMs: 0, clockMs: 0, order: last.order + 1 }
        entries.push({ ...last, ...stamp, request, result: { type: 'closeSession' }, changes: [], believers: ['a 1'] })
        applications.push({ order: 1e9, life: 'a 1', zxid: stamp.zxid, print: 0 })
        openAtEnd.shift()
      },
    ],
    ['a session that is nobody’s', ({ openAtEnd }) => openAtEnd.pop()],
  ],
  G7: [
    [
      'a number that was given before',
      ({ entries, calls }) => {
        const entry = entries.find(({ result }) => result.type === 'create' && result.path === '/q/n-0000000001')
        const result = { ...entry?.result, path: '/q/n-0000000000' } as never
        Object.assign(entry as Entry, { result })
        Object.assign(reply(calls[8]), { result })
      },
    ],
  ],
  G8: [
    [
      'a multi that happened in two steps',
      ({ entries }) => {
        const result = entries.find((entry) => entry.result.type === 'multi')?.result as unknown as {
          results: { stat: object }[]
        }
        Object.assign(result.results[0]?.stat as object, { mzxid: 1n })
      },
    ],
    [
      'a trace of one that failed',
      ({ entries }, calls) => {
        const { zxid } = entries.findLast(({ result }) => result.type === 'error') as Entry
        const { result } = reply(calls[11])
        Object.assign(reply(calls[11]), {
          result: { ...result, stat: { ...(result as { stat: object }).stat, pzxid: zxid } },
        })
      },
    ],
  ],
  G9: [
    [
      'a write that is let through without the right to it',
      ({ entries }) => Object.assign(refusedWrite(entries), { result: { type: 'setData', stat: {} } }),
    ],
    [
      'a read that is refused although everybody may read',
      (_h, calls) => Object.assign(reply(calls[3]), { result: { type: 'error', code: 'COORD_NO_AUTH', path: '/a' } }),
    ],
    [
      'a read that shows what nobody may read',
      (_h, calls) => Object.assign(reply(calls[14]), { result: { ...reply(calls[3]).result } }),
    ],
  ],
  G10: [
    [
      'an entry that gave something else elsewhere',
      ({ applications }) => Object.assign(applications[1] ?? {}, { print: 0 }),
    ],
    ['another state behind an entry', ({ applications }) => Object.assign(applications[1] ?? {}, { digest: 'other' })],
    ['another end', ({ finals }) => Object.assign(finals[1] as Final, { exported: 'other' })],
    [
      'an end that the model does not know',
      ({ finals }) => {
        for (const { nodes } of finals) (nodes as Map<string, string>).delete('/m')
      },
    ],
  ],
  G11: [
    [
      'an acknowledged write that is not in the log',
      ({ entries, applications }) => {
        const { zxid } = entries.pop() as Entry
        for (let at = applications.length - 1; applications[at]?.zxid === zxid; at -= 1) applications.pop()
      },
    ],
    ['a leader that lacks what was known', ({ terms }) => terms.push({ ...term(2, true), logged: 103n, known: 104n })],
    [
      'a member that came back without what its disk held',
      ({ returns }) => returns.push({ order: 0, life: 'a 2', before: 104n, now: 103n }),
    ],
    [
      'a disk that lacks what its member has applied',
      ({ finals }) => Object.assign(finals[1] as Final, { stored: '104' }),
    ],
    [
      'an end that lacks the last entry',
      ({ finals }) => {
        for (const final of finals) Object.assign(final, { zxid: 104n })
      },
    ],
  ],
  G12: [
    ['two leaders of one epoch', ({ terms }) => terms.push(term(2, true), { ...term(2, true), leader: 'other' })],
    ['a process that goes back to an epoch', ({ terms }) => terms.push(term(3, true), term(2, true))],
    ['an entry that comes about after a later one', ({ entries }) => entries.reverse()],
    ['entries that are applied out of order', ({ applications }) => applications.reverse()],
    ['a member that broke down', ({ breakdowns }) => breakdowns.push('a: an invariant is broken')],
  ],
  G13: [
    ['two configurations of one zxid', ({ configurations }) => configurations.push(seen('a', ['1']), seen('b', ['2']))],
    ['a voter that counts twice', ({ configurations }) => configurations.push(seen('a', ['1', '1']))],
  ],
  G14: [
    [
      'something that never came',
      ({ demands }) => Object.assign(demands[0] ?? {}, { tookMs: Number.POSITIVE_INFINITY }),
    ],
  ],
  G15: [['too much of something', ({ gauges }) => Object.assign(gauges[0] ?? {}, { value: 3 })]],
  G16: [
    ['a token that goes down', ({ fencedWrites }) => fencedWrites.push(fenced(2n), fenced(1n))],
    [
      'somebody who is woken and does not stand behind',
      ({ wakenings }, calls) => {
        const { path, zxid } = { path: '/locks/r/other', zxid: reply(calls[0]).zxid }
        wakenings.push({ order: 1, stream: 99, event: { type: 'deleted', path, zxid } as never })
      },
    ],
    [
      'somebody who hears of everybody in the line',
      ({ wakenings }) =>
        wakenings.push({ order: 1, stream: 99, event: { type: 'children', path: '/locks/r', zxid: 1n } as never }),
    ],
    ['two holders', ({ fencedWrites }) => fencedWrites.push({ ...fenced(2n), rivals: ['b'] })],
  ],
}

const refusedWrite = (entries: History['entries']): Entry =>
  entries.find(({ result }) => result.type === 'error' && result.code === 'COORD_NO_AUTH') as Entry

function reply(call: Call | undefined): NonNullable<Call['reply']> {
  return call?.reply as NonNullable<Call['reply']>
}

function term(epoch: number, isLeader: boolean): History['terms'][number] {
  const [life, leader] = ['a 1', 'a']
  return { order: epoch, at: 0, life, member: 'a', leader, epoch, isLeader, logged: 200n, known: 100n }
}

function seen(life: string, voters: readonly string[]): History['configurations'][number] {
  return { order: 1, cluster: 'c', life, zxid: 5n, voters, text: voters.join() }
}

function fenced(token: bigint): History['fencedWrites'][number] {
  return { order: 1, resource: 'r', holder: 'a', token, accepted: true, rivals: [] }
}

describe('the checks of histories', () => {
  it('find nothing wrong with a history that is right', () => checkHistory(watched().history))

  it('let a leader learn late that it has been one, when others have led since', () => {
    const { history } = watched()
    const later = { ...term(3, true), life: 'b 1', member: 'b', leader: 'b' }
    history.terms.push(later, { ...term(2, true), logged: 1n << 32n, known: 3n << 32n })
    checkHistory(history)
  })

  for (const [check, cases] of Object.entries(wrongs)) {
    for (const [what, spoil] of cases) {
      it(`${check} finds ${what}`, () => {
        const { history, calls } = watched()
        spoil(history, calls)
        assert.throws(
          () => checks[check]?.(new Replay(history)),
          (error) => {
            assert.ok(error instanceof Violation, `${(error as Error).stack}`)
            assert.equal(error.check, check, error.message)
            return true
          },
        )
      })
    }
  }
})
