/**
 * The deliberate bugs fit the sources as they are, and the table of kills in the documentation is that of the record. That
 * each of them is caught, `npm run mutants -- --replay` shows.
 */
import assert from 'node:assert/strict'
import { exhibits } from '../museum/exhibits.ts'
import { controls } from './controls.ts'
import { changedFiles } from './copy.ts'
import { allCoreMutants, coreMutants, museumMutants } from './core-mutants.ts'
import { readRecord, tableInDocs, tableOf } from './record.ts'
import { worldMutants } from './world-mutants.ts'

const searched = [...coreMutants, ...worldMutants]
const all = [...searched, ...museumMutants, ...controls]

describe('mutants', () => {
  it('fit the sources', () => {
    for (const mutant of all) assert.ok(changedFiles(mutant).size > 0, mutant.id)
  })

  it('have names of their own', () => {
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length)
  })

  it('are those that the exhibits name', () => {
    const known = new Set(all.map(({ id }) => id))
    for (const { origin, mutants } of exhibits) for (const id of mutants) assert.ok(known.has(id), `${origin}: ${id}`)
    const named = new Set(exhibits.flatMap(({ mutants }) => mutants))
    for (const { id } of museumMutants) assert.ok(named.has(id), `no exhibit shows ${id}`)
  })

  it('have a record of their own alone', () => {
    const known = new Set(searched.map(({ id }) => id))
    for (const id of Object.keys(readRecord())) assert.ok(known.has(id), id)
  })

  it('stand in docs/TESTING.md as they were caught', () => {
    assert.equal(tableInDocs(), tableOf([...allCoreMutants, ...worldMutants], readRecord()))
  })
})
