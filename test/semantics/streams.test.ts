/** `watch()`: a stream of events that never loses one silently. */
import assert from 'node:assert/strict'
import { type AclEntry, CoordError, type Watch } from '../../lib/index.ts'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { Ensemble, openSession } from './fixture.ts'

/** The next event in words; waits for it while time passes. */
async function next<V>(ensemble: Ensemble, watch: Watch<V>): Promise<string> {
  const { done, value } = await ensemble.until(watch.next())
  if (done === true) return 'done'
  if (value.type === 'gap' || value.type === 'synced') return value.type
  const data = value.error?.code ?? (value.data === undefined ? '' : ` = ${JSON.stringify(value.data)}`)
  return `${value.type} ${value.path}${data}`
}

async function take<V>(ensemble: Ensemble, watch: Watch<V>, count: number): Promise<string[]> {
  const events: string[] = []
  while (events.length < count) events.push(await next(ensemble, watch))
  return events
}

/** So few changes are remembered. */
const remembering = (changes: number) => ({
  limits: { session: { ...defaultLimits.session, window: { changes, bytes: 1_000_000 } } },
})

describe('a stream', () => {
  it('states what exists, then tells what happens, in the order of the log', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    for (const path of ['/p', '/p/b', '/p/a', '/p/a/x', '/q']) await coord.create(path, path)
    const watch = coord.watch('/p', { recursive: true })
    assert.equal(watch.zxid, 0n)
    const stated = ['created /p', 'created /p/a', 'created /p/a/x', 'created /p/b', 'synced']
    assert.deepEqual(await take(ensemble, watch, 5), stated)
    assert.equal(watch.zxid, coord.member.lastZxid)
    await coord.setData('/p/a', 'new')
    await coord.create('/q/ignored')
    await coord.delete('/p/b')
    await coord.create('/p/b')
    assert.deepEqual(await take(ensemble, watch, 3), ['changed /p/a', 'deleted /p/b', 'created /p/b'])
    await watch.close()
  })

  it('of one node tells of its children by name only', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const watch = coord.watch('/p')
    assert.equal(await next(ensemble, watch), 'synced')
    await coord.create('/p')
    await coord.create('/p/c')
    await coord.setData('/p/c', 'x')
    await coord.create('/p/c/d')
    await coord.setData('/p', 'x')
    await coord.delete('/p', { recursive: true })
    const events = ['created /p', 'children /p', 'changed /p', 'children /p', 'deleted /p']
    assert.deepEqual(await take(ensemble, watch, 5), events)
  })

  it('gives the changes of a multi one zxid, and can be asked for several events at once', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const watch = coord.watch('/', { recursive: true, from: coord.member.lastZxid })
    const asked = [watch.next(), watch.next(), watch.next()]
    await coord.multi([
      { type: 'create', path: '/a' },
      { type: 'setData', path: '/a', data: 'x' },
      { type: 'delete', path: '/a' },
    ])
    const events = (await ensemble.until(Promise.all(asked))).map(({ value }) => value)
    assert.deepEqual(
      events.map((event) => event?.type),
      ['created', 'changed', 'deleted'],
    )
    assert.equal(new Set(events.map((event) => event?.zxid)).size, 1)
    assert.equal(JSON.parse(JSON.stringify(events[0])).zxid, `${events[0]?.zxid}`)
  })

  it('goes on behind a zxid, also on another member', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { leader, follower } = ensemble
    await leader.create('/a')
    const first = leader.watch('/', { recursive: true })
    while ((await next(ensemble, first)) !== 'synced');
    await leader.create('/b')
    assert.equal(await next(ensemble, first), 'created /b')
    const from = first.zxid
    await first.close()
    await leader.create('/c')
    await leader.create('/d')
    await ensemble.until(follower.sync())
    const second = follower.watch('/', { recursive: true, from })
    assert.deepEqual(await take(ensemble, second, 2), ['created /c', 'created /d'])
    assert.throws(() => leader.watch('/', { from: 5 as never }), TypeError)
    assert.throws(() => leader.watch('/', { from: -1n }), TypeError)
  })

  it('that is too slow hears gap, then all that exists, then synced', async () => {
    await using ensemble = await Ensemble.start(remembering(4))
    const { coord } = ensemble
    await coord.create('/old')
    await coord.create('/stays')
    const watch = coord.watch('/', { recursive: true })
    while ((await next(ensemble, watch)) !== 'synced');
    await coord.delete('/old')
    for (let index = 0; index < 10; index += 1) await coord.setData('/stays', `${index}`)
    await coord.create('/new')
    const events: string[] = []
    do events.push(await next(ensemble, watch))
    while (events.at(-1) !== 'synced')
    assert.deepEqual(
      events.filter((event) => !event.includes('zookeeper')),
      ['gap', 'created /', 'created /new', 'created /stays', 'synced'],
    )
    await coord.setData('/new', 'x')
    assert.equal(await next(ensemble, watch), 'changed /new')
    // The same for one that asks for what is forgotten.
    const late = coord.watch('/new', { from: 1n })
    assert.deepEqual(await take(ensemble, late, 3), ['gap', 'created /new', 'synced'])
  })

  it('hears gap where a snapshot took the place of entries', async () => {
    const limits = { tail: { entries: 5, bytes: 100_000 } }
    await using ensemble = await Ensemble.start({ size: 3, limits, join: { sessionTimeoutMs: 60_000 } })
    const { leader, follower } = ensemble
    await ensemble.until(follower.create('/n'))
    const watch = follower.watch('/n')
    assert.deepEqual(await take(ensemble, watch, 2), ['created /n', 'synced'])
    const waiting = next(ensemble, watch)
    ensemble.isolate(follower)
    for (let index = 0; index < 30; index += 1) await leader.setData('/n', `${index}`)
    await ensemble.advance(5_000)
    ensemble.heal()
    assert.equal(await waiting, 'gap')
    assert.deepEqual(await take(ensemble, watch, 2), ['created /n', 'synced'])
    assert.equal((await follower.getData('/n')).data, '29')
  })

  it('of a client goes on in its next session, and has missed nothing', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 3_000 } })
    const { leader, follower } = ensemble
    await ensemble.until(follower.create('/n'))
    const { id } = follower.session
    const watch = follower.watch('/n')
    assert.deepEqual(await take(ensemble, watch, 2), ['created /n', 'synced'])
    const waiting = watch.next()
    ensemble.isolate(follower)
    for (let index = 0; index < 3; index += 1) await leader.setData('/n', `${index}`)
    await leader.delete('/n')
    await ensemble.advance(60_000)
    assert.equal(follower.state, 'lost')
    ensemble.heal()
    assert.equal((await ensemble.until(waiting)).value?.type, 'changed')
    assert.deepEqual(await take(ensemble, watch, 3), ['changed /n', 'changed /n', 'deleted /n'])
    assert.notEqual(follower.session.id, id)
  })

  it('that is interrupted while it states what exists begins anew, and says so', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower } = ensemble
    for (const path of ['/p', '/p/1', '/p/2']) await ensemble.until(follower.create(path))
    const watch = follower.watch('/p', { recursive: true })
    assert.equal(await next(ensemble, watch), 'created /p')
    ensemble.expireSession(follower.session.id)
    await ensemble.advance(1_000)
    const events: string[] = []
    do events.push(await next(ensemble, watch))
    while (events.at(-1) !== 'synced')
    // What was in its buffer already may have been stated still.
    const all = events.slice(events.indexOf('gap') + 1)
    if (events.includes('gap')) assert.deepEqual(all, ['created /p', 'created /p/1', 'created /p/2', 'synced'])
    else assert.deepEqual(events, ['created /p/1', 'created /p/2', 'synced'])
    await ensemble.until(follower.setData('/p/1', 'x'))
    assert.equal(await next(ensemble, watch), 'changed /p/1')
  })

  it('of a session ends with it: COORD_SESSION_EXPIRED where it is lost, nothing more where it is closed', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const session = await openSession(coord)
    const waiting = session.watch('/')
    while ((await next(ensemble, waiting)) !== 'synced');
    const pending = waiting.next()
    ensemble.expireSession(session.id)
    await assert.rejects(ensemble.until(pending), { code: 'COORD_SESSION_EXPIRED' })
    assert.equal(await next(ensemble, waiting), 'done')
    await assert.rejects(session.watch('/').next(), { code: 'COORD_SESSION_EXPIRED' })

    const other = await openSession(coord)
    const watch = other.watch('/')
    while ((await next(ensemble, watch)) !== 'synced');
    const end = watch.next()
    await other.close()
    assert.equal((await ensemble.until(end)).done, true)
  })

  it('is ended by its signal, by close, by break, and by the end of its client', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/n')
    const abort = new AbortController()
    const aborted = coord.watch('/n', { signal: abort.signal })
    await take(ensemble, aborted, 2)
    const pending = aborted.next()
    abort.abort('enough')
    await assert.rejects(pending, { code: 'ABORT_ERR', cause: 'enough' })
    assert.equal(await next(ensemble, aborted), 'done')
    await assert.rejects(coord.watch('/n', { signal: abort.signal }).next(), { code: 'ABORT_ERR' })

    const closed = coord.watch('/n')
    await take(ensemble, closed, 2)
    const waiting = closed.next()
    await closed.close()
    assert.equal((await waiting).done, true)
    await closed.close()

    for await (const event of coord.watch('/n')) if (event.type === 'synced') break

    const space = coord.namespace('/n')
    const ofSpace = space.watch('/')
    await take(ensemble, ofSpace, 2)
    const ending = ofSpace.next()
    await space.close()
    await coord.create('/n/c')
    assert.notEqual((await ensemble.until(ending)).value?.type, 'synced')

    const last = coord.watch('/n', { from: coord.member.lastZxid })
    const end = last.next()
    await ensemble.until(coord.close())
    assert.equal((await end).done, true)
    assert.equal((await coord.watch('/n').next()).done, true)
  })

  it('tells only what the session may read at that moment', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const only = (permissions: string): AclEntry[] => [{ scheme: 'world', id: 'anyone', permissions }]
    await coord.create('/p')
    await coord.create('/p/secret', 'x', { acl: only('cdwa') })
    await coord.create('/p/secret/below', 'y')
    const watch = coord.watch('/p', { recursive: true, includeData: true })
    assert.deepEqual(await take(ensemble, watch, 3), ['created /p', 'created /p/secret/below = "y"', 'synced'])
    await coord.setData('/p/secret', 'z')
    await coord.setAcl('/p/secret', only('cdrwa'))
    await coord.setData('/p/secret', 'now')
    assert.equal(await next(ensemble, watch), 'changed /p/secret = "now"')
    await coord.setAcl('/p/secret', only('cdwa'))
    await coord.delete('/p/secret', { recursive: true })
    assert.equal(await next(ensemble, watch), 'deleted /p/secret/below')
    await coord.create('/p/end')
    assert.equal(await next(ensemble, watch), 'created /p/end')
  })

  it('carries data, or why it does not decode; and names paths as its namespace does', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/app/good', '{"n":1}', { parents: true })
    await coord.create('/app/bad', '{')
    const space = coord.namespace<{ n: number }>('/app', { valueEncoding: 'json' })
    const watch = space.watch('/', { recursive: true, includeData: true })
    assert.deepEqual(await take(ensemble, watch, 4), [
      'created /',
      'created /badCOORD_BAD_DATA',
      'created /good = {"n":1}',
      'synced',
    ])
    await space.setData('/bad', { n: 2 })
    await space.delete('/good')
    assert.deepEqual(await take(ensemble, watch, 2), ['changed /bad = {"n":2}', 'deleted /good'])
    const plain = space.watch('/bad')
    const { value } = await ensemble.until(plain.next())
    assert.ok(value !== undefined && !('data' in value), 'no data unless it is asked for')
    const error = await space.getData('/good').catch((reason: unknown) => reason)
    assert.ok(error instanceof CoordError)
  })

  it('gives data of its own: what the application does with it does not reach the replica', async () => {
    await using ensemble = await Ensemble.start({ join: { valueEncoding: 'view' } })
    const coord = ensemble.coord.namespace('/', { valueEncoding: 'view' })
    await coord.create('/n', new Uint8Array([1, 2, 3]))
    const watch = coord.watch('/n', { includeData: true })
    const { value } = await ensemble.until(watch.next())
    assert.ok(value?.type === 'created')
    value.data?.fill(9)
    assert.deepEqual([...((await coord.getData('/n')).data ?? [])], [1, 2, 3])
  })
})
