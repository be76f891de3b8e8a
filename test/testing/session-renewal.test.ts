import assert from 'node:assert/strict'
import type { WatchEvent } from '../../lib/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('the watches of a client whose session is lost', () => {
  it('go on in the next one: nobody hears of what was there already, and everybody of what came meanwhile', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 21, valueEncoding: 'utf8' })
    const [a, b, c] = ensemble.coords
    await ensemble.until(a.create('/old', 'x'))
    await ensemble.until(b.sync())
    const heard: string[] = []
    const listener = ({ type, path }: WatchEvent): number => heard.push(`${type} ${path}`)
    await ensemble.until(b.exists('/old', { watch: listener }))
    await ensemble.until(b.exists('/new', { watch: listener }))
    ensemble.expireSession(b)
    await ensemble.advance(2_000)
    assert.equal(b.state, 'connected')
    assert.deepEqual(heard, [])
    ensemble.partition([b], [a, c])
    await ensemble.advance(15_000)
    await ensemble.until(a.create('/new'))
    ensemble.heal()
    await ensemble.advance(5_000)
    await ensemble.until(a.setData('/old', 'y'))
    await ensemble.until(b.sync())
    assert.deepEqual(heard, ['created /new', 'changed /old'])
  })

  it('tell nothing of the past to who listens where an earlier listener was left behind in silence', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, seed: 22, valueEncoding: 'utf8' })
    const [a, b] = ensemble.coords
    const heard: string[] = []
    const listen = (name: string) => ({
      watch: ({ type, path }: WatchEvent): number => heard.push(`${name}: ${type} ${path}`),
    })
    await ensemble.until(b.exists('/x', listen('early')))
    await ensemble.until(b.create('/gone'))
    await ensemble.until(b.getData('/gone', listen('early')))
    // What nobody may read uses its watch up, and tells nothing.
    const acl = [{ scheme: 'world', id: 'anyone', permissions: 'cdwa' }] as const
    await ensemble.until(a.create('/x', 'secret', { acl }))
    await ensemble.until(a.delete('/x'))
    await ensemble.until(a.create('/x', 'open'))
    await ensemble.until(a.setAcl('/gone', acl))
    await ensemble.until(a.delete('/gone'))
    await ensemble.until(b.sync())
    await ensemble.until(b.exists('/x', listen('late')))
    await ensemble.until(b.exists('/gone', listen('late')))
    assert.deepEqual(heard, [])
    ensemble.expireSession(b)
    await ensemble.advance(2_000)
    assert.equal(b.state, 'connected')
    assert.deepEqual(heard, [])
    await ensemble.until(a.setData('/x', 'changed'))
    await ensemble.until(a.create('/gone'))
    await ensemble.until(b.sync())
    assert.deepEqual(heard, ['early: changed /x', 'late: changed /x', 'early: created /gone', 'late: created /gone'])
  })
})
