/** The rows ST-… of docs/SEMANTICS.md: which operation changes what of a node's stat and of its parent's. */
import assert from 'node:assert/strict'
import type { Coord, Stat } from '../../lib/index.ts'
import { Ensemble, fails, openSession } from './fixture.ts'

async function statOf(coord: Coord<string>, path: string): Promise<Stat> {
  const stat = await coord.exists(path)
  assert.ok(stat, `no node at ${path}`)
  return stat
}

const plain = (stat: Stat): object => ({ ...stat })

describe('stat', () => {
  it('ST-create: sets everything of the node; of the parent the children and pzxid alone', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p')
    const before = await statOf(coord, '/p')
    await ensemble.advance(5)
    const { stat } = await coord.createWithStat('/p/c', 'abc')
    const { czxid, ctime } = stat
    const zero = { version: 0, cversion: 0, aversion: 0, ephemeralOwner: 0n, numChildren: 0 }
    assert.deepEqual(plain(stat), { czxid, mzxid: czxid, pzxid: czxid, ctime, mtime: ctime, ...zero, dataLength: 3 })
    assert.ok(czxid > before.czxid && ctime > before.ctime)
    assert.deepEqual(plain(await statOf(coord, '/p')), { ...before, cversion: 1, pzxid: czxid, numChildren: 1 })
  })

  it('ST-delete: of the parent pzxid, cversion and numChildren; also when a session closes', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const session = await openSession(coord)
    await coord.create('/p')
    await coord.create('/p/c')
    await session.create('/p/e', undefined, { mode: 'ephemeral' })
    const before = await statOf(coord, '/p')
    await coord.delete('/p/c')
    const deleted = await statOf(coord, '/p')
    const expected = { ...before, cversion: before.cversion + 1, pzxid: coord.member.lastZxid, numChildren: 1 }
    assert.deepEqual(plain(deleted), expected)
    await session.close()
    const closed = { ...deleted, cversion: deleted.cversion + 1, pzxid: coord.member.lastZxid, numChildren: 0 }
    assert.deepEqual(plain(await statOf(coord, '/p')), closed)
  })

  it('ST-setData: version, mzxid, mtime and length of the node, nothing of the parent', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p')
    const { stat: before } = await coord.createWithStat('/p/c', 'abc')
    const parent = await statOf(coord, '/p')
    await ensemble.advance(5)
    const after = await coord.setData('/p/c', 'other')
    const { mzxid, mtime } = after
    assert.deepEqual(plain(after), { ...before, version: 1, mzxid, mtime, dataLength: 5 })
    assert.ok(mzxid > before.mzxid && mtime > before.mtime)
    assert.deepEqual(plain(await statOf(coord, '/p')), plain(parent))
  })

  it('ST-setAcl: aversion alone', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const { stat } = await coord.createWithStat('/n', 'x')
    await ensemble.advance(5)
    const after = await coord.setAcl('/n', [{ scheme: 'world', id: 'anyone', permissions: 'ra' }])
    assert.deepEqual(plain(after), { ...stat, aversion: 1 })
    assert.deepEqual(plain(await statOf(coord, '/n')), { ...stat, aversion: 1 })
  })

  it('ST-grandchild: one that comes or goes changes nothing', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p/c', undefined, { parents: true })
    const before = await statOf(coord, '/p')
    await coord.create('/p/c/g')
    await coord.delete('/p/c/g')
    assert.deepEqual(plain(await statOf(coord, '/p')), plain(before))
  })

  it('ST-quota: the usage that a quota shows changes its node in place, without any of this, and fires no watch', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q')
    await coord.setQuota('/q', { count: 10 })
    const path = '/zookeeper/quota/q/zookeeper_stats'
    const before = await coord.getData(path, { watch: () => assert.fail('a watch fired') })
    await coord.create('/q/c', 'abc')
    const after = await coord.getData(path)
    assert.deepEqual([before.data, after.data], ['count=1,bytes=0', 'count=2,bytes=3'])
    assert.deepEqual(plain(after.stat), { ...before.stat, dataLength: after.data?.length })
  })

  it('ST-config: a change of the members changes data, mzxid and mtime of /zookeeper/config; its version is -1', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { leader, follower } = ensemble
    const before = await statOf(leader, '/zookeeper/config')
    ensemble.crash(follower)
    await ensemble.restart(follower)
    await ensemble.until(leader.sync())
    const after = await statOf(leader, '/zookeeper/config')
    assert.ok(after.mzxid > before.mzxid)
    assert.deepEqual([after.version, after.czxid, after.pzxid], [-1, before.czxid, before.pzxid])
  })

  it('ST-1: the cversion that is shown counts creations and deletions', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p')
    const seen: number[] = []
    const note = async () => seen.push((await statOf(coord, '/p')).cversion)
    await coord.create('/p/1')
    await note()
    await coord.create('/p/2')
    await note()
    await coord.delete('/p/1')
    await note()
    await coord.create('/p/1')
    await note()
    assert.deepEqual(seen, [1, 2, 3, 4])
  })

  it('ST-2: a sequence suffix is the number of creations before it, in ten digits; deletions do not count', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p')
    for (const name of ['c1', 'c2']) await coord.create(`/p/${name}`)
    await coord.delete('/p/c1')
    assert.equal(await coord.create('/p/s', '', { mode: 'persistent-sequential' }), '/p/s0000000002')
  })

  it('ST-3: the counter is the parent’s, whatever the prefix, and goes on within a multi', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p')
    const mode = 'persistent-sequential'
    assert.equal(await coord.create('/p/a-', '', { mode }), '/p/a-0000000000')
    assert.equal(await coord.create('/p/b-', '', { mode }), '/p/b-0000000001')
    const [one, two] = await coord.multi([
      { type: 'create', path: '/p/a-', mode },
      { type: 'create', path: '/p/', mode },
    ])
    assert.deepEqual([one.path, two.path], ['/p/a-0000000002', '/p/0000000003'])
  })

  it('ST-5: a node that is created anew begins at version 0, with another czxid', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const first = (await coord.createWithStat('/n')).stat
    await coord.setData('/n', 'x')
    await coord.delete('/n')
    const second = (await coord.createWithStat('/n')).stat
    assert.deepEqual([first.version, second.version, second.aversion], [0, 0, 0])
    assert.ok(second.czxid > first.czxid)
  })

  it('ST-6: version -1 stands for any, in delete, setData, check and setAcl', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/n')
    const acl = [{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }]
    const version = -1
    await coord.setData('/n', 'x', { version })
    await coord.setAcl('/n', acl, { version })
    await coord.multi([{ type: 'check', path: '/n', version }])
    await fails('COORD_BAD_VERSION', coord.setData('/n', 'x', { version: 0 }))
    await fails('COORD_BAD_VERSION', coord.setAcl('/n', acl, { version: 0 }))
    await fails('COORD_BAD_VERSION', coord.multi([{ type: 'check', path: '/n', version: -2 }]))
    await fails('COORD_BAD_VERSION', coord.delete('/n', { version: 7 }))
    await coord.delete('/n', { version })
    for (const wide of [2 ** 31, -(2 ** 31) - 1, 1e300])
      await assert.rejects(coord.setData('/n', 'x', { version: wide }), RangeError)
    for (const none of [0.5, Number.NaN, Number.POSITIVE_INFINITY, '1' as never, 1n as never])
      await assert.rejects(coord.delete('/n', { version: none }), TypeError)
  })
})
