import assert from 'node:assert/strict'
import type { AttachSessionRequest, RequestResult, TreeChange } from '../../../lib/core/tree/operation.ts'
import { sessionIdFrom } from '../../../lib/core/tree/session-id.ts'
import { alice, bob, bytes, create, Fixture, passwordHash, remove, setData } from './fixture.ts'

const expired: RequestResult = { type: 'error', code: 'COORD_SESSION_EXPIRED' }
const moved: RequestResult = { type: 'error', code: 'COORD_SESSION_MOVED' }

const attach = (generation: number, options: Partial<AttachSessionRequest> = {}): AttachSessionRequest => ({
  type: 'attachSession',
  session: alice,
  passwordHash,
  timeoutMs: 20_000,
  generation,
  ...options,
})

function pathOfDeleted({ type, path }: TreeChange): string {
  return `${type} ${path}`
}

describe('SessionTable', () => {
  describe('createSession', () => {
    const request = { type: 'createSession', session: alice, passwordHash, timeoutMs: 10_000 } as const
    const attached = { type: 'attached', generation: 1, timeoutMs: 10_000, nextCxid: 1 }

    it('opens a session in its first generation', () => {
      const fixture = new Fixture({ sessions: [] })
      assert.deepEqual(fixture.apply(request).result, attached)
      assert.equal(fixture.state.sessions.size, 1)
    })

    it('is the same session when it is asked again', () => {
      const fixture = new Fixture({ sessions: [] })
      fixture.apply(request)
      fixture.create('/a')
      const again = { ...request, passwordHash: bytes('secret'), timeoutMs: 5 }
      assert.deepEqual(fixture.apply(again).result, { ...attached, nextCxid: 2 })
      assert.equal(fixture.state.sessions.size, 1)
    })

    it('does not give a session to whoever lacks its password', () => {
      const fixture = new Fixture({ sessions: [] })
      fixture.apply(request)
      for (const wrong of ['secreT', 'secret1', '']) {
        assert.deepEqual(fixture.apply({ ...request, passwordHash: bytes(wrong) }).result, expired)
      }
    })
  })

  describe('attachSession', () => {
    it('makes a greater generation the current one, with its timeout', () => {
      const fixture = new Fixture()
      fixture.create('/a')
      const { result } = fixture.apply(attach(5))
      assert.deepEqual(result, { type: 'attached', generation: 5, timeoutMs: 20_000, nextCxid: 2 })
    })

    it('gives a repeated generation its result, and changes nothing', () => {
      const fixture = new Fixture()
      const first = fixture.apply(attach(2)).result
      assert.deepEqual(fixture.apply(attach(2, { timeoutMs: 1 })).result, first)
    })

    it('turns away lower generations, wrong passwords and unknown sessions', () => {
      const fixture = new Fixture()
      fixture.apply(attach(3))
      assert.deepEqual(fixture.apply(attach(2)).result, moved)
      assert.deepEqual(fixture.apply(attach(4, { passwordHash: bytes('guess') })).result, expired)
      assert.deepEqual(fixture.apply(attach(4, { session: sessionIdFrom(99n) })).result, expired)
      assert.equal(fixture.state.sessions.get(alice)?.generation, 3)
    })
  })

  describe('writes', () => {
    it('are turned away without a session and from another generation, unrecorded', () => {
      const fixture = new Fixture()
      fixture.apply(attach(2))
      const request = fixture.writeRequest(create('/a'))
      assert.deepEqual(fixture.apply({ ...request, session: sessionIdFrom(99n) }).result, expired)
      assert.deepEqual(fixture.apply({ ...request, generation: 1 }).result, moved)
      assert.deepEqual(fixture.apply({ ...request, generation: 3 }).result, moved)
      assert.equal(fixture.state.sessions.get(alice)?.lastCxid, 0)
      assert.equal(fixture.state.tree.stat('/a'), undefined)
    })

    it('get the result they had when they are sent again, without effect', () => {
      const fixture = new Fixture()
      const request = fixture.writeRequest(create('/s-', { mode: 'persistent-sequential' }))
      const first = fixture.apply(request)
      const again = fixture.apply(request)
      assert.deepEqual(again.result, first.result)
      assert.deepEqual(again.changes, [])
      assert.equal(fixture.stat('/').numChildren, 2)
    })

    it('get their result across a move of the session', () => {
      const fixture = new Fixture()
      const request = fixture.writeRequest(create('/a'))
      const first = fixture.apply(request)
      fixture.apply(attach(2))
      assert.deepEqual(fixture.apply({ ...request, generation: 2 }).result, first.result)
    })

    it('get a failure again, too', () => {
      const fixture = new Fixture()
      const request = fixture.writeRequest(remove('/a'))
      const first = fixture.apply(request)
      assert.equal(first.result.type, 'error')
      fixture.create('/a', 'persistent', bob)
      assert.deepEqual(fixture.apply(request).result, first.result)
      assert.ok(fixture.stat('/a'))
    })

    it('that came too early are a gap, unrecorded', () => {
      const fixture = new Fixture()
      const request = fixture.writeRequest(create('/a'))
      assert.deepEqual(fixture.apply({ ...request, cxid: 2 }).result, { type: 'gap', nextCxid: 1 })
      assert.equal(fixture.apply(request).result.type, 'create')
      const later = { ...request, cxid: 9, operation: create('/b') }
      assert.deepEqual(fixture.apply(later).result, { type: 'gap', nextCxid: 2 })
    })

    it('are forgotten once they are answered: a stale duplicate is void', () => {
      const fixture = new Fixture()
      const requests = ['/a', '/b', '/c', '/d'].map((path, index) => ({
        ...fixture.writeRequest(create(path)),
        cxid: index + 1,
        answeredThrough: Math.max(0, index - 1),
      }))
      const results = requests.map((request) => fixture.apply(request).result)
      const again = requests.map((request) => fixture.apply(request).result)
      assert.deepEqual(again, [{ type: 'void' }, { type: 'void' }, results[2], results[3]])
    })

    it('keep their own result whatever they claim to be answered', () => {
      const fixture = new Fixture()
      const request = { ...fixture.writeRequest(create('/a')), answeredThrough: 100 }
      const first = fixture.apply(request)
      assert.deepEqual(fixture.apply(request).result, first.result)
    })
  })

  describe('the end of a session', () => {
    /** Ephemeral nodes of alice, one of bob, and two of alice in one zxid. */
    function withEphemerals(): Fixture {
      const fixture = new Fixture()
      fixture.create('/p')
      for (const path of ['/p/z', '/p/m']) fixture.create(path, 'ephemeral')
      fixture.create('/p/bob', 'ephemeral', bob)
      fixture.multi(create('/p/y', { mode: 'ephemeral' }), create('/p/x', { mode: 'ephemeral' }))
      fixture.create('/p/a', 'ephemeral')
      return fixture
    }
    const deletions = ['/p/z', '/p/m', '/p/x', '/p/y', '/p/a'].map((path) => `deleted ${path}`)

    it('by closing deletes its ephemeral nodes in one zxid, in the order of their creation', () => {
      const fixture = withEphemerals()
      const { cversion } = fixture.stat('/p')
      const { result, changes, endedSession } = fixture.write({ type: 'closeSession' })
      assert.deepEqual(result, { type: 'closeSession' })
      assert.deepEqual(changes.map(pathOfDeleted), deletions)
      assert.equal(endedSession, alice)
      assert.equal(fixture.state.sessions.get(alice), undefined)
      const { pzxid, cversion: after, numChildren } = fixture.stat('/p')
      assert.deepEqual([pzxid, after, numChildren], [fixture.state.lastZxid, cversion + 5, 1])
    })

    it('comes in the order of its writes, and once', () => {
      const fixture = withEphemerals()
      const request = fixture.writeRequest({ type: 'closeSession' })
      const early = fixture.apply({ ...request, cxid: request.cxid + 1 })
      assert.deepEqual(early.result, { type: 'gap', nextCxid: request.cxid })
      assert.equal(early.endedSession, undefined)
      fixture.apply(request)
      assert.deepEqual(fixture.apply(request).result, expired)
      assert.deepEqual(fixture.write(create('/late')).result, expired)
      assert.deepEqual(fixture.apply(attach(2)).result, expired)
    })

    it('by expiry is the same', () => {
      const fixture = withEphemerals()
      const { result, changes, endedSession } = fixture.apply({ type: 'expireSession', session: alice, generation: 1 })
      assert.deepEqual([result, changes.map(pathOfDeleted), endedSession], [{ type: 'closeSession' }, deletions, alice])
    })

    it('by expiry is void after an attachment, and for a session that is gone', () => {
      const fixture = withEphemerals()
      fixture.apply(attach(2))
      for (const request of [
        { type: 'expireSession', session: alice, generation: 1 },
        { type: 'expireSession', session: sessionIdFrom(99n), generation: 1 },
      ] as const) {
        const applied = fixture.apply(request)
        assert.deepEqual([applied.result, applied.changes], [{ type: 'void' }, []])
        assert.equal(applied.endedSession, undefined)
      }
      assert.equal(fixture.apply({ type: 'expireSession', session: alice, generation: 2 }).endedSession, alice)
    })

    it('leaves nothing to a later session of the same id', () => {
      const fixture = withEphemerals()
      fixture.write({ type: 'closeSession' })
      fixture.open(alice)
      assert.deepEqual(fixture.state.tree.getEphemerals(alice), [])
      assert.equal(fixture.write(setData('/p', 'x')).result.type, 'setData')
    })

    it('spares an ephemeral node that another session created anew at its path', () => {
      const fixture = withEphemerals()
      fixture.delete('/p/z')
      fixture.create('/p/z', 'ephemeral', bob)
      fixture.write({ type: 'closeSession' })
      assert.equal(fixture.stat('/p/z').ephemeralOwner, bob)
    })
  })

  it('lists sessions by id, not by arrival', () => {
    const fixture = new Fixture({ sessions: [bob, sessionIdFrom(2n ** 62n), alice] })
    assert.deepEqual(
      fixture.state.sessions.list().map(({ id }) => id),
      [1n, 2n, 2n ** 62n],
    )
  })
})
