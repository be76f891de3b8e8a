/** Plain reads behind a write of their own session: they wait together, and nobody can tell. */
import assert from 'node:assert/strict'
import type { CoordError } from '../../lib/index.ts'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { Ensemble, fails, Heard, openSession } from './fixture.ts'

/** How a promise ended: the value, or the code of the error. */
async function ended(promise: Promise<{ data: string | undefined }>): Promise<string | undefined> {
  return promise.then(
    ({ data }) => data,
    (error: CoordError) => error.code,
  )
}

describe('reads that wait for their turn', () => {
  it('see what was written before them in their session, nothing that was behind, and are answered in order', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower } = ensemble
    await ensemble.until(follower.create('/n', '0'))
    const order: string[] = []
    const note = (name: string) => (): void => void order.push(name)
    const calls: Promise<unknown>[] = []
    const reads: Promise<{ data: string | undefined }>[] = []
    for (const value of ['1', '2', '3']) {
      const write = follower.setData('/n', value)
      const pair = [follower.getData('/n'), follower.getData('/n')]
      const watched = follower.getData('/n', { watch: () => {} })
      const last = follower.getData('/n')
      calls.push(write.then(note(`set ${value}`)), pair[0]?.then(note('a')) as never, pair[1]?.then(note('b')) as never)
      calls.push(watched.then(note('c')), last.then(note('d')))
      reads.push(...pair, watched, last)
    }
    await ensemble.until(Promise.all(calls))
    const values = (await Promise.all(reads)).map(({ data }) => data)
    assert.deepEqual(
      values,
      ['1', '2', '3'].flatMap((value) => [value, value, value, value]),
    )
    assert.deepEqual(
      order,
      ['1', '2', '3'].flatMap((value) => [`set ${value}`, 'a', 'b', 'c', 'd']),
    )
  })

  it('get each its own result, or its own error, with the path as its caller wrote it', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower } = ensemble
    const app = follower.namespace<{ count: number }>('/app', { valueEncoding: 'json' })
    await ensemble.until(follower.create('/app'))
    const made = app.create('/n', { count: 1 })
    const child = app.create('/n/child', { count: 2 })
    const text = follower.create('/app/text', 'no json')
    const reads = [
      app.getData('/n').then(({ data, stat }) => [data?.count, stat.version, stat.numChildren]),
      app.getChildren('/n').then(({ children }) => children),
      app.exists('/n/child').then((stat) => stat?.dataLength),
      app.exists('/missing').then((stat) => stat),
      fails('COORD_NO_NODE', app.getData('/missing')).then(({ path }) => path),
      fails('COORD_NO_NODE', app.getChildren('/gone')).then(({ path }) => path),
      fails('COORD_BAD_DATA', app.getData('/text')).then(({ path }) => path),
      app.getChildren('/', { limit: 1, after: 'n' }).then(({ children }) => children),
    ]
    const expected = [[1, 0, 1], ['child'], 11, undefined, '/missing', '/gone', '/text', ['text']]
    assert.deepEqual(await ensemble.until(Promise.all(reads)), expected)
    await Promise.all([made, child, text])
    await assert.rejects(app.getData('no path'), TypeError)
  })

  it('give data that is the caller’s own', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const bytes = ensemble.follower.namespace('/', { valueEncoding: 'view' })
    const written = bytes.create('/n', Uint8Array.of(1, 2, 3))
    const reads = await ensemble.until(Promise.all([bytes.getData('/n'), bytes.getData('/n')]))
    await written
    reads[0].data?.fill(9)
    assert.deepEqual(reads[1].data, Uint8Array.of(1, 2, 3))
    assert.deepEqual((await bytes.getData('/n')).data, Uint8Array.of(1, 2, 3))
  })

  it('are more than go together, and answered all the same', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower } = ensemble
    const created = follower.create('/n', 'value')
    const reads = Array.from({ length: 2_500 }, () => follower.getData('/n'))
    const values = await ensemble.until(Promise.all(reads))
    assert.ok(values.every(({ data }) => data === 'value'))
    await created
  })

  it('are followed by the event of a change that they do not show, and come behind that of one they do', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower } = ensemble
    await ensemble.until(follower.create('/n', '0'))
    const heard = new Heard()
    await ensemble.until(follower.exists('/n', { watch: heard.by('first') }))
    const told = (name: string) => (result: { data: string | undefined }) => heard.note(`${name} ${result.data}`)
    const before = follower.create('/other')
    const reads = [follower.getData('/n').then(told('read')), follower.getData('/n').then(told('read'))]
    const change = follower.setData('/n', '1')
    const after = [follower.getData('/n').then(told('read')), follower.getData('/n').then(told('read'))]
    await ensemble.until(Promise.all([before, change, ...reads, ...after]))
    assert.deepEqual(heard.take(), ['read 0', 'read 0', 'first changed /n', 'read 1', 'read 1'])
  })

  it('are counted as the calls that they are, and counted out again', async () => {
    const { session } = defaultLimits
    const limits = { session: { ...session, outstandingCallsMax: 5 } }
    await using ensemble = await Ensemble.start({ size: 3, limits })
    const { follower } = ensemble
    for (let round = 0; round < 3; round += 1) {
      const write = follower.create(`/n${round}`, 'value')
      const some = Array.from({ length: 4 }, () => ended(follower.getData(`/n${round}`)))
      // They are sent.
      await Promise.resolve()
      const tooMany = [ended(follower.getData(`/n${round}`)), ended(follower.getData(`/n${round}`))]
      assert.deepEqual(await Promise.all(tooMany), ['COORD_THROTTLED', 'COORD_THROTTLED'])
      assert.deepEqual(await ensemble.until(Promise.all(some)), ['value', 'value', 'value', 'value'])
      await write
    }
  })

  it('wait while no quorum serves, until their time is over, or their session', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower } = ensemble
    const other = await ensemble.until(openSession(follower, 60_000))
    await ensemble.until(follower.create('/n', 'value'))
    ensemble.isolate(follower)
    await ensemble.advance(2_500)
    assert.equal(follower.state, 'suspended')
    const [one, two] = [ended(other.getData('/n')), ended(other.getData('/n'))]
    await ensemble.advance(9_900)
    const later = ended(other.getData('/n'))
    await ensemble.advance(200)
    assert.deepEqual(await Promise.all([one, two]), ['COORD_NO_QUORUM', 'COORD_NO_QUORUM'])
    ensemble.heal()
    assert.equal(await ensemble.until(later), 'value')

    ensemble.isolate(follower)
    await ensemble.advance(2_500)
    const lost = [ended(other.getData('/n')), ended(other.getData('/n'))]
    await Promise.resolve()
    ensemble.expireSession(other.id)
    ensemble.heal()
    assert.deepEqual(await ensemble.until(Promise.all(lost)), ['COORD_NO_QUORUM', 'COORD_NO_QUORUM'])
    assert.equal(await ensemble.until(ended(other.getData('/n'))), 'COORD_SESSION_EXPIRED')
  })

  it('are answered before the session is closed that was asked to right behind them', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const session = await ensemble.until(openSession(ensemble.follower))
    const created = session.create('/n', 'value')
    const reads = [ended(session.getData('/n')), ended(session.getData('/n'))]
    const closed = session.close()
    const late = ended(session.getData('/n'))
    await ensemble.until(Promise.all([created, closed]))
    assert.deepEqual(await Promise.all([...reads, late]), ['value', 'value', 'COORD_CLOSED'])
  })

  it('that may be aborted are, alone', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { follower } = ensemble
    const created = follower.create('/n', 'value')
    const abort = new AbortController()
    const first = ended(follower.getData('/n'))
    const aborted = ended(follower.getData('/n', { signal: abort.signal }))
    const last = ended(follower.getData('/n'))
    abort.abort()
    assert.equal(await aborted, 'ABORT_ERR')
    assert.deepEqual(await ensemble.until(Promise.all([first, last])), ['value', 'value'])
    await created
  })
})
