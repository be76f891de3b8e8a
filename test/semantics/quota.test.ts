/** The rows QU-1 to QU-6 of docs/SEMANTICS.md: how much a subtree may hold. */
import assert from 'node:assert/strict'
import { Ensemble, fails } from './fixture.ts'

const root = '/zookeeper/quota'

describe('quotas', () => {
  it('QU-1: limits and usage are nodes below /zookeeper/quota, as texts', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q/r', 'abc', { parents: true })
    await coord.setQuota('/q/r', { count: 5, bytes: 100 })
    assert.equal((await coord.getData(`${root}/q/r/zookeeper_limits`)).data, 'count=5,bytes=100')
    assert.equal((await coord.getData(`${root}/q/r/zookeeper_stats`)).data, 'count=1,bytes=3')
    await coord.setQuota('/q/r', { hardCount: 3, hardBytes: 10 })
    const hard = 'count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3'
    assert.equal((await coord.getData(`${root}/q/r/zookeeper_limits`)).data, hard)
    assert.deepEqual(await coord.getQuota('/q/r'), { hardCount: 3, hardBytes: 10, used: { count: 1, bytes: 3 } })
    assert.equal(await coord.getQuota('/q'), undefined)
    await coord.deleteQuota('/q/r')
    assert.equal(await coord.getQuota('/q/r'), undefined)
    assert.deepEqual((await coord.getChildren(root)).children, [])
    await fails('COORD_NO_NODE', coord.deleteQuota('/q/r'))
    await fails('COORD_NO_NODE', coord.setQuota('/missing', { count: 1 }))
    for (const limits of [{}, { count: -1 }, { bytes: 0.5 }, { other: 1 }, undefined, null])
      await assert.rejects(coord.setQuota('/q', limits as never), TypeError)
  })

  it('QU-2: the count has the root of the quota in it, the bytes are of data alone', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q', 'ab')
    await coord.setQuota('/q', { hardCount: 3 })
    const used = async () => (await coord.getQuota('/q'))?.used
    assert.deepEqual(await used(), { count: 1, bytes: 2 })
    await coord.create('/q/a-long-name', 'abc')
    assert.deepEqual(await used(), { count: 2, bytes: 5 })
    await coord.create('/q/a-long-name/b')
    await coord.setData('/q', undefined)
    assert.deepEqual(await used(), { count: 3, bytes: 3 })
    await coord.delete('/q/a-long-name', { recursive: true })
    assert.deepEqual(await used(), { count: 1, bytes: 0 })
  })

  it('QU-3: a soft limit warns, at most once a minute; a hard one of the same kind stands for it', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const warnings: string[] = []
    coord.member.on('warning', (message) => warnings.push(message))
    await coord.create('/q')
    await coord.setQuota('/q', { count: 2, bytes: 5 })
    await coord.create('/q/1')
    assert.deepEqual(warnings, [])
    await coord.create('/q/2')
    await coord.create('/q/3')
    assert.deepEqual(warnings, ['the quota of /q is exceeded: 3 nodes, limit 2'])
    await coord.setData('/q', '123456')
    assert.equal(warnings.length, 2)
    await ensemble.advance(60_001)
    await coord.setData('/q', '1234567')
    assert.deepEqual(warnings.slice(2), [
      'the quota of /q is exceeded: 4 nodes, limit 2',
      'the quota of /q is exceeded: 7 bytes, limit 5',
    ])
    await coord.setQuota('/q', { count: 2, hardCount: 10 })
    await ensemble.advance(60_001)
    await coord.create('/q/4')
    assert.equal(warnings.length, 4)
  })

  it('QU-3, differs: a hard limit always holds', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q')
    await coord.setQuota('/q', { hardCount: 2, hardBytes: 5 })
    await coord.create('/q/1', '12345')
    await fails('COORD_QUOTA_EXCEEDED', coord.create('/q/2'))
    await fails('COORD_QUOTA_EXCEEDED', coord.setData('/q', '1'))
    await fails('COORD_QUOTA_EXCEEDED', coord.create('/q/2/3', undefined, { parents: true }))
    // Of a tree of missing parents each counts for its own nearest quota.
    await coord.create('/o')
    await coord.setQuota('/o', { hardCount: 2 })
    await coord.create('/o/i')
    await coord.setQuota('/o/i', { hardCount: 10 })
    await coord.delete('/o/i')
    await coord.create('/o/x')
    await fails('COORD_QUOTA_EXCEEDED', coord.create('/o/y/z', undefined, { parents: true }))
    await coord.create('/o/i/z', undefined, { parents: true })
    assert.deepEqual((await coord.getQuota('/o/i'))?.used, { count: 2, bytes: 0 })
    assert.deepEqual((await coord.getQuota('/o'))?.used, { count: 2, bytes: 0 })
  })

  it('QU-4: data that shrinks, but not enough, is refused; of equal size it passes, and deletions pass', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q', '1234567890')
    await coord.create('/q/c')
    await coord.setQuota('/q', { hardBytes: 5, hardCount: 1 })
    await fails('COORD_QUOTA_EXCEEDED', coord.setData('/q', '123456'))
    await coord.setData('/q', '0987654321')
    await coord.setData('/q', '12345')
    await fails('COORD_QUOTA_EXCEEDED', coord.create('/q/d'))
    await coord.delete('/q/c')
  })

  it('QU-5: a node counts for its nearest quota alone; the root can have none', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q/x/y', undefined, { parents: true })
    await coord.setQuota('/q', { hardCount: 2 })
    await coord.setQuota('/q/x', { hardCount: 4 })
    assert.deepEqual((await coord.getQuota('/q'))?.used, { count: 1, bytes: 0 })
    assert.deepEqual((await coord.getQuota('/q/x'))?.used, { count: 2, bytes: 0 })
    await coord.create('/q/x/1')
    await coord.create('/q/x/2')
    await fails('COORD_QUOTA_EXCEEDED', coord.create('/q/x/3'))
    await coord.create('/q/1')
    await fails('COORD_QUOTA_EXCEEDED', coord.create('/q/2'))
    await coord.deleteQuota('/q/x')
    assert.deepEqual((await coord.getQuota('/q'))?.used, { count: 6, bytes: 0 })
    for (const path of ['/', '/zookeeper', '/zookeeper/quota/q'])
      await assert.rejects(coord.setQuota(path, { count: 1 }), TypeError)
  })

  it('QU-5, differs: nodes below /zookeeper count for no quota, whatever is written there', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    for (const path of [`${root}/zookeeper_limits`, `${root}/zookeeper/zookeeper_limits`])
      await coord.create(path, 'count=-1,bytes=-1=;countHardLimit=0', { parents: true })
    await coord.create('/n')
    await coord.create('/zookeeper/n')
  })

  it('QU-6: deleting the limits ends the quota; creating the stats counts anew', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q/1', 'x', { parents: true })
    await coord.setQuota('/q', { hardCount: 2 })
    await fails('COORD_QUOTA_EXCEEDED', coord.create('/q/2'))
    await coord.delete(`${root}/q/zookeeper_limits`)
    await coord.create('/q/2')
    await coord.delete(`${root}/q/zookeeper_stats`)
    await coord.create(`${root}/q/zookeeper_limits`, 'count=-1,bytes=-1=;countHardLimit=3')
    await coord.create(`${root}/q/zookeeper_stats`)
    assert.equal((await coord.getData(`${root}/q/zookeeper_stats`)).data, 'count=3,bytes=1')
    await fails('COORD_QUOTA_EXCEEDED', coord.create('/q/3'))
  })

  it('QU-6, differs: quotas are part of what members compare, and what is used survives a restart', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { leader, follower } = ensemble
    await ensemble.until(leader.create('/q', 'abc'))
    await ensemble.until(leader.setQuota('/q', { hardBytes: 4 }))
    const restarted = await ensemble.restart(follower)
    await ensemble.until(Promise.all(ensemble.coords.map((coord) => coord.sync())))
    assert.equal(new Set(ensemble.coords.map((coord) => ensemble.digest(coord))).size, 1)
    assert.deepEqual((await restarted.getQuota('/q'))?.used, { count: 1, bytes: 3 })
    await ensemble.until(fails('COORD_QUOTA_EXCEEDED', restarted.setData('/q', '12345')))
  })
})
