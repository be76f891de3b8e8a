/**
 * The rows OP-… of docs/SEMANTICS.md: for each operation the order of its checks, of which the first one that fails
 * decides, and the permission that it needs. Each list below begins with a call that fails in every way, and mends one
 * thing after the other.
 */
import assert from 'node:assert/strict'
import type { AclEntry, Coord, ErrorCode } from '../../lib/index.ts'
import { Ensemble, fails, Heard, openSession, RawSession } from './fixture.ts'

const only = (permissions: string): AclEntry[] => [{ scheme: 'world', id: 'anyone', permissions }]

/** Of every permission of a node, the ones that let a call through. */
async function needed(
  coord: Coord<string>,
  path: string,
  call: (coord: Coord<string>) => Promise<unknown>,
): Promise<string> {
  let found = ''
  for (const letter of 'cdrwa') {
    await admin(coord).setAcl(path, only(letter))
    const code = await call(coord).then(
      () => undefined,
      (error: { code: ErrorCode }) => error.code,
    )
    if (code !== 'COORD_NO_AUTH') found += letter
  }
  await admin(coord).setAcl(path, only('cdrwa'))
  return found
}

const admins = new WeakMap<object, Coord<string>>()
/** A superuser’s view of the same tree. */
function admin(coord: Coord<string>): Coord<string> {
  return admins.get(coord) as Coord<string>
}

async function start(): Promise<Ensemble> {
  const { digestId } = await import('../../lib/index.ts')
  const ensemble = await Ensemble.start({ join: { superDigest: digestId('root', 'secret') } })
  const session = await openSession(ensemble.coord)
  await session.addAuth('digest', 'root:secret')
  admins.set(ensemble.coord, session as unknown as Coord<string>)
  return ensemble
}

describe('operations: the first check that fails decides', () => {
  it('OP-create: TTL, path, ACL, parent, CREATE on the parent, final path, existence, ephemeral parent, quota', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    const root = admin(coord)
    await root.create('/shut', undefined, { acl: only('r') })
    await root.create('/shut/there')
    await root.create('/open')
    await root.create('/open/full')
    await root.setQuota('/open/full', { hardCount: 1 })
    await root.create('/open/eph', undefined, { mode: 'ephemeral' })
    await root.setQuota('/open/eph', { hardCount: 1 })
    const raw = new RawSession(coord)
    const create = async (path: string, more: object = {}): Promise<string> => {
      const operation = { type: 'create', path, data: undefined, mode: 'persistent', ...more } as const
      const result = await raw.call(ensemble, { kind: 'write', operation })
      return result.type === 'error' ? result.code : result.type
    }
    const invalid: AclEntry[] = []
    assert.equal(await create('no slash', { ttlMs: 1, acl: invalid }), 'COORD_BAD_ARGUMENTS')
    assert.equal(await create('/\0', { acl: invalid }), 'COORD_BAD_ARGUMENTS')
    assert.equal(await create('/missing/.', { acl: invalid }), 'COORD_INVALID_ACL')
    assert.equal(await create('/missing/.'), 'COORD_NO_NODE')
    assert.equal(await create('/shut/.'), 'COORD_NO_AUTH')
    assert.equal(await create('/shut/there'), 'COORD_NO_AUTH')
    assert.equal(await create('/open/.'), 'COORD_BAD_ARGUMENTS')
    assert.equal(await create('/open/full'), 'COORD_NODE_EXISTS')
    assert.equal(await create('/open/eph/x'), 'COORD_NO_CHILDREN_FOR_EPHEMERALS')
    assert.equal(await create('/open/full/x'), 'COORD_QUOTA_EXCEEDED')
    let names = 0
    const call = (as: Coord<string>) => as.create(`/open/${names++}`)
    assert.equal(await needed(coord, '/open', call), 'c')
  })

  it('OP-delete: special path, parent, DELETE on the parent, node, version, children', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    const root = admin(coord)
    await root.create('/shut', undefined, { acl: only('crwa') })
    await root.create('/shut/n')
    await root.create('/open/n/child', undefined, { parents: true })
    await fails('COORD_BAD_ARGUMENTS', coord.delete('/zookeeper/quota'))
    await fails('COORD_NO_NODE', coord.delete('/missing/n'))
    await fails('COORD_NO_AUTH', coord.delete('/shut/missing'))
    await fails('COORD_NO_NODE', coord.delete('/open/missing'))
    await fails('COORD_BAD_VERSION', coord.delete('/open/n', { version: 7 }))
    await fails('COORD_NOT_EMPTY', coord.delete('/open/n', { version: 0 }))
    const call = async (as: Coord<string>) => {
      await root.create('/open/x').catch(() => {})
      await as.delete('/open/x')
    }
    assert.equal(await needed(coord, '/open', call), 'd')
    // The node's own ACL does not matter.
    await root.create('/open/own', undefined, { acl: only('') })
    await coord.delete('/open/own')
  })

  it('OP-setData: path, node, WRITE, quota, version; returns the stat also without READ', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    const root = admin(coord)
    await root.create('/n', 'x', { acl: only('r') })
    await root.setQuota('/n', { hardBytes: 3 })
    await fails('COORD_NO_NODE', coord.setData('/missing', 'long data', { version: 7 }))
    await fails('COORD_NO_AUTH', coord.setData('/n', 'long data', { version: 7 }))
    await root.setAcl('/n', only('w'))
    await fails('COORD_QUOTA_EXCEEDED', coord.setData('/n', 'long data', { version: 7 }))
    await fails('COORD_BAD_VERSION', coord.setData('/n', 'yes', { version: 7 }))
    assert.equal((await coord.setData('/n', 'yes', { version: 0 })).version, 1)
    assert.equal(await needed(coord, '/n', (as) => as.setData('/n', 'yes')), 'w')
  })

  it('OP-setAcl: path, ACL, node, ADMIN, aversion', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    await admin(coord).create('/n', 'x', { acl: only('crwd') })
    await fails('COORD_INVALID_ACL', coord.setAcl('/missing', [], { version: 7 }))
    await fails('COORD_NO_NODE', coord.setAcl('/missing', only('r'), { version: 7 }))
    await fails('COORD_NO_AUTH', coord.setAcl('/n', only('r'), { version: 7 }))
    await admin(coord).setAcl('/n', only('a'))
    await fails('COORD_BAD_VERSION', coord.setAcl('/n', only('r'), { version: 7 }))
    assert.equal((await coord.setAcl('/n', only('a'), { version: 1 })).aversion, 2)
    assert.equal(await needed(coord, '/n', (as) => as.setAcl('/n', only('a'))), 'a')
  })

  it('OP-check: path, node, READ, version', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    const check = (path: string, version: number) => coord.multi([{ type: 'check', path, version }])
    await admin(coord).create('/n', 'x', { acl: only('cdwa') })
    await fails('COORD_NO_NODE', check('/missing', 7))
    await fails('COORD_NO_AUTH', check('/n', 7))
    await admin(coord).setAcl('/n', only('r'))
    await fails('COORD_BAD_VERSION', check('/n', 7))
    await check('/n', 0)
    assert.equal(await needed(coord, '/n', (as) => as.multi([{ type: 'check', path: '/n' }])), 'r')
  })

  it('OP-exists: of a missing node it leaves a watch; of one that is there it needs READ', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    const heard = new Heard()
    assert.equal(await coord.exists('/n', { watch: heard.by('exists') }), undefined)
    await admin(coord).create('/n', undefined, { acl: only('r') })
    assert.deepEqual(heard.take(), ['exists created /n'])
    assert.equal(await needed(coord, '/n', (as) => as.exists('/n')), 'r')
    await admin(coord).setAcl('/n', only('w'))
    await fails('COORD_NO_AUTH', coord.exists('/n', { watch: heard.by('refused') }))
    await admin(coord).setAcl('/n', only('rw'))
    await coord.setData('/n', 'x')
    assert.deepEqual(heard.take(), [], 'a read that was refused leaves no watch')
  })

  it('OP-getData: also getChildren and getAllChildrenNumber: node, READ; no watch is left where they fail', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    const heard = new Heard()
    const watch = heard.by('read')
    for (const read of [coord.getData.bind(coord), coord.getChildren.bind(coord)]) {
      await fails('COORD_NO_NODE', read('/n', { watch }))
      await admin(coord).create('/n', undefined, { acl: only('cdwa') })
      await fails('COORD_NO_AUTH', read('/n', { watch }))
      assert.equal(await needed(coord, '/n', (as) => (read === coord.getData ? as.getData('/n') : read('/n'))), 'r')
      await coord.setData('/n', 'x')
      await coord.create('/n/child')
      await coord.delete('/n', { recursive: true })
      assert.deepEqual(heard.take(), [])
    }
    await fails('COORD_NO_NODE', coord.getAllChildrenNumber('/n'))
    await admin(coord).create('/n')
    assert.equal(await needed(coord, '/n', (as) => as.getAllChildrenNumber('/n')), 'r')
  })

  it('OP-getAcl: node, READ or ADMIN; without ADMIN the hashes are masked', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    await fails('COORD_NO_NODE', coord.getAcl('/n'))
    await admin(coord).create('/n')
    assert.equal(await needed(coord, '/n', (as) => as.getAcl('/n')), 'ra')
    const bob = { scheme: 'digest', id: 'bob:hash', permissions: 'cdrwa' }
    await admin(coord).setAcl('/n', [bob, ...only('r')])
    assert.deepEqual((await coord.getAcl('/n')).acl, [{ ...bob, id: 'bob:x' }, ...only('r')])
    assert.deepEqual((await admin(coord).getAcl('/n')).acl, [bob, ...only('r')])
    await admin(coord).setAcl('/n', [bob, ...only('a')])
    assert.equal((await coord.getAcl('/n')).acl[0]?.id, 'bob:hash')
  })

  it('OP-session: sync, getEphemerals, whoAmI, addWatch and removeWatches look at no ACL and no node', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    await admin(coord).create('/n', undefined, { acl: only('') })
    const listener = (): void => {}
    for (const path of ['/n', '/missing']) {
      await coord.sync(path)
      await coord.getEphemerals(path)
      await coord.addWatch(path, 'persistent', listener)
      await coord.removeWatches(path, 'persistent', listener)
    }
    assert.deepEqual(await coord.whoAmI(), [])
  })

  it('OP-closeSession: asks for nothing: the nodes of a session go whatever their ACLs say', async () => {
    await using ensemble = await start()
    const { coord } = ensemble
    const session = await openSession(coord)
    await admin(coord).create('/dir', undefined, { acl: only('c') })
    await session.create('/dir/e', undefined, { mode: 'ephemeral', acl: only('') })
    await session.close()
    assert.equal(await admin(coord).exists('/dir/e'), undefined)
  })
})
