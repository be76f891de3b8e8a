/** An application of fifty instances: in virtual time, and slow all the same, as each is linked to each. */
import assert from 'node:assert/strict'
import type { Coord } from '../../lib/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('a fleet of fifty', () => {
  it('has five voters and forty-five observers, who write and read as the others do', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, voters: 5, seed: 27 })
    const [a] = ensemble.coords
    const joining = Array.from({ length: 47 }, (_, index) => ensemble.join({ name: `fleet-${index}` }))
    const joined = await Promise.all(joining)
    await ensemble.advance(20_000)
    const { members } = a.member
    assert.equal(members.length, 50)
    assert.equal(members.filter(({ voter }) => voter).length, 5)
    assert.equal(joined.filter(({ member }) => member.role === 'observer').length, 45)
    const observers = joined.filter(({ member }) => member.role === 'observer') as Coord[]
    await ensemble.until(Promise.all(observers.map((coord, index) => coord.create(`/n${index}`))))
    for (const coord of observers) {
      await ensemble.until(coord.sync())
      const { children } = await coord.getChildren('/')
      assert.equal(children.filter((name) => name.startsWith('n')).length, 45)
    }
  })
})
