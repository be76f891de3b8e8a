/** What an ensemble can do to its members: each fault does what it says, and the library lives with it. */
import assert from 'node:assert/strict'
import type { Coord } from '../../lib/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

const followerOf = (coords: readonly Coord<string>[]): Coord<string> =>
  coords.find((coord) => coord.member.role === 'follower') as Coord<string>
const leaderOf = (coords: readonly Coord<string>[]): Coord<string> =>
  coords.find((coord) => coord.member.role === 'leader') as Coord<string>

function observe(coord: Coord<string>): { readonly warnings: string[]; readonly states: string[] } {
  const warnings: string[] = []
  const states: string[] = []
  coord.member.on('warning', (message) => warnings.push(message))
  coord.on('state', (next) => states.push(next))
  return { warnings, states }
}

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
    it(`a member whose sync fails (${error}) reads back what is there, and goes on with the same session`, async () => {
      await using ensemble = await createTestEnsemble({ size: 3, seed: 6, durable: true, valueEncoding: 'utf8' })
      const follower = followerOf(ensemble.coords)
      const leader = leaderOf(ensemble.coords)
      const { id } = follower.member
      await ensemble.until(follower.create('/mine', undefined, { mode: 'ephemeral' }))
      const { warnings, states } = observe(follower)
      ensemble.failNextCommit(follower, error)
      await ensemble.until(leader.create('/kept'))
      await ensemble.advance(3_000)
      assert.deepEqual(states, ['suspended', 'connected'])
      assert.match(warnings.join(), /sync failed/)
      await ensemble.until(follower.sync())
      assert.ok(await follower.exists('/kept'))
      assert.ok(await follower.exists('/mine'))
      assert.equal(follower.member.id, id)
      assert.equal(follower.member.role, 'follower')
    })
  }

  it('a leader whose sync fails hands over, and follows', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 9, durable: true, valueEncoding: 'utf8' })
    const leader = leaderOf(ensemble.coords)
    const follower = followerOf(ensemble.coords)
    ensemble.failNextCommit(leader)
    await ensemble.until(follower.create('/kept'))
    await ensemble.advance(3_000)
    assert.equal(leader.state, 'connected')
    await ensemble.until(leader.sync())
    assert.ok(await leader.exists('/kept'))
  })

  it('a member whose disk is full takes part in nothing, and comes back once there is space', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 7, durable: true, valueEncoding: 'utf8' })
    const follower = followerOf(ensemble.coords)
    const leader = leaderOf(ensemble.coords)
    const { states } = observe(follower)
    ensemble.fillDisk(follower)
    await ensemble.until(leader.create('/kept'))
    await ensemble.advance(6_000)
    assert.deepEqual(states, ['suspended'])
    ensemble.fillDisk(follower, false)
    await ensemble.advance(6_000)
    assert.deepEqual(states, ['suspended', 'connected'])
    await ensemble.until(follower.sync())
    assert.ok(await follower.exists('/kept'))
  })

  it('watches see every change once over a disk that fails', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 11, durable: true, valueEncoding: 'utf8' })
    const follower = followerOf(ensemble.coords)
    const leader = leaderOf(ensemble.coords)
    await ensemble.until(leader.create('/watched', '0'))
    const seen: string[] = []
    await ensemble.until(follower.addWatch('/watched', 'persistent', ({ type, zxid }) => seen.push(`${type} ${zxid}`)))
    for (let index = 1; index <= 5; index += 1) await ensemble.until(leader.setData('/watched', `${index}`))
    ensemble.failNextCommit(follower)
    for (let index = 6; index <= 10; index += 1) await ensemble.until(leader.setData('/watched', `${index}`))
    await ensemble.advance(3_000)
    await ensemble.until(follower.sync())
    assert.equal(seen.length, 10, seen.join())
    assert.equal(new Set(seen).size, 10)
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
