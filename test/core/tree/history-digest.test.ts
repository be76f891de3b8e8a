import assert from 'node:assert/strict'
import { Encoder } from 'cbor-x'
import { ReplicatedState } from '../../../lib/core/tree/apply.ts'
import { History } from '../../../lib/core/tree/history-digest.ts'
import type { HistoryDigest, RequestResult, SnapshotRecord, TreeChange } from '../../../lib/core/tree/operation.ts'
import type { Stat } from '../../../lib/core/tree/stat.ts'
import { zxidOf } from '../../../lib/core/zab/zxid.ts'
import { decodeMessages, encodeMessage } from '../../../lib/wire/messages.ts'
import { alice, bytes, create, Fixture, remove, setData } from './fixture.ts'

/** What a history comes to, as a text. */
function after(...results: readonly RequestResult[]): string {
  const history = History.begin()
  for (const result of results) history.noteApplied(result, [], [])
  return textOf(history.digest)
}

function afterChange(change: TreeChange): string {
  const history = History.begin()
  history.noteApplied({ type: 'delete' }, [change], [])
  return textOf(history.digest)
}

const textOf = (digest: HistoryDigest | undefined): string => JSON.stringify(digest)

describe('the digest of the history', () => {
  const stat = { version: 1, cversion: 2, aversion: 3, dataLength: 4, numChildren: 5 } as Stat
  const changed: TreeChange = { type: 'changed', path: '/a', acl: undefined, parentAcl: undefined, data: bytes('x') }

  it('tells apart whatever an entry may come to', () => {
    const results: readonly RequestResult[] = [
      { type: 'void' },
      { type: 'delete' },
      { type: 'check' },
      { type: 'closeSession' },
      { type: 'create', path: '/a', stat },
      { type: 'setData', stat },
      { type: 'setAcl', stat },
      { type: 'setData', stat: { ...stat, version: 2 } },
      { type: 'setData', stat: { ...stat, cversion: 9 } },
      { type: 'setData', stat: { ...stat, aversion: 9 } },
      { type: 'setData', stat: { ...stat, dataLength: 9 } },
      { type: 'setData', stat: { ...stat, numChildren: 9 } },
      { type: 'error', code: 'COORD_NO_NODE' },
      { type: 'error', code: 'COORD_BAD_VERSION' },
      { type: 'error', code: 'COORD_NO_NODE', index: 1, results: [{ type: 'rolledBack' }] },
      { type: 'multi', results: [] },
      { type: 'multi', results: [{ type: 'check' }] },
      { type: 'multi', results: [{ type: 'check' }, { type: 'check' }] },
      { type: 'gap', nextCxid: 4 },
      { type: 'gap', nextCxid: 5 },
      { type: 'attached', generation: 2 ** 32, timeoutMs: 1, nextCxid: 1 },
      { type: 'attached', generation: 2 ** 33, timeoutMs: 1, nextCxid: 1 },
      { type: 'attached', generation: 2 ** 32, timeoutMs: 2, nextCxid: 1 },
    ]
    const digests = new Set(results.map((result) => after(result)))
    assert.equal(digests.size, results.length)
    assert.notEqual(after({ type: 'void' }, { type: 'check' }), after({ type: 'check' }, { type: 'void' }))
    assert.notEqual(after({ type: 'void' }), after({ type: 'void' }, { type: 'void' }))
  })

  it('tells apart which nodes change, how, and to what size', () => {
    const changes: readonly TreeChange[] = [
      changed,
      { ...changed, type: 'deleted' },
      { ...changed, path: '/b' },
      { ...changed, path: '/ab' },
      { ...changed, path: '/abc' },
      { ...changed, path: '/abd' },
      { ...changed, data: undefined },
      { ...changed, data: bytes('') },
      { ...changed, data: bytes('xy') },
    ]
    assert.equal(new Set(changes.map(afterChange)).size, changes.length)
  })

  it('keeps a difference for ever, also where both go on alike', () => {
    const [a, b] = [History.begin(), History.begin()]
    a.noteApplied({ type: 'check' }, [], [])
    b.noteApplied({ type: 'delete' }, [], [])
    for (let count = 0; count < 10_000; count += 1) {
      a.noteApplied({ type: 'check' }, [changed], [])
      b.noteApplied({ type: 'check' }, [changed], [])
      assert.notEqual(textOf(a.digest), textOf(b.digest))
    }
  })

  it('has the lanes change on their own: half of the bits of each, whatever bit of a value does', () => {
    const flipped = [0, 0]
    const rounds = 20_000
    const bitsOf = (value: number): number => (value >>> 0).toString(2).replaceAll('0', '').length
    for (let round = 0; round < rounds; round += 1) {
      const digests = [round, round ^ (1 << (round % 16))].map((nextCxid) => {
        const history = History.begin()
        history.noteApplied({ type: 'gap', nextCxid }, [], [])
        history.notePassed()
        return history.digest as HistoryDigest
      })
      const [one, other] = digests as [HistoryDigest, HistoryDigest]
      flipped[0] = (flipped[0] as number) + bitsOf(one.left ^ other.left)
      flipped[1] = (flipped[1] as number) + bitsOf(one.right ^ other.right)
    }
    for (const bits of flipped) assert.ok(Math.abs(bits / rounds - 16) < 5, `${bits / rounds} of 32 bits`)
  })

  it('is the same on members that apply the same entries, and another from the first one on that is evaluated otherwise', () => {
    const [a, b] = [new Fixture({ sessions: [alice] }), new Fixture({ sessions: [alice] })]
    for (const fixture of [a, b]) fixture.multi(create('/a'), create('/b', { data: bytes('data') }))
    assert.deepEqual(a.state.history, b.state.history)
    a.write(setData('/b', 'new'))
    b.write(setData('/b', 'newer'))
    assert.notDeepEqual(a.state.history, b.state.history)
    for (const fixture of [a, b]) fixture.write(remove('/b'))
    assert.notDeepEqual(a.state.history, b.state.history)
  })

  it('goes on behind a snapshot, frozen or not, and is in it', () => {
    const fixture = new Fixture({ sessions: [alice] })
    fixture.multi(create('/a'), create('/b'))
    const restored = [
      ReplicatedState.fromSnapshot(fixture.state.snapshot()),
      ReplicatedState.fromSnapshot(fixture.state.freeze().take(Number.POSITIVE_INFINITY)),
    ]
    const { stamp, request } = fixture.write(remove('/a'))
    for (const state of restored) {
      assert.notDeepEqual(state.history, fixture.state.history)
      state.apply(stamp, request)
      assert.deepEqual(state.history, fixture.state.history)
    }
  })

  it('is unknown behind a snapshot that was written without one, and stays so', () => {
    const fixture = new Fixture({ sessions: [alice] })
    const [header, ...rest] = [...fixture.state.snapshot()] as [SnapshotRecord, ...SnapshotRecord[]]
    assert.ok(header.kind === 'header')
    const { history, ...older } = header
    assert.ok(history !== undefined)
    const state = ReplicatedState.fromSnapshot([older, ...rest])
    assert.equal(state.history, undefined)
    state.advance({ zxid: zxidOf(9, 9), timeMs: 0, clockMs: 1000 })
    assert.equal(state.history, undefined)
  })

  it('is no part of the bytes of older snapshots', () => {
    const cbor = new Encoder({ useRecords: false, tagUint8Array: false })
    const chunk = { type: 'snapshotChunk', index: 0, records: [] } as const
    const [type, [index]] = cbor.decode(Buffer.concat(encodeMessage(chunk))) as [number, [number]]
    const [message] = decodeMessages(cbor.encode([type, [index, [[0, [zxidOf(1, 2), 3, 1]]]]]))
    assert.ok(message?.type === 'snapshotChunk')
    assert.deepEqual(message.records, [{ kind: 'header', zxid: zxidOf(1, 2), clockMs: 3, version: 1 }])
  })
})
