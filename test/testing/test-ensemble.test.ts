import assert from 'node:assert/strict'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('createTestEnsemble', () => {
  it('founds three members that share one tree', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 42, clock: 'virtual', valueEncoding: 'utf8' })
    const [a, b, c] = ensemble.coords
    await a.create('/config', 'one')
    await b.sync()
    assert.equal((await b.getData('/config')).data, 'one')
    await c.setData('/config', 'two')
    await a.sync()
    assert.equal((await a.getData('/config')).data, 'two')
    assert.deepEqual(ensemble.coords.map((coord) => coord.member.role).sort(), ['follower', 'follower', 'leader'])
  })

  it('expires the session of a member that is cut off, and ends it there no later', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 7, valueEncoding: 'utf8' })
    const follower = ensemble.coords.find((coord) => coord.member.role === 'follower')
    const others = ensemble.coords.filter((coord) => coord !== follower)
    assert.ok(follower !== undefined)
    const [other] = others
    assert.ok(other !== undefined)
    await follower.create('/worker', 'me', { mode: 'ephemeral' })
    const states: string[] = []
    follower.on('state', (next) => states.push(`${next} ${ensemble.now}`))
    ensemble.partition([follower], others)
    await ensemble.advance(9_000)
    assert.ok((await other.exists('/worker')) !== undefined)
    await ensemble.advance(15_000)
    assert.equal(await other.exists('/worker'), undefined)
    assert.match(states.join(', '), /^suspended 2\d\d\d.*, lost 9\d\d\d/)
    ensemble.heal()
    await ensemble.advance(5_000)
    assert.equal(follower.state, 'connected')
    await follower.create('/worker', 'again', { mode: 'ephemeral' })
  })

  it('gives the same run for the same seed', async () => {
    const run = async (): Promise<string> => {
      await using ensemble = await createTestEnsemble({
        size: 3,
        seed: 5,
        networkDelayMs: { min: 1, max: 30 },
        syncMs: 3,
      })
      const [a, b] = ensemble.coords
      await ensemble.until(Promise.all([a.create('/x'), b.create('/y')]))
      return `${ensemble.now} ${a.member.lastZxid} ${a.member.id} ${a.session.id}`
    }
    assert.equal(await run(), await run())
  })
})

describe('a session that is lost', () => {
  it('says so before it rejects what waited: whoever tries again gets the next one', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 7 })
    const [a, b, c] = ensemble.coords
    ensemble.partition([a], [b, c])
    await ensemble.advance(1_000)
    const seen: string[] = []
    a.on('state', (next) => seen.push(next))
    const call = a.create('/x').catch(async (error: { code: string }) => {
      seen.push(error.code)
      await a.create('/y')
      seen.push('created')
    })
    await ensemble.advance(12_000)
    ensemble.heal()
    await ensemble.advance(5_000)
    await call
    assert.deepEqual(seen, ['suspended', 'lost', 'COORD_CONNECTION_LOSS', 'connected', 'created'])
  })

  it('refuses options and times that cannot be meant', async () => {
    const odd = (value: unknown): never => value as never
    await assert.rejects(createTestEnsemble(odd(3)), TypeError)
    await assert.rejects(createTestEnsemble(odd({ sise: 3 })), /unknown option 'sise'/)
    for (const size of [0, -1]) await assert.rejects(createTestEnsemble({ size }), RangeError)
    for (const options of [{ size: 1.5 }, { seed: Number.NaN }, { clock: odd('real') }, { size: odd('3') }])
      await assert.rejects(createTestEnsemble(options), TypeError)
    await using ensemble = await createTestEnsemble({ size: 1 })
    for (const ms of [odd('1'), Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(ensemble.advance(ms), TypeError)
      await assert.rejects(ensemble.sleep(ms), TypeError)
      assert.throws(() => ensemble.pause(ensemble.coords[0], ms), TypeError)
    }
    await assert.rejects(ensemble.advance(-1), RangeError)
    assert.equal(ensemble.now, 0)
  })
})
