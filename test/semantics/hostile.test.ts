/**
 * Bad input: the whole table of operations × no permission is NO_AUTH; hostile paths, ACLs, encodings and sizes are errors
 * with a code or misuse; and none of it changes anything.
 */
import assert from 'node:assert/strict'
import { type AclEntry, type Coord, CoordError, dataBytesMax } from '../../lib/index.ts'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { Ensemble, fails, openSession } from './fixture.ts'

const bob = { scheme: 'digest', id: 'bob:hash' }
const everybody = (permissions: string): AclEntry => ({ scheme: 'world', id: 'anyone', permissions })

/** Each call with the letters of which any one lets it through, on the node `/n` and its child `/n/c`. */
const calls: readonly (readonly [name: string, letters: string, call: (coord: Coord<string>) => Promise<unknown>])[] = [
  ['create', 'c', (coord) => coord.create('/n/new')],
  ['create sequential', 'c', (coord) => coord.create('/n/s-', undefined, { mode: 'persistent-sequential' })],
  ['create ephemeral', 'c', (coord) => coord.create('/n/e', undefined, { mode: 'ephemeral' })],
  ['create container', 'c', (coord) => coord.create('/n/k', undefined, { mode: 'container' })],
  ['create with a TTL', 'c', (coord) => coord.create('/n/t', undefined, { mode: 'persistent-ttl', ttlMs: 1_000 })],
  ['create with parents', 'c', (coord) => coord.create('/n/x/y/z', undefined, { parents: true })],
  ['create in a multi', 'c', (coord) => coord.multi([{ type: 'create', path: '/n/new' }])],
  ['delete', 'd', (coord) => coord.delete('/n/c')],
  ['delete in a multi', 'd', (coord) => coord.multi([{ type: 'delete', path: '/n/c' }])],
  ['delete recursively, the parent', 'd', (coord) => coord.delete('/n/c', { recursive: true })],
  ['delete recursively, the node', 'd', (coord) => coord.delete('/n', { recursive: true })],
  ['setData', 'w', (coord) => coord.setData('/n', 'new')],
  ['setData in a multi', 'w', (coord) => coord.multi([{ type: 'setData', path: '/n', data: 'new' }])],
  ['setAcl', 'a', (coord) => coord.setAcl('/n', [everybody('r')])],
  ['check', 'r', (coord) => coord.multi([{ type: 'check', path: '/n' }])],
  ['exists', 'r', (coord) => coord.exists('/n')],
  ['exists, linearizable', 'r', (coord) => coord.exists('/n', { consistency: 'linearizable' })],
  ['exists with a watch', 'r', (coord) => coord.exists('/n', { watch: () => {} })],
  ['getData', 'r', (coord) => coord.getData('/n')],
  ['getData with a watch', 'r', (coord) => coord.getData('/n', { watch: () => {} })],
  ['getChildren', 'r', (coord) => coord.getChildren('/n')],
  ['getAllChildrenNumber', 'r', (coord) => coord.getAllChildrenNumber('/n')],
  ['getMode', 'r', (coord) => coord.getMode('/n')],
  ['getAcl', 'ra', (coord) => coord.getAcl('/n')],
  [
    'multiRead',
    'r',
    async (coord) => {
      for (const type of ['getData', 'getChildren', 'exists'] as const) {
        const [result] = await coord.multiRead([{ type, path: '/n' }])
        if (result.type === 'error') throw result.error
      }
    },
  ],
]

describe('without the permission', () => {
  for (const [name, letters, call] of calls) {
    it(`${name} is NO_AUTH, and changes nothing`, async () => {
      await using ensemble = await Ensemble.start()
      const { coord } = ensemble
      // Everything but what is needed; and everything, but for somebody else.
      const rest = 'cdrwa'.replace(new RegExp(`[${letters}]`, 'g'), '')
      await coord.create('/n', 'old', { acl: [everybody(rest), { ...bob, permissions: 'cdrwa' }] })
      const opened = await openSession(coord)
      // A child that is there, whatever the parent permits.
      await ensemble.put('/n/c')
      const before = ensemble.treeOf()
      const error = await fails('COORD_NO_AUTH', call(opened as unknown as Coord<string>))
      assert.ok(error.retryable)
      assert.deepEqual(ensemble.treeOf(), before)
    })
  }
})

describe('hostile input', () => {
  async function changesNothing(calls: (coord: Coord<string>) => readonly Promise<unknown>[]): Promise<void> {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower, leader } = ensemble
    await ensemble.until(follower.create('/n', 'old'))
    const before = ensemble.treeOf(follower)
    for (const call of calls(follower)) {
      const error = await ensemble.until(
        call.then(
          () => undefined,
          (reason: unknown) => reason,
        ),
      )
      assert.ok(
        error instanceof CoordError || error instanceof TypeError || error instanceof RangeError,
        `not refused as it should be: ${String(error)}`,
      )
    }
    assert.deepEqual(ensemble.treeOf(follower), before)
    // Nobody closed a link over it, and everybody can still read what there is.
    assert.equal(follower.state, 'connected')
    assert.equal((await ensemble.until(follower.setData('/n', 'new'))).version, 1)
    await ensemble.until(leader.sync())
    assert.equal(ensemble.digest(leader), ensemble.digest(follower))
    const restarted = await ensemble.restart(follower)
    assert.equal((await restarted.getData('/n')).data, 'new')
  }

  it('in paths', () =>
    changesNothing((coord) =>
      [
        '',
        'n',
        '/n/',
        '//',
        '/n/..',
        '/n/\0',
        '/n/\ud83d\ude00',
        `/${'x'.repeat(20_000)}`,
        {},
        null,
        undefined,
        5,
      ].flatMap((path) => {
        const bad = path as string
        return [
          coord.create(bad),
          coord.delete(bad),
          coord.setData(bad, 'x'),
          coord.setAcl(bad, [everybody('r')]),
          coord.multi([{ type: 'delete', path: bad }]),
          coord.multi([{ type: 'check', path: '/n' }], { ifHeld: { path: bad, token: 1n } }),
          coord.getData(bad),
          coord.addWatch(bad, 'persistent', () => {}),
          coord.removeWatches(bad),
        ]
      }),
    ))

  it('in ACLs', () =>
    changesNothing((coord) => {
      const many = Array.from({ length: 1_025 }, (_, index) => ({ ...bob, id: `u${index}:h`, permissions: 'r' }))
      const entries = (entry: object): AclEntry[] => [{ ...everybody('r'), ...entry }]
      const acls = [
        [],
        many,
        entries({ scheme: 'x'.repeat(65), id: 'x' }),
        entries({ scheme: 'digest', id: `bob:${'x'.repeat(1_100)}` }),
        entries({ permissions: 'rrrrrrrrrrrrrr' }),
        entries({ permissions: 31 }),
        entries({ scheme: '__proto__', id: 'x' }),
        entries({ scheme: 'constructor', id: 'x' }),
        entries({ scheme: 'ip', id: '::1/-1' }),
        'text' as never,
      ]
      return acls.flatMap((acl) => [coord.create('/acl', 'x', { acl }), coord.setAcl('/n', acl)])
    }))

  it('in versions, tokens, sizes and encodings', () =>
    changesNothing((coord) => {
      const large = 'x'.repeat(dataBytesMax)
      const acl = Array.from({ length: 1_024 }, (_, index) => ({
        ...bob,
        id: `${index}:${'x'.repeat(900)}`,
        permissions: 'r',
      }))
      const create = (index: number) => ({ type: 'create', path: `/m${index}`, acl }) as const
      const token = (value: unknown) => coord.multi([], { ifHeld: { path: '/n', token: value as bigint } })
      return [
        ...[1e300, 2 ** 40, 0.5, Number.NaN, '0', 0n].map((version) =>
          coord.setData('/n', 'x', { version: version as number }),
        ),
        ...[-1n, 2n ** 64n, 5, undefined].map(token),
        coord.create('/large', `${large}x`),
        coord.create('/large', 'ä'.repeat(dataBytesMax)),
        coord.setData('/n', { toString: () => 'x' } as never),
        coord.create('/bytes', new Uint8Array(3) as never),
        coord.multi(Array.from({ length: 4 }, (_, index) => create(index))),
        coord.multi(Array.from({ length: 40_000 }, () => ({ type: 'check', path: '/' }) as const)),
        coord.multi({ length: 1 } as never),
        coord.multi([null as never]),
        coord.multiRead([null as never]),
        coord.addAuth('digest', `${'x'.repeat(5_000)}:pw`),
        coord.addAuth('x'.repeat(5_000), 'x'),
        coord.getData('/n', { consistency: 'whatever' as never }),
        coord.getData('/n', { watch: 'no function' as never }),
        coord.getData('/n', 'no options' as never),
        coord.awaitZxid(-1n),
        coord.sync('\0'),
        coord.create('/n2', 'x', { mode: 'toString' as never }),
        coord.create('/n2', 'x', { mode: 'persistent-ttl', ttlMs: 2 ** 53 }),
        coord.getChildren('/n', { limit: 0 }),
        coord.getChildren('/n', { limit: 1.5 }),
        coord.getChildren('/n', { after: 5 as never }),
      ]
    }))

  it('a session takes 64 identities, and refuses more', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    for (let index = 0; index < 64; index += 1) await coord.addAuth('digest', `u${index}:pw`)
    await fails('COORD_AUTH_FAILED', coord.addAuth('digest', 'one:more'))
    await coord.addAuth('digest', 'u5:pw')
    assert.equal((await coord.whoAmI()).length, 64)
    await coord.create('/n')
  })
})

describe('limits', () => {
  const { session } = defaultLimits

  it('outstanding calls of a session, and of all sessions of a member: COORD_THROTTLED', async () => {
    const limits = { session: { ...session, outstandingCallsMax: 5, allOutstandingCallsMax: 8 } }
    await using ensemble = await Ensemble.start({ size: 3, limits })
    const { follower } = ensemble
    const other = await ensemble.until(openSession(follower))
    const attempt = async (client: { create(path: string): Promise<string> }, path: string) =>
      client.create(path).then(
        () => 'created',
        (error: CoordError) => error.code,
      )
    const own = ['1', '2', '3', '4', '5', '6'].map((name) => attempt(follower, `/a${name}`))
    const others = ['1', '2', '3', '4'].map((name) => attempt(other, `/b${name}`))
    const results = await ensemble.until(Promise.all([...own, ...others]))
    const throttled = results.map((result) => result === 'COORD_THROTTLED')
    assert.deepEqual(throttled, [false, false, false, false, false, true, false, false, false, true])
    // They are counted out again, whatever became of them.
    ensemble.isolate(follower)
    await ensemble.advance(4_000)
    const abort = new AbortController()
    const { signal } = abort
    const aborted = ['1', '2', '3'].map((name) => follower.create(`/c${name}`, undefined, { signal }).catch(() => {}))
    abort.abort()
    await Promise.all(aborted)
    const waiting = ['1', '2', '3', '4', '5'].map((name) => attempt(follower, `/d${name}`))
    assert.equal(await attempt(follower, '/d6'), 'COORD_THROTTLED')
    await ensemble.advance(60_000)
    assert.ok(
      (await Promise.all(waiting)).every((code) => code === 'COORD_NO_QUORUM' || code === 'COORD_CONNECTION_LOSS'),
    )
    ensemble.heal()
    await ensemble.advance(5_000)
    assert.deepEqual(
      await ensemble.until(Promise.all(['1', '2', '3', '4'].map((name) => attempt(follower, `/e${name}`)))),
      ['created', 'created', 'created', 'created'],
    )
  })

  it('watches and streams of a session: COORD_THROTTLED; one that is there already may be set again', async () => {
    await using ensemble = await Ensemble.start({ limits: { session: { ...session, watchesMax: 3 } } })
    const { coord } = ensemble
    const watch = (): void => {}
    await coord.exists('/1', { watch })
    await coord.addWatch('/2', 'persistent', watch)
    const stream = coord.watch('/')
    await stream.next()
    await coord.exists('/1', { watch })
    await fails('COORD_THROTTLED', coord.exists('/3', { watch }))
    await fails('COORD_THROTTLED', coord.addWatch('/1', 'persistent', watch))
    await fails('COORD_THROTTLED', coord.watch('/').next())
    await stream.close()
    await coord.exists('/3', { watch })
    await coord.removeWatches('/2')
    await coord.exists('/4', { watch })
  })

  it('children in pages', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/p')
    for (const name of ['a', 'b', 'c', 'd', 'e']) await coord.create(`/p/${name}`)
    const page = async (options: object) => (await coord.getChildren('/p', options)).children.join('')
    assert.equal(await page({ limit: 2 }), 'ab')
    assert.equal(await page({ limit: 2, after: 'b' }), 'cd')
    assert.equal(await page({ limit: 2, after: 'd' }), 'e')
    assert.equal(await page({ limit: 2, after: 'e' }), '')
    assert.equal(await page({ after: 'bb', consistency: 'linearizable' }), 'cde')
    assert.equal((await coord.getChildren('/p', { limit: 1 })).stat.numChildren, 5)
  })

  it('getMode tells what the stat does not', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    await coord.create('/persistent')
    await coord.create('/ephemeral', undefined, { mode: 'ephemeral' })
    await coord.create('/container', undefined, { mode: 'container' })
    await coord.create('/ttl-', undefined, { mode: 'persistent-sequential-ttl', ttlMs: 5_000 })
    const modeOf = async (path: string) => {
      const { stat: _, ...mode } = await coord.getMode(path)
      return mode
    }
    for (const mode of ['persistent', 'ephemeral', 'container']) assert.deepEqual(await modeOf(`/${mode}`), { mode })
    assert.deepEqual(await modeOf('/ttl-0000000003'), { mode: 'persistent-ttl', ttlMs: 5_000 })
    await fails('COORD_NO_NODE', coord.getMode('/missing'))
  })
})
