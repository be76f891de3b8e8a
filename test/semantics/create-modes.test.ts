/** The rows CM-… and CT-… of docs/SEMANTICS.md: the seven create modes, and what ends by itself. */
import assert from 'node:assert/strict'
import { Ensemble, fails, Heard, openSession } from './fixture.ts'

/** Looks for what is to be reaped every 100 ms. */
const often = { limits: { reapIntervalMs: 100 } } as const

describe('create modes', () => {
  it('CM-persistent: lives until it is deleted, also when its session ends', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const session = await openSession(coord)
    await session.create('/p')
    assert.equal(await session.create('/s-', undefined, { mode: 'persistent-sequential' }), '/s-0000000001')
    await session.close()
    await ensemble.advance(600_000)
    assert.equal((await coord.exists('/p'))?.ephemeralOwner, 0n)
    assert.equal((await coord.exists('/s-0000000001'))?.ephemeralOwner, 0n)
  })

  it('CM-ephemeral: has an owner, no children, and goes with its session or by anybody who may delete it', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const session = await openSession(coord)
    await session.create('/e', undefined, { mode: 'ephemeral' })
    await session.create('/e-', undefined, { mode: 'ephemeral-sequential' })
    await session.create('/f', undefined, { mode: 'ephemeral' })
    assert.equal((await coord.exists('/e'))?.ephemeralOwner, session.id)
    for (const mode of ['persistent', 'ephemeral', 'container'] as const)
      await fails('COORD_NO_CHILDREN_FOR_EPHEMERALS', coord.create('/e/child', undefined, { mode }))
    await coord.delete('/f')
    await session.close()
    assert.equal(await coord.exists('/e'), undefined)
    assert.equal(await coord.exists('/e-0000000001'), undefined)
  })

  it('CM-container: looks like a persistent node, and goes some time after its last child', async () => {
    await using ensemble = await Ensemble.start(often)
    const { coord } = ensemble
    const { stat } = await coord.createWithStat('/c', undefined, { mode: 'container' })
    assert.equal(stat.ephemeralOwner, 0n)
    await coord.create('/c/child')
    await coord.delete('/c/child')
    assert.notEqual(await coord.exists('/c'), undefined)
    await ensemble.advance(1_000)
    assert.equal(await coord.exists('/c'), undefined)
  })

  it('CM-ttl, differs: is always there; its owner is 0, it may have children, and the TTL has 40 bits', async () => {
    await using ensemble = await Ensemble.start(often)
    const { coord } = ensemble
    const mode = 'persistent-ttl'
    const { stat } = await coord.createWithStat('/t', undefined, { mode, ttlMs: 2 ** 40 - 1 })
    assert.equal(stat.ephemeralOwner, 0n)
    await coord.create('/t/child')
    const sequential = { mode: 'persistent-sequential-ttl', ttlMs: 1 } as const
    assert.equal(await coord.create('/t/s-', undefined, sequential), '/t/s-0000000001')
    for (const ttlMs of [0, -1, 2 ** 40])
      await assert.rejects(coord.create('/x', undefined, { mode, ttlMs }), RangeError)
    for (const ttlMs of [undefined, 1.5, Number.NaN, '1' as never])
      await assert.rejects(coord.create('/x', undefined, { mode, ttlMs }), TypeError)
    for (const other of ['persistent', 'ephemeral', 'container'] as const)
      await assert.rejects(coord.create('/x', undefined, { mode: other, ttlMs: 1 }), TypeError)
  })
})

describe('what ends by itself', () => {
  it('CT-1: the leader looks every minute, for 10,000 nodes at most', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/t', undefined, { mode: 'persistent-ttl', ttlMs: 1 })
    await ensemble.advance(50_000)
    assert.notEqual(await coord.exists('/t'), undefined)
    await ensemble.advance(70_001)
    assert.equal(await coord.exists('/t'), undefined)
  })

  it('CT-2: a container goes when it had children and has none, or never had any for five minutes', async () => {
    await using ensemble = await Ensemble.start(often)
    const { coord } = ensemble
    await coord.create('/fresh', undefined, { mode: 'container' })
    await coord.create('/full/child', undefined, { mode: 'container', parents: true })
    await coord.create('/emptied', undefined, { mode: 'container' })
    await coord.delete(await coord.create('/emptied/child'))
    await ensemble.advance(299_000)
    assert.notEqual(await coord.exists('/fresh'), undefined)
    assert.equal(await coord.exists('/emptied'), undefined)
    await ensemble.advance(2_000)
    assert.equal(await coord.exists('/fresh'), undefined)
    assert.notEqual(await coord.exists('/full'), undefined)
  })

  it('CT-3: a TTL counts from the last change of the data; children block it and do not refresh it', async () => {
    await using ensemble = await Ensemble.start({ limits: { reapIntervalMs: 10 } })
    const { coord } = ensemble
    const ttl = { mode: 'persistent-ttl', ttlMs: 1_000 } as const
    await coord.create('/plain', undefined, ttl)
    await coord.create('/set', undefined, ttl)
    await coord.create('/parent', undefined, ttl)
    await ensemble.advance(800)
    await coord.setData('/set', 'again')
    await coord.create('/parent/child')
    await ensemble.advance(400)
    assert.equal(await coord.exists('/plain'), undefined)
    assert.notEqual(await coord.exists('/set'), undefined)
    assert.notEqual(await coord.exists('/parent'), undefined)
    await coord.delete('/parent/child')
    await ensemble.advance(100)
    assert.equal(await coord.exists('/parent'), undefined)
    await ensemble.advance(700)
    assert.equal(await coord.exists('/set'), undefined)
  })

  it('CT-4: is one entry, which looks again, and fires watches as a delete does', async () => {
    await using ensemble = await Ensemble.start(often)
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/t', undefined, { mode: 'persistent-ttl', ttlMs: 1 })
    await coord.getData('/t', { watch: heard.by('data') })
    await coord.getChildren('/', { watch: heard.by('root') })
    await ensemble.advance(1_000)
    const [first, second] = heard.events
    assert.equal(first?.zxid, second?.zxid)
    assert.deepEqual(heard.take(), ['data deleted /t', 'root children /'])
    // A child that comes before the entry is applied saves its parent: both are in one batch here.
    await coord.create('/c', undefined, { mode: 'container' })
    await coord.delete(await coord.create('/c/1'))
    const { member } = coord
    const reaped = member.lastZxid
    await coord.create('/c/2')
    await ensemble.advance(10_000)
    assert.notEqual(await coord.exists('/c'), undefined)
    assert.ok(member.lastZxid > reaped)
  })

  it('CT-5, differs: ages by the log clock: a wall clock that jumps, or another leader, ends nothing early', async () => {
    await using ensemble = await Ensemble.start({ size: 3, ...often })
    const { leader } = ensemble
    await leader.create('/t', undefined, { mode: 'persistent-ttl', ttlMs: 60_000 })
    for (const coord of ensemble.coords) ensemble.jumpWallClock(coord, 86_400_000)
    await ensemble.advance(10_000)
    assert.notEqual(await ensemble.until(leader.exists('/t', { consistency: 'linearizable' })), undefined)
    ensemble.crash(leader)
    await ensemble.advance(10_000)
    const next = ensemble.coords.find((coord) => coord !== leader && coord.member.role === 'leader')
    assert.ok(next)
    await ensemble.until(next.sync())
    assert.notEqual(await next.exists('/t'), undefined)
    await ensemble.advance(60_000)
    assert.equal(await next.exists('/t'), undefined)
  })
})
