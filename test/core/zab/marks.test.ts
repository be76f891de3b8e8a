import assert from 'node:assert/strict'
import type { Batch } from '../../../lib/core/zab/batch.ts'
import { type Configuration, memberIdFrom } from '../../../lib/core/zab/configuration.ts'
import { isBehind, Marks } from '../../../lib/core/zab/marks.ts'
import { zxidOf, zxidZero } from '../../../lib/core/zab/zxid.ts'

const [a, b] = ['a', 'b'].map((name) => ({ id: memberIdFrom(name), name, address: `mem://${name}` })) as [
  Configuration['voters'][number],
  Configuration['voters'][number],
]
const configuration = { voters: [a, b] } as unknown as Configuration

describe('the marks of the voters', () => {
  it('are the latest that headers tell, later epochs first', () => {
    const marks = new Marks()
    const header = (epoch: number, ...acknowledged: Batch['acknowledged'] & object): Batch => ({
      first: zxidOf(epoch, 50),
      previous: zxidZero,
      timeMs: 0,
      clockMs: 0,
      settled: zxidZero,
      requests: [{ type: 'noop' }],
      acknowledged,
    })
    marks.noteHeader(header(2, zxidOf(2, 5), zxidZero), configuration)
    marks.noteHeader(header(2, zxidOf(2, 3), zxidOf(1, 9)), configuration)
    assert.deepEqual(marks.of(a.id), { epoch: 2, zxid: zxidOf(2, 5) })
    assert.deepEqual(marks.of(b.id), { epoch: 2, zxid: zxidOf(1, 9) })
    marks.noteHeader(header(3, zxidOf(2, 4)), configuration)
    assert.deepEqual(marks.of(a.id), { epoch: 3, zxid: zxidOf(2, 4) }, 'a log may have been cut by a later leader')
    assert.deepEqual(marks.header(configuration, 3), [zxidOf(2, 4), zxidZero])
    const list = marks.list((id) => id === b.id)
    assert.deepEqual(list, [{ id: b.id, epoch: 2, zxid: zxidOf(1, 9) }])
    assert.deepEqual(new Marks(list).of(b.id), marks.of(b.id))
  })

  const mark = { epoch: 3, zxid: zxidOf(3, 7) }
  const cases = [
    { what: 'the same', accepted: 3, current: 3, last: zxidOf(3, 7), behind: false },
    { what: 'more', accepted: 3, current: 3, last: zxidOf(3, 9), behind: false },
    { what: 'less in the same epoch', accepted: 3, current: 3, last: zxidOf(3, 6), behind: true },
    {
      what: 'less, and a later promise: cut by that leader',
      accepted: 4,
      current: 3,
      last: zxidOf(3, 6),
      behind: false,
    },
    { what: 'a later epoch', accepted: 5, current: 4, last: zxidOf(2, 1), behind: false },
    { what: 'an earlier epoch, whatever the log', accepted: 3, current: 2, last: zxidOf(3, 7), behind: true },
    { what: 'nothing', accepted: 0, current: 0, last: zxidZero, behind: true },
  ]
  for (const { what, accepted, current, last, behind } of cases) {
    it(`${behind ? 'convict' : 'clear'} a store that holds ${what}`, () => {
      assert.equal(isBehind(mark, { accepted, acceptedFrom: undefined, current }, last), behind)
    })
  }
})
