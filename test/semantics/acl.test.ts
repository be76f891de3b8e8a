/** The rows AC-1 to AC-8 of docs/SEMANTICS.md: who may do what, and who is who. */
import assert from 'node:assert/strict'
import {
  type AclEntry,
  type AuthScheme,
  CREATOR_ALL_ACL,
  digestId,
  OPEN_ACL,
  READ_ACL,
  scryptId,
} from '../../lib/index.ts'
import { Ensemble, fails, openSession, RawSession } from './fixture.ts'

const world = (permissions: string): AclEntry => ({ scheme: 'world', id: 'anyone', permissions })
const bob: AclEntry = { scheme: 'digest', id: digestId('bob', 'pw'), permissions: 'cdrwa' }

describe('ACLs', () => {
  it('AC-1: an ACL is of one node and not inherited; it may give nothing to anybody', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p', undefined, { acl: [world('cda')] })
    await coord.create('/p/c')
    assert.deepEqual((await coord.getAcl('/p/c')).acl, OPEN_ACL)
    await fails('COORD_NO_AUTH', coord.getData('/p'))
    await coord.getData('/p/c')
    await coord.create('/nothing', undefined, { acl: [world('')] })
    await fails('COORD_NO_AUTH', coord.getAcl('/nothing'))
    await coord.delete('/nothing')
  })

  it('AC-1, differs: permissions are letters of cdrwa, each at most once; anything else is misuse', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    for (const permissions of ['x', 'rr', 'R', 'cdrwac', ' '])
      await assert.rejects(coord.create('/n', undefined, { acl: [world(permissions)] }), TypeError)
    for (const acl of ['r', null, [null], [{}], [{ scheme: 'world', id: 'anyone', permissions: 31 }]])
      await assert.rejects(coord.create('/n', undefined, { acl: acl as never }), TypeError)
    // Half of a pair has no bytes: others would read another character there.
    for (const id of ['\ud800', `${'x'.repeat(70)}\udc00`, '\udc00\ud800'])
      await assert.rejects(coord.create('/n', undefined, { acl: [{ scheme: 'ip', id, permissions: 'r' }] }), TypeError)
    const whole = { scheme: 'digest', id: '\ud83d\ude00:x', permissions: 'cdrwa' }
    await coord.create('/whole', undefined, { acl: [whole, world('r')] })
    assert.deepEqual((await coord.getAcl('/whole')).acl[0]?.id.slice(0, 3), '\ud83d\ude00:')
    await coord.create('/n', undefined, { acl: [world('awrdc')] })
    assert.deepEqual((await coord.getAcl('/n')).acl, OPEN_ACL)
  })

  it('AC-2: a superuser may do anything; everybody else what an entry of the world or of one of its identities gives', async () => {
    await using ensemble = await Ensemble.start({ join: { superDigest: digestId('root', 'secret') } })
    const { coord } = ensemble
    await coord.create('/n', 'x', { acl: [bob, world('')] })
    await fails('COORD_NO_AUTH', coord.getData('/n'))
    const root = await openSession(coord)
    await root.addAuth('digest', 'root:wrong')
    await fails('COORD_NO_AUTH', root.getData('/n'))
    await root.addAuth('digest', 'root:secret')
    assert.equal((await root.getData('/n')).data, 'x')
    assert.deepEqual((await root.getAcl('/n')).acl[0], bob)
    const session = await openSession(coord)
    await session.addAuth('digest', 'bob:wrong')
    await fails('COORD_NO_AUTH', session.getData('/n'))
    await session.addAuth('digest', 'bob:pw')
    assert.equal((await session.getData('/n')).data, 'x')
    // An identity of another scheme with the same id is somebody else.
    await coord.create('/other', 'x', { acl: [{ ...bob, scheme: 'scrypt' }] })
    await fails('COORD_NO_AUTH', session.getData('/other'))
  })

  it('AC-3: which ACLs are valid; auth stands for all proven identities, duplicates are dropped', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const invalid: AclEntry[][] = [
      [],
      CREATOR_ALL_ACL.slice(),
      [{ scheme: 'unheard-of', id: 'x', permissions: 'r' }],
      [{ scheme: '', id: 'x', permissions: 'r' }],
      [{ scheme: 'super', id: '', permissions: 'r' }],
      [{ scheme: 'digest', id: 'no colon', permissions: 'r' }],
      [{ scheme: 'digest', id: 'a:b:c', permissions: 'r' }],
      [{ scheme: 'world', id: 'somebody', permissions: 'r' }],
      [{ scheme: 'ip', id: 'no address', permissions: 'r' }],
      [{ scheme: 'ip', id: '10.0.0.0/33', permissions: 'r' }],
      [world('r'), { scheme: 'unheard-of', id: 'x', permissions: 'r' }],
    ]
    for (const acl of invalid) {
      await fails('COORD_INVALID_ACL', coord.create('/n', undefined, { acl }))
      await fails('COORD_INVALID_ACL', coord.setAcl('/', acl))
    }
    await coord.addAuth('digest', 'bob:pw')
    await coord.addAuth('digest', 'eve:pw')
    await coord.create('/n', undefined, { acl: [...CREATOR_ALL_ACL, bob, bob, world('r'), world('r')] })
    const eve = { ...bob, id: digestId('eve', 'pw') }
    assert.deepEqual((await coord.getAcl('/n')).acl, [bob, eve, world('r')])
    assert.deepEqual(READ_ACL, [world('r')])
  })

  it('AC-4: digest is user:base64(SHA-1(user:password))', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    assert.equal(digestId('bob', 'pw'), 'bob:ikIaKsbtGweaHnb/jKn7OHqbunM=')
    assert.throws(() => digestId('b:ob', 'pw'), TypeError)
    await coord.create('/n', 'x', { acl: [bob] })
    await coord.addAuth('digest', new TextEncoder().encode('bob:pw'))
    assert.equal((await coord.getData('/n')).data, 'x')
    assert.deepEqual(await coord.whoAmI(), [{ scheme: 'digest', id: 'bob' }])
  })

  it('AC-4, differs: there is scrypt, too, a slow salted hash', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const id = await scryptId('bob', 'pw')
    assert.match(id, /^bob:[A-Za-z0-9+/]{43}=$/)
    assert.notEqual(id.slice(4), (await scryptId('eve', 'pw')).slice(4))
    await coord.create('/n', 'x', { acl: [{ scheme: 'scrypt', id, permissions: 'r' }] })
    // Reads behind the proof wait for it.
    const proving = coord.addAuth('scrypt', 'bob:pw')
    const reading = coord.getData('/n')
    await proving
    assert.equal((await reading).data, 'x')
    const other = await openSession(coord)
    await other.addAuth('scrypt', 'bob:wrong')
    await fails('COORD_NO_AUTH', other.getData('/n'))
  })

  it('AC-5: ip is where a client comes from, by address or network, IPv4 and IPv6', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const entry = (id: string): AclEntry => ({ scheme: 'ip', id, permissions: 'r' })
    await coord.create('/v4', undefined, { acl: [entry('10.1.0.0/16')] })
    await coord.create('/v6', undefined, { acl: [entry('2001:db8::/32')] })
    const mayRead = async (address: string | undefined, path: string): Promise<boolean> => {
      const raw = new RawSession(coord, { address })
      const read = { type: 'getData', path, watch: false } as const
      return (await raw.call(ensemble, { kind: 'read', read, consistency: 'session' })).type === 'data'
    }
    assert.ok(await mayRead('10.1.2.3', '/v4'))
    assert.ok(await mayRead('::ffff:10.1.2.3', '/v4'))
    assert.ok(await mayRead('2001:db8::5', '/v6'))
    for (const address of ['10.2.2.3', '2001:db8::5', undefined]) assert.ok(!(await mayRead(address, '/v4')))
    for (const address of ['10.1.2.3', '2001:db9::5', undefined]) assert.ok(!(await mayRead(address, '/v6')))
  })

  it('AC-5: proofs add up and are made anew for a client’s next session', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 3_000 } })
    const { leader, follower } = ensemble
    await ensemble.until(leader.create('/bob', 'b', { acl: [bob] }))
    await ensemble.until(leader.create('/eve', 'e', { acl: [{ ...bob, id: digestId('eve', 'pw') }] }))
    await ensemble.until(follower.sync())
    await follower.addAuth('digest', 'bob:pw')
    await follower.addAuth('digest', 'eve:pw')
    ensemble.isolate(follower)
    await ensemble.advance(60_000)
    assert.equal(follower.state, 'lost')
    const reading = follower.getData('/bob')
    ensemble.heal()
    await ensemble.advance(5_000)
    assert.equal((await reading).data, 'b')
    assert.equal((await follower.getData('/eve')).data, 'e')
  })

  it('AC-5, differs: a proof that is refused changes nothing, and the session goes on', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.addAuth('digest', 'bob:pw')
    for (const scheme of ['unheard-of', 'world', 'auth', 'ip', 'super'])
      await fails('COORD_AUTH_FAILED', coord.addAuth(scheme, 'x'))
    await fails('COORD_AUTH_FAILED', coord.addAuth('digest', `${'x'.repeat(2_000)}:pw`))
    assert.equal(coord.state, 'connected')
    assert.deepEqual(await coord.whoAmI(), [{ scheme: 'digest', id: 'bob' }])
    await assert.rejects(coord.addAuth('', 'x'), TypeError)
    await assert.rejects(coord.addAuth('digest', 5 as never), TypeError)
  })

  it('AC-6, differs: schemes of one’s own prove ids; the identities are compared as texts where the entry is applied', async () => {
    const token: AuthScheme = {
      scheme: 'token',
      authenticate: (credentials) => {
        const text = new TextDecoder().decode(credentials)
        if (text === 'throw') throw new Error('no')
        return text === '' ? [] : Promise.resolve(text.split(','))
      },
      isValidId: (id) => {
        if (id === 'throw') throw new Error('no')
        return id !== 'bad'
      },
    }
    await using ensemble = await Ensemble.start({ size: 3, join: { authSchemes: [token] } })
    const { leader, follower } = ensemble
    const acl = (id: string): AclEntry[] => [{ scheme: 'token', id, permissions: 'cdrwa' }]
    await ensemble.until(leader.create('/team', 'x', { acl: acl('team-7') }))
    for (const id of ['bad', 'throw'])
      await ensemble.until(fails('COORD_INVALID_ACL', leader.create('/bad', 'x', { acl: acl(id) })))
    await ensemble.until(follower.sync())
    await fails('COORD_NO_AUTH', follower.setData('/team', 'y'))
    for (const refused of ['', 'throw', 'a,,b']) await fails('COORD_AUTH_FAILED', follower.addAuth('token', refused))
    await follower.addAuth('token', 'eve,team-7')
    assert.equal((await ensemble.until(follower.setData('/team', 'y'))).version, 1)
    assert.deepEqual(await follower.whoAmI(), [
      { scheme: 'token', id: 'eve' },
      { scheme: 'token', id: 'team-7' },
    ])
  })
})
