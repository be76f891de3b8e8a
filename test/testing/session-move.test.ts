import assert from 'node:assert/strict'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('a session that moves', () => {
  it('goes on at the other member, with its ephemeral nodes and its order, and is lost where it was', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 11, valueEncoding: 'utf8' })
    const [a, b] = ensemble.coords
    const session = await a.openSession()
    await session.create('/mine', 'x', { mode: 'ephemeral' })
    const states: string[] = []
    session.on('state', (next, _previous, reason) => states.push(`${next}: ${reason}`))
    const moved = await b.openSession({ attach: { id: session.id, password: session.password } })
    assert.equal(moved.id, session.id)
    await ensemble.advance(100)
    assert.deepEqual(states, ['lost: the session was attached anew elsewhere'])
    await assert.rejects(session.setData('/mine', 'y'), { code: 'COORD_SESSION_EXPIRED' })
    await moved.setData('/mine', 'z')
    await ensemble.advance(30_000)
    assert.equal((await b.exists('/mine'))?.ephemeralOwner, session.id)
    await moved.close()
    assert.equal(await b.exists('/mine'), undefined)
  })

  it('goes to one place alone when two want it at once, however far behind their replicas are', async () => {
    await using ensemble = await createTestEnsemble({
      size: 3,
      seed: 13,
      valueEncoding: 'utf8',
      networkDelayMs: { min: 1, max: 20 },
    })
    const [a, b, c] = ensemble.coords
    const session = await ensemble.until(a.openSession())
    await ensemble.until(session.create('/n', 'first'))
    const attach = { id: session.id, password: session.password }
    const both = await ensemble.until(Promise.all([b.openSession({ attach }), c.openSession({ attach })]))
    await ensemble.advance(1_000)
    assert.deepEqual([session, ...both].map(({ state }) => state).sort(), ['connected', 'lost', 'lost'])
    const owner = both.find(({ state }) => state === 'connected')
    assert.ok(owner !== undefined)
    assert.equal((await ensemble.until(owner.setData('/n', 'second'))).version, 1)
    assert.equal((await ensemble.until(owner.getData('/n'))).data, 'second')
  })

  it('is refused with a wrong password, and its owner is not harmed', async () => {
    await using ensemble = await createTestEnsemble({ size: 1, seed: 12 })
    const [a] = ensemble.coords
    const session = await a.openSession()
    const attach = { id: session.id, password: new Uint8Array(16) }
    await assert.rejects(ensemble.coords[0].openSession({ attach }), { code: 'COORD_SESSION_EXPIRED' })
    assert.equal(session.state, 'connected')
    await session.create('/alive')
  })
})
