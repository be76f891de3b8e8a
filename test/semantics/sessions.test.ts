/** The rows SE-1 to SE-17 and CO-1 to CO-5 of docs/SEMANTICS.md: sessions, and what their calls see of each other. */
import assert from 'node:assert/strict'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { Ensemble, fails, Heard, openSession, RawSession } from './fixture.ts'

const ephemeral = { mode: 'ephemeral' } as const

describe('sessions', () => {
  it('SE-1, differs: ids are random positive 63-bit numbers, passwords 16 random bytes', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const sessions = await Promise.all(Array.from({ length: 20 }, () => openSession(coord)))
    for (const { id, password } of sessions) {
      assert.ok(id > 0n && id >> 63n === 0n)
      assert.equal(password.length, 16)
    }
    assert.equal(new Set(sessions.map(({ id }) => id)).size, 20)
    assert.equal(new Set(sessions.map(({ password }) => password.join())).size, 20)
    // A password that is changed outside stays what it is.
    sessions[0]?.password.fill(0)
    assert.notEqual(sessions[0]?.password.join(), new Uint8Array(16).join())
  })

  it('SE-2, differs: the timeout is brought between two limits of the member, and the session tells', async () => {
    const limits = { session: { ...defaultLimits.session, timeoutMs: { min: 1_000, max: 10_000 } } }
    await using ensemble = await Ensemble.start({ limits })
    const { coord } = ensemble
    for (const [asked, got] of [
      [600, 1_000],
      [5_000, 5_000],
      [60_000, 10_000],
    ] as const)
      assert.equal((await openSession(coord, asked)).timeoutMs, got)
    for (const timeoutMs of [0, -1, 86_400_001]) await assert.rejects(coord.openSession({ timeoutMs }), RangeError)
    for (const timeoutMs of [0.5, '1' as never]) await assert.rejects(coord.openSession({ timeoutMs }), TypeError)
  })

  it('stay, however many others are opened beside them', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const session = await ensemble.until(openSession(ensemble.follower, 4_000))
    for (let second = 0; second < 12; second += 1) {
      await ensemble.advance(1_000)
      await ensemble.until((await ensemble.until(openSession(ensemble.follower, 4_000))).close())
      assert.equal(session.state, 'connected', `after ${second + 1} s`)
    }
  })

  it('SE-3, differs: the leader alone expires, never early, and without buckets', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 10_000 } })
    const { leader, follower } = ensemble
    await ensemble.until(follower.create('/e', undefined, ephemeral))
    // The last heartbeat that the leader can have heard of is at most a third of the timeout old.
    const cutAt = ensemble.now
    ensemble.isolate(follower)
    let goneAt: number | undefined
    while (goneAt === undefined && ensemble.now < cutAt + 20_000) {
      await ensemble.advance(100)
      if ((await leader.exists('/e')) === undefined) goneAt = ensemble.now
    }
    assert.ok(goneAt !== undefined)
    assert.ok(goneAt - cutAt >= 10_000 - 10_000 / 3 - 100, `after ${goneAt - cutAt} ms`)
    assert.ok(goneAt - cutAt <= 10_200, `after ${goneAt - cutAt} ms`)
  })

  it('SE-4: a new leader grants every session its full timeout', async () => {
    await using ensemble = await Ensemble.start({ size: 5, join: { sessionTimeoutMs: 6_000 } })
    const { leader, follower } = ensemble
    const other = ensemble.coords.find((coord) => coord !== leader && coord !== follower)
    assert.ok(other)
    await ensemble.until(follower.create('/e', undefined, ephemeral))
    // Its host is gone for good, and so is, a little later, the leader that would have expired it.
    ensemble.crash(follower)
    await ensemble.advance(4_000)
    ensemble.crash(leader)
    const crashedAt = ensemble.now
    await ensemble.until(other.sync())
    while ((await other.exists('/e')) !== undefined) await ensemble.advance(100)
    assert.ok(ensemble.now - crashedAt >= 6_000, `${ensemble.now - crashedAt} ms after the first leader`)
  })

  it('SE-5: a close takes all ephemeral nodes in one entry; what comes after it is SESSION_EXPIRED', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const raw = new RawSession(coord)
    const create = (path: string) =>
      raw.call(ensemble, { kind: 'write', operation: { type: 'create', path, data: undefined, ...ephemeral } })
    const zxids = new Set<bigint>()
    await coord.addWatch('/', 'persistent-recursive', ({ type, zxid }) => {
      if (type === 'deleted') zxids.add(zxid)
    })
    const results = await Promise.all([
      create('/e1'),
      create('/e2'),
      raw.call(ensemble, { kind: 'write', operation: { type: 'closeSession' } }),
      create('/e3'),
    ])
    const codes = results.map((result) => (result.type === 'error' ? result.code : result.type))
    assert.deepEqual(codes.slice(0, 3), ['create', 'create', 'closeSession'])
    assert.ok(['COORD_SESSION_EXPIRED', 'COORD_CLOSED', 'COORD_CONNECTION_LOSS'].includes(codes[3] ?? ''), codes[3])
    assert.deepEqual((await coord.getChildren('/')).children, ['zookeeper'])
    assert.equal(zxids.size, 1)
  })

  it('SE-6: its end is one entry: others see all of its nodes, or none', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const session = await openSession(coord)
    await coord.create('/p')
    for (const name of ['1', '2', '3']) await session.create(`/p/${name}`, undefined, ephemeral)
    const seen: number[] = []
    await coord.addWatch('/p', 'persistent-recursive', () => {
      void coord.getChildren('/p').then(({ children }) => seen.push(children.length))
    })
    await session.close()
    await coord.getChildren('/p')
    assert.deepEqual([...new Set(seen)], [0])
    assert.equal((await coord.exists('/p'))?.pzxid, coord.member.lastZxid)
  })

  it('SE-7, differs: heartbeats go out each third of the timeout; suspended after syncLimitMs in silence', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { timing: { syncLimitMs: 2_000 } } })
    const { follower } = ensemble
    const before = follower.member.lastZxid
    await ensemble.advance(60_000)
    assert.equal(follower.state, 'connected')
    assert.equal(follower.member.lastZxid, before, 'heartbeats are no entries')
    ensemble.isolate(follower)
    await ensemble.advance(1_500)
    assert.equal(follower.state, 'connected')
    await ensemble.advance(1_500)
    assert.equal(follower.state, 'suspended')
  })

  it('SE-8, differs: its holder ends it by its own clock, before the ensemble can', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 6_000 } })
    const { leader, follower } = ensemble
    await ensemble.until(follower.create('/e', undefined, ephemeral))
    ensemble.isolate(follower)
    let lostAt = Number.POSITIVE_INFINITY
    follower.on('state', (next) => {
      if (next === 'lost') lostAt = ensemble.now
    })
    while ((await leader.exists('/e')) !== undefined) await ensemble.advance(10)
    assert.ok(lostAt <= ensemble.now, `lost at ${lostAt}, given away at ${ensemble.now}`)
  })

  it('SE-9, differs: what was sent is sent again and done once; unsent calls wait', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 30_000 } })
    const { leader } = ensemble
    ensemble.isolate(leader)
    const mode = 'persistent-sequential'
    const sent = leader.create('/s-', undefined, { mode })
    await ensemble.advance(5_000)
    assert.equal(leader.state, 'suspended')
    const unsent = leader.create('/s-', undefined, { mode })
    ensemble.heal()
    const paths = await ensemble.until(Promise.all([sent, unsent]))
    assert.deepEqual(paths, ['/s-0000000000', '/s-0000000001'])
    assert.deepEqual((await leader.getChildren('/')).children, ['s-0000000000', 's-0000000001', 'zookeeper'])
  })

  it('SE-10: where a session goes on, nothing that it has seen is missing', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { leader, follower } = ensemble
    const session = await openSession(leader)
    for (let round = 0; round < 20; round += 1) await session.create(`/n-${round}`)
    const { id, password } = session
    const moved = await ensemble.until(follower.openSession({ attach: { id, password } }))
    assert.equal((await moved.getChildren('/')).children.length, 21)
  })

  it('SE-11: with a wrong password, or once it has expired, it is refused; the right owner is not harmed', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const session = await openSession(coord)
    const { id, password } = session
    for (const wrong of [new Uint8Array(16), new Uint8Array(0), password.slice(1)])
      await fails('COORD_SESSION_EXPIRED', coord.openSession({ attach: { id, password: wrong } }))
    await session.create('/alive', undefined, ephemeral)
    ensemble.expireSession(id)
    await ensemble.advance(1)
    await fails('COORD_SESSION_EXPIRED', coord.openSession({ attach: { id, password } }))
    await assert.rejects(coord.openSession({ attach: { id: 0n, password } }), TypeError)
    await assert.rejects(coord.openSession({ attach: { id, password: 'text' as never } }), TypeError)
  })

  it('SE-12, differs: it moves to whoever attached it last and is over elsewhere; they cannot fight', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const first = await openSession(coord)
    await first.create('/e', undefined, ephemeral)
    const second = await coord.openSession({ attach: { id: first.id, password: first.password } })
    assert.deepEqual([first.state, second.state], ['lost', 'connected'])
    await fails('COORD_SESSION_EXPIRED', first.exists('/'))
    assert.equal((await second.exists('/e'))?.ephemeralOwner, first.id)
    await second.close()
    assert.equal(await coord.exists('/e'), undefined)
  })

  it('SE-13, differs: connected, suspended, lost, closed; the last two are final for a session', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 6_000 } })
    const { follower } = ensemble
    const heard = new Heard()
    follower.on('state', (next) => heard.note(`client ${next}`))
    const session = await openSession(follower)
    session.on('state', (next) => heard.note(`session ${next}`))
    ensemble.isolate(follower)
    await ensemble.advance(20_000)
    ensemble.heal()
    await ensemble.advance(5_000)
    assert.deepEqual(heard.take(), [
      'client suspended',
      'session suspended',
      'client lost',
      'session lost',
      'client connected',
    ])
    const another = await openSession(follower)
    another.on('state', (next) => heard.note(`another ${next}`))
    await another.close()
    assert.deepEqual(heard.take(), ['another closed'])
  })

  it('SE-14: when close() resolves, the ephemeral nodes are gone', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { leader, follower } = ensemble
    const session = await ensemble.until(openSession(follower))
    await ensemble.until(session.create('/e', undefined, ephemeral))
    await ensemble.until(session.close())
    assert.equal(await follower.exists('/e'), undefined)
    assert.equal(await ensemble.until(leader.exists('/e', { consistency: 'linearizable' })), undefined)
  })

  it('SE-16, differs: with readOnly, reads are answered from the replica while suspended; writes and sync wait', async () => {
    const join = { readOnly: true, requestTimeoutMs: 3_000, sessionTimeoutMs: 6_000 }
    await using ensemble = await Ensemble.start({ size: 3, join })
    const { leader, follower } = ensemble
    await ensemble.until(follower.create('/n', 'old'))
    ensemble.isolate(follower)
    await leader.setData('/n', 'new')
    await ensemble.advance(4_000)
    assert.equal(follower.state, 'suspended')
    assert.equal((await follower.getData('/n')).data, 'old')
    assert.deepEqual((await follower.getChildren('/')).children, ['n', 'zookeeper'])
    const waiting = [
      fails('COORD_NO_QUORUM', follower.setData('/n', 'x')),
      fails('COORD_NO_QUORUM', follower.sync()),
      fails('COORD_NO_QUORUM', follower.getData('/n', { consistency: 'linearizable' })),
    ]
    await ensemble.advance(4_000)
    await Promise.all(waiting)
    // Also once its session is lost, before there is another.
    await ensemble.advance(10_000)
    assert.equal(follower.state, 'lost')
    assert.equal((await follower.getData('/n')).data, 'old')
    ensemble.heal()
    await ensemble.advance(5_000)
    assert.equal((await follower.getData('/n')).data, 'new')
  })

  it('SE-16: without readOnly, reads wait, too', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { requestTimeoutMs: 3_000 } })
    const { follower } = ensemble
    ensemble.isolate(follower)
    await ensemble.advance(4_000)
    const reading = fails('COORD_NO_QUORUM', follower.exists('/'))
    await ensemble.advance(4_000)
    await reading
  })
})

describe('consistency', () => {
  it('CO-1: writes are in one order for all; a session’s reads see at least its own writes', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const mode = 'persistent-sequential'
    const orders = await Promise.all(
      ensemble.coords.map(async (coord) => {
        const order: string[] = []
        await coord.addWatch('/', 'persistent-recursive', ({ path }) => order.push(path))
        return order
      }),
    )
    const writes = ensemble.coords.flatMap((coord) =>
      Array.from({ length: 10 }, async () => {
        const path = await coord.create('/s-', undefined, { mode })
        assert.notEqual(await coord.exists(path), undefined)
      }),
    )
    await ensemble.until(Promise.all(writes))
    await ensemble.until(Promise.all(ensemble.coords.map((coord) => coord.sync())))
    assert.equal(orders[0]?.length, 30)
    assert.deepEqual(orders[1], orders[0])
    assert.deepEqual(orders[2], orders[0])
    assert.deepEqual(orders[0], [...(orders[0] ?? [])].sort())
  })

  it('CO-2, differs: sync is a quorum operation: a leader that was deposed does not answer it', async () => {
    await using ensemble = await Ensemble.start({
      size: 3,
      join: { requestTimeoutMs: 20_000, sessionTimeoutMs: 60_000 },
    })
    const { leader } = ensemble
    ensemble.isolate(leader)
    let synced = false
    const syncing = leader.sync('/ignored').then(() => {
      synced = true
    })
    const others = ensemble.coords.filter((coord) => coord !== leader)
    await ensemble.advance(6_000)
    await ensemble.until((others[0] as (typeof others)[0]).create('/n'))
    assert.equal(synced, false)
    ensemble.heal()
    await ensemble.until(syncing)
    assert.notEqual(await leader.exists('/n'), undefined)
    await assert.rejects(leader.sync('no path'), TypeError)
  })

  it('CO-3: calls of a session are done in their order; another one’s reads do not wait for them', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower } = ensemble
    const heard = new Heard()
    const other = await ensemble.until(openSession(follower))
    const calls = [
      follower.create('/n').then(() => heard.note('created')),
      follower.getData('/n').then(() => heard.note('read')),
      follower.setData('/n', 'x').then(() => heard.note('set')),
      follower.getData('/n').then(({ data }) => heard.note(`read ${data}`)),
    ]
    const others = other.exists('/').then(() => heard.note('another'))
    await ensemble.until(Promise.all([...calls, others]))
    assert.deepEqual(heard.take(), ['another', 'created', 'read', 'set', 'read x'])
  })

  it('CO-4, differs: at the end of the counter the same leader goes on in its next epoch', async () => {
    await using ensemble = await Ensemble.start({ size: 3, counterLast: 20 })
    const { leader } = ensemble
    const { epoch } = leader.member
    const before = ensemble.now
    const { id } = leader.session
    for (let round = 0; round < 60; round += 1) await leader.create(`/n-${round}`)
    assert.equal(ensemble.leader, leader)
    assert.ok(leader.member.epoch > epoch)
    assert.deepEqual([ensemble.now, leader.session.id], [before, id], 'without a timer, in the same session')
  })

  it('CO-5: a reply says through which zxid its replica had come, the stat which zxid was its own', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const raw = new RawSession(coord)
    const operation = { type: 'create', path: '/n', data: undefined, mode: 'persistent' } as const
    const result = await raw.call(ensemble, { kind: 'write', operation })
    assert.equal(result.type, 'create')
    const reply = raw.items.find((item) => item.kind === 'reply')
    assert.ok(reply?.kind === 'reply' && result.type === 'create')
    assert.ok(reply.zxid >= result.stat.czxid && reply.zxid <= coord.member.lastZxid)
    const { stat } = await coord.createWithStat('/m')
    assert.equal(stat.czxid, coord.member.lastZxid)
    assert.equal(await coord.delete('/m'), undefined)
  })
})
