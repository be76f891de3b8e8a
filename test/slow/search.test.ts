/** Bugs that take a fault to come out: the search finds them, too. */
import { type Bounds, defaultBounds } from '../search/bounds.ts'
import { findsBugs } from '../search/finds-bugs.ts'

const one: Bounds = { ...defaultBounds, deviations: 1 }

describe('the search, with a fault', () => {
  findsBugs([
    ['M16', one, 'PossibleMessages'],
    ['M17', one, 'CommittedLogDurability'],
    ['M35', one, 'MoreUpToDate'],
    ['X2', one, 'PromisesAreDurable'],
  ])
})
