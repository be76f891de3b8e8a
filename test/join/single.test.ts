/** The znode API over one member without a socket: what an application sees of sessions, clients and values. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import {
  type Coord,
  CoordError,
  joinEnsemble,
  type MultiOperation,
  type ValueCodec,
  type WatchEvent,
} from '../../lib/index.ts'
import { uncaughtDuring } from '../uncaught.ts'
import { rejectsWith } from './fixture.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A member for each test, closed after it. */
async function withCoord(test: (coord: Coord) => Promise<void>): Promise<void> {
  await using coord = await joinEnsemble()
  await test(coord)
}

describe('a single member', () => {
  it('joins without options and leads itself', () =>
    withCoord(async (coord) => {
      assert.equal(coord.state, 'connected')
      assert.equal(coord.member.role, 'leader')
      assert.equal(coord.member.members.length, 1)
      assert.equal(coord.member.leader?.id, coord.member.id)
      assert.ok(coord.member.epoch > 0)
      assert.ok(coord.session.id > 0n)
      await coord.ready()
    }))

  it('can be logged and sent: whatever holds a bigint knows how to become JSON', () =>
    withCoord(async (coord) => {
      const { stat } = await coord.createWithStat('/a', text('x'))
      assert.match(JSON.stringify(stat), /"czxid":"\d+"/)
      assert.match(JSON.stringify(coord.member), /"lastZxid":"\d+"/)
      const [created] = await coord.multi([{ type: 'create', path: '/b' }])
      assert.match(JSON.stringify(created), /"czxid":"\d+"/)
      const events: WatchEvent[] = []
      await coord.getData('/a', { watch: (event) => events.push(event) })
      await coord.setData('/a', text('y'))
      assert.match(JSON.stringify(events), /"zxid":"\d+"/)
      assert.doesNotThrow(() => JSON.stringify(coord.explain()))
    }))

  it('creates, reads, changes and deletes nodes', () =>
    withCoord(async (coord) => {
      assert.equal(await coord.create('/a', text('one')), '/a')
      const { data, stat } = await coord.getData('/a')
      assert.deepEqual(data, text('one'))
      assert.equal(stat.version, 0)
      assert.equal(stat.dataLength, 3)
      assert.equal((await coord.setData('/a', text('two'), { version: 0 })).version, 1)
      await rejectsWith('COORD_BAD_VERSION', coord.setData('/a', text('three'), { version: 0 }))
      await rejectsWith('COORD_NODE_EXISTS', coord.create('/a'))
      await rejectsWith('COORD_NO_NODE', coord.create('/b/c'))
      assert.equal(await coord.exists('/b'), undefined)
      const missing = await rejectsWith('COORD_NO_NODE', coord.getData('/b'))
      assert.equal(missing.path, '/b')
      assert.equal(missing.zkCode, -101)
      assert.equal(missing.retryable, true)
      await coord.delete('/a', { version: 1 })
      await rejectsWith('COORD_NO_NODE', coord.delete('/a'))
    }))

  it('creates missing parents, and deletes with all descendants', () =>
    withCoord(async (coord) => {
      await coord.create('/a/b/c/d', text('deep'), { parents: true })
      await coord.create('/a/b/e', text('beside'), { parents: true })
      assert.equal(await coord.getAllChildrenNumber('/a'), 4)
      assert.deepEqual((await coord.getChildren('/a/b')).children, ['c', 'e'])
      await rejectsWith('COORD_NODE_EXISTS', coord.create('/a/b/c', undefined, { parents: true }))
      await rejectsWith('COORD_NOT_EMPTY', coord.delete('/a'))
      await coord.delete('/a', { recursive: true })
      assert.equal(await coord.exists('/a'), undefined)
    }))

  it('numbers sequential nodes, also below a path that ends in a slash', () =>
    withCoord(async (coord) => {
      await coord.create('/jobs')
      const paths: string[] = []
      for (const prefix of ['/jobs/a-', '/jobs/b-', '/jobs/'])
        paths.push(await coord.create(prefix, undefined, { mode: 'persistent-sequential' }))
      assert.deepEqual(paths, ['/jobs/a-0000000000', '/jobs/b-0000000001', '/jobs/0000000002'])
    }))

  it('lets ephemeral nodes go with their session, and refuses them children', () =>
    withCoord(async (coord) => {
      const session = await coord.openSession()
      await session.create('/here', undefined, { mode: 'ephemeral' })
      await coord.create('/mine', undefined, { mode: 'ephemeral' })
      assert.equal((await coord.exists('/here'))?.ephemeralOwner, session.id)
      assert.deepEqual(await session.getEphemerals(), ['/here'])
      assert.deepEqual(await coord.getEphemerals('/m'), ['/mine'])
      await rejectsWith('COORD_NO_CHILDREN_FOR_EPHEMERALS', coord.create('/here/child'))
      await session.close()
      assert.equal(await coord.exists('/here'), undefined)
      assert.notEqual(await coord.exists('/mine'), undefined)
      assert.equal(session.state, 'closed')
      await rejectsWith('COORD_CLOSED', session.exists('/mine'))
    }))
})

describe('a loop of local reads', () => {
  it('lets the event loop turn: what it waits for can happen', () =>
    withCoord(async (coord) => {
      setTimeout(() => void coord.create('/awaited'), 20)
      while ((await coord.exists('/awaited')) === undefined);
      const reads = await Promise.all(Array.from({ length: 5000 }, () => coord.exists('/awaited')))
      assert.ok(reads.every((stat) => stat?.version === 0))
    }))
})

describe('multi', () => {
  it('gives a typed result per operation, at one zxid', () =>
    withCoord(async (coord) => {
      await coord.create('/old', text('x'))
      const [created, changed, removed, checked] = await coord.multi([
        { type: 'create', path: '/new', data: text('y') },
        { type: 'setData', path: '/new', data: text('z') },
        { type: 'delete', path: '/old' },
        { type: 'check', path: '/new', version: 1 },
      ])
      assert.equal(created.path, '/new')
      assert.equal(changed.stat.mzxid, created.stat.czxid)
      assert.equal(removed.type, 'delete')
      assert.equal(checked.type, 'check')
    }))

  it('fails as a whole, and says where and why', () =>
    withCoord(async (coord) => {
      const operations: MultiOperation[] = [
        { type: 'create', path: '/a' },
        { type: 'delete', path: '/missing' },
        { type: 'create', path: '/b' },
      ]
      const error = await rejectsWith('COORD_NO_NODE', coord.multi(operations))
      assert.equal(error.index, 1)
      assert.equal(error.path, '/missing')
      assert.equal(error.results?.length, 3)
      assert.equal(await coord.exists('/a'), undefined)
    }))

  it('is built by transaction(), once', () =>
    withCoord(async (coord) => {
      const transaction = coord.transaction().create('/a', text('1')).setData('/a', text('2')).check('/a', 1)
      assert.equal((await transaction.commit()).length, 3)
      assert.deepEqual((await coord.getData('/a')).data, text('2'))
      await assert.rejects(transaction.commit(), TypeError)
      assert.equal((await coord.transaction().delete('/a').commit()).length, 1)
    }))

  it('does nothing with no operations, and keeps to ifHeld', () =>
    withCoord(async (coord) => {
      assert.deepEqual(await coord.multi([]), [])
      const { stat } = await coord.createWithStat('/lock')
      const ifHeld = { path: '/lock', token: stat.czxid }
      await coord.multi([{ type: 'create', path: '/guarded' }], { ifHeld })
      await coord.delete('/lock')
      await coord.create('/lock')
      await rejectsWith('COORD_LOCK_LOST', coord.multi([{ type: 'delete', path: '/guarded' }], { ifHeld }))
      assert.notEqual(await coord.exists('/guarded'), undefined)
    }))
})

describe('watches', () => {
  it('fire once, and before the reply to the change on the same session', () =>
    withCoord(async (coord) => {
      await coord.create('/a', text('x'))
      const order: string[] = []
      await coord.getData('/a', { watch: ({ type, path }) => order.push(`${type} ${path}`) })
      await coord.setData('/a', text('y'))
      order.push('set')
      await coord.setData('/a', text('z'))
      order.push('set again')
      assert.deepEqual(order, ['changed /a', 'set', 'set again'])
    }))

  it('fire after the continuation of the read that set them', () =>
    withCoord(async (coord) => {
      await coord.create('/a', text('x'))
      const order: string[] = []
      const watch = ({ type }: WatchEvent): unknown => order.push(type)
      await Promise.all([
        coord.getData('/a', { watch }).then(({ data }) => order.push(`read ${String(data?.length)}`)),
        coord.setData('/a', text('longer')).then(() => order.push('set')),
        coord.getData('/a').then(({ data }) => order.push(`read ${String(data?.length)}`)),
      ])
      assert.deepEqual(order, ['read 1', 'changed', 'set', 'read 6'])
    }))

  it('wait for several continuations of one reply, as an async function has them', () =>
    withCoord(async (coord) => {
      await coord.create('/a', text('x'))
      const order: string[] = []
      const reader = async (): Promise<void> => {
        await (async () => coord.exists('/a', { watch: () => order.push('event') }))()
        await Promise.resolve()
        order.push('read')
      }
      await Promise.all([reader(), coord.delete('/a')])
      assert.deepEqual(order, ['read', 'event'])
    }))

  it('tell of creation, deletion and children, by the rules of ZooKeeper', () =>
    withCoord(async (coord) => {
      const events: string[] = []
      const watch = ({ type, path }: WatchEvent): unknown => events.push(`${type} ${path}`)
      await coord.exists('/a', { watch })
      await coord.create('/a')
      await coord.getChildren('/a', { watch })
      await coord.create('/a/b')
      await coord.exists('/a/b', { watch })
      await coord.getChildren('/a/b', { watch })
      await coord.delete('/a/b')
      assert.deepEqual(events, ['created /a', 'children /a', 'deleted /a/b'])
      // A read that finds nothing sets no watch; only exists waits for a creation.
      await rejectsWith('COORD_NO_NODE', coord.getData('/c', { watch }))
      await coord.create('/c')
      assert.equal(events.length, 3)
    }))

  it('call one function once for one change, however often it was registered', () =>
    withCoord(async (coord) => {
      await coord.create('/a')
      let calls = 0
      const watch = (): void => {
        calls += 1
      }
      await coord.getData('/a', { watch })
      await coord.getData('/a', { watch })
      await coord.exists('/a', { watch })
      await coord.setData('/a', text('x'))
      assert.equal(calls, 1)
    }))

  it('see paths as their namespace does', () =>
    withCoord(async (coord) => {
      const orders = coord.namespace('/orders')
      await coord.create('/orders')
      const paths: string[] = []
      await orders.getChildren('/', { watch: ({ path }) => paths.push(path) })
      await orders.exists('/1', { watch: ({ path }) => paths.push(path) })
      await orders.create('/1')
      assert.deepEqual(paths.sort(), ['/', '/1'])
    }))
})

describe('a listener that throws', () => {
  it('is reported by the process, and disturbs neither the library nor other listeners', async () => {
    const heard: string[] = []
    const caught = await uncaughtDuring(1, () =>
      withCoord(async (coord) => {
        await coord.create('/a')
        const throwing = (): never => {
          throw new Error('of the application')
        }
        await coord.getData('/a', { watch: throwing })
        await coord.getData('/a', { watch: ({ type }) => heard.push(type) })
        await coord.setData('/a', text('x'))
        assert.deepEqual((await coord.getData('/a')).data, text('x'))
        coord.on('state', throwing)
        coord.on('state', (state) => heard.push(state))
      }),
    )
    assert.deepEqual(
      caught.map((error) => (error as Error).message),
      ['of the application', 'of the application'],
    )
    assert.deepEqual(heard, ['changed', 'closed'])
  })
})

describe('values', () => {
  it('are bytes by default: copies, in both directions', () =>
    withCoord(async (coord) => {
      const mine = text('abc')
      const creating = coord.create('/a', mine)
      mine.fill(0)
      await creating
      const { data } = await coord.getData('/a')
      assert.deepEqual(data, text('abc'))
      data?.fill(0)
      assert.deepEqual((await coord.getData('/a')).data, text('abc'))
      await coord.create('/empty', new Uint8Array(0))
      assert.deepEqual((await coord.getData('/empty')).data, new Uint8Array(0))
      await coord.create('/null')
      assert.equal((await coord.getData('/null')).data, undefined)
    }))

  it('are what the encoding says', () =>
    withCoord(async (coord) => {
      const json = coord.namespace<{ total: number }>('/json', { valueEncoding: 'json' } as never)
      await json.create('/', { total: 12 })
      assert.deepEqual((await json.getData('/')).data, { total: 12 })
      assert.deepEqual((await coord.getData('/json')).data, text('{"total":12}'))

      const utf8 = coord.namespace('/utf8', { valueEncoding: 'utf8' })
      await utf8.create('/', 'grüße')
      assert.equal((await utf8.getData('/')).data, 'grüße')
      await utf8.setData('/', undefined)
      assert.equal((await utf8.getData('/')).data, undefined)

      const buffer = coord.namespace('/buffer', { valueEncoding: 'buffer' })
      await buffer.create('/', Buffer.from('x'))
      assert.ok(Buffer.isBuffer((await buffer.getData('/')).data))

      const dates: ValueCodec<Date> = {
        name: 'date',
        encode: (date) => text(date.toISOString()),
        decode: (bytes) => new Date(new TextDecoder().decode(bytes)),
      }
      const custom = coord.namespace('/custom', { valueEncoding: dates })
      await custom.create('/', new Date(0))
      assert.equal((await custom.getData('/')).data?.getTime(), 0)
    }))

  it('that do not decode are COORD_BAD_DATA, those that do not encode a TypeError', () =>
    withCoord(async (coord) => {
      await coord.create('/a', text('{'))
      const json = coord.namespace('/', { valueEncoding: 'json' })
      const error = await rejectsWith('COORD_BAD_DATA', json.getData('/a'), /\/a does not decode as json/)
      assert.ok(error.cause instanceof SyntaxError)
      assert.equal(error.path, '/a')
      await coord.setData('/a', new Uint8Array([0xff]))
      await rejectsWith('COORD_BAD_DATA', coord.namespace('/', { valueEncoding: 'utf8' }).getData('/a'))
      await assert.rejects(coord.create('/b', 'text' as never), /set valueEncoding/)
      await assert.rejects(
        json.create('/b', () => 1),
        TypeError,
      )
      await assert.rejects(json.create('/b', 1n), TypeError)
      assert.equal(await coord.exists('/b'), undefined)
    }))

  it('over 1 MiB are COORD_TOO_LARGE, and nothing is sent', () =>
    withCoord(async (coord) => {
      await coord.create('/a', new Uint8Array(0xf_ffff))
      await rejectsWith('COORD_TOO_LARGE', coord.create('/b', new Uint8Array(0x10_0000)), /1048576 bytes for \/b/)
      await rejectsWith('COORD_TOO_LARGE', coord.setData('/a', new Uint8Array(0x10_0000)))
      assert.equal((await coord.exists('/a'))?.version, 0)
    }))
})

describe('a namespace', () => {
  it('is a client under a path, also under another one', () =>
    withCoord(async (coord) => {
      const orders = coord.namespace('/shop').namespace('/orders')
      assert.equal(await orders.create('/1/items', text('x'), { parents: true }), '/1/items')
      assert.deepEqual((await coord.getChildren('/shop/orders')).children, ['1'])
      const [created] = await orders.multi([{ type: 'create', path: '/2' }])
      assert.equal(created.path, '/2')
      const missing = await rejectsWith('COORD_NO_NODE', orders.getData('/3'))
      assert.equal(missing.path, '/3')
      const failed = await rejectsWith('COORD_NODE_EXISTS', orders.multi([{ type: 'create', path: '/2' }]))
      assert.equal(failed.path, '/2')
      assert.equal((failed.results as [{ path: string }])[0].path, '/2')
    }))

  it('closes only what it opened', () =>
    withCoord(async (coord) => {
      const orders = coord.namespace('/orders')
      const session = await orders.openSession()
      const below = orders.namespace('/below')
      await orders.close()
      await orders.close()
      assert.equal(orders.state, 'closed')
      assert.equal(session.state, 'closed')
      await rejectsWith('COORD_CLOSED', orders.exists('/'))
      await rejectsWith('COORD_CLOSED', below.exists('/'))
      assert.throws(() => orders.namespace('/x'), CoordError)
      assert.equal(coord.state, 'connected')
      await coord.exists('/')
    }))

  it('of the coord is an option of joining', async () => {
    await using coord = await joinEnsemble({ namespace: '/orders', valueEncoding: 'json' })
    await coord.create('/1', { total: 3 }, { parents: true })
    assert.deepEqual((await coord.getData('/1')).data, { total: 3 })
    assert.deepEqual((await coord.getChildren('/')).children, ['1'])
  })
})

describe('an AbortSignal', () => {
  it('that is aborted already stops a call before it is made', () =>
    withCoord(async (coord) => {
      const signal = AbortSignal.abort('no more')
      await assert.rejects(coord.create('/a', undefined, { signal }), {
        name: 'AbortError',
        code: 'ABORT_ERR',
        cause: 'no more',
      })
      assert.equal(await coord.exists('/a'), undefined)
      await assert.rejects(coord.ready({ signal }), { code: 'ABORT_ERR' })
      await assert.rejects(joinEnsemble({ signal }), { code: 'ABORT_ERR', cause: 'no more' })
    }))

  it('rejects the call at once; later calls go on', () =>
    withCoord(async (coord) => {
      const abort = new AbortController()
      const reason = new Error('enough')
      const creating = coord.create('/a', undefined, { signal: abort.signal })
      abort.abort(reason)
      await assert.rejects(creating, (error: Error & { code?: string }) => {
        assert.equal(error.code, 'ABORT_ERR')
        assert.equal(error.name, 'AbortError')
        assert.equal(error.cause, reason)
        return true
      })
      await coord.create('/b')
      assert.notEqual(await coord.exists('/b'), undefined)
    }))

  it('is let go of when the call is over', () =>
    withCoord(async (coord) => {
      const abort = new AbortController()
      const { signal } = abort
      for (let index = 0; index < 20; index++) await coord.exists('/', { signal })
      assert.equal(getEventListeners(signal, 'abort').length, 0)
    }))
})

describe('close()', () => {
  it('is idempotent, and final', async () => {
    const coord = await joinEnsemble()
    const states: string[] = []
    coord.on('state', (next, previous) => states.push(`${previous} → ${next}`))
    const reading = coord.exists('/')
    const closing = coord.close()
    assert.equal(coord.close(), closing)
    assert.equal(coord.state, 'closed')
    await rejectsWith('COORD_CLOSED', coord.exists('/'))
    await closing
    assert.notEqual(await reading, undefined)
    await coord.close()
    await coord[Symbol.asyncDispose]()
    assert.deepEqual(states, ['connected → closed'])
    await rejectsWith('COORD_CLOSED', coord.create('/a'))
    await rejectsWith('COORD_CLOSED', coord.ready())
    await rejectsWith('COORD_CLOSED', coord.openSession())
    assert.throws(() => coord.namespace('/a'), CoordError)
  })

  it('answers what was asked before', async () => {
    const coord = await joinEnsemble()
    const writes = Array.from({ length: 100 }, (_, index) => coord.create(`/n-${index}`))
    await coord.close()
    assert.equal((await Promise.all(writes)).length, 100)
  })

  it('leaves no session behind that was opened from it', async () => {
    const coord = await joinEnsemble()
    const session = await coord.openSession()
    const other = coord.namespace('/x')
    await coord.close()
    assert.equal(session.state, 'closed')
    await rejectsWith('COORD_CLOSED', session.exists('/'))
    await rejectsWith('COORD_CLOSED', other.exists('/'))
  })
})
