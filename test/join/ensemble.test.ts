/** Three members over real sockets: one tree, whichever of them is asked. */
import assert from 'node:assert/strict'
import type { Coord } from '../../lib/index.ts'
import { freePorts } from '../free-ports.ts'
import { addressAt, followersOf, founders, leaderOf, quick, rejectsWith, until, World } from './fixture.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)

/** Creates nodes with data 0, 1, 2 … at once. */
function pipeline(coord: Coord, prefix: string, count: number): Promise<string>[] {
  return Array.from({ length: count }, (_, index) =>
    coord.create(prefix, text(`${index}`), { mode: 'persistent-sequential' }),
  )
}

/** Waits until every member knows the leader. */
async function settled(coords: readonly Coord[]): Promise<{ leader: Coord; followers: Coord[] }> {
  return until('one leads and the others follow', () => {
    const leader = leaderOf(coords)
    const followers = followersOf(coords)
    return leader !== undefined && followers.length === coords.length - 1 && { leader, followers }
  })
}

describe('three members', () => {
  it('found together, and each knows all', async () => {
    await using world = new World()
    const coords = await world.found(3)
    const { leader } = await settled(coords)
    for (const { member } of coords) {
      await until('each knows the members', () => member.members.length === 3)
      assert.deepEqual(member.members.map(({ name }) => name).sort(), ['member-1', 'member-2', 'member-3'])
      assert.equal(member.leader?.name, leader.member.name)
      assert.equal(member.clusterId, leader.member.clusterId)
      assert.equal(member.epoch, leader.member.epoch)
    }
  })

  it('have one tree: a write of one is read on the others after sync, or linearizably', async () => {
    await using world = new World()
    const coords = await world.found(3)
    await coords[0]?.create('/a', text('0'))
    for (let round = 0; round < 20; round++) {
      const writer = coords[round % 3] as Coord
      const reader = coords[(round + 1) % 3] as Coord
      await writer.setData('/a', text(`${round}`))
      if (round % 2 === 0) {
        await reader.sync('/a')
        assert.equal(textOf((await reader.getData('/a')).data), `${round}`)
      } else {
        assert.equal(textOf((await reader.getData('/a', { consistency: 'linearizable' })).data), `${round}`)
      }
    }
  })

  it('carry causality by a zxid from one to another', async () => {
    await using world = new World()
    const coords = await world.found(3)
    for (let round = 0; round < 20; round++) {
      const { stat } = await (coords[round % 3] as Coord).createWithStat(`/n-${round}`)
      const reader = coords[(round + 1) % 3] as Coord
      await reader.awaitZxid(stat.czxid)
      assert.notEqual(await reader.exists(`/n-${round}`), undefined)
      assert.ok(reader.member.lastZxid >= stat.czxid)
    }
  })

  it('take 1,000 pipelined writes of each: each arrives once, in the order of its session', async () => {
    await using world = new World()
    const coords = await world.found(3)
    const each = 1000
    await coords[0]?.create('/log')
    await Promise.all(coords.map((coord) => coord.sync()))
    const paths = await Promise.all(coords.flatMap((coord, index) => pipeline(coord, `/log/m${index}-`, each)))
    assert.equal(new Set(paths).size, 3 * each)
    const reader = coords[2] as Coord
    await reader.sync()
    const { children, stat } = await reader.getChildren('/log')
    assert.equal(stat.cversion, 3 * each)
    const numbers = children.map((name) => Number(name.slice(-10))).sort((a, b) => a - b)
    assert.deepEqual(numbers, [...numbers.keys()])
    for (let index = 0; index < 3; index++) {
      const mine = children.filter((name) => name.startsWith(`m${index}-`))
      const data = await Promise.all(mine.map((name) => reader.getData(`/log/${name}`)))
      assert.deepEqual(
        data.map(({ data }) => Number(textOf(data))),
        [...Array(each).keys()],
      )
    }
  })

  it('see a watch fire on another member than the one that writes', async () => {
    await using world = new World()
    const [a, b] = (await world.found(3)) as [Coord, Coord, Coord]
    const events: string[] = []
    await b.exists('/a', { watch: ({ type, path }) => events.push(`${type} ${path}`) })
    const { stat } = await a.createWithStat('/a')
    await b.awaitZxid(stat.czxid)
    assert.deepEqual(events, ['created /a'])
  })

  it('let the ephemeral nodes of a coord go with its close()', async () => {
    await using world = new World()
    const coords = await world.found(3)
    const { leader, followers } = await settled(coords)
    const [leaving, staying] = followers as [Coord, Coord]
    await leaving.create('/here', undefined, { mode: 'ephemeral' })
    await leader.sync()
    assert.equal((await leader.exists('/here'))?.ephemeralOwner, leaving.session.id)
    const gone: string[] = []
    await staying.sync()
    await staying.exists('/here', { watch: ({ type }) => gone.push(type) })
    const started = performance.now()
    await leaving.close()
    await until('the node is gone', () => gone.length > 0, 5000)
    assert.ok(performance.now() - started < 5000, 'long before the session would have timed out')
    assert.deepEqual(gone, ['deleted'])
  })

  it('go on when one closes, and take it back under its name', async () => {
    await using world = new World()
    const ports = await freePorts(3)
    const options = founders(ports)
    const coords = await Promise.all(options.map((each) => world.join(each)))
    const { leader, followers } = await settled(coords)
    const leaving = followers[0] as Coord
    const index = coords.indexOf(leaving)
    const { id } = leaving.member
    await leaving.close()
    await leader.create('/while-away', text('x'))
    const back = await world.join(options[index])
    assert.notEqual(back.member.id, id)
    assert.equal(back.member.clusterId, leader.member.clusterId)
    assert.equal(textOf((await back.getData('/while-away', { consistency: 'linearizable' })).data), 'x')
    await until('the old one is forgotten', () => leader.member.members.length === 3)
    assert.ok(leader.member.members.some((each) => each.id === back.member.id))
  })

  it('take somebody who is no founder', async () => {
    await using world = new World()
    const ports = await freePorts(4)
    const coords = await Promise.all(founders(ports.slice(0, 3)).map((each) => world.join(each)))
    await coords[0]?.create('/a', text('x'))
    const peers = ports.slice(0, 3).map(addressAt)
    const fourth = await world.join({ name: 'fourth', listen: { port: ports[3] as number }, peers, timing: quick })
    assert.equal(textOf((await fourth.getData('/a', { consistency: 'linearizable' })).data), 'x')
    await fourth.create('/b')
  })

  it('refuse a second live member of the same name', async () => {
    await using world = new World()
    const ports = await freePorts(4)
    await Promise.all(founders(ports.slice(0, 3)).map((each) => world.join(each)))
    const peers = ports.slice(0, 3).map(addressAt)
    const options = { name: 'member-2', listen: { port: ports[3] as number }, peers, timing: quick }
    await rejectsWith('COORD_NAME_IN_USE', world.join(options), /member-2/)
  })
})

describe('a leader that closes under pipelined writes', () => {
  it('hands over: every write of the others is there exactly once', async () => {
    await using world = new World()
    const coords = await world.found(3)
    const { leader, followers } = await settled(coords)
    await leader.create('/q')
    await Promise.all(followers.map((coord) => coord.sync()))
    const each = 600
    const written = followers.flatMap((coord, index) => pipeline(coord, `/q/f${index}-`, each))
    const leaders = pipeline(leader, '/q/l-', each)
    await Promise.race(written)
    await leader.close()
    const own = await Promise.allSettled(leaders)
    const paths = await Promise.all(written)
    assert.equal(new Set(paths).size, 2 * each)
    const reader = followers[0] as Coord
    await reader.sync()
    const { children } = await reader.getChildren('/q')
    const numbers = children.map((name) => Number(name.slice(-10))).sort((a, b) => a - b)
    assert.deepEqual(numbers, [...numbers.keys()], 'no gaps and no duplicates')
    for (const path of paths) assert.ok(children.includes(path.slice('/q/'.length)))
    for (let index = 0; index < 2; index++) {
      assert.equal(children.filter((name) => name.startsWith(`f${index}-`)).length, each)
    }
    // close() answered what was asked before it.
    assert.equal(own.filter(({ status }) => status === 'fulfilled').length, each)
    assert.equal(children.filter((name) => name.startsWith('l-')).length, each)
  })
})
