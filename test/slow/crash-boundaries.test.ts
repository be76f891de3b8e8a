/** A crash at every storage boundary of a story, of one member and of all, with all that it may leave of what was not synced. */
import assert from 'node:assert/strict'
import { crashesOf, tell, troublesOf } from '../world/boundaries.ts'

describe('a crash at every storage boundary', () => {
  it('loses nothing that was acknowledged, and takes no epoch back', async () => {
    const crashes = crashesOf(await tell())
    for (const crash of crashes) assert.ok((await tell({ crash })).hasHappened)
    console.log(`      ${crashes.length} crashes`)
  })

  it('of a disk that fails there, and its process lives, neither', async () => {
    const troubles = troublesOf(await tell())
    for (const trouble of troubles) assert.ok((await tell({ trouble })).hasHappened)
    console.log(`      ${troubles.length} failures`)
  })

  it('while an ensemble is restored leaves it restored, or founds it then', async () => {
    const { snapshot: restoration } = await tell()
    const crashes = crashesOf(await tell({ restoration }), 0, 60)
    for (const crash of crashes) assert.ok((await tell({ restoration, crash })).hasHappened)
    console.log(`      ${crashes.length} crashes`)
  })
})
