import assert from 'node:assert/strict'
import { IdBlock } from '../../lib/recipes/id-block.ts'
import { rendezvous } from '../../lib/recipes/rendezvous.ts'
import { type Audience, checkAudience, isInAudience } from '../../lib/recipes/rollout.ts'
import { stableHash } from '../../lib/stable-hash.ts'

const members = Array.from({ length: 1000 }, (_, index) => `orders-${index}`)
const audienceOf = (audience: Audience, salt = 'r1'): Set<string> =>
  new Set(members.filter((member) => isInAudience(member, audience, salt)))

describe('an audience', () => {
  it('has nobody, everybody, or whom it names', () => {
    assert.equal(audienceOf({}).size, 0)
    assert.equal(audienceOf({ percent: 0 }).size, 0)
    assert.equal(audienceOf({ percent: 100 }).size, 1000)
    assert.deepEqual([...audienceOf({ members: ['orders-7', 'nobody'] })], ['orders-7'])
  })

  it('grows with the percentage: nobody leaves it', () => {
    let before = new Set<string>()
    for (const percent of [1, 5, 10, 25, 50, 75, 99]) {
      const now = audienceOf({ percent })
      assert.ok(Math.abs(now.size - percent * 10) < 50, `${now.size} of 1000 at ${percent} %`)
      for (const member of before) assert.ok(now.has(member))
      before = now
    }
  })

  it('has others first in another roll-out', () => {
    const both = [...audienceOf({ percent: 20 }, 'r1')].filter((member) =>
      isInAudience(member, { percent: 20 }, 'r2'),
    ).length
    assert.ok(both < 80, `${both} of 200`)
  })

  it('is checked', () => {
    checkAudience({ members: ['a'], percent: 12.5 })
    assert.throws(() => checkAudience({ percent: 101 }), /RangeError: percent must be from 0 to 100/)
    assert.throws(() => checkAudience({ percent: '5' as never }), /TypeError: percent must be a number/)
    assert.throws(() => checkAudience({ members: 'a' as never }), /TypeError: members must be a list/)
  })
})

describe('a stable hash', () => {
  it('stays what it is: members of different versions must agree', () => {
    assert.deepEqual(['', 'a', 'b', 'orders-1'].map(stableHash), [2872998923, 444641715, 2193908274, 280355424])
  })

  it('gives a key to nobody where there is nobody', () => {
    assert.equal(rendezvous('key', [], String), undefined)
  })
})

describe('a block of ids', () => {
  it('gives each once', () => {
    const block = new IdBlock(100, 3)
    assert.deepEqual(
      [block.take(), block.take(), block.left, block.take(), block.take()],
      [100, 101, 1, 102, undefined],
    )
  })
})
