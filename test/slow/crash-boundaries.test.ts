/** A crash at every storage boundary of a story, of one member and of all, with all that it may leave of what was not synced. */
import assert from 'node:assert/strict'
import { crashesOf, tell } from '../world/boundaries.ts'

describe('a crash at every storage boundary', () => {
  it('loses nothing that was acknowledged, and takes no epoch back', async () => {
    const crashes = crashesOf(await tell())
    for (const crash of crashes) assert.ok((await tell({ crash })).hasCrashed)
    console.log(`      ${crashes.length} crashes`)
  })

  it('while an ensemble is restored leaves it restored, or founds it then', async () => {
    const { snapshot: restoration } = await tell()
    const crashes = crashesOf(await tell({ restoration }), 0, 90)
    for (const crash of crashes) assert.ok((await tell({ restoration, crash })).hasCrashed)
    console.log(`      ${crashes.length} crashes`)
  })
})
