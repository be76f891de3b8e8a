/** A part of all the places where a crash or a failure may come; test/slow/file-storage.test.ts takes each of them. */
import assert from 'node:assert/strict'
import { crashAtEach, crashTwice, failAtEach, fillAtEach } from './crash-runs.ts'

describe('storage-file, at operations on its files', () => {
  it('survives a crash', async () => {
    const operations = await crashAtEach(6, 1)
    assert.ok(operations > 200, `${operations} operations`)
  })

  it('survives another crash while it recovers from one', async () => {
    const runs = await crashTwice(37, 4)
    assert.ok(runs > 30, `${runs} runs`)
  })

  it('survives a failure, and goes on when it is opened again', async () => {
    await failAtEach(5, false)
  })

  it('survives a full disk, and goes on when there is room', async () => {
    await fillAtEach(17)
  })
})
