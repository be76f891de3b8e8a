/** Who sessions are: the schemes of our own, those of the application, and what a session does while one takes its time. */
import assert from 'node:assert/strict'
import { type AuthScheme, digestId, scryptId } from '../../lib/index.ts'
import { Authentication } from '../../lib/runtime/authentication.ts'
import { Ensemble, fails, Heard } from '../semantics/fixture.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('authentication', () => {
  it('proves digests at once, with a colon or without', async () => {
    const authentication = new Authentication()
    assert.deepEqual(await authentication.authenticate('digest', bytes('bob:pw')), [
      { scheme: 'digest', id: digestId('bob', 'pw') },
    ])
    const [without] = await authentication.authenticate('digest', bytes('bob'))
    assert.match(without?.id ?? '', /^bob:.{28}$/)
    const [colons] = await authentication.authenticate('digest', bytes('bob:p:w'))
    assert.equal(colons?.id, digestId('bob', 'p:w'))
  })

  it('makes a superuser of whoever has the digest of the member, or of the session', async () => {
    const root = digestId('root', 'secret')
    const authentication = new Authentication([], root)
    const of = async (credentials: string, ofSession?: string) =>
      (await authentication.authenticate('digest', bytes(credentials), ofSession)).map(({ scheme }) => scheme)
    assert.deepEqual(await of('root:secret'), ['super', 'digest'])
    assert.deepEqual(await of('root:other'), ['digest'])
    assert.deepEqual(await of('eve:pw', digestId('eve', 'pw')), ['super', 'digest'])
  })

  it('proves scrypt by the same hash as scryptId', async () => {
    const found = await new Authentication().authenticate('scrypt', bytes('bob:p:w'))
    assert.deepEqual(found, [{ scheme: 'scrypt', id: await scryptId('bob', 'p:w') }])
  })

  it('asks schemes of the application, and refuses what is no list of ids', async () => {
    let answer: unknown = ['a']
    const port = { scheme: 'own', authenticate: () => answer } as unknown as AuthScheme
    const authentication = new Authentication([port])
    assert.deepEqual(await authentication.authenticate('own', bytes('')), [{ scheme: 'own', id: 'a' }])
    for (answer of [
      [],
      undefined,
      null,
      'a',
      [''],
      [5],
      ['a', 'x'.repeat(1_025)],
      ['\ud800x'],
      Promise.reject(new Error('no')),
    ])
      await assert.rejects(async () => authentication.authenticate('own', bytes('')), { code: 'COORD_AUTH_FAILED' })
    await assert.rejects(async () => authentication.authenticate('other', bytes('')), { code: 'COORD_AUTH_FAILED' })
  })

  it('takes no scheme twice, none of our own, and no endless names', () => {
    const scheme = (name: string): AuthScheme => ({ scheme: name, authenticate: () => [] })
    for (const name of ['world', 'auth', 'digest', 'ip', 'super', 'scrypt', 'x'.repeat(65), 'x\udc00'])
      assert.throws(() => new Authentication([scheme(name)]), TypeError)
    assert.throws(() => new Authentication([scheme('own'), scheme('own')]), TypeError)
  })

  it('makes such entries of an ACL invalid whose scheme it does not know or which that refuses, in multis, too', () => {
    const port: AuthScheme = { scheme: 'own', authenticate: () => [], isValidId: (id) => id.startsWith('ok') }
    const authentication = new Authentication([port])
    const entry = (scheme: string, id: string) => ({ scheme, id, permissions: 'r' })
    const acl = [entry('own', 'ok'), entry('own', 'bad'), entry('other', 'x'), entry('world', 'anyone')]
    const create = { type: 'create', path: '/', data: undefined, mode: 'persistent', acl } as const
    const schemesOf = (operation: object) =>
      (operation as typeof create).acl.map(({ scheme }: { scheme: string }) => scheme)
    assert.deepEqual(schemesOf(authentication.withKnownSchemes(create)), ['own', '', '', 'world'])
    const multi = authentication.withKnownSchemes({ type: 'multi', operations: [create] })
    assert.ok(multi.type === 'multi')
    assert.deepEqual(schemesOf(multi.operations[0] as object), ['own', '', '', 'world'])
    const fine = { ...create, acl: [entry('own', 'ok')] }
    assert.equal(authentication.withKnownSchemes(fine), fine)
  })
})

describe('a session whose proof takes its time', () => {
  /** A scheme that answers when the test says so. */
  function slowly(): { scheme: AuthScheme; answer: (ids: readonly string[]) => void; asked: () => number } {
    const waiting: ((ids: readonly string[]) => void)[] = []
    let asked = 0
    return {
      scheme: {
        scheme: 'slow',
        authenticate: () => {
          asked += 1
          return new Promise((resolve) => waiting.push(resolve))
        },
      },
      answer: (ids) => waiting.shift()?.(ids),
      asked: () => asked,
    }
  }
  const acl = [{ scheme: 'slow', id: 'me', permissions: 'cdrwa' }]

  it('keeps its calls in order: those before it are not held up, those behind it are made as who it proved', async () => {
    const { scheme, answer } = slowly()
    await using ensemble = await Ensemble.start({ join: { authSchemes: [scheme] } })
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/mine', 'x', { acl })
    const calls = [
      coord.create('/before').then(() => heard.note('before')),
      fails('COORD_NO_AUTH', coord.getData('/mine')).then(() => heard.note('refused')),
      coord.addAuth('slow', '').then(() => heard.note('proven')),
      coord.setData('/mine', 'y').then(() => heard.note('set')),
      coord.getData('/mine').then(({ data }) => heard.note(`read ${data}`)),
      coord.multiRead([{ type: 'getData', path: '/mine' }]).then(([{ type }]) => heard.note(type)),
    ]
    await ensemble.advance(1_000)
    assert.deepEqual(heard.take(), ['before', 'refused'])
    answer(['me'])
    await ensemble.until(Promise.all(calls))
    assert.deepEqual(heard.take(), ['proven', 'set', 'read y', 'getData'])
  })

  it('gives up on one that never answers after requestTimeoutMs: COORD_TIMEOUT, and goes on without it', async () => {
    const { scheme, answer } = slowly()
    await using ensemble = await Ensemble.start({ join: { authSchemes: [scheme], requestTimeoutMs: 2_000 } })
    const { coord } = ensemble
    await coord.create('/mine', 'x', { acl })
    const proving = fails('COORD_TIMEOUT', coord.addAuth('slow', ''))
    await ensemble.advance(1_500)
    const behind = coord.exists('/')
    await ensemble.advance(1_000)
    await proving
    assert.notEqual(await behind, undefined)
    // What comes too late proves nothing.
    answer(['me'])
    await ensemble.advance(1)
    await fails('COORD_NO_AUTH', coord.getData('/mine'))
    assert.deepEqual(await coord.whoAmI(), [])
  })

  it('goes on when its caller gives it up', async () => {
    const { scheme } = slowly()
    await using ensemble = await Ensemble.start({ join: { authSchemes: [scheme] } })
    const { coord } = ensemble
    const abort = new AbortController()
    const proving = assert.rejects(coord.addAuth('slow', '', { signal: abort.signal }), { code: 'ABORT_ERR' })
    const behind = coord.create('/n')
    await ensemble.advance(10)
    abort.abort()
    await proving
    assert.equal(await ensemble.until(behind), '/n')
  })

  it('asks again for a client’s next session, once for each proof, and calls wait for it', async () => {
    const { scheme, answer, asked } = slowly()
    const join = { authSchemes: [scheme], sessionTimeoutMs: 3_000 }
    await using ensemble = await Ensemble.start({ size: 3, join })
    const { leader, follower } = ensemble
    await ensemble.until(leader.create('/mine', 'x', { acl }))
    await ensemble.until(follower.sync())
    for (let round = 0; round < 2; round += 1) {
      const proving = follower.addAuth('slow', 'same')
      answer(['me'])
      await proving
    }
    ensemble.isolate(follower)
    await ensemble.advance(60_000)
    const reading = follower.getData('/mine')
    ensemble.heal()
    await ensemble.advance(6_000)
    assert.equal(asked(), 3)
    answer(['me'])
    assert.equal((await ensemble.until(reading)).data, 'x')
  })
})
