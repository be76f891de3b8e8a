import assert from 'node:assert/strict'
import type { Operation } from '../../../lib/core/tree/operation.ts'
import type { SessionId } from '../../../lib/core/tree/session-id.ts'
import { type FiredWatch, type WatchKind, WatchTable } from '../../../lib/core/tree/watch-table.ts'
import { alice, bob, carol, check, create, Fixture, remove, setData } from './fixture.ts'

/** A state and the watches of a member that hosts all its sessions. */
class WatchFixture extends Fixture {
  readonly watches = new WatchTable()

  watch(kind: WatchKind, path: string, session: SessionId = alice): void {
    this.watches.add(kind, session, path)
  }

  /** The events that an operation fires, as `session type path`. */
  fires(operation: Operation, session: SessionId = carol): string[] {
    const { changes } = this.write(operation, session)
    return this.watches.trigger(changes, this.state.lastZxid).map(describeEvent)
  }
}

const names = new Map([
  [alice, 'alice'],
  [bob, 'bob'],
  [carol, 'carol'],
])

function describeEvent({ session, event }: FiredWatch): string {
  return `${names.get(session)} ${event.type} ${event.path}`
}

describe('WatchTable', () => {
  it('G7: created, then children of the parent', () => {
    const fixture = new WatchFixture()
    fixture.watch('exists', '/w')
    fixture.watch('children', '/')
    assert.deepEqual(fixture.fires(create('/w')), ['alice created /w', 'alice children /'])
  })

  it('G8: deleted once for all watches of a session, then children of the parent', () => {
    const fixture = new WatchFixture()
    fixture.create('/w')
    for (const kind of ['exists', 'data', 'children'] as const) fixture.watch(kind, '/w')
    fixture.watch('children', '/')
    assert.deepEqual(fixture.fires(remove('/w')), ['alice deleted /w', 'alice children /'])
    assert.deepEqual(fixture.watches.counts(), { sessions: 0, paths: 0, watches: 0 }, 'suppressed ones are gone, too')
  })

  it('G9: deleted for each session, whatever it watches', () => {
    const fixture = new WatchFixture()
    fixture.create('/w')
    fixture.watch('children', '/w', carol)
    fixture.watch('exists', '/w', alice)
    fixture.watch('data', '/w', bob)
    const events = ['alice deleted /w', 'bob deleted /w', 'carol deleted /w']
    assert.deepEqual(fixture.fires(remove('/w')), events)
  })

  it('G10: nothing for a node that is not watched', () => {
    const fixture = new WatchFixture()
    fixture.watch('exists', '/other')
    fixture.watch('children', '/gone')
    assert.deepEqual(fixture.fires(create('/gone')), [])
  })

  it('G11: children watches hear neither of data nor of grandchildren', () => {
    const fixture = new WatchFixture()
    fixture.multi(create('/g'), create('/g/a'))
    fixture.watch('children', '/g')
    fixture.watch('children', '/')
    assert.deepEqual(fixture.fires(setData('/g', 'x')), [])
    assert.deepEqual(fixture.fires(create('/g/a/b')), [])
    assert.deepEqual(fixture.fires(create('/g/b')), ['alice children /g'])
  })

  it('G12: changed, also when the bytes are the same', () => {
    const fixture = new WatchFixture()
    fixture.create('/a')
    fixture.setData('/a', 'same')
    fixture.watch('data', '/a')
    assert.deepEqual(fixture.fires(setData('/a', 'same')), ['alice changed /a'])
  })

  it('fires once: data and exists watches for whatever comes first', () => {
    const fixture = new WatchFixture()
    fixture.create('/a')
    fixture.watch('data', '/a')
    fixture.watch('exists', '/a')
    assert.deepEqual(fixture.fires(setData('/a', 'x')), ['alice changed /a'])
    assert.deepEqual(fixture.fires(remove('/a')), [])
  })

  it('fires for the operations of a multi in their order, with one zxid', () => {
    const fixture = new WatchFixture()
    fixture.watch('exists', '/a')
    fixture.watch('data', '/a', bob)
    fixture.watch('children', '/')
    const operations = [create('/a'), setData('/a', 'x'), check('/a', 1), remove('/a')]
    const { changes } = fixture.write({ type: 'multi', operations })
    const zxid = fixture.state.lastZxid
    assert.deepEqual(fixture.watches.trigger(changes, zxid), [
      { session: alice, event: { type: 'created', path: '/a', zxid }, acl: undefined },
      { session: bob, event: { type: 'created', path: '/a', zxid }, acl: undefined },
      { session: alice, event: { type: 'children', path: '/', zxid }, acl: undefined },
    ])
  })

  it('does not fire for checks, failures and failed multis', () => {
    const fixture = new WatchFixture()
    fixture.watch('exists', '/a')
    fixture.watch('data', '/')
    const failing: Operation = { type: 'multi', operations: [create('/a'), setData('/', 'x'), check('/missing')] }
    for (const operation of [check('/'), remove('/a'), failing]) assert.deepEqual(fixture.fires(operation), [])
  })

  it('fires for every ephemeral node of a session that ends, and once for their parent', () => {
    const fixture = new WatchFixture()
    fixture.create('/p')
    for (const path of ['/p/2', '/p/1']) fixture.create(path, 'ephemeral', bob)
    fixture.watch('children', '/p')
    fixture.watch('data', '/p/1')
    const events = ['alice children /p', 'alice deleted /p/1']
    assert.deepEqual(fixture.fires({ type: 'closeSession' }, bob), events)
  })

  it('fires for created parents and recursive deletions', () => {
    const fixture = new WatchFixture()
    for (const path of ['/a', '/a/b']) fixture.watch('exists', path)
    assert.deepEqual(fixture.fires(create('/a/b', { parents: true })), ['alice created /a', 'alice created /a/b'])
    fixture.watch('data', '/a')
    fixture.watch('children', '/a/b')
    fixture.watch('children', '/a', bob)
    assert.deepEqual(fixture.fires({ type: 'delete', path: '/a', version: -1, recursive: true }), [
      'alice deleted /a/b',
      'bob children /a',
      'alice deleted /a',
    ])
  })

  it('shares one event among the sessions that hear of a change', () => {
    const fixture = new WatchFixture()
    for (const session of [bob, alice]) fixture.watch('exists', '/a', session)
    const { changes } = fixture.write(create('/a'))
    const [first, second] = fixture.watches.trigger(changes, fixture.state.lastZxid)
    assert.deepEqual([first?.session, second?.session], [bob, alice])
    assert.equal(first?.event, second?.event)
  })

  it('counts and removes', () => {
    const watches = new WatchTable()
    const kinds = ['data', 'exists', 'children'] as const
    for (const kind of kinds) watches.add(kind, alice, '/a')
    watches.add('data', alice, '/b')
    watches.add('children', bob, '/a')
    assert.deepEqual(watches.counts(), { sessions: 2, paths: 2, watches: 4 })

    assert.ok(watches.has('exists', alice, '/b'), 'data and exists watches are one')
    assert.equal(watches.remove('exists', alice, '/b'), true)
    assert.equal(watches.remove('data', alice, '/b'), false)
    assert.equal(watches.remove('children', alice, '/b'), false)

    watches.removeSession(alice)
    assert.deepEqual(watches.counts(), { sessions: 1, paths: 1, watches: 1 })
    watches.removeSession(bob)
    assert.deepEqual(watches.counts(), { sessions: 0, paths: 0, watches: 0 })
    assert.ok(watches.isEmpty)
  })
})
