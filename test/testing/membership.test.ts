/** Members come and go, as an application sees it. */
import assert from 'node:assert/strict'
import type { Coord, EnsembleMember } from '../../lib/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { rejectsWith } from '../join/fixture.ts'

type HasMember = { readonly member: EnsembleMember }

/** Names of those who vote, as this member sees it. */
function votersOf({ member }: HasMember): string[] {
  return member.members
    .filter(({ voter }) => voter)
    .map(({ name }) => name)
    .sort()
}

function leaderOf<C extends HasMember>(coords: readonly C[]): C {
  const leader = coords.find(({ member }) => member.role === 'leader')
  assert.ok(leader !== undefined, 'there is a leader')
  return leader
}

async function eventually(
  ensemble: { advance(ms: number): Promise<void> },
  isSo: () => boolean,
  what: string,
): Promise<void> {
  for (let round = 0; round < 600 && !isSo(); round++) await ensemble.advance(100)
  assert.ok(isSo(), what)
}

describe('seats', () => {
  it('fill by themselves: one voter becomes three at once, and does not rest at two', async () => {
    await using ensemble = await createTestEnsemble<number>({ size: 1, seed: 1 })
    const [a] = ensemble.coords as [Coord]
    const sizes = new Set([1])
    a.member.on('members', () => sizes.add(votersOf(a).length))
    const b = await ensemble.join()
    await ensemble.advance(10_000)
    assert.equal(b.member.role, 'observer')
    await ensemble.join()
    await eventually(ensemble, () => votersOf(a).length === 3, 'three vote')
    assert.deepEqual(votersOf(a), ['a', 'b', 'c'])
    assert.equal(sizes.has(2), false)
    // So the last write survives any one of them but the only founder.
    await a.create('/x')
    ensemble.crash(b)
    await ensemble.until(a.create('/y'))
  })

  it('are as many as wanted: whoever comes then observes, reads, and takes the seat of one that fails', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, voters: 3, seed: 2 })
    const d = await ensemble.join()
    const e = await ensemble.join({ role: 'observer' })
    await ensemble.advance(10_000)
    assert.equal(d.member.role, 'observer')
    await d.create('/x')
    await e.sync()
    assert.ok((await e.exists('/x')) !== undefined)
    const failed = ensemble.coords.find(({ member }) => member.role === 'follower') as Coord
    ensemble.crash(failed)
    await ensemble.advance(8_000)
    assert.equal(d.member.role, 'observer', 'not at once: it may come back')
    await eventually(ensemble, () => d.member.role === 'follower', 'd has a seat')
    assert.equal(e.member.role, 'observer')
    // A founder that is back comes first: without one there is no quorum.
    const back = await ensemble.restart(failed)
    await eventually(
      ensemble,
      () => back.member.role === 'follower' && d.member.role === 'observer',
      'the founder votes',
    )
  })

  it('do not shrink by themselves, whoever fails', async () => {
    await using ensemble = await createTestEnsemble({ size: 5, seed: 3 })
    const leader = leaderOf(ensemble.coords)
    const others = ensemble.coords.filter((coord) => coord !== leader)
    for (const failed of others.slice(0, 2)) {
      ensemble.crash(failed)
      await ensemble.advance(60_000)
    }
    assert.equal(votersOf(leader).length, 5)
    await ensemble.until(leader.create('/x'))
  })

  it('tell who is not reachable', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 4 })
    const leader = leaderOf(ensemble.coords)
    const failed = ensemble.coords.find((coord) => coord !== leader) as Coord
    const { name } = failed.member
    ensemble.crash(failed)
    await ensemble.advance(3_000)
    assert.equal(leader.member.members.find((member) => member.name === name)?.role, 'unreachable')
  })
})

describe('reconfigure()', () => {
  it('makes an observer of a voter, and a voter of an observer', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, voters: 3, seed: 5 })
    const [a] = ensemble.coords
    const d = await ensemble.join({ name: 'd' })
    await ensemble.until(a.reconfigure({ add: [{ name: 'b', role: 'observer' }, 'd'] }))
    assert.deepEqual(votersOf(a), ['a', 'c', 'd'])
    await ensemble.advance(60_000)
    assert.deepEqual(votersOf(d), ['a', 'c', 'd'], 'what an operator decided stays so')
  })

  it('changes how many seats there are', async () => {
    await using ensemble = await createTestEnsemble({ size: 5, seed: 6 })
    const [a, b] = ensemble.coords
    await ensemble.until(a.reconfigure({ voters: 3 }))
    assert.equal(votersOf(a).length, 3)
    await ensemble.until(b.reconfigure({ voters: 1 }))
    await eventually(ensemble, () => votersOf(a).length === 1, 'one votes')
    await ensemble.until(b.create('/x'))
    await ensemble.until(b.reconfigure({ voters: 5 }))
    await eventually(ensemble, () => votersOf(a).length === 5, 'five vote')
  })

  it('removes a member for good: it closes, and says why', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 7, durable: true })
    const leader = leaderOf(ensemble.coords)
    const gone = ensemble.coords.find((coord) => coord !== leader) as Coord
    const warnings: string[] = []
    gone.member.on('warning', (text) => warnings.push(text))
    await ensemble.until(leader.reconfigure({ remove: [gone.member.name] }))
    await eventually(ensemble, () => gone.state === 'closed', 'it closes')
    assert.match(warnings.join(), /removed/)
    assert.equal(votersOf(leader).length, 1, 'an odd number')
    await ensemble.advance(5_000)
    await rejectsWith('COORD_REMOVED', ensemble.restart(gone), /removed/)
  })

  it('of the leader: another one leads first', async () => {
    await using ensemble = await createTestEnsemble({ size: 5, voters: 5, seed: 8 })
    const leader = leaderOf(ensemble.coords)
    const { name } = leader.member
    await ensemble.until(leader.reconfigure({ add: [{ name, role: 'observer' }] }))
    assert.equal(leader.member.role, 'observer')
    assert.equal(votersOf(leader).length, 3)
    await ensemble.until(leader.create('/x'))
  })

  it('refuses what could not work', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 9 })
    const [a, b, c] = ensemble.coords
    await rejectsWith('COORD_BAD_ARGUMENTS', ensemble.until(a.reconfigure({ add: ['nobody'] })), /nobody/)
    const d = await ensemble.join({ name: 'd' })
    await rejectsWith(
      'COORD_NEW_CONFIG_NO_QUORUM',
      ensemble.until(d.reconfigure({ remove: ['a', 'b', 'c'] })),
      /founder/,
    )
    await assert.rejects(a.reconfigure({ voters: 2 }), RangeError)
    await assert.rejects(a.reconfigure({ voter: 3 } as never), TypeError)
    await assert.rejects(a.reconfigure({ add: [{ name: 'a', role: 'leader' }] } as never), TypeError)
    ensemble.crash(b)
    ensemble.crash(c)
    await rejectsWith('COORD_TIMEOUT', ensemble.until(a.reconfigure({ voters: 1 })), /10000/)
  })
})

describe('transferLeadership()', () => {
  it('passes leadership on without an election, and without losing a write', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 10, networkDelayMs: { min: 1, max: 5 } })
    const leader = leaderOf(ensemble.coords)
    const next = ensemble.coords.find((coord) => coord !== leader) as Coord
    const before = ensemble.now
    const writes = Array.from({ length: 20 }, (_, index) => next.create(`/n${index}`))
    await ensemble.until(next.transferLeadership(next.member.name))
    await ensemble.until(Promise.all(writes))
    assert.equal(next.member.role, 'leader')
    assert.ok(ensemble.now - before < 500, `took ${ensemble.now - before} ms`)
    await ensemble.until(leader.transferLeadership())
    await eventually(ensemble, () => next.member.role === 'follower', 'another one leads')
    await rejectsWith('COORD_BAD_ARGUMENTS', ensemble.until(leader.transferLeadership('nobody')), /nobody/)
  })
})

describe('canStop()', () => {
  it('is false where those who stay would be no quorum', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 11 })
    const [a, b, c] = ensemble.coords
    assert.equal(await ensemble.until(a.canStop()), true)
    const d = await ensemble.join({ role: 'observer' })
    ensemble.crash(c)
    await ensemble.advance(4_000)
    assert.equal(await ensemble.until(a.canStop()), false)
    assert.equal(await ensemble.until(d.canStop()), true, 'an observer may always stop')
    ensemble.crash(b)
    await ensemble.advance(4_000)
    assert.equal(await a.canStop(), false)
  })
})

describe('close() and leave()', () => {
  it('of a memory-only voter: an observer has its seat before it goes', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, voters: 3, seed: 12 })
    const d = await ensemble.join()
    await ensemble.advance(5_000)
    const [a, b, c] = ensemble.coords
    await ensemble.until(b.close())
    assert.equal(d.member.role, 'follower')
    await ensemble.until(c.close())
    await ensemble.until(a.create('/x'))
  })

  it('of memory-only voters without observers: the last one that stays is a quorum', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 13 })
    const leader = leaderOf(ensemble.coords)
    const others = ensemble.coords.filter((coord) => coord !== leader) as [Coord, Coord]
    await leader.create('/x')
    for (const other of others) {
      await ensemble.until(other.close())
      await ensemble.advance(1_000)
    }
    await ensemble.until(leader.create('/y'))
    // And they come back: what was written is there, and three vote again.
    for (const other of others) assert.ok((await (await ensemble.restart(other)).exists('/y')) !== undefined)
    await eventually(ensemble, () => votersOf(leader).length === 3, 'three vote')
  })

  it('of a durable voter: its seat is kept', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 14, durable: true })
    const leader = leaderOf(ensemble.coords)
    const other = ensemble.coords.find((coord) => coord !== leader) as Coord
    await ensemble.until(other.close())
    await ensemble.advance(120_000)
    assert.equal(votersOf(leader).length, 3)
    const back = await ensemble.restart(other)
    assert.equal(back.member.id, other.member.id)
    assert.equal(back.member.role, 'follower')
  })

  it('of the leader: hands over first', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 15, durable: true })
    const leader = leaderOf(ensemble.coords)
    const others = ensemble.coords.filter((coord) => coord !== leader)
    const before = ensemble.now
    await ensemble.until(leader.close())
    await eventually(ensemble, () => others.some(({ member }) => member.role === 'leader'), 'another one leads')
    assert.ok(ensemble.now - before < 300, `took ${ensemble.now - before} ms`)
  })

  it('leave() gives the seat up: five, three, one', async () => {
    await using ensemble = await createTestEnsemble({ size: 5, seed: 16, durable: true })
    const [first, ...others] = ensemble.coords
    const sizes: number[] = []
    for (const other of others) {
      await ensemble.until(other.leave())
      await ensemble.until(first.create('/n-', undefined, { mode: 'persistent-sequential' }))
      sizes.push(votersOf(first).length)
    }
    assert.deepEqual(sizes, [3, 3, 1, 1])
    assert.deepEqual(
      first.member.members.map(({ name }) => name),
      ['a'],
    )
  })

  it('passes the locks of who leaves on at once', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 17 })
    const [a, b] = ensemble.coords
    await a.create('/lock', undefined, { mode: 'ephemeral' })
    const before = ensemble.now
    await ensemble.until(a.leave())
    assert.equal(await ensemble.until(b.exists('/lock')), undefined)
    assert.ok(ensemble.now - before < 500, `took ${ensemble.now - before} ms`)
  })

  it('of all at once takes no time-out', async () => {
    for (const durable of [true, false]) {
      await using ensemble = await createTestEnsemble({ size: 3, seed: 18, durable })
      const before = ensemble.now
      await ensemble.until(Promise.all(ensemble.coords.map((coord) => coord.close())))
      assert.ok(ensemble.now - before < 1_500, `durable ${durable}: took ${ensemble.now - before} ms`)
    }
  })

  it('of a member without a quorum is bounded', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 19 })
    const [a, b, c] = ensemble.coords
    ensemble.crash(b)
    ensemble.crash(c)
    await ensemble.advance(5_000)
    const before = ensemble.now
    await ensemble.until(a.leave({ timeoutMs: 700 }))
    assert.ok(ensemble.now - before <= 1_500, `took ${ensemble.now - before} ms`)
  })
})

describe('members without memory', () => {
  it('that restart one after the other, again and again, lose nothing', async () => {
    await using ensemble = await createTestEnsemble<number>({ size: 3, seed: 21 })
    const coords: Coord[] = [...ensemble.coords]
    for (let round = 0; round < 9; round++) {
      const index = round % 3
      const coord = coords[index] as Coord
      await ensemble.until(coord.create(`/n${round}`))
      if (round % 2 === 0) await ensemble.until(coord.close())
      else ensemble.crash(coord)
      coords[index] = await ensemble.restart(coord)
      assert.notEqual(coords[index].member.id, coord.member.id)
    }
    const last = coords[0] as Coord
    await ensemble.until(last.sync())
    assert.equal((await last.getChildren('/')).children.filter((name) => name.startsWith('n')).length, 9)
  })

  it('of which a majority ends at once: everybody is told', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 22, joinTimeoutMs: 20_000 })
    const [a, b, c] = ensemble.coords
    await a.create('/x')
    const warnings: string[] = []
    a.member.on('warning', (text) => warnings.push(text))
    ensemble.crash(b)
    ensemble.crash(c)
    const back = [b, c].map((coord) => ensemble.restart(coord))
    for (const one of back) one.catch(() => {})
    for (const one of back) await rejectsWith('COORD_MAJORITY_LOST', one, /memory/)
    assert.match(warnings.join(), /majority of the voters/)
    assert.equal(a.state, 'lost')
  })

  it('of which all founders end at once found anew; who still holds the ensemble of before says so, and joins', async () => {
    await using ensemble = await createTestEnsemble<number>({ size: 3, voters: 3, seed: 23 })
    const d = await ensemble.join()
    await ensemble.until(d.create('/x'))
    const { clusterId, id, lastZxid } = d.member
    const warnings: string[] = []
    const gone: string[] = []
    d.member.on('warning', (text) => warnings.push(text))
    await d.exists('/x', { watch: ({ type }) => gone.push(type) })
    const streamed: string[] = []
    const watching = readAll(d, streamed)
    const lock = await ensemble.until(d.lock('/lock'))
    const { session } = d
    await ensemble.advance(1000)
    for (const coord of ensemble.coords) ensemble.crash(coord)
    await ensemble.advance(100)
    const coords = await Promise.all(ensemble.coords.map((coord) => ensemble.restart(coord)))
    const [first] = coords as [Coord]
    assert.notEqual(first.member.clusterId, clusterId)
    await eventually(ensemble, () => d.state === 'connected' && d.member.clusterId !== clusterId, 'it joins')
    assert.match(warnings.join(), /without their memory/)
    assert.equal(d.member.clusterId, first.member.clusterId)
    assert.notEqual(d.member.id, id)
    assert.equal(session.loss?.cause, 'majorityLost')
    assert.equal(lock.held, false)
    // The new one is empty, and whoever watched hears of that.
    assert.equal(await ensemble.until(d.exists('/x', { consistency: 'linearizable' })), undefined)
    assert.deepEqual(gone, ['deleted'])
    assert.ok(d.member.lastZxid > lastZxid, 'its tokens are larger')
    await ensemble.until(d.create('/y'))
    await eventually(ensemble, () => streamed.includes('created /y'), 'the stream goes on')
    const gap = streamed.indexOf('gap')
    assert.ok(gap > 0, streamed.join())
    assert.equal(streamed.slice(gap).includes('created /x'), false)
    await ensemble.until(d.close())
    await watching
  })

  it('of which all founders end at once: who holds it on a disk ends, and says why', async () => {
    const durable = [false, false, false, true]
    await using ensemble = await createTestEnsemble<number>({ size: 3, voters: 3, seed: 25, durable })
    const d = await ensemble.join()
    await ensemble.until(d.create('/x'))
    const warnings: string[] = []
    d.member.on('warning', (text) => warnings.push(text))
    for (const coord of ensemble.coords) ensemble.crash(coord)
    await ensemble.advance(100)
    await Promise.all(ensemble.coords.map((coord) => ensemble.restart(coord)))
    await eventually(ensemble, () => d.state === 'closed', 'the survivor ends')
    assert.match(warnings.join(), /without their memory/)
    assert.match(d.explain().failure ?? '', /without their memory/)
  })
})

/** Notes what a stream of everything tells, until its coord is closed. */
async function readAll(coord: Coord, heard: string[]): Promise<void> {
  for await (const event of coord.watch('/', { recursive: true })) {
    heard.push('path' in event ? `${event.type} ${event.path}` : event.type)
  }
}
