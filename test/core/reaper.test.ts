import assert from 'node:assert/strict'
import { Reaper } from '../../lib/core/reaper.ts'
import { create, Fixture } from './tree/fixture.ts'

const mortal = { mode: 'persistent-ttl', ttlMs: 1 } as const

describe('the reaper', () => {
  it('looks only where something can end by itself, and only when it is time', () => {
    const fixture = new Fixture()
    const { tree } = fixture.state
    const reaper = new Reaper(100)
    reaper.begin(1_000)
    assert.equal(reaper.nextCheck(tree), Number.POSITIVE_INFINITY)
    fixture.do(create('/t', mortal))
    assert.equal(reaper.nextCheck(tree), 1_100)
    assert.deepEqual(reaper.takeReapable(tree, 1_000_000, 1_099), [])
    const { czxid } = fixture.stat('/t')
    assert.deepEqual(reaper.takeReapable(tree, 1_000_000, 1_100), [{ type: 'reap', path: '/t', czxid }])
    assert.equal(reaper.nextCheck(tree), 1_200)
  })

  it('takes 10,000 at a time', () => {
    const fixture = new Fixture()
    fixture.multi(...Array.from({ length: 10_001 }, (_, index) => create(`/t${index}`, mortal)))
    const reaper = new Reaper(100)
    reaper.begin(0)
    assert.equal(reaper.takeReapable(fixture.state.tree, 1_000_000, 100).length, 10_000)
  })
})
