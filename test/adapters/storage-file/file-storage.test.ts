import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { FileStore } from '../../../adapters/storage-file/file-store.ts'
import { NodeFiles } from '../../../adapters/storage-file/files.ts'
import { FileStorage } from '../../../adapters/storage-file/index.ts'
import { lock } from '../../../adapters/storage-file/lock.ts'
import { GuardedStorage } from '../../../adapters/storage-shared/guarded-storage.ts'
import { joinEnsemble } from '../../../lib/index.ts'
import type { Storage } from '../../../lib/ports/index.ts'
import { storageSuite } from '../../../lib/suites/index.ts'
import { storageOn } from './crash-runs.ts'
import { plain, record } from './model.ts'
import { errorOf, everythingSurvives, nothingSurvives, VirtualFileDisk } from './virtual-files.ts'

const segmentBytes = 0x1_0000

describe('storage-file', () => {
  describe('over files', () => {
    storageSuite({
      test: it,
      async factory() {
        const directory = await mkdtemp(join(tmpdir(), 'embedded-coord-'))
        return {
          storage: () => new FileStorage(join(directory, 'deep', 'store'), { segmentBytes }),
          dispose: () => rm(directory, { recursive: true }),
        }
      },
    })
  })

  for (const survival of [nothingSurvives, everythingSurvives]) {
    describe(`over a disk of which ${survival.name} survives that is not synced`, () => {
      storageSuite({
        test: it,
        factory() {
          let disk = new VirtualFileDisk()
          return {
            storage: () => storageOn(disk),
            async crash() {
              disk = disk.after(survival)
            },
          }
        },
      })
    })
  }

  it('is the store of a member, which is back with all it had', async () => {
    await withDirectory(async (directory) => {
      for (const count of [1, 2]) {
        await using coord = await joinEnsemble({ name: 'one', storage: new FileStorage(directory, { segmentBytes }) })
        await coord.create('/n-', new Uint8Array(3), { mode: 'persistent-sequential' })
        assert.equal((await coord.getChildren('/')).children.filter((name) => name.startsWith('n-')).length, count)
      }
    })
  })

  it('is durable, and takes a directory and a length that makes sense', () => {
    assert.equal(new FileStorage('x').durable, true)
    for (const wrong of ['', undefined, 7]) assert.throws(() => new FileStorage(wrong as string), TypeError)
    for (const wrong of [0, 65_535, 2 ** 31, 70_000.5, Number.NaN]) {
      assert.throws(() => new FileStorage('x', { segmentBytes: wrong }), RangeError)
    }
  })

  it('writes one change at once, and nothing after one that failed', async () => {
    const disk = new VirtualFileDisk()
    const storage = storageOn(disk)
    await storage.open()
    const before = disk.durableWrites
    for (let zxid = 1; zxid <= 5; zxid += 1) await storage.commit({ append: [record(zxid)] })
    assert.equal(disk.durableWrites, before + 5)
    // What is staged counts for nothing, so it needs no frame.
    await storage.commit({ values: new Map(), append: [], stage: { zxid: 1n, from: 0, chunks: [record(1).bytes] } })
    assert.equal(disk.durableWrites, before + 5)
    disk.onOperation = (what) =>
      what.startsWith('write') ? { error: errorOf('EIO', 'input/output error, write'), effect: 'none' } : undefined
    await assert.rejects(storage.commit({ append: [record(6)] }), {
      code: 'COORD_STORE_FAILED',
      message:
        'the store /virtual failed: EIO: input/output error, write (the disk failed: look at the log of the host)',
    })
    disk.onOperation = () => undefined
    await assert.rejects(storage.commit({}), {
      code: 'COORD_STORE_FAILED',
      message: /^the store \/virtual failed: EIO/,
    })
    await storage.close()
    assert.equal(disk.durableWrites, before + 5)
  })

  it('does not fail for what it does ahead, until that is needed', async () => {
    const disk = new VirtualFileDisk()
    const storage = storageOn(disk)
    disk.onOperation = (what) =>
      what.startsWith('open spare-0000000002')
        ? { error: errorOf('ENOSPC', 'no space left on device'), effect: 'none' }
        : undefined
    await storage.open()
    await storage.commit({ append: [record(1, 3000)] })
    await storage.commit({ append: [record(2, 3000)] })
    await assert.rejects(storage.commit({ append: [record(3, 3000)] }), { message: /the disk is full: make room/ })
    disk.onOperation = () => undefined
    assert.equal((await storage.open()).records.length, 2)
    await storage.close()
  })

  it('uses its files again, and no more of them than it needs', async () => {
    const disk = new VirtualFileDisk()
    const storage = storageOn(disk)
    await storage.open()
    const made = new Set<string>()
    disk.onOperation = (what) => {
      if (/^open spare.* new$/.test(what)) made.add(what)
      return undefined
    }
    for (let zxid = 1; zxid <= 200; zxid += 1) {
      const chunks = [record(zxid).bytes]
      const named = zxid % 5 === 0
      await storage.commit({
        append: [record(zxid, 1500)],
        ...(named ? { stage: { zxid: BigInt(zxid - 1), from: 0, chunks } } : {}),
        ...(named ? { checkpoint: { zxid: BigInt(zxid - 1), chunks: 1 }, purgeThrough: BigInt(zxid - 1) } : {}),
      })
      assert.ok(disk.list().length <= 9, disk.list().join(', '))
    }
    await storage.close()
    assert.ok(made.size <= 5, [...made].join(', '))
    assert.equal((await storageOn(disk).open()).records.length, 1)
  })

  it('lets go of a long checkpoint piece by piece, wherever that is cut short', async () => {
    const chunks = Array.from({ length: 10 }, (_, index) => new Uint8Array(0x10_0000).fill(index))
    for (const survival of [nothingSurvives, everythingSurvives]) {
      const steps: string[] = []
      for (let cut = 0; cut === 0 || cut <= steps.length; cut += 1) {
        const disk = new VirtualFileDisk()
        const storage = storageOn(disk)
        await storage.open()
        await storage.commit({ stage: { zxid: 1n, from: 0, chunks }, checkpoint: { zxid: 1n, chunks: 10 } })
        const crashed = new Promise<void>((resolve) => {
          disk.onCrash = resolve
        })
        steps.length = 0
        disk.onOperation = (what) => {
          if (!what.endsWith('checkpoint-0000000001') && !what.includes('checkpoint-0000000001 ')) return undefined
          steps.push(what.split(' ')[0] as string)
          return steps.length === cut ? 'crash' : undefined
        }
        const next = { zxid: 2n, from: 0, chunks: [Uint8Array.of(2)] }
        await storage.commit({ stage: next, checkpoint: { zxid: 2n, chunks: 1 } })
        await Promise.race([crashed, storage.close()])
        const after = storageOn(disk.after(survival))
        assert.equal((await after.open()).checkpoint?.zxid, 2n)
        await after.close()
        if (cut === 0) assert.deepEqual(steps, 'open size truncate sync truncate sync close remove'.split(' '))
      }
    }
  })

  it('puts a long checkpoint on the disk while it is being staged, and fails with what failed then', async () => {
    const chunks = Array.from({ length: 4 }, (_, index) => new Uint8Array(0x4_0000).fill(index))
    for (const fails of [false, true]) {
      const disk = new VirtualFileDisk()
      const storage = storageOn(disk)
      await storage.open()
      let syncs = 0
      disk.onOperation = (what) => {
        if (what !== 'sync staging') return undefined
        syncs += 1
        return fails && syncs === 1
          ? { error: errorOf('EIO', 'input/output error, fdatasync'), effect: 'none' }
          : undefined
      }
      for (let from = 0; from < 40; from += 4) await storage.commit({ stage: { zxid: 1n, from, chunks } })
      assert.equal(syncs, fails ? 1 : 10)
      const outcome = storage.commit({ checkpoint: { zxid: 1n, chunks: 40 } })
      if (fails) await assert.rejects(outcome, { code: 'COORD_STORE_FAILED' })
      else await outcome
      const { checkpoint } = await storageOn(disk.after(nothingSurvives)).open()
      assert.equal(checkpoint?.chunks.length, fails ? undefined : 40)
      await storage.close()
    }
  })

  describe('misuse', () => {
    it('opens once, writes after opening, one commit at a time, and what follows', async () => {
      const storage = storageOn(new VirtualFileDisk())
      await assert.rejects(storage.commit({}), /opened before it is written/)
      await storage.open()
      await assert.rejects(storage.open(), /opened once/)
      const first = storage.commit({ append: [record(5)] })
      await assert.rejects(storage.commit({}), /waits for the one before/)
      await first
      await assert.rejects(storage.commit({ append: [record(5)] }), /does not follow the log/)
      await storage.close()
      await assert.rejects(storage.commit({}), { code: 'COORD_CLOSED' })
    })

    it('stages in order, and names what is staged', async () => {
      for (const change of [
        { stage: { zxid: 2n, from: 1, chunks: [] } },
        { stage: { zxid: 1n, from: 2, chunks: [] } },
        { checkpoint: { zxid: 1n, chunks: 2 } },
        { checkpoint: { zxid: 2n, chunks: 1 } },
      ]) {
        const storage = storageOn(new VirtualFileDisk())
        await storage.open()
        await storage.commit({ stage: { zxid: 1n, from: 0, chunks: [new Uint8Array(3)] } })
        await assert.rejects(storage.commit(change), /staged/)
        await storage.close()
      }
    })
  })

  describe('a directory', () => {
    it('of something else is refused, and left alone', async () => {
      await withDirectory(async (directory) => {
        const db = new ClassicLevel(directory)
        await db.put('a', 'theirs')
        await db.close()
        const before = (await readdir(directory)).sort()
        const storage = new FileStorage(directory)
        await assert.rejects(storage.open(), {
          code: 'COORD_STORE_FAILED',
          message: /cannot be used: the directory holds something else \(.*CURRENT/,
        })
        await storage.close()
        assert.deepEqual((await readdir(directory)).sort(), before)
      })
    })

    it('with what every disk has is a new one', async () => {
      await withDirectory(async (directory) => {
        await mkdir(join(directory, 'lost+found'))
        await writeFile(join(directory, '.nfs123'), '')
        const storage = new FileStorage(directory, { segmentBytes })
        await storage.open()
        await storage.close()
      })
    })

    it('that is none, or cannot be made, is COORD_STORE_FAILED', async () => {
      for (const path of ['/dev/null', '/dev/null/store']) {
        const storage = new FileStorage(path)
        await assert.rejects(storage.open(), { code: 'COORD_STORE_FAILED', message: /that is no directory/ })
        await storage.close()
      }
    })
  })

  describe('a store that is in use', () => {
    it('is COORD_STORE_LOCKED, and names the directory; it is free when that is closed', async () => {
      await withDirectory(async (directory) => {
        const first = new FileStorage(directory, { segmentBytes })
        await first.open()
        const second = new FileStorage(`${directory}/../${directory.split('/').at(-1)}`, { segmentBytes })
        await assert.rejects(second.open(), {
          code: 'COORD_STORE_LOCKED',
          message: `another process uses the store ${directory}`,
        })
        await first.close()
        await second.open()
        await second.close()
      })
    })

    for (const platform of ['linux', 'darwin'] as const) {
      it(`is known as on ${platform}, also when a path is too long for a socket`, async () => {
        await withDirectory(async (directory) => {
          const deep = join(directory, 'd'.repeat(120))
          await mkdir(deep)
          for (const place of [directory, deep]) {
            const held = await lock(place, platform)
            await assert.rejects(lock(place, platform), { code: 'COORD_STORE_LOCKED' })
            await held.release()
            await (await lock(place, platform)).release()
          }
          assert.deepEqual(await readdir(directory), ['d'.repeat(120)])
        })
      })
    }

    it('by a socket file that nobody answers on is free', async () => {
      await withDirectory(async (directory) => {
        await writeFile(join(directory, 'lock'), '')
        await (await lock(directory, 'darwin')).release()
        const server = createServer().listen(join(directory, 'lock'))
        await assert.rejects(lock(directory, 'darwin'), { code: 'COORD_STORE_LOCKED' })
        await new Promise((resolve) => server.close(resolve))
      })
    })

    it('is found out by its files where no lock reaches, and is not taken back', async () => {
      await withDirectory(async (directory) => {
        const unlocked = (): Storage =>
          new GuardedStorage(
            new FileStore(new NodeFiles(directory), segmentBytes, async () => ({ release: async () => {} })),
            true,
          )
        const first = unlocked()
        await first.open()
        await first.commit({ append: [record(1)] })
        const second = unlocked()
        await second.open()
        const chunks = [new Uint8Array(3)]
        const naming = { stage: { zxid: 1n, from: 0, chunks }, checkpoint: { zxid: 1n, chunks: 1 } }
        const locked = { code: 'COORD_STORE_LOCKED', message: /is not ours any more: process \d+ of .+ has opened it$/ }
        await assert.rejects(first.commit(naming), locked)
        await assert.rejects(first.open(), locked)
        await first.close()
        await second.commit(naming)
        await second.commit({ append: [record(2, 70_000)] })
        const third = unlocked()
        await third.open()
        await assert.rejects(second.commit({ append: [record(3, 70_000)] }), locked)
        await second.close()
        await third.close()
        const storage = new FileStorage(directory, { segmentBytes })
        assert.match(plain(await storage.open()), /"1","3 bytes|"checkpoint":\["1"/)
        await storage.close()
      })
    })
  })

  it('begins with little of the disk', async () => {
    await withDirectory(async (directory) => {
      const storage = new FileStorage(directory)
      await storage.open()
      await storage.commit({ append: [record(1)] })
      await storage.close()
      const sizes = await Promise.all(
        (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size),
      )
      assert.ok(sizes.reduce((sum, size) => sum + size, 0) < 3.1 * 2 ** 20, sizes.join(', '))
    })
  })
})

async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'embedded-coord-'))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}
