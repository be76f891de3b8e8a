import assert from 'node:assert/strict'
import { ReplicatedState } from '../../../lib/core/tree/apply.ts'
import type { SnapshotRecord } from '../../../lib/core/tree/operation.ts'
import { packedDataMax, packNode, unpackNode, type ZnodeFields } from '../../../lib/core/tree/packed-node.ts'
import { noSession, sessionIdFrom } from '../../../lib/core/tree/session-id.ts'
import { zxidOf } from '../../../lib/core/zab/zxid.ts'
import { InvariantError } from '../../../lib/errors.ts'
import { alice, bob, bytes, create, Fixture, passwordHash, remove, setData, stampOf } from './fixture.ts'

const request = { type: 'createSession', session: alice, passwordHash, timeoutMs: 10_000 } as const

/** A state with a bit of everything. */
function richState(): ReplicatedState {
  const fixture = new Fixture({ sessions: [bob, alice] })
  fixture.multi(create('/b'), create('/a', { data: bytes('data') }), create('/a/y'), create('/a/x'))
  fixture.multi(create('/a/z'), remove('/a/y'), setData('/a/x', ''))
  fixture.create('/a/e', 'ephemeral', bob)
  fixture.fails({ type: 'multi', operations: [create('/c'), create('/c')] }, bob)
  return fixture.state
}

describe('ReplicatedState', () => {
  describe('apply', () => {
    it('says what was applied', () => {
      const state = new ReplicatedState()
      const result = { type: 'attached', generation: 1, timeoutMs: 10_000, nextCxid: 1 }
      assert.deepEqual(state.apply(stampOf(1), request), {
        stamp: stampOf(1),
        request,
        result,
        changes: [],
        warnings: [],
        endedSession: undefined,
      })
      assert.deepEqual([state.lastZxid, state.clockMs], [zxidOf(0, 1), 1])
    })

    it('wants zxids that grow and a log clock that does not go back', () => {
      const state = new ReplicatedState()
      state.apply(stampOf(5), request)
      for (const stamp of [stampOf(5), stampOf(4), { ...stampOf(6), clockMs: 4 }]) {
        assert.throws(() => state.apply(stamp, request), InvariantError)
      }
      state.apply({ zxid: zxidOf(1, 0), timeMs: 0, clockMs: 5 }, request)
    })

    it('moves on over entries that are not for the tree', () => {
      const state = new ReplicatedState()
      state.advance(stampOf(7))
      assert.deepEqual([state.lastZxid, state.clockMs], [zxidOf(0, 7), 7])
      assert.throws(() => state.advance(stampOf(7)), InvariantError)
    })

    it('never throws for a failure that is expected', () => {
      const fixture = new Fixture()
      assert.equal(fixture.write(remove('/missing')).result.type, 'error')
    })
  })

  describe('snapshot', () => {
    it('is ordered: header, sessions by id, nodes parents first and siblings sorted', () => {
      const keys = [...richState().snapshot()].map((record) => {
        if (record.kind === 'header') return 'header'
        return record.kind === 'session' ? record.session : record.path
      })
      const reserved = ['/zookeeper', '/zookeeper/config', '/zookeeper/quota']
      assert.deepEqual(keys, ['header', 1n, 2n, '/', '/a', '/a/e', '/a/x', '/a/z', '/b', ...reserved])
    })

    it('restores the same state', () => {
      const state = richState()
      const restored = ReplicatedState.fromSnapshot([...state.snapshot()])
      assert.deepEqual([...restored.snapshot()], [...state.snapshot()])
      assert.equal(restored.digest(), state.digest())
      assert.deepEqual(restored.tree.getEphemerals(bob), ['/a/e'])
      assert.equal(restored.tree.nodeCount, state.tree.nodeCount)
    })

    it('restores a state that goes on alike', () => {
      const fixture = new Fixture()
      for (const path of ['/z', '/y', '/x']) fixture.create(path, 'ephemeral')
      const restored = ReplicatedState.fromSnapshot(fixture.state.snapshot())
      const repeated = { ...fixture.writeRequest(create('/s')), cxid: 3 }
      const close = fixture.writeRequest({ type: 'closeSession' })
      for (const [index, next] of [repeated, close].entries()) {
        const stamp = stampOf(100 + index)
        assert.deepEqual(restored.apply(stamp, next), fixture.state.apply(stamp, next))
      }
      assert.equal(restored.digest(), fixture.state.digest())
    })

    it('of a newborn state is a newborn state', () => {
      const state = new ReplicatedState()
      assert.equal(ReplicatedState.fromSnapshot(state.snapshot()).digest(), state.digest())
    })
  })

  describe('a damaged snapshot', () => {
    const records: readonly SnapshotRecord[] = [...richState().snapshot()]

    /** The snapshot with the record at `path` (or of a kind) replaced. */
    function changed(key: string, change: Record<string, unknown>): SnapshotRecord[] {
      return records.map((record) => {
        const matches = record.kind === key || (record.kind === 'node' && record.path === key)
        return matches ? ({ ...record, ...change } as SnapshotRecord) : record
      })
    }
    /** The same of a node's fields. */
    function packed(key: string, change: Partial<ZnodeFields>): SnapshotRecord[] {
      return records.map((record) => {
        if (record.kind !== 'node' || record.path !== key) return record
        return { ...record, packed: packNode({ ...unpackNode(record.packed), ...change }) }
      })
    }
    const packedOf = (path: string) =>
      records.flatMap((record) => (record.kind === 'node' && record.path === path ? [record.packed] : [])).join('')
    const without = (key: string) => records.filter((record) => !('path' in record && record.path === key))
    const header = records.filter(({ kind }) => kind === 'header')
    const sessions = records.filter(({ kind }) => kind === 'session')
    const nodes = records.filter(({ kind }) => kind === 'node')

    const damages: Record<string, readonly SnapshotRecord[]> = {
      'is empty': [],
      'has no header': records.slice(1),
      'has two headers': [...header, ...records],
      'is of another version': changed('header', { version: 2 }),
      'ends before the nodes': records.filter(({ kind }) => kind !== 'node'),
      'has a session behind the nodes': [...records, { ...sessions[0], session: sessionIdFrom(99n) } as SnapshotRecord],
      'has a session twice': records.flatMap((record) => Array(record.kind === 'session' ? 2 : 1).fill(record)),
      'lacks the last result of a session': changed('session', { results: [] }),
      'has results out of order': changed('session', {
        lastCxid: 1,
        results: [2, 1].map((cxid) => ({ cxid, result: { type: 'check' } })),
      }),
      'does not begin with the root': without('/'),
      'lacks a parent': without('/a'),
      'lacks a reserved node': without('/zookeeper/quota'),
      'has a node twice': [...records, ...records.slice(-1)],
      'has the root twice': [...records, ...nodes.slice(0, 1)],
      'has a path that is none': changed('/a/x', { path: '/a/..' }),
      'has a node below an ephemeral one': changed('/a/x', { path: '/a/e/x' }),
      'has an ephemeral node without owner': packed('/a/e', { ephemeralOwner: noSession }),
      'has an ephemeral node of a session that is gone': packed('/a/e', { ephemeralOwner: sessionIdFrom(99n) }),
      'has an owner for a persistent node': packed('/a/x', { ephemeralOwner: alice }),
      'has a node of the future': packed('/a/x', { mzxid: zxidOf(1, 0) }),
      'has a node with children of the future': packed('/a/x', { pzxid: zxidOf(1, 0) }),
      'has a node with data from before its creation': packed('/a/x', { mzxid: zxidOf(0, 0) }),
      'has a node with children from before its creation': packed('/a/x', { pzxid: zxidOf(0, 0) }),
      'has a node without fields': changed('/a/x', { packed: '' }),
      'has a node whose fields are cut': changed('/a/x', { packed: packedOf('/a/x').slice(0, 21) }),
      'has a node with more than its fields': changed('/b', { packed: `${packedOf('/b')} ` }),
      'has a node with unknown flags': changed('/a/x', { packed: `\xff${packedOf('/a/x').slice(1)}` }),
      'has a value twice': changed('/a/x', { longData: new Uint8Array(packedDataMax + 1) }),
      'lacks a long value': packed('/a/x', { data: new Uint8Array(packedDataMax + 1) }),
    }
    for (const [what, damaged] of Object.entries(damages)) {
      it(`is refused when it ${what}`, () => {
        assert.throws(() => ReplicatedState.fromSnapshot(damaged), { code: 'COORD_STORE_DAMAGED' })
      })
    }
  })

  describe('digest', () => {
    it('is the same for the same entries', () => {
      assert.equal(richState().digest(), richState().digest())
      assert.match(richState().digest(), /^[0-9a-f]{16}$/)
    })

    it('differs with every field of every record', () => {
      const state = richState()
      const seen = new Set([state.digest()])
      for (const path of ['/a', '/a/x', '/b']) {
        const node = state.tree.find(path)
        assert.ok(node)
        for (const field of ['version', 'creates', 'mtime', 'touchedClockMs'] as const) {
          node.unpack()[field] += 1
          seen.add(state.digest())
        }
        node.unpack().data = node.data === undefined ? new Uint8Array(0) : undefined
        seen.add(state.digest())
      }
      assert.equal(seen.size, 1 + 3 * 5)
    })
  })
})
