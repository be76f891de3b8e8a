import assert from 'node:assert/strict'
import { type Candidate, type StrategyName, strategyNames, strategyOf } from '../../lib/recipes/balancing.ts'
import { Random } from '../../lib/testing/random.ts'

const instances = (...ids: string[]): Candidate[] => ids.map((id) => ({ id }))

function picks(name: StrategyName, candidates: readonly Candidate[], count: number, key = 'key'): string[] {
  const random = new Random(1, 'balancing')
  const strategy = strategyOf(name, () => random.random())
  return Array.from({ length: count }, () => strategy.pick(candidates, key).id)
}

function counts(ids: readonly string[]): Record<string, number> {
  const result: Record<string, number> = {}
  for (const id of ids) result[id] = (result[id] ?? 0) + 1
  return result
}

describe('strategies', () => {
  it('refuse a name that is none', () => {
    assert.throws(
      () => strategyOf('fastest' as StrategyName, () => 0),
      /TypeError: strategy must be one of round-robin/,
    )
  })

  for (const name of strategyNames) {
    it(`${name}: picks the only one there is, whatever its weight`, () => {
      assert.deepEqual(picks(name, [{ id: 'a', weight: 0 }], 3), ['a', 'a', 'a'])
    })
  }

  it('round-robin: one after the other', () => {
    assert.deepEqual(picks('round-robin', instances('a', 'b', 'c'), 7), ['a', 'b', 'c', 'a', 'b', 'c', 'a'])
  })

  it('round-robin: goes on where it was when instances come and go', () => {
    const strategy = strategyOf('round-robin', () => 0)
    assert.equal(strategy.pick(instances('a', 'b', 'c'), '').id, 'a')
    assert.equal(strategy.pick(instances('b', 'c'), '').id, 'b')
    assert.equal(strategy.pick(instances('a', 'c', 'd'), '').id, 'c')
    assert.equal(strategy.pick(instances('a', 'c', 'd'), '').id, 'd')
    assert.equal(strategy.pick(instances('a', 'c', 'd'), '').id, 'a')
  })

  it('random: each about as often', () => {
    for (const count of Object.values(counts(picks('random', instances('a', 'b', 'c', 'd'), 4000)))) {
      assert.ok(count > 850 && count < 1150, `${count}`)
    }
  })

  it('least-used: the one with the fewest picks under way, of equals the one not picked longest', () => {
    const strategy = strategyOf('least-used', () => 0)
    const all = instances('a', 'b', 'c')
    assert.deepEqual(
      [1, 2, 3, 4].map(() => strategy.pick(all, '').id),
      ['a', 'b', 'c', 'a'],
    )
    strategy.release('c')
    assert.equal(strategy.pick(all, '').id, 'c')
    for (const id of ['a', 'a', 'b', 'c']) strategy.release(id)
    assert.equal(strategy.pick(all, '').id, 'b')
    strategy.release('unheard of')
  })

  it('sticky: the same for a key, and only the keys of the one that goes move', () => {
    const keys = Array.from({ length: 600 }, (_, index) => `user-${index}`)
    const strategy = strategyOf('sticky', () => 0)
    const before = keys.map((key) => strategy.pick(instances('a', 'b', 'c', 'd'), key).id)
    const after = keys.map((key) => strategy.pick(instances('a', 'c', 'd'), key).id)
    for (const [index, id] of before.entries()) if (id !== 'b') assert.equal(after[index], id)
    for (const count of Object.values(counts(before))) assert.ok(count > 100 && count < 200, `${count}`)
    assert.equal(counts(after)['b'], undefined)
  })

  it('weighted: by weight, evenly interleaved; weight 0 gets nothing while another has some', () => {
    const weighted = [
      { id: 'a', weight: 3 },
      { id: 'b', weight: 1 },
      { id: 'c', weight: 0 },
    ]
    const picked = picks('weighted', weighted, 400)
    assert.deepEqual(counts(picked), { a: 300, b: 100 })
    assert.ok(!picked.join('').includes('bb') && !picked.join('').includes('aaaa'))
  })
})
