import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { Numbered } from '../lib/numbered.ts'

describe('Numbered', () => {
  it('holds what a map would hold', () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom(1, 1, 1, 1, 2, 5) }),
      fc.record({ take: fc.nat(40) }),
      // Far more than are moved up at once.
      fc.record({ many: fc.constant(3000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const numbered = new Numbered<string>()
        const map = new Map<number, string>()
        let last = 0
        const add = (number: number): void => {
          last = number
          numbered.add(number, `${number}`)
          map.set(number, `${number}`)
        }
        const take = (number: number): void => {
          assert.equal(numbered.get(number), map.get(number))
          assert.equal(numbered.take(number), map.get(number))
          map.delete(number)
        }
        for (const one of steps) {
          if ('add' in one) add(last + one.add)
          else if ('take' in one) take([...map.keys()][one.take] ?? last - one.take)
          else {
            for (let count = 0; count < one.many; count += 1) add(last + 1)
            for (const number of [...map.keys()].slice(0, one.many - 1)) take(number)
          }
          assert.equal(numbered.isEmpty, map.size === 0)
        }
        assert.deepEqual(numbered.values(), [...map.values()])
      }),
      { numRuns: 50 },
    )
  })

  it('takes no number twice, nor one from before', () => {
    const numbered = new Numbered<string>()
    numbered.add(7, 'seven')
    for (const number of [7, 6]) assert.throws(() => numbered.add(number, 'again'), { name: 'InvariantError' })
    assert.deepEqual([numbered.get(6), numbered.take(8), numbered.values()], [undefined, undefined, ['seven']])
  })
})
