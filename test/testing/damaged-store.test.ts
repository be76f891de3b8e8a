/** What was on a disk and no longer is: such a member never votes as if it remembered, and its peers repair it. */
import assert from 'node:assert/strict'
import type { Coord } from '../../lib/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

const followerOf = (coords: readonly Coord<string>[]): Coord<string> =>
  coords.find((coord) => coord.member.role === 'follower') as Coord<string>

describe('a damaged store', () => {
  for (const at of [0.05, 0.35, 0.65, 0.95]) {
    it(`is repaired from the peers under a fresh id, and its member votes again (bit at ${at})`, async () => {
      await using ensemble = await createTestEnsemble({ size: 3, seed: 21, durable: true, valueEncoding: 'utf8' })
      const [a] = ensemble.coords
      for (let index = 0; index < 20; index += 1) await ensemble.until(a.create(`/n-${index}`, 'x'.repeat(50)))
      const victim = followerOf(ensemble.coords)
      const others = ensemble.coords.filter((coord) => coord !== victim)
      const { id } = victim.member
      ensemble.crash(victim)
      ensemble.damageStore(victim, at)
      const back = await ensemble.restart(victim)
      await ensemble.advance(5_000)
      assert.notEqual(back.member.id, id)
      assert.match(JSON.stringify(back.explain()), /damaged/)
      assert.equal(back.member.role, 'follower')
      assert.equal((await back.getChildren('/')).children.length, 21)
      // It counts: with one of the others gone there is still a quorum.
      ensemble.crash(others[0] as Coord<string>)
      await ensemble.until(back.create('/counts'))
      // And its store is whole: it starts from it.
      const repaired = back.member.id
      const again = await ensemble.restart(back)
      assert.equal(again.member.id, repaired)
      await ensemble.until(again.sync())
      assert.ok(await again.exists('/counts'))
    })
  }

  it('stays as it is until the repair has everything: a crash before that loses nothing more', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 22, durable: true, joinTimeoutMs: 5_000 })
    const [a, b, c] = ensemble.coords
    await ensemble.until(a.create('/kept'))
    for (const coord of [a, b, c]) ensemble.crash(coord)
    ensemble.damageStore(a)
    // Nobody is there to repair it.
    await assert.rejects(ensemble.restart(a), { code: 'COORD_TIMEOUT' })
    ensemble.damageStore(a)
    // The same bit is right again, and so is the store.
    const back = await Promise.all([a, b, c].map((coord) => ensemble.restart(coord)))
    assert.ok(await back[0]?.exists('/kept'))
    assert.equal(back[0]?.member.id, a.member.id)
  })

  it('of every founder founds nothing anew', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 23, durable: true, joinTimeoutMs: 5_000 })
    for (const coord of ensemble.coords) ensemble.crash(coord)
    for (const coord of ensemble.coords) ensemble.damageStore(coord)
    const attempts = await Promise.allSettled(ensemble.coords.map((coord) => ensemble.restart(coord)))
    assert.deepEqual(
      attempts.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    )
  })
})

describe('a store that lacks what its member acknowledged', () => {
  it('is noticed by the peers, and its member begins anew under a fresh id', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 31, durable: true, valueEncoding: 'utf8' })
    const victim = followerOf(ensemble.coords)
    const leader = ensemble.coords.find((coord) => coord.member.role === 'leader') as Coord<string>
    for (let index = 0; index < 5; index += 1) await ensemble.until(leader.create(`/a-${index}`))
    const yesterday = ensemble.imageOfDisk(victim)
    for (let index = 0; index < 20; index += 1) await ensemble.until(leader.create(`/b-${index}`))
    ensemble.crash(victim)
    ensemble.restoreDisk(victim, yesterday)
    const back = await ensemble.restart(victim)
    await ensemble.advance(5_000)
    assert.notEqual(back.member.id, victim.member.id)
    assert.match(JSON.stringify(back.explain()), /lacks what this member acknowledged/)
    assert.equal(back.member.role, 'follower')
    assert.equal((await back.getChildren('/')).children.length, 26)
  })

  it('does not vote with a stale peer that remembers, and so no acknowledged write is lost', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 32, durable: true, joinTimeoutMs: 5_000 })
    const victim = ensemble.coords.find((coord) => coord.member.role === 'follower') as Coord
    const leader = ensemble.coords.find((coord) => coord.member.role === 'leader') as Coord
    const stale = ensemble.coords.find((coord) => coord !== victim && coord !== leader) as Coord
    await ensemble.until(leader.create('/before'))
    const yesterday = ensemble.imageOfDisk(victim)
    for (let index = 0; index < 5; index += 1) await ensemble.until(leader.create(`/all-${index}`))
    ensemble.crash(stale)
    await ensemble.until(leader.create('/acknowledged'))
    ensemble.crash(victim)
    ensemble.crash(leader)
    ensemble.restoreDisk(victim, yesterday)
    // The two that are there would be a quorum, and neither has the last write.
    const attempts = await Promise.allSettled([ensemble.restart(victim), ensemble.restart(stale)])
    assert.deepEqual(
      attempts.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    const back = await Promise.all([leader, stale, victim].map((coord) => ensemble.restart(coord)))
    await ensemble.advance(5_000)
    for (const coord of back) {
      await ensemble.until(coord.sync())
      assert.ok(await coord.exists('/acknowledged'))
    }
  })

  it('is nothing of the kind where a crash took what nobody relied on', async () => {
    await using ensemble = await createTestEnsemble({
      size: 3,
      seed: 33,
      durable: true,
      syncMs: 5,
      valueEncoding: 'utf8',
    })
    const ids = ensemble.coords.map((coord) => coord.member.id)
    let coords: readonly Coord<string>[] = ensemble.coords
    for (let round = 0; round < 10; round += 1) {
      for (const [index, coord] of coords.entries()) coord.create(`/r-${round}-${index}`).catch(() => {})
      await ensemble.advance(3)
      for (const coord of coords) ensemble.crash(coord, { loseUnsynced: true })
      coords = await Promise.all(coords.map((coord) => ensemble.restart(coord)))
    }
    assert.deepEqual(
      coords.map((coord) => coord.member.id),
      ids,
    )
  })
})
