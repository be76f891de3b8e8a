/** Tests that the search finds deliberate bugs (test/mutants), each by the check that is named, with the events that lead to it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Copies } from '../mutants/copy.ts'
import { coreMutants } from '../mutants/core-mutants.ts'
import type { Bounds } from './bounds.ts'
import type { Result } from './search.ts'

export function findsBugs(bugs: readonly (readonly [id: string, bounds: Bounds, check: string])[]): void {
  describe('finds what an invariant forbids', () => {
    let copies: Copies
    before(() => {
      copies = new Copies()
    })
    after(() => copies.remove())

    for (const [id, bounds, check] of bugs) {
      const mutant = coreMutants.find((one) => one.id === id)
      it(`${id}: ${mutant?.title}`, async () => {
        assert.ok(mutant !== undefined)
        const file = pathToFileURL(join(copies.make(mutant), 'test/search/search.ts')).href
        const { found } = ((await import(file)) as { search(this: void, bounds: Bounds): Result }).search(bounds)
        assert.equal(found?.check, check)
        assert.ok(found.events.length > 0)
      })
    }
  })
}
