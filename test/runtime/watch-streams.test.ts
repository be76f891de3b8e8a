/** Streams and their window without an ensemble: random histories, random paces of consumers. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { readAcl } from '../../lib/core/tree/acl.ts'
import type { Operation, TreeChange } from '../../lib/core/tree/operation.ts'
import type { Zxid } from '../../lib/core/zab/zxid.ts'
import { zxidOf } from '../../lib/core/zab/zxid.ts'
import type { StreamEvent } from '../../lib/ports/session-link.ts'
import { ChangeWindow } from '../../lib/runtime/change-window.ts'
import { WatchStreams } from '../../lib/runtime/watch-streams.ts'
import { bytes, create, Fixture, remove, setData } from '../core/tree/fixture.ts'

const change = (path: string, data?: Uint8Array) =>
  ({ type: 'changed', path, acl: undefined, parentAcl: undefined, data }) as const

describe('the window of changes', () => {
  const at = (counter: number): Zxid => zxidOf(0, counter)

  it('finds the first entry behind a zxid', () => {
    const window = new ChangeWindow({ changes: 100, bytes: 100_000 }, at(3))
    for (const counter of [5, 6, 9]) window.push(at(counter), [change('/a')])
    const next = (after: number) => window.next(at(after))?.zxid
    assert.deepEqual([3, 4, 5, 6, 8, 9, 10].map(next), [at(5), at(5), at(6), at(9), at(9), undefined, undefined])
    assert.equal(window.start, at(3))
  })

  it('forgets whole entries, the oldest first, by number and by size', () => {
    const window = new ChangeWindow({ changes: 3, bytes: 1_000 }, at(1))
    window.push(at(2), [change('/a'), change('/b')])
    window.push(at(3), [change('/c')])
    assert.equal(window.start, at(1))
    window.push(at(4), [change('/d')])
    assert.deepEqual([window.start, window.next(at(2))?.zxid], [at(2), at(3)])
    window.push(at(5), [change('/e', bytes('x'.repeat(900)))])
    assert.deepEqual([window.start, window.next(at(4))?.zxid], [at(4), at(5)])
    // One that is larger than the whole window is not kept either.
    window.push(at(6), [change('/f', bytes('x'.repeat(2_000)))])
    assert.deepEqual([window.start, window.next(at(6))], [at(6), undefined])
  })

  it('goes on for ever, and lets go of what it forgot', () => {
    const window = new ChangeWindow({ changes: 10, bytes: 100_000 }, at(0))
    for (let counter = 1; counter <= 10_000; counter += 1) {
      window.push(at(counter), [change('/a')])
      assert.equal(window.next(window.start)?.zxid, at(Math.max(1, counter - 9)))
    }
  })

  it('gives back what came, in memory that is used again and again', () => {
    const limits = { changes: 40, bytes: 60_000 }
    const size = fc.oneof(fc.nat(200), fc.constantFrom(0, 5_000, 16_384, 40_000))
    const some: fc.Arbitrary<TreeChange> = fc.record(
      {
        type: fc.constantFrom('created' as const, 'changed' as const, 'deleted' as const),
        path: fc.constantFrom('/', '/a', `/${'ü🐟'.repeat(40)}`, `/${'x'.repeat(9_000)}`),
        acl: fc.constantFrom(undefined, readAcl),
        parentAcl: fc.constantFrom(undefined, readAcl),
        data: fc.option(
          fc.tuple(size, fc.nat(255)).map(([length, byte]) => new Uint8Array(length).fill(byte)),
          { nil: undefined },
        ),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(fc.array(fc.array(some, { maxLength: 4 }), { minLength: 60, maxLength: 120 }), (entries) => {
        const window = new ChangeWindow(limits, at(0))
        for (const [index, changes] of entries.entries()) window.push(at(index + 1), changes)
        const kept = entries
          .map((changes, index) => ({ zxid: at(index + 1), changes }))
          .filter(({ zxid, changes }) => zxid > window.start && changes.length > 0)
        let after = window.start
        for (const entry of kept) {
          const found = window.next(after)
          const changes = found?.changes.map((one) => ({ ...one, data: one.data && new Uint8Array(one.data) }))
          assert.deepEqual({ ...found, changes }, entry)
          after = entry.zxid
        }
        assert.equal(window.next(after), undefined)
        const bytesKept = kept.flatMap(({ changes }) => changes).reduce((sum, { data }) => sum + (data?.length ?? 0), 0)
        assert.ok(bytesKept <= limits.bytes)
      }),
      { numRuns: 60 },
    )
  })

  it('knows nothing before a reset', () => {
    const window = new ChangeWindow({ changes: 10, bytes: 100_000 }, at(0))
    window.push(at(1), [change('/a')])
    window.reset(at(7))
    assert.deepEqual([window.start, window.next(at(7))], [at(7), undefined])
  })
})

/** What a consumer knows that does as the documentation says. */
class Consumer {
  readonly known = new Map<string, string | undefined>()
  readonly stream
  #stated: Set<string> | undefined = new Set()
  #pulled = false
  #last = 0n

  constructor(streams: WatchStreams, path: string) {
    const deliver = (events: readonly StreamEvent[]): void => {
      this.#pulled = false
      for (const event of events) this.#take(event)
    }
    const request = { path, recursive: true, includeData: true, from: undefined }
    this.stream = streams.open(request, { identities: [], deliver })
  }

  pull(): void {
    if (this.#pulled) return
    this.#pulled = true
    this.stream.pull()
  }

  /** Pulls until there is nothing more. */
  drain(): void {
    while (!this.#pulled) this.pull()
  }

  #take(event: StreamEvent): void {
    if (event.type === 'gap') {
      this.#stated = new Set()
      return
    }
    if (this.#stated === undefined || event.type === 'synced') {
      assert.ok(event.zxid >= this.#last, 'events go back')
      this.#last = event.zxid
    }
    if (event.type === 'synced') {
      for (const path of this.known.keys()) if (this.#stated?.has(path) === false) this.known.delete(path)
      this.#stated = undefined
    } else if (event.type === 'deleted') {
      this.known.delete(event.path)
    } else if (event.type === 'created' || event.type === 'changed') {
      this.known.set(event.path, event.data === undefined ? undefined : new TextDecoder().decode(event.data))
      this.#stated?.add(event.path)
    }
  }
}

const names = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
const path = names.map((list) => `/${list.join('/')}`)
const text = fc.constantFrom('', 'x', 'yy')
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: path.map((at) => create(at, { parents: true, data: bytes('new') })) },
  { weight: 3, arbitrary: fc.tuple(path, text).map(([at, data]) => setData(at, data)) },
  { weight: 2, arbitrary: path.map((at) => ({ type: 'delete', path: at, version: -1, recursive: true }) as const) },
  {
    weight: 1,
    arbitrary: path.map((at) => ({ type: 'multi', operations: [create(at), setData(at, 'm'), remove(at)] }) as const),
  },
)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('apply' as const), operation }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pull' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('install' as const) }) },
)

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

describe('streams', () => {
  it('leave every consumer with what there is, whatever its pace, its path and the window', () => {
    const check = (window: number, watched: string, steps: readonly Step[]): void => {
      const fixture = new Fixture()
      const streams = new WatchStreams(fixture, { changes: window, bytes: 100_000 })
      const consumer = new Consumer(streams, watched)
      const eager = new Consumer(streams, watched)
      for (const next of steps) {
        if (next.kind === 'pull') consumer.pull()
        else if (next.kind === 'install') streams.onInstalled()
        else {
          const { stamp, changes } = fixture.write(next.operation)
          if (changes.length > 0) streams.onApplied(stamp.zxid, changes)
        }
        eager.drain()
      }
      for (const each of [consumer, eager]) each.drain()
      const expected = new Map(
        [...fixture.state.tree.walk(watched)].map(({ path: at, node }) => [
          at,
          node.data === undefined ? undefined : new TextDecoder().decode(node.data),
        ]),
      )
      for (const { known } of [consumer, eager]) assert.deepEqual([...known].sort(byPath), [...expected].sort(byPath))
    }
    const watched = fc.constantFrom('/', '/a', '/a/b')
    fc.assert(fc.property(fc.integer({ min: 0, max: 8 }), watched, fc.array(step, { maxLength: 40 }), check), {
      numRuns: 300,
    })
  })

  it('state a large tree in slices, and tell behind them what changed meanwhile', () => {
    const nodes = 700
    const name = (index: number): string => `/a/n${`${index}`.padStart(3, '0')}`
    const touch = fc.tuple(fc.nat(nodes + 20), fc.constantFrom('set' as const, 'delete' as const, 'create' as const))
    const rounds = fc.array(fc.array(touch, { maxLength: 20 }), { minLength: 3, maxLength: 6 })
    const check = (
      between: readonly (readonly (readonly [number, 'set' | 'delete' | 'create'])[])[],
      window: number,
    ) => {
      const fixture = new Fixture()
      const streams = new WatchStreams(fixture, { changes: window, bytes: 1_000_000 })
      fixture.create('/a')
      fixture.multi(...Array.from({ length: nodes }, (_, index) => create(name(index), { data: bytes('old') })))
      const consumer = new Consumer(streams, '/a')
      for (const round of between) {
        consumer.pull()
        for (const [index, what] of round) {
          const at = name(index)
          const write = what === 'set' ? setData(at, 'new') : what === 'delete' ? remove(at) : create(at)
          const { stamp, changes } = fixture.write(write)
          if (changes.length > 0) streams.onApplied(stamp.zxid, changes)
        }
      }
      consumer.drain()
      const expected = [...fixture.state.tree.walk('/a')].map(({ path: at }) => at)
      assert.deepEqual([...consumer.known.keys()].sort(), expected.sort())
    }
    fc.assert(fc.property(rounds, fc.constantFrom(5, 1_000), check), { numRuns: 20 })
  })
})

const byPath = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)
