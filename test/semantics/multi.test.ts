/** The rows MU-1 to MU-8 of docs/SEMANTICS.md: several operations as one. */
import assert from 'node:assert/strict'
import type { MultiOperation } from '../../lib/index.ts'
import { Ensemble, fails, Heard, RawSession } from './fixture.ts'

describe('multi', () => {
  it('MU-1: all or nothing, one zxid, one time; each operation sees those before it', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const [parent, child] = await coord.multi([
      { type: 'create', path: '/p', mode: 'container' },
      { type: 'create', path: '/p/c', data: 'x', mode: 'ephemeral' },
    ])
    assert.equal(parent.stat.czxid, child.stat.czxid)
    assert.equal(parent.stat.ctime, child.stat.ctime)
    const [first, second] = await coord.multi([
      { type: 'setData', path: '/p/c', data: '1', version: 0 },
      { type: 'setData', path: '/p/c', data: '2', version: 1 },
      { type: 'check', path: '/p/c', version: 2 },
    ])
    assert.equal(first.stat.mzxid, second.stat.mzxid)
    await fails(
      'COORD_BAD_VERSION',
      coord.multi([
        { type: 'setData', path: '/p/c', data: '3', version: 2 },
        { type: 'check', path: '/p/c', version: 2 },
      ]),
    )
    assert.equal((await coord.getData('/p/c')).data, '2')
    await coord.multi([
      { type: 'delete', path: '/p/c' },
      { type: 'delete', path: '/p' },
    ])
    assert.equal(await coord.exists('/p'), undefined)
  })

  it('MU-2: a failure lists 0, its code and -2, and nothing is left behind', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p')
    const before = ensemble.treeOf()
    const error = await fails(
      'COORD_NO_NODE',
      coord.multi([
        { type: 'create', path: '/p/s-', mode: 'persistent-sequential' },
        { type: 'check', path: '/missing' },
        { type: 'create', path: '/p/x' },
      ]),
    )
    assert.equal(error.index, 1)
    assert.deepEqual(error.results, [
      { type: 'rolledBack' },
      { type: 'error', code: 'COORD_NO_NODE', path: '/missing' },
      { type: 'error', code: 'COORD_RUNTIME_INCONSISTENCY' },
    ])
    assert.deepEqual(ensemble.treeOf(), before)
    assert.equal(await coord.create('/p/s-', undefined, { mode: 'persistent-sequential' }), '/p/s-0000000000')
  })

  it('MU-2, differs: the error names the path of the operation that failed', async () => {
    await using ensemble = await Ensemble.start()
    const failing = ensemble.coord.multi([{ type: 'check', path: '/missing' }])
    assert.equal((await fails('COORD_NO_NODE', failing)).path, '/missing')
  })

  it('MU-3: a success lists the path and stat of a create, the stat of each setData as of then, and nothing else', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const results = await coord.multi([
      { type: 'create', path: '/p' },
      { type: 'setData', path: '/p', data: 'a' },
      { type: 'setData', path: '/p', data: 'bc' },
      { type: 'check', path: '/p', version: 2 },
      { type: 'delete', path: '/p' },
    ])
    const [created, first, second, checked, deleted] = results
    assert.deepEqual([created.path, created.stat.version, created.stat.dataLength], ['/p', 0, 0])
    assert.deepEqual([first.stat.version, first.stat.dataLength], [1, 1])
    assert.deepEqual([second.stat.version, second.stat.dataLength], [2, 2])
    assert.deepEqual([checked, deleted], [{ type: 'check' }, { type: 'delete' }])
  })

  it('MU-4: without operations nothing is sent; what is misuse in one of them keeps all from being sent', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const before = coord.member.lastZxid
    assert.deepEqual(await coord.multi([]), [])
    assert.equal(coord.member.lastZxid, before)
    for (const bad of [
      { type: 'create', path: '/a//b' },
      { type: 'create', path: '/a', mode: 'unheard-of' },
      { type: 'check', path: '/a', version: 0.5 },
    ] as unknown as MultiOperation<string>[])
      await assert.rejects(coord.multi([{ type: 'create', path: '/fine' }, bad]), TypeError)
    assert.equal(coord.member.lastZxid, before)
  })

  it('MU-5: multiRead gives each read its own result or error, and takes reads alone', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p/c', 'x', { parents: true })
    const [data, missing, children, no] = await coord.multiRead([
      { type: 'getData', path: '/p/c' },
      { type: 'getData', path: '/missing' },
      { type: 'getChildren', path: '/p' },
      { type: 'exists', path: '/missing' },
    ])
    assert.ok(data.type === 'getData' && children.type === 'getChildren' && missing.type === 'error')
    assert.deepEqual([data.data, children.children, no], ['x', ['c'], { type: 'exists', stat: undefined }])
    assert.deepEqual([missing.error.code, missing.error.path], ['COORD_NO_NODE', '/missing'])
    const writes = [{ type: 'setData', path: '/p', data: 'x' }] as unknown as [{ type: 'getData'; path: string }]
    await assert.rejects(coord.multiRead(writes), TypeError)
    await assert.rejects(coord.multi([{ type: 'getData', path: '/p' } as never]), TypeError)
  })

  it('MU-6: watches fire per operation, in their order, with one zxid, before the reply', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.addWatch('/n', 'persistent', heard.by('n'))
    await coord.getChildren('/', { watch: heard.by('root') })
    const operations = [
      { type: 'create', path: '/n' },
      { type: 'setData', path: '/n', data: 'x' },
      { type: 'delete', path: '/n' },
    ] as const
    await coord.multi(operations).then(() => heard.note('reply'))
    assert.equal(new Set(heard.events.map(({ zxid }) => zxid)).size, 1)
    assert.deepEqual(heard.take(), ['n created /n', 'root children /', 'n changed /n', 'n deleted /n', 'reply'])
  })

  it('MU-7, differs: a hard quota holds for every operation of a multi, and for pipelined ones', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/q')
    await coord.setQuota('/q', { hardCount: 2 })
    const create = (name: string) => ({ type: 'create', path: `/q/${name}` }) as const
    const error = await fails('COORD_QUOTA_EXCEEDED', coord.multi([create('1'), create('2'), create('3')]))
    assert.equal(error.index, 1)
    const settled = await Promise.allSettled(['1', '2', '3'].map((name) => coord.create(`/q/${name}`)))
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
    // What one operation frees, the next one may use.
    await coord.multi([{ type: 'delete', path: '/q/1' }, create('2')])
  })

  it('MU-8: getAcl, setAcl, exists and reads cannot be in a multi', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    for (const type of ['getAcl', 'setAcl', 'exists', 'getData', 'closeSession', 'multi', undefined])
      await assert.rejects(coord.multi([{ type, path: '/' } as never]), TypeError)
    // Nor past the API: no member takes such an entry apart.
    const raw = new RawSession(coord)
    const operation = { type: 'multi', operations: [] } as const
    assert.equal((await raw.call(ensemble, { kind: 'write', operation })).type, 'multi')
  })
})
