/** Every place in a scripted life of a store where a crash, a failure or a flipped bit may come. */
import assert from 'node:assert/strict'
import { crashAtEach, crashTwice, failAtEach, fillAtEach } from '../adapters/storage-file/crash-runs.ts'
import { flipBits } from '../adapters/storage-file/damage-runs.ts'

describe('storage-file, at every operation on its files', () => {
  it('survives a crash, whatever of the unsynced is kept', async () => {
    await crashAtEach(1, 5)
  })

  it('survives another crash at every operation of the opening after it', async () => {
    const runs = await crashTwice(1, 1)
    assert.ok(runs > 3_000, `${runs} runs`)
  })

  it('survives every failure of it', async () => {
    await failAtEach(1, true)
  })

  it('survives a disk that is full from then on', async () => {
    await fillAtEach(1)
  })

  it('finds a flipped bit, wherever it is, or it changes nothing', async () => {
    const { found, harmless } = await flipBits(2)
    assert.ok(found > 3_000 && harmless > 100, `${found} found, ${harmless} without effect`)
  })
})
