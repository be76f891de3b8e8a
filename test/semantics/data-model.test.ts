/** The rows DM-1 to DM-10 of docs/SEMANTICS.md: what a tree is made of, and what a path is. */
import assert from 'node:assert/strict'
import { dataBytesMax } from '../../lib/index.ts'
import { Ensemble, fails, openSession, RawSession } from './fixture.ts'

describe('the data model', () => {
  it('DM-1: no data and empty data are two things, and both are kept', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/null')
    await coord.create('/empty', '')
    await coord.create('/some', 'text')
    assert.deepEqual((await coord.getData('/null')).data, undefined)
    assert.deepEqual((await coord.getData('/empty')).data, '')
    assert.deepEqual((await coord.getData('/some')).data, 'text')
    await coord.setData('/some', undefined)
    const { data, stat } = await coord.getData('/some')
    assert.deepEqual([data, stat.dataLength, stat.version], [undefined, 0, 1])
  })

  it('DM-2: which paths are valid', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/a')
    const valid = ['/a/.b', '/a/b.', '/a/...', '/a/b c', '/a/\u00a0', '/a/ä€漢', '/a/\ufeff', '/a/\u2028']
    for (const path of valid) assert.equal(await coord.create(path), path)
    assert.notEqual(await coord.exists('/'), undefined)
    const invalid = ['', 'a', 'a/b', '/a/', '//', '//a', '/a//b', '/.', '/..', '/a/.', '/a/..', '/a/./b', '/a/../b']
    const characters = ['\0', '\u0001', '\u001f', '\u007f', '\u009f', '\ud800', '\ue000', '\uf8ff', '\ufff0', '\uffff']
    for (const path of [...invalid, ...[...characters, '😀'].map((character) => `/a/x${character}y`)]) {
      await assert.rejects(coord.create(path), TypeError, JSON.stringify(path))
      await assert.rejects(coord.exists(path), TypeError, JSON.stringify(path))
      assert.throws(() => coord.watch(path), TypeError, JSON.stringify(path))
    }
  })

  it('DM-3: a sequential create takes a slash at the end, nothing else does', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/a')
    assert.equal(await coord.create('/a/', undefined, { mode: 'persistent-sequential' }), '/a/0000000000')
    assert.equal(await coord.create('/a/', undefined, { mode: 'ephemeral-sequential' }), '/a/0000000001')
    assert.equal(await coord.create('/', undefined, { mode: 'persistent-sequential' }), '/0000000001')
    for (const refused of [
      coord.create('/a/'),
      coord.create('/a/', undefined, { mode: 'ephemeral' }),
      coord.exists('/a/'),
      coord.getData('/a/'),
      coord.setData('/a/', 'x'),
      coord.delete('/a/'),
      coord.getChildren('/a/'),
      coord.getAcl('/a/'),
      coord.create('/a/./', undefined, { mode: 'persistent-sequential' }),
    ])
      await assert.rejects(refused, TypeError)
  })

  it('DM-4: a bad path is misuse before anything is sent, and BAD_ARGUMENTS where it comes to a member', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const before = coord.member.lastZxid
    await assert.rejects(coord.create('/a//b'), TypeError)
    assert.equal(coord.member.lastZxid, before)
    const raw = new RawSession(coord)
    const create = async (path: string) => {
      const operation = { type: 'create', path, data: undefined, mode: 'persistent' } as const
      const result = await raw.call(ensemble, { kind: 'write', operation })
      return result.type === 'error' ? result.code : result.type
    }
    // Before the ACLs and the parent only a slash and no NUL are asked for, all else behind them.
    assert.equal(await create('a'), 'COORD_BAD_ARGUMENTS')
    assert.equal(await create('/missing/\0'), 'COORD_BAD_ARGUMENTS')
    assert.equal(await create('/missing/..'), 'COORD_NO_NODE')
    assert.equal(await create('/zookeeper/..'), 'COORD_BAD_ARGUMENTS')
    assert.equal(await create('/\ud800'), 'COORD_BAD_ARGUMENTS')
    assert.equal(await create('/fine'), 'create')
  })

  it('DM-5: the reserved tree is there from birth and stays', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    assert.deepEqual((await coord.getChildren('/zookeeper')).children, ['config', 'quota'])
    for (const path of ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'])
      await fails('COORD_BAD_ARGUMENTS', coord.delete(path))
    assert.equal(await coord.create('/zookeeper/foo'), '/zookeeper/foo')
    await fails('COORD_NO_AUTH', coord.setData('/zookeeper/config', 'x'))
    assert.equal((await coord.setData('/', 'x')).version, 1)
    await fails('COORD_NODE_EXISTS', coord.create('/'))
  })

  it('DM-6, differs: children are bare names, sorted by UTF-16 code unit', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const names = ['b', 'a', 'ä', 'Z', 'a-', 'aa', '10', '9']
    await coord.create('/p')
    for (const name of names) await coord.create(`/p/${name}`)
    assert.deepEqual((await coord.getChildren('/p')).children, ['10', '9', 'Z', 'a', 'a-', 'aa', 'b', 'ä'])
  })

  it('DM-7: getAllChildrenNumber counts all descendants, below the root the reserved ones, too', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    assert.equal(await coord.getAllChildrenNumber('/'), 3)
    await coord.create('/a/b/c', undefined, { parents: true })
    await coord.create('/a/d')
    assert.equal(await coord.getAllChildrenNumber('/a'), 3)
    assert.equal(await coord.getAllChildrenNumber('/a/b/c'), 0)
    assert.equal(await coord.getAllChildrenNumber('/'), 7)
    await fails('COORD_NO_NODE', coord.getAllChildrenNumber('/missing'))
  })

  it('DM-8: getEphemerals is about the text of the path, and the own session', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const session = await openSession(coord)
    await coord.create('/ep')
    for (const path of ['/ep/1', '/epp', '/eph', '/other']) await session.create(path, undefined, { mode: 'ephemeral' })
    assert.deepEqual(await session.getEphemerals('/ep'), ['/ep/1', '/eph', '/epp'])
    assert.deepEqual(await session.getEphemerals('/ep/'), ['/ep/1'])
    for (const all of ['/', '', ' ', undefined])
      assert.deepEqual(await session.getEphemerals(all), ['/ep/1', '/eph', '/epp', '/other'])
    assert.deepEqual(await coord.getEphemerals(), [])
    // No ACL and no node is looked at.
    await session.setAcl('/ep', [{ scheme: 'world', id: 'anyone', permissions: 'a' }])
    assert.deepEqual(await session.getEphemerals('/ep/'), ['/ep/1'])
    await assert.rejects(session.getEphemerals(5 as never), TypeError)
  })

  it('DM-9, differs: too much data is an error with a code before anything is sent', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const largest = 'x'.repeat(dataBytesMax)
    await coord.create('/largest', largest)
    const before = coord.member.lastZxid
    await fails('COORD_TOO_LARGE', coord.create('/larger', `${largest}x`))
    await fails('COORD_TOO_LARGE', coord.setData('/largest', `${largest}x`))
    await fails('COORD_TOO_LARGE', coord.multi([{ type: 'setData', path: '/largest', data: largest }]))
    assert.deepEqual([coord.state, coord.member.lastZxid], ['connected', before])
  })

  it('DM-10: a namespace prefixes what is asked and strips what is told', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const space = coord.namespace('/app/a')
    await fails('COORD_NO_NODE', space.create('/x'))
    await coord.create('/app/a', undefined, { parents: true })
    const events: string[] = []
    await space.getChildren('/', { watch: ({ path, type }) => events.push(`${type} ${path}`) })
    await space.exists('/x', { watch: ({ path, type }) => events.push(`${type} ${path}`) })
    assert.equal(await space.create('/x'), '/x')
    assert.equal(await space.create('/s-', undefined, { mode: 'ephemeral-sequential' }), '/s-0000000001')
    assert.deepEqual((await space.getChildren('/')).children, ['s-0000000001', 'x'])
    assert.deepEqual((await coord.getChildren('/app/a')).children, ['s-0000000001', 'x'])
    assert.deepEqual(events, ['created /x', 'children /'])
    assert.equal((await fails('COORD_NO_NODE', space.getData('/missing'))).path, '/missing')
    const created = await space.multi([{ type: 'create', path: '/y' }])
    assert.equal(created[0].path, '/y')
    const failed = await fails('COORD_NODE_EXISTS', space.multi([{ type: 'create', path: '/y' }]))
    assert.equal(failed.path, '/y')
    // A name that begins like the namespace is not in it.
    await coord.create('/app/abc', undefined, { mode: 'ephemeral' })
    for (const prefix of ['/', '', undefined]) assert.deepEqual(await space.getEphemerals(prefix), ['/s-0000000001'])
  })
})
