/**
 * What was observed on ZooKeeper 3.8.0, step by step, on a tree that is new: the vectors G1 to G33. What is different here
 * on purpose says so.
 */
import assert from 'node:assert/strict'
import { type AclEntry, CREATOR_ALL_ACL, type Stat } from '../../lib/index.ts'
import { Ensemble, fails, Heard, openSession } from './fixture.ts'

const world = (permissions: string): AclEntry[] => [{ scheme: 'world', id: 'anyone', permissions }]
const ephemeral = { mode: 'ephemeral' } as const
const sequential = { mode: 'persistent-sequential' } as const

describe('golden vectors', () => {
  describe('of one node and its children', () => {
    let ensemble: Ensemble
    const stat = async (): Promise<Stat> => (await ensemble.coord.exists('/p')) as Stat
    let p: Stat
    before(async () => {
      ensemble = await Ensemble.start()
      p = (await ensemble.coord.createWithStat('/p')).stat
    })
    after(() => ensemble[Symbol.asyncDispose]())

    it('G1: two children', async () => {
      await ensemble.coord.create('/p/c1')
      const { stat: c2 } = await ensemble.coord.createWithStat('/p/c2')
      const { version, cversion, aversion, numChildren, pzxid, mzxid } = await stat()
      assert.deepEqual([version, cversion, aversion, numChildren], [0, 2, 0, 2])
      assert.deepEqual([pzxid, mzxid], [c2.czxid, p.czxid])
    })

    it('G2: one of them is deleted', async () => {
      await ensemble.coord.delete('/p/c1')
      const { cversion, numChildren, pzxid } = await stat()
      assert.deepEqual([cversion, numChildren, pzxid], [3, 1, ensemble.coord.member.lastZxid])
    })

    it('G3: its data is set', async () => {
      const { pzxid } = await stat()
      await ensemble.coord.setData('/p', 'x')
      const after = await stat()
      assert.deepEqual([after.version, after.cversion, after.pzxid], [1, 3, pzxid])
      assert.equal(after.mzxid, ensemble.coord.member.lastZxid)
    })

    it('G4: its ACL is set, with its aversion, and again with an old one', async () => {
      const before = await stat()
      await ensemble.coord.setAcl('/p', world('cdrwa'), { version: 0 })
      assert.deepEqual({ ...(await stat()) }, { ...before, aversion: 1 })
      await fails('COORD_BAD_VERSION', ensemble.coord.setAcl('/p', world('cdrwa'), { version: 0 }))
    })

    it('G5: sequential children', async () => {
      const { coord } = ensemble
      assert.equal(await coord.create('/p/s-', '', sequential), '/p/s-0000000002')
      assert.equal(await coord.create('/p/', '', sequential), '/p/0000000003')
      await coord.delete('/p/c2')
      assert.equal(await coord.create('/p/s-', '', sequential), '/p/s-0000000004')
    })

    it('G6: two in one multi', async () => {
      const create = { type: 'create', path: '/p/m-', ...sequential } as const
      const results = await ensemble.coord.multi([create, create])
      assert.deepEqual(
        results.map(({ path }) => path),
        ['/p/m-0000000005', '/p/m-0000000006'],
      )
    })
  })

  it('G7: created, then children of the parent', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.exists('/w', { watch: heard.by('E') })
    await coord.getChildren('/', { watch: heard.by('C') })
    await coord.create('/w')
    assert.deepEqual(heard.take(), ['E created /w', 'C children /'])
  })

  it('G8: one listener hears of a deletion once', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    const watch = heard.by('S')
    await coord.create('/w')
    await coord.exists('/w', { watch })
    await coord.getData('/w', { watch })
    await coord.getChildren('/w', { watch })
    await coord.getChildren('/', { watch: heard.by('C') })
    await coord.delete('/w')
    assert.deepEqual(heard.take(), ['S deleted /w', 'C children /'])
  })

  it('G9: three listeners hear of it each', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/w')
    await coord.exists('/w', { watch: heard.by('1') })
    await coord.getData('/w', { watch: heard.by('2') })
    await coord.getChildren('/w', { watch: heard.by('3') })
    await coord.delete('/w')
    assert.deepEqual(heard.take().sort(), ['1 deleted /w', '2 deleted /w', '3 deleted /w'])
  })

  it('G10: a read that failed left no watch', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await fails('COORD_NO_NODE', coord.getData('/gone', { watch: heard.by('D') }))
    await coord.create('/gone')
    assert.deepEqual(heard.take(), [])
  })

  it('G11: a children watch hears neither of data nor of grandchildren', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/g/a', undefined, { parents: true })
    await coord.getChildren('/g', { watch: heard.by('K') })
    await coord.setData('/g', 'x')
    await coord.create('/g/a/b')
    assert.deepEqual(heard.take(), [])
  })

  it('G12: the same bytes are a change', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/n', 'same')
    await coord.getData('/n', { watch: heard.by('D') })
    await coord.setData('/n', 'same')
    assert.deepEqual(heard.take(), ['D changed /n'])
  })

  it('G13: a multi that fails', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const operations = [
      { type: 'create', path: '/m1' },
      { type: 'check', path: '/nonexist', version: 0 },
      { type: 'create', path: '/m2' },
    ] as const
    const { results } = await fails('COORD_NO_NODE', coord.multi(operations))
    const codes = (results as { type: string; code?: string }[]).map(({ type, code }) => code ?? type)
    assert.deepEqual(codes, ['rolledBack', 'COORD_NO_NODE', 'COORD_RUNTIME_INCONSISTENCY'])
    assert.equal(await coord.exists('/m1'), undefined)
  })

  it('G14: multis whose operations see each other', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.multi([
      { type: 'create', path: '/mm' },
      { type: 'create', path: '/mm/k' },
      { type: 'check', path: '/mm/k', version: 0 },
    ])
    const set = (version: number) => ({ type: 'setData', path: '/mm', data: 'x', version }) as const
    const [one, two] = await coord.multi([set(0), set(1)])
    assert.deepEqual([one.stat.version, two.stat.version, one.stat.mzxid], [1, 2, two.stat.mzxid])
    await coord.multi([set(2), { type: 'check', path: '/mm', version: 3 }])
  })

  it('G15: several reads, of which one fails', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/mm/k', undefined, { parents: true })
    const results = await coord.multiRead([
      { type: 'getData', path: '/mm' },
      { type: 'getData', path: '/zip' },
      { type: 'getChildren', path: '/mm' },
    ])
    assert.deepEqual(
      results.map((result) => (result.type === 'error' ? result.error.zkCode : result.type)),
      ['getData', -101, 'getChildren'],
    )
  })

  it('G16: what is reserved', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    for (const path of ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'])
      assert.equal((await fails('COORD_BAD_ARGUMENTS', coord.delete(path))).zkCode, -8)
    await fails('COORD_NODE_EXISTS', coord.create('/'))
    await fails('COORD_NO_AUTH', coord.setData('/zookeeper/config', 'x'))
  })

  it('G17: a child of an ephemeral node', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/e', undefined, ephemeral)
    assert.equal((await fails('COORD_NO_CHILDREN_FOR_EPHEMERALS', coord.create('/e/c'))).zkCode, -108)
  })

  it('G18: deleting a node with children, with a wrong version and with any', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/a/b', undefined, { parents: true })
    await fails('COORD_BAD_VERSION', coord.delete('/a', { version: 77 }))
    await fails('COORD_NOT_EMPTY', coord.delete('/a'))
  })

  it('G19: a node that the world may only read', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/n', undefined, { acl: world('r') })
    await fails('COORD_NO_AUTH', coord.setData('/n', 'x'))
    await fails('COORD_NO_AUTH', coord.create('/n/c'))
    await fails('COORD_NO_AUTH', coord.setAcl('/n', world('r')))
    await coord.delete('/n')
  })

  it('G20: ACLs that are not valid, and one with duplicates', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const unknown = [{ scheme: 'unheard-of', id: 'x', permissions: 'r' }]
    const noColon = [{ scheme: 'digest', id: 'bob', permissions: 'r' }]
    for (const acl of [[], CREATOR_ALL_ACL, unknown, noColon])
      await fails('COORD_INVALID_ACL', coord.create('/n', undefined, { acl }))
    await assert.rejects(coord.create('/n', undefined, { acl: null as never }), TypeError)
    await coord.create('/n', undefined, { acl: [...world('r'), ...world('r')] })
    assert.deepEqual((await coord.getAcl('/n')).acl, world('r'))
  })

  it('G21: what CREATOR_ALL becomes', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.addAuth('digest', 'bob:pw')
    await coord.create('/n', undefined, { acl: CREATOR_ALL_ACL })
    const id = 'bob:ikIaKsbtGweaHnb/jKn7OHqbunM='
    assert.deepEqual((await coord.getAcl('/n')).acl, [{ scheme: 'digest', id, permissions: 'cdrwa' }])
  })

  it('G22, differs: a hard count of 3 also holds in a multi', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q')
    await coord.setQuota('/q', { hardCount: 3 })
    await coord.create('/q/a')
    await coord.create('/q/b')
    assert.equal((await fails('COORD_QUOTA_EXCEEDED', coord.create('/q/c'))).zkCode, -125)
    await coord.delete('/q/b')
    const create = (name: string) => ({ type: 'create', path: `/q/${name}` }) as const
    await fails('COORD_QUOTA_EXCEEDED', coord.multi([create('d'), create('e'), create('f')]))
    assert.equal((await coord.getQuota('/q'))?.used.count, 2)
  })

  it('G23: hard bytes; the node with the usage keeps version and czxid, and its watch never fires', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q')
    await coord.setQuota('/q', { hardBytes: 10 })
    const path = '/zookeeper/quota/q/zookeeper_stats'
    const before = await coord.getData(path, { watch: () => assert.fail('it fired') })
    await fails('COORD_QUOTA_EXCEEDED', coord.setData('/q', 'x'.repeat(11)))
    await coord.setData('/q', 'x'.repeat(10))
    const { data, stat } = await coord.getData(path)
    assert.deepEqual([data, stat.version, stat.czxid], ['count=1,bytes=10', 0, before.stat.czxid])
  })

  it('G24, differs: the timeout that is asked for is kept where the member allows it', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const got = await Promise.all([100, 600, 5_000, 60_000, 86_400_000].map((ms) => openSession(coord, ms)))
    assert.deepEqual(
      got.map(({ timeoutMs }) => timeoutMs),
      [500, 600, 5_000, 60_000, 3_600_000],
    )
  })

  it('G25: a session’s id with a password of zeros', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const session = await openSession(coord)
    const attach = { id: session.id, password: new Uint8Array(16) }
    await fails('COORD_SESSION_EXPIRED', coord.openSession({ attach }))
    await session.create('/alive', undefined, ephemeral)
  })

  it('G26, differs: a second place takes the session and closes it: the first is lost at once', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    const first = await openSession(coord)
    first.on('state', (next) => heard.note(next))
    await first.create('/e', undefined, ephemeral)
    const second = await coord.openSession({ attach: { id: first.id, password: first.password } })
    await second.close()
    assert.deepEqual(heard.take(), ['lost'])
    await fails('COORD_SESSION_EXPIRED', first.exists('/'))
    assert.equal(await coord.exists('/e'), undefined)
  })

  it('G27: a session closes that owns four nodes', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/ep')
    const session = await openSession(coord)
    for (const name of ['1', '2', '3', '4']) await session.create(`/ep/${name}`, undefined, ephemeral)
    await coord.getChildren('/ep', { watch: heard.by('K') })
    await coord.addWatch('/ep', 'persistent-recursive', heard.by('R'))
    const before = (await coord.exists('/ep')) as Stat
    await session.close()
    const lines = heard.take()
    assert.equal(lines.filter((line) => line === 'K children /ep').length, 1)
    assert.equal(lines.filter((line) => line.startsWith('R deleted /ep/')).length, 4)
    const after = (await coord.exists('/ep')) as Stat
    assert.deepEqual([after.pzxid, after.cversion], [coord.member.lastZxid, before.cversion + 4])
  })

  it('G28: a container: empty, with a child, without it again', async () => {
    await using ensemble = await Ensemble.start({ limits: { reapIntervalMs: 100 } })
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/c', undefined, { mode: 'container' })
    await ensemble.advance(1_000)
    assert.notEqual(await coord.exists('/c', { watch: heard.by('E') }), undefined)
    await coord.create('/c/child')
    await ensemble.advance(1_000)
    assert.notEqual(await coord.exists('/c'), undefined)
    await coord.delete('/c/child')
    await ensemble.advance(1_000)
    assert.deepEqual(heard.take(), ['E deleted /c'])
  })

  it('G29: a TTL of 300', async () => {
    await using ensemble = await Ensemble.start({ limits: { reapIntervalMs: 10 } })
    const { coord } = ensemble
    await coord.create('/t', undefined, { mode: 'persistent-ttl', ttlMs: 300 })
    await ensemble.advance(200)
    await coord.setData('/t', 'x')
    await ensemble.advance(200)
    assert.notEqual(await coord.exists('/t'), undefined)
    await coord.create('/t/child')
    await ensemble.advance(400)
    assert.notEqual(await coord.exists('/t'), undefined)
    await coord.delete('/t/child')
    await ensemble.advance(50)
    assert.equal(await coord.exists('/t'), undefined)
  })

  it('G30, differs: a member that was cut off catches up entry by entry: its watches miss nothing', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 60_000 } })
    const { leader, follower } = ensemble
    const heard = new Heard()
    for (const path of ['/set', '/anew', '/deleted', '/parent', '/P', '/R']) await leader.create(path)
    await ensemble.until(follower.sync())
    for (const path of ['/set', '/anew', '/deleted']) await follower.getData(path, { watch: heard.by('data') })
    await follower.getChildren('/parent', { watch: heard.by('children') })
    for (const path of ['/ex1', '/ex2']) await follower.exists(path, { watch: heard.by('exists') })
    await follower.addWatch('/P', 'persistent', heard.by('P'))
    await follower.addWatch('/R', 'persistent-recursive', heard.by('R'))
    ensemble.isolate(follower)
    await leader.setData('/set', '1')
    await leader.setData('/set', '2')
    await leader.delete('/anew')
    await leader.create('/anew')
    await leader.delete('/deleted')
    await leader.create('/parent/c')
    await leader.delete('/parent/c')
    await leader.create('/ex1')
    await leader.create('/ex2')
    await leader.delete('/ex2')
    await leader.setData('/P', 'x')
    await leader.create('/R/c')
    await ensemble.advance(5_000)
    ensemble.heal()
    await ensemble.advance(5_000)
    assert.deepEqual(heard.take(), [
      'data changed /set',
      'data deleted /anew',
      'data deleted /deleted',
      'children children /parent',
      'exists created /ex1',
      'exists created /ex2',
      'P changed /P',
      'R created /R/c',
    ])
    await leader.setData('/P', 'y')
    await ensemble.until(follower.sync())
    assert.deepEqual(heard.take(), ['P changed /P'])
  })

  it('G31: the writer’s own event comes before its reply', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/n')
    await coord.getData('/n', { watch: heard.by('D') })
    await coord.setData('/n', 'x').then(() => heard.note('reply'))
    assert.deepEqual(heard.take(), ['D changed /n', 'reply'])
  })

  it('G32, differs: 1 MiB is COORD_TOO_LARGE, and the session goes on', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await fails('COORD_TOO_LARGE', coord.create('/n', 'x'.repeat(1_048_576)))
    assert.equal(coord.state, 'connected')
    await coord.create('/n')
  })

  it('G33: getEphemerals("/ep")', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/ep')
    for (const path of ['/ep/1', '/epp', '/eph', '/x']) await coord.create(path, undefined, ephemeral)
    assert.deepEqual(await coord.getEphemerals('/ep'), ['/ep/1', '/eph', '/epp'])
  })
})
