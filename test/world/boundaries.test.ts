/** A crash at storage boundaries, here and there: `test/slow/crash-boundaries.test.ts` has all of them. */
import assert from 'node:assert/strict'
import { crashesOf, tell, troublesOf } from './boundaries.ts'

describe('a crash at a storage boundary', () => {
  it('loses nothing that was acknowledged, and takes no epoch back', async () => {
    const whole = await tell()
    // It is a story of everything that is written.
    for (const mark of ['sync.truncated', 'sync.installed', 'log.trimmed', 'transfer.done'])
      assert.ok(whole.marks.has(mark), mark)
    assert.ok(whole.acknowledged >= 23 && whole.boundaries.length > 300)
    const crashes = crashesOf(whole)
    const step = Math.floor(crashes.length / 9)
    for (let index = step >> 1; index < crashes.length; index += step) {
      const { hasHappened } = await tell({ crash: crashes[index] })
      assert.ok(hasHappened)
    }
  }).timeout(60_000)

  it('of a disk that fails there, and its process lives, neither', async () => {
    const troubles = troublesOf(await tell())
    const step = Math.floor(troubles.length / 5)
    for (let index = 1; index < troubles.length; index += step) {
      const { hasHappened } = await tell({ trouble: troubles[index] })
      assert.ok(hasHappened)
    }
  }).timeout(60_000)

  it('while an ensemble is restored leaves it restored, or founds it then', async () => {
    const { snapshot: restoration } = await tell()
    const whole = await tell({ restoration })
    assert.ok(whole.marks.has('founding.restored'))
    const crashes = crashesOf(whole, 0, 60)
    for (let index = 0; index < crashes.length; index += 25) await tell({ restoration, crash: crashes[index] })
  }).timeout(60_000)
})
