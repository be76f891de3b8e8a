import assert from 'node:assert/strict'
import { checkpointName, journalName, listingOf } from '../../../adapters/storage-file/layout.ts'
import { expectSound, finishedDisk, storageOn } from './crash-runs.ts'
import { flipBits, isFound } from './damage-runs.ts'
import { Model, plain, record, script } from './model.ts'
import { nothingSurvives, VirtualFileDisk } from './virtual-files.ts'

describe('damage to a store of files', () => {
  it('is found wherever a bit flips, or changes nothing', async () => {
    const { found, harmless } = await flipBits(29)
    assert.ok(found > 200 && harmless > 100, `${found} found, ${harmless} without effect`)
  })

  it('is found wherever a file is cut short, or changes nothing', async () => {
    const { disk, state } = await finishedDisk()
    for (const name of disk.list()) {
      const { length } = disk.bytesOf(name)
      for (let bytes = 0; bytes < length; bytes += Math.ceil(length / 23)) {
        const damaged = disk.copy()
        damaged.put(name, damaged.bytesOf(name).subarray(0, bytes))
        const wasFound = await isFound(damaged, state, `${name}, cut to ${bytes} bytes`)
        assert.equal(wasFound, name !== 'owner', name)
      }
    }
  })

  it('is found when a file is missing, unless it is a mark, or prepared', async () => {
    const { disk, state } = await finishedDisk()
    const { journals } = listingOf(disk.list())
    for (const name of disk.list()) {
      const damaged = disk.copy()
      damaged.put(name, undefined)
      const isNeeded = name !== 'owner' && name !== journalName(journals.at(-1) as number)
      assert.equal(await isFound(damaged, state, `${name} is missing`), isNeeded, name)
    }
    for (const kept of [[], ['owner'], disk.list().filter((name) => name.startsWith('checkpoint'))]) {
      const damaged = disk.copy()
      for (const name of disk.list()) if (!kept.includes(name)) damaged.put(name, undefined)
      if (kept.length > 0) assert.ok(await isFound(damaged, state, `only ${kept.join(', ')} is there`))
      else assert.equal(plain(await storageOn(damaged).open()), new Model().state)
    }
  })

  it('is found when a file is of another store, or of another moment', async () => {
    const { disk, state } = await finishedDisk()
    const { disk: other } = await finishedDisk()
    for (const name of disk.list()) {
      if (name === 'owner') continue
      const damaged = disk.copy()
      damaged.put(name, other.bytesOf(name))
      assert.ok(await isFound(damaged, state, `${name} of another store`), name)
    }
    const { journals, checkpoints } = listingOf(disk.list())
    const [first, second] = journals.map(journalName) as [string, string]
    const swapped = disk.copy()
    swapped.put(first, disk.bytesOf(second))
    swapped.put(second, disk.bytesOf(first))
    assert.ok(await isFound(swapped, state, 'two journals swapped'))
    const checkpoint = checkpointName(checkpoints[0] as number)
    const replaced = disk.copy()
    replaced.put(checkpoint, disk.bytesOf(first))
    assert.ok(await isFound(replaced, state, 'a checkpoint that is something else'))
  })

  it('is found when a journal in the middle is of an earlier moment', async () => {
    const disk = new VirtualFileDisk()
    const storage = storageOn(disk)
    await storage.open()
    await storage.commit({ append: [record(1, 3000)] })
    const early = Buffer.from(disk.bytesOf(journalName(1)))
    for (let zxid = 2; zxid <= 9; zxid += 1) await storage.commit({ append: [record(zxid, 3000)] })
    await storage.close()
    const state = plain(await storageOn(disk.copy()).open())
    const damaged = disk.copy()
    damaged.put(journalName(1), early)
    assert.ok(await isFound(damaged, state, 'an earlier image of the first journal'))
  })

  it('is found when a file is of another history of the same store', async () => {
    const begun = new VirtualFileDisk()
    const first = storageOn(begun)
    await first.open()
    await first.commit({ append: [record(1, 3000)] })
    await first.close()
    // A backup that somebody went on with: the numbers are the same, what they stand for is not.
    const disks = [begun.copy(), begun.copy()] as const
    for (const [index, disk] of disks.entries()) {
      const storage = storageOn(disk)
      await storage.open()
      for (let zxid = 2; zxid <= 9; zxid += 1) {
        await storage.commit({ append: [{ ...record(zxid), bytes: new Uint8Array(3000).fill(index) }] })
      }
      const chunks = [new Uint8Array(100).fill(index)]
      await storage.commit({ stage: { zxid: 3n, from: 0, chunks }, checkpoint: { zxid: 3n, chunks: 1 } })
      await storage.commit({ append: [record(10, 3000)] })
      await storage.close()
    }
    const [disk, other] = disks
    const state = plain(await storageOn(disk.copy()).open())
    const { journals, checkpoints } = listingOf(disk.list())
    assert.ok(journals.length > 4)
    for (const name of [...journals.slice(1, -2).map(journalName), ...checkpoints.map(checkpointName)]) {
      const damaged = disk.copy()
      damaged.put(name, other.bytesOf(name))
      assert.ok(await isFound(damaged, state, `${name} of another history`), name)
    }
  })

  it('in what was written last, and never followed by anything, is taken for torn: the peers remember it', async () => {
    const disk = new VirtualFileDisk()
    const storage = storageOn(disk)
    await storage.open()
    await storage.commit({ append: [record(1)] })
    const before = plain(await storageOn(disk.copy()).open())
    await storage.commit({ append: [record(2)] })
    const crashed = disk.after(nothingSurvives)
    const bytes = crashed.bytesOf(journalName(1))
    const last = bytes.lastIndexOf(Buffer.from(record(2).bytes))
    bytes[last] = (bytes[last] as number) ^ 1
    await expectSound(crashed, [before], 'a flipped bit in the last change')
  })

  it('ends with one change that resets it, and with nothing else', async () => {
    const { disk } = await finishedDisk()
    const [first] = listingOf(disk.list()).journals
    const name = journalName(first as number)
    disk.bytesOf(name).fill(7, 4096, 5000)
    const storage = storageOn(disk)
    await assert.rejects(storage.open(), { code: 'COORD_STORE_DAMAGED', message: new RegExp(name) })
    await assert.rejects(storage.commit({ append: [record(1)] }), { code: 'COORD_STORE_FAILED' })
    const reset = script.find((change) => change.reset === true)
    const model = new Model()
    model.apply(reset ?? {})
    await storage.commit(reset ?? {})
    const crashed = disk.after(nothingSurvives)
    await storage.close()
    assert.deepEqual(
      listingOf(disk.list()).journals.filter((number) => number <= (first as number)),
      [],
    )
    await expectSound(crashed, [model.state], 'a reset')
    await expectSound(disk, [model.state], 'a reset')
  })

  it('stays, byte for byte, when the reset is cut short', async () => {
    const { disk } = await finishedDisk()
    const [first] = listingOf(disk.list()).journals
    disk.bytesOf(journalName(first as number)).fill(7, 4096, 5000)
    const reset = script.find((change) => change.reset === true) ?? {}
    const model = new Model()
    model.apply(reset)
    const outcomes = new Set<string>()
    for (let index = 0; ; index += 1) {
      const damaged = disk.copy()
      const storage = storageOn(damaged)
      await assert.rejects(storage.open(), { code: 'COORD_STORE_DAMAGED' })
      const begun = damaged.operations
      let hasCrashed = false
      damaged.onOperation = (_, at) => (at === begun + index ? 'crash' : undefined)
      const crashed = new Promise<void>((resolve) => {
        damaged.onCrash = (): void => {
          hasCrashed = true
          resolve()
        }
      })
      await Promise.race([crashed, storage.commit(reset)])
      if (!hasCrashed) break
      const survivor = damaged.after(nothingSurvives)
      if (outcomes.has('whole') || !(await isFound(survivor, model.state, `a reset cut at ${index}`))) {
        outcomes.add('whole')
        await expectSound(damaged.after(nothingSurvives), [model.state], `a reset cut at ${index}`)
      } else outcomes.add('damaged')
    }
    assert.deepEqual([...outcomes], ['damaged', 'whole'])
  })
})
