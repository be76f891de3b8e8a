/** What an ensemble can do to its members: each fault does what it says, and the library lives with it. */
import assert from 'node:assert/strict'
import type { Coord } from '../../lib/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

const followerOf = (coords: readonly Coord<string>[]): Coord<string> =>
  coords.find((coord) => coord.member.role === 'follower') as Coord<string>
const leaderOf = (coords: readonly Coord<string>[]): Coord<string> =>
  coords.find((coord) => coord.member.role === 'leader') as Coord<string>

describe('faults of a test ensemble', () => {
  it('a slow direction delays what goes that way, until it heals', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 3, valueEncoding: 'utf8' })
    const [a, b, c] = ensemble.coords
    const leader = leaderOf(ensemble.coords)
    for (const other of [a, b, c]) if (other !== leader) ensemble.delay(leader, other, { min: 300, max: 300 })
    const begun = ensemble.now
    await ensemble.until(leader.create('/slow'))
    assert.ok(ensemble.now - begun >= 300, `${ensemble.now - begun} ms`)
    ensemble.heal()
    await ensemble.advance(1_000)
    const healed = ensemble.now
    await ensemble.until(leader.create('/fast'))
    assert.equal(ensemble.now, healed)
  })

  it('a machine that vanishes is noticed by its silence', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 4, valueEncoding: 'utf8' })
    const leader = leaderOf(ensemble.coords)
    const other = followerOf(ensemble.coords)
    const begun = ensemble.now
    ensemble.crash(leader, { silently: true })
    await ensemble.advance(1_000)
    assert.equal(other.state, 'connected', 'nobody has said anything yet')
    await ensemble.advance(9_000)
    assert.notEqual(other.member.leader?.name, leader.member.name)
    await ensemble.until(other.create('/after'))
    assert.ok(ensemble.now - begun >= 1_500)
    const back = await ensemble.restart(leader)
    await ensemble.until(back.sync())
    assert.ok(await back.exists('/after'))
  })

  it('a connection of which only one end knows that it is broken is given up', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 5, valueEncoding: 'utf8' })
    const leader = leaderOf(ensemble.coords)
    const follower = followerOf(ensemble.coords)
    ensemble.reset(leader, follower, { unnoticed: true })
    ensemble.reset(follower, leader, { unnoticed: true })
    await ensemble.advance(5_000)
    await ensemble.until(leader.create('/there'))
    await ensemble.until(follower.sync())
    assert.ok(await follower.exists('/there'))
  })

  for (const error of ['written', 'lost'] as const) {
    it(`a member whose sync fails (${error}) stops, and comes back without loss`, async () => {
      await using ensemble = await createTestEnsemble({ size: 3, seed: 6, durable: true, valueEncoding: 'utf8' })
      const follower = followerOf(ensemble.coords)
      const leader = leaderOf(ensemble.coords)
      const warnings: string[] = []
      follower.member.on('warning', (message) => warnings.push(message))
      ensemble.failNextCommit(follower, error)
      await ensemble.until(leader.create('/kept'))
      await ensemble.advance(1_000)
      assert.equal(follower.state, 'closed')
      assert.match(warnings.join(), /sync failed/)
      const back = await ensemble.restart(follower)
      await ensemble.until(back.sync())
      assert.ok(await back.exists('/kept'))
    })
  }

  it('a member whose disk is full stops, and comes back once there is space', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 7, durable: true, valueEncoding: 'utf8' })
    const follower = followerOf(ensemble.coords)
    const leader = leaderOf(ensemble.coords)
    ensemble.fillDisk(follower)
    await ensemble.until(leader.create('/kept'))
    await ensemble.advance(1_000)
    assert.equal(follower.state, 'closed')
    ensemble.fillDisk(follower, false)
    const back = await ensemble.restart(follower)
    await ensemble.until(back.sync())
    assert.ok(await back.exists('/kept'))
  })

  it('a slow disk of one member holds nobody else up', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 8, durable: true, valueEncoding: 'utf8' })
    const leader = leaderOf(ensemble.coords)
    const follower = followerOf(ensemble.coords)
    ensemble.slowDisk(follower, 500)
    const begun = ensemble.now
    await ensemble.until(leader.create('/quick'))
    assert.equal(ensemble.now, begun)
    await ensemble.until(follower.create('/own'))
    assert.ok(await ensemble.until(leader.exists('/own')))
  })

  it('some members may be durable and others not', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 9, durable: [true, true, false] })
    const [a, , c] = ensemble.coords
    const ids = [a.member.id, c.member.id]
    const a2 = await ensemble.restart(a)
    const c2 = await ensemble.restart(c)
    assert.equal(a2.member.id, ids[0])
    assert.notEqual(c2.member.id, ids[1])
  })
})
