/** The search comes to its end, always to the same one, and it can fail: deliberate bugs are found, with what led to them. */
import assert from 'node:assert/strict'
import { type Bounds, defaultBounds } from './bounds.ts'
import { findsBugs } from './finds-bugs.ts'
import { search } from './search.ts'

const small: Bounds = { ...defaultBounds, crashes: 0, partitions: 0, timeouts: 0, deviations: 1 }
const any: Bounds = { ...small, members: 2, entries: 1, deviations: Number.POSITIVE_INFINITY }

describe('the search', () => {
  it('looks at every state once, in any order of events, and finds nothing', () => {
    const result = search(any)
    assert.equal(result.found, undefined)
    assert.equal(result.deviations, 0, 'comes to its end')
    assert.ok(result.atRest > 0 && result.states > 100, `${result.states} states`)
    assert.deepEqual(search(any), result)
  })

  it('ends where it is told to, and says that it did not see everything', () => {
    const { states, deviations } = search({ ...any, states: 100 })
    assert.equal(states, 100)
    assert.equal(deviations, -1)
  })

  findsBugs([
    ['M1', small, 'PromisesAreDurable'],
    ['M19', small, 'PromisesAreDurable'],
    ['M29a', small, 'PromisesAreDurable'],
    ['M40', small, 'Integrity'],
    ['X12', small, 'PossibleMessages'],
  ])
})
