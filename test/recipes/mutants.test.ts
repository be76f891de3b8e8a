import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { recipeMutants } from './mutants/table.ts'

describe('the deliberate bugs of the recipes', () => {
  it('fit the sources: each changes one place', () => {
    for (const { title, file, find, caughtBy } of recipeMutants) {
      const count = readFileSync(`lib/recipes/${file}.ts`, 'utf8').split(find).length - 1
      assert.equal(count, 1, `${title}: ${count} places in ${file}.ts`)
      assert.ok(existsSync(`test/recipes/${caughtBy}.test.ts`), caughtBy)
    }
  })

  it('are two for each recipe at least', () => {
    const counts = new Map<string, number>()
    for (const { recipe } of recipeMutants) counts.set(recipe, (counts.get(recipe) ?? 0) + 1)
    for (const [recipe, count] of counts) assert.ok(count >= 2, recipe)
    assert.equal(counts.size, 15)
  })
})
