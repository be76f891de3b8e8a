import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import { type Operation, stageChange } from '../../adapters/storage-level/change.ts'
import { type Level, levelStorage } from '../../adapters/storage-level/index.ts'
import { emptyLedger } from '../../adapters/storage-level/ledger.ts'
import type { CoordError } from '../../lib/errors.ts'
import type { LogRecord, Storage, StorageChange, StoredState } from '../../lib/ports/index.ts'
import { type StorageFixture, storageSuite } from '../../lib/suites/index.ts'
import { type Fault, FaultyLevel } from './faulty-level.ts'

describe('storage-level', () => {
  describe('over MemoryLevel', () => {
    storageSuite({
      test: it,
      factory() {
        const db = new MemoryLevel()
        return { storage: () => levelStorage(db) }
      },
    })
  })

  describe('over MemoryLevel with other encodings and a sublevel, taken for permanent', () => {
    storageSuite({
      test: it,
      factory() {
        const db = new MemoryLevel<string, unknown>({ storeEncoding: 'view', valueEncoding: 'json' })
        return { storage: () => levelStorage(db.sublevel('member'), { durable: true }) }
      },
    })
  })

  for (const durable of [true, false]) {
    describe(`over a disk that loses what is not synced, ${durable ? 'durable' : 'not durable'}`, () => {
      storageSuite({ test: it, factory: () => faultyFixture(durable) })
    })
  }

  describe('over ClassicLevel', () => {
    storageSuite({ test: it, factory: () => classicFixture() })
  })

  describe('over a database that another module uses too', () => {
    it('leaves keys of others alone', async () => {
      const db = new MemoryLevel()
      await db.batch(['a', 'coord', 'coorc/x', 'coord0', 'z'].map((key) => ({ type: 'put', key, value: 'theirs' })))
      await write(db, { append: [record(1)], values: new Map([['epoch', bytes(1)]]) })
      const { records } = await read(db)
      assert.equal(records.length, 1)
      await db.open()
      assert.deepEqual(await db.getMany(['a', 'coord', 'coorc/x', 'coord0', 'z']), Array(5).fill('theirs'))
    })
  })

  describe('durable', () => {
    it('is true where the database is permanent, unless said otherwise', async () => {
      await withDirectory(async (directory) => {
        const db = new ClassicLevel(directory)
        assert.equal(levelStorage(db).durable, true)
        assert.equal(levelStorage(db, { durable: false }).durable, false)
        await db.close()
      })
      assert.equal(levelStorage(new MemoryLevel()).durable, false)
    })

    for (const durable of [true, false]) {
      it(`writes one batch per commit, ${durable ? 'synced' : 'not synced'}`, async () => {
        const db = new FaultyLevel()
        const storage = levelStorage(db, { durable })
        await storage.open()
        await storage.commit({ append: [record(1), record(2)], values: new Map([['epoch', bytes(1)]]) })
        await storage.commit({ purgeThrough: 2n })
        await storage.close()
        assert.deepEqual(db.batches, [{ sync: durable }, { sync: durable }])
      })
    }
  })

  describe('the keys of a checkpoint that is being written, and of the log meanwhile', () => {
    it('are neighbours: what was written before does not lie between those of one change', () => {
      const ledger = emptyLedger()
      const written = new Set<string>()
      let position = 0n
      const write = (change: StorageChange): void => {
        const keys = stageChange(ledger, change).map((operation: Operation) => operation.key)
        const [least, most] = [keys.reduce(lesser), keys.reduce(greater)]
        const between = [...written].filter((key) => least < key && key < most && !keys.includes(key))
        if (change.checkpoint === undefined) assert.deepEqual(between, between.length === 0 ? [] : ['coord/manifest'])
        for (const key of keys) written.add(key)
      }
      for (const zxid of [100n, 200n, 300n]) {
        for (let from = 0; from < 20; from += 1) {
          position += 1n
          write({ append: [record(Number(position))], stage: { zxid, from, chunks: [bytes(from)] } })
        }
        write({ checkpoint: { zxid, chunks: 20 }, purgeThrough: position - 5n })
      }
    })
  })

  describe('a commit that failed', () => {
    const faults: Fault[] = ['fails', 'fails after it was written']
    for (const fault of faults) {
      it(`is unknown, and nothing is written after it: the batch ${fault}`, async () => {
        const db = new FaultyLevel()
        const storage = levelStorage(db)
        await storage.open()
        await storage.commit({ append: [record(1)] })
        db.fault = fault
        await assert.rejects(storage.commit({ append: [record(2)] }), {
          code: 'COORD_STORE_FAILED',
          retryable: false,
          message: /FaultyLevel failed: no space left/,
        })
        db.fault = undefined
        await assert.rejects(storage.commit({ append: [record(3)] }), { code: 'COORD_STORE_FAILED' })
        await storage.close()
        const { records } = await read(db)
        assert.equal(records.length, fault === 'fails' ? 1 : 2)
      })
    }

    for (const fault of faults) {
      it(`can be followed by another opening, which tells what is there: the batch ${fault}`, async () => {
        const db = new FaultyLevel()
        const storage = levelStorage(db)
        await storage.open()
        await storage.commit({ append: [record(1)] })
        db.fault = fault
        await assert.rejects(storage.commit({ append: [record(2)] }), { code: 'COORD_STORE_FAILED' })
        db.fault = undefined
        const { records } = await storage.open()
        assert.equal(records.length, fault === 'fails' ? 1 : 2)
        await storage.commit({ append: [record(3)] })
        await assert.rejects(storage.open(), /again after a failure alone/)
        await storage.close()
        assert.equal((await read(db)).records.at(-1)?.last, 3n)
      })
    }

    it('is also one that does not follow the log', async () => {
      const storage = levelStorage(new MemoryLevel())
      await storage.open()
      await storage.commit({ append: [record(5)] })
      await assert.rejects(storage.commit({ append: [record(5)] }), /does not follow the log/)
      await assert.rejects(storage.commit({}), { code: 'COORD_STORE_FAILED' })
      await storage.close()
    })

    it('does not keep the storage from closing', async () => {
      const db = new FaultyLevel()
      const storage = levelStorage(db)
      await storage.open()
      db.fault = 'fails'
      const commit = assert.rejects(storage.commit({ append: [record(1)] }))
      await storage.close()
      await commit
      assert.equal(db.status, 'closed')
    })
  })

  describe('misuse', () => {
    it('opens once, writes after opening, one commit at a time', async () => {
      const storage = levelStorage(new MemoryLevel())
      await assert.rejects(storage.commit({}), /opened before it is written/)
      await storage.open()
      await assert.rejects(storage.open(), /opened once/)
      const first = storage.commit({})
      await assert.rejects(storage.commit({}), /waits for the one before/)
      await first
      await storage.close()
      await assert.rejects(storage.commit({}), { code: 'COORD_CLOSED' })
    })
  })

  describe('a store that another process uses', () => {
    it('is COORD_STORE_LOCKED, and names the directory', async () => {
      await withDirectory(async (directory) => {
        const first = levelStorage(new ClassicLevel(directory))
        await first.open()
        const second = levelStorage(new ClassicLevel(directory))
        const error = await rejection(second.open())
        assert.equal(Reflect.get(error, 'code'), 'COORD_STORE_LOCKED')
        assert.equal(error.message, `another process uses the store ${directory}`)
        await second.close()
        await first.close()
      })
    })

    it('is COORD_STORE_FAILED where a directory cannot be made', async () => {
      const storage = levelStorage(new ClassicLevel('/dev/null/store'))
      await assert.rejects(storage.open(), { code: 'COORD_STORE_FAILED' })
      await storage.close()
    })
  })

  describe('damage', () => {
    damageTests()
  })

  describe('damage below LevelDB', () => {
    // It skips the damaged block of 32 KiB without a word, and goes on behind it.
    it('a flipped bit in the middle of its write-ahead log is found', async () => {
      await withDirectory(async (directory) => {
        await write(new ClassicLevel(directory), ...manyChanges(1_000))
        await flipBit(directory, 0.5)
        await assert.rejects(read(new ClassicLevel(directory)), { code: 'COORD_STORE_DAMAGED' })
      })
    })

    const damagedFiles: { what: string; damage: (directory: string) => Promise<void> }[] = [
      { what: 'a flipped bit in its log', damage: (directory) => flipBitIn(directory, /^\d+\.log$/, 0.5) },
      { what: 'a flipped bit in a table', damage: (directory) => flipBitIn(directory, /^\d+\.ldb$/, 0.4) },
      { what: 'a flipped bit in its manifest', damage: (directory) => flipBitIn(directory, /^MANIFEST-\d+$/, 0.5) },
      { what: 'nonsense in CURRENT', damage: (directory) => writeFile(join(directory, 'CURRENT'), 'nonsense') },
      { what: 'an empty CURRENT', damage: (directory) => writeFile(join(directory, 'CURRENT'), '') },
      { what: 'a missing CURRENT', damage: (directory) => removeFiles(directory, /^CURRENT$/) },
      { what: 'a missing manifest', damage: (directory) => removeFiles(directory, /^MANIFEST-\d+$/) },
      { what: 'a table cut short', damage: (directory) => halve(directory, /^\d+\.ldb$/) },
      { what: 'a missing table', damage: (directory) => removeFiles(directory, /^\d+\.ldb$/) },
    ]
    for (const { what, damage } of damagedFiles) {
      it(`${what} is found, changes nothing, and is mended by a reset`, async () => {
        await withDirectory(async (directory) => {
          // The second opening turns the log into a table; what is written then is in the log.
          await write(new ClassicLevel(directory), ...bigChanges(60))
          await write(new ClassicLevel(directory), ...bigChanges(120).slice(60))
          await damage(directory)
          for (let attempt = 0; attempt < 2; attempt += 1) {
            await assert.rejects(read(new ClassicLevel(directory)), { code: 'COORD_STORE_DAMAGED' })
          }
          const storage = levelStorage(new ClassicLevel(directory))
          await assert.rejects(storage.open(), { code: 'COORD_STORE_DAMAGED' })
          await assert.rejects(storage.commit({ append: [record(2_001)] }), { code: 'COORD_STORE_FAILED' })
          await storage.commit({ reset: true, values: new Map([['id', bytes(7)]]), append: [record(5)] })
          await storage.commit({ append: [record(6)] })
          await storage.close()
          const { values, records } = await read(new ClassicLevel(directory))
          assert.deepEqual([...values.keys()], ['id'])
          assert.deepEqual(
            records.map(({ last }) => last),
            [5n, 6n],
          )
        })
      })
    }

    it('a manifest that is cut short, anywhere, is found, or gives an earlier moment, whole', async () => {
      await withDirectory(async (directory) => {
        await write(new ClassicLevel(directory), ...bigChanges(60))
        await write(new ClassicLevel(directory), ...bigChanges(120).slice(60))
        const [file] = (await readdir(directory)).filter((name) => name.startsWith('MANIFEST-'))
        const manifest = join(directory, file as string)
        const whole = await readFile(manifest)
        const outcomes = new Set<string>()
        for (const part of [0, 0.2, 0.4, 0.6, 0.8, 0.99]) {
          const copy = await mkdtemp(join(tmpdir(), 'embedded-coord-'))
          await cp(directory, copy, { recursive: true })
          await writeFile(join(copy, file as string), whole.subarray(0, Math.floor(part * whole.length)))
          try {
            const { records } = await read(new ClassicLevel(copy))
            outcomes.add('earlier')
            assert.deepEqual(
              records.map(({ last }) => last),
              records.map((_, index) => BigInt(index + 1)),
            )
          } catch (error) {
            assert.equal((error as CoordError).code, 'COORD_STORE_DAMAGED', String(error))
            outcomes.add('damaged')
          } finally {
            await rm(copy, { recursive: true })
          }
        }
        assert.ok(outcomes.has('damaged'))
      })
    })

    it('a directory whose first opening was cut short is a new one', async () => {
      await withDirectory(async (directory) => {
        await writeFile(join(directory, 'MANIFEST-000001'), '')
        await write(new ClassicLevel(directory), ...manyChanges(3))
        assert.equal((await read(new ClassicLevel(directory))).records.length, 3)
      })
    })

    it('a tail cut off in the middle of a change loses that change and those after it, nothing else', async () => {
      await withDirectory(async (directory) => {
        await write(new ClassicLevel(directory), ...manyChanges(200))
        await cutTail(directory, 1_000)
        const { records } = await read(new ClassicLevel(directory))
        assert(records.length < 200 && records.length > 100)
        assert.deepEqual(
          records.map(({ last }) => last),
          records.map((_, index) => BigInt(index + 1)),
        )
      })
    })
  })
})

function damageTests(): void {
  interface Damage {
    readonly name: string
    readonly message: RegExp
    readonly inflict: (db: MemoryLevel<string, Uint8Array>, earlier: Map<string, Uint8Array>) => Promise<void>
  }
  const record3 = 'coord/log/0000000000000003'
  const record4 = 'coord/log/0000000000000004'
  const flip = (key: string, at: number): Damage['inflict'] => {
    return async (db) => {
      const stored = Uint8Array.from((await db.get(key)) as Uint8Array)
      const index = at < 0 ? stored.length + at : at
      stored[index] = (stored[index] as number) ^ 0x10
      await db.put(key, stored)
    }
  }
  const remove = (key: string): Damage['inflict'] => {
    return (db) => db.del(key)
  }
  const putBack = (key: string): Damage['inflict'] => {
    return (db, earlier) => db.put(key, earlier.get(key) as Uint8Array)
  }
  const damages: Damage[] = [
    { name: 'a flipped bit in a record', message: /checksum of coord\/log\/0{15}3/, inflict: flip(record3, -1) },
    { name: 'a flipped bit in a header', message: /checksum of coord\/log\/0{15}3/, inflict: flip(record3, 9) },
    { name: 'a flipped bit in a checksum', message: /checksum of coord\/log\/0{15}3/, inflict: flip(record3, 30) },
    {
      name: 'a flipped bit in a value',
      message: /checksum of coord\/value\/epoch/,
      inflict: flip('coord/value/epoch', -1),
    },
    {
      name: 'a flipped bit in a chunk',
      message: /checksum of coord\/snapshot\/f{7}c\/f{7}e/,
      inflict: flip('coord/snapshot/fffffffc/fffffffe', -1),
    },
    {
      name: 'a flipped bit in the manifest',
      message: /checksum of coord\/manifest/,
      inflict: flip('coord/manifest', 12),
    },
    { name: 'a flipped bit in the seal', message: /checksum of coord\/seal/, inflict: flip('coord/seal', -1) },
    {
      name: 'a record cut short',
      message: /cut short/,
      inflict: async (db) => db.put(record3, ((await db.get(record3)) as Uint8Array).subarray(0, 20)),
    },
    {
      name: 'a record cut in its body',
      message: /checksum/,
      inflict: async (db) => db.put(record3, ((await db.get(record3)) as Uint8Array).subarray(0, 32)),
    },
    { name: 'a missing record', message: /broken between 0x2 and 0x4/, inflict: remove(record3) },
    {
      name: 'a missing first record',
      message: /broken between where it was purged and 0x3/,
      inflict: remove('coord/log/0000000000000002'),
    },
    { name: 'a missing last record', message: /number of log records/, inflict: remove('coord/log/0000000000000005') },
    {
      name: 'swapped records',
      message: /checksum/,
      inflict: async (db) => {
        const [third, fourth] = (await db.getMany([record3, record4])) as [Uint8Array, Uint8Array]
        await db.batch([
          { type: 'put', key: record3, value: fourth },
          { type: 'put', key: record4, value: third },
        ])
      },
    },
    { name: 'a record from before a truncation', message: /broken between 0x4 and 0x5/, inflict: putBack(record4) },
    { name: 'a record that was purged', message: /broken between/, inflict: putBack('coord/log/0000000000000001') },
    { name: 'a missing value', message: /value is missing or of another moment/, inflict: remove('coord/value/epoch') },
    {
      name: 'a value of an earlier moment',
      message: /value is missing or of another moment/,
      inflict: putBack('coord/value/epoch'),
    },
    {
      name: 'a value that was removed',
      message: /value is missing or of another moment/,
      inflict: putBack('coord/value/gone'),
    },
    {
      name: 'a missing chunk',
      message: /1 chunks, its manifest says 2/,
      inflict: remove('coord/snapshot/fffffffc/ffffffff'),
    },
    {
      name: 'a chunk of a checkpoint that was never done',
      message: /snapshot\/f{7}c\/f{7}e does not follow the chunk before it/,
      inflict: putBack('coord/snapshot/fffffffc/fffffffe'),
    },
    {
      name: 'a chunk too many',
      message: /3 chunks, its manifest says 2/,
      inflict: putBack('coord/snapshot/fffffffc/fffffffd'),
    },
    { name: 'a missing manifest', message: /checkpoint is missing/, inflict: remove('coord/manifest') },
    { name: 'a seal of an earlier moment', message: /broken between/, inflict: putBack('coord/seal') },
    { name: 'a missing seal', message: /broken between|differs from the seal/, inflict: remove('coord/seal') },
    {
      name: 'a whole checkpoint missing',
      message: /checkpoint is missing/,
      inflict: (db) =>
        db.batch(
          ['manifest', 'snapshot/fffffffc/ffffffff', 'snapshot/fffffffc/fffffffe'].map((key) => ({
            type: 'del',
            key: `coord/${key}`,
          })),
        ),
    },
    {
      name: 'a whole log missing',
      message: /number of log records/,
      inflict: (db) => db.clear({ gte: 'coord/log/', lt: 'coord/log0' }),
    },
  ]
  for (const { name, message, inflict } of damages) {
    it(`${name} is found`, async () => {
      const db = new MemoryLevel<string, Uint8Array>({ valueEncoding: 'view' })
      const earlier = await writeHistory(db)
      await db.open()
      await inflict(db, earlier)
      await assert.rejects(read(db), { code: 'COORD_STORE_DAMAGED', message })
    })
  }

  it('a format of a later release is no damage, and is said so', async () => {
    const db = new MemoryLevel<string, Uint8Array>({ valueEncoding: 'view' })
    await write(db, { values: new Map([['epoch', bytes(1)]]) })
    await db.open()
    const seal = Buffer.from((await db.get('coord/seal')) as Uint8Array)
    seal.writeUInt8(3, 2)
    seal.writeUInt32BE(crc32(seal.subarray(32), crc32(seal.subarray(0, 28), crc32('coord/seal'))), 28)
    await db.put('coord/seal', seal)
    await assert.rejects(read(db), { code: 'COORD_STORE_FAILED', message: /has format 3, this release reads 2/ })
  })
}

/** A store with a past, purged, truncated and checkpointed, and each entry as it was half-way. */
async function writeHistory(db: MemoryLevel<string, Uint8Array>): Promise<Map<string, Uint8Array>> {
  await write(db, {
    values: new Map([
      ['epoch', bytes(1)],
      ['gone', bytes(9)],
    ]),
    append: [record(1), record(2), record(3), { ...record(4), bytes: bytes(4, 0) }],
    stage: { zxid: 1n, from: 0, chunks: [bytes(1), bytes(2), bytes(3)] },
    checkpoint: { zxid: 1n, chunks: 3 },
  })
  const earlier = await entriesOf(db)
  await write(
    db,
    {
      values: new Map([
        ['epoch', bytes(2)],
        ['gone', undefined],
      ]),
      truncateAfter: 3n,
      append: [record(4), record(5)],
    },
    { stage: { zxid: 1n, from: 0, chunks: [bytes(0)] }, checkpoint: { zxid: 1n, chunks: 1 } },
    // One that was never done.
    { stage: { zxid: 1n, from: 0, chunks: [bytes(1), bytes(2), bytes(3)] } },
  )
  for (const [key, value] of await entriesOf(db)) if (!earlier.has(key)) earlier.set(key, value)
  await write(db, {
    stage: { zxid: 2n, from: 0, chunks: [bytes(4), bytes(5)] },
    checkpoint: { zxid: 2n, chunks: 2 },
    purgeThrough: 1n,
  })
  assert.equal((await read(db)).records.length, 4)
  return earlier
}

async function entriesOf(db: MemoryLevel<string, Uint8Array>): Promise<Map<string, Uint8Array>> {
  await db.open()
  const entries = new Map(await db.iterator().all())
  await db.close()
  return entries
}

const manyChanges = (count: number): { append: LogRecord[] }[] =>
  Array.from({ length: count }, (_, index) => ({ append: [record(index + 1)] }))

/** Enough for several blocks of LevelDB's log; bytes that it cannot pack, so that each of them counts. */
const bigChanges = (count: number): { append: LogRecord[] }[] =>
  manyChanges(count).map(({ append: [each] }) => ({
    append: [{ ...(each as LogRecord), bytes: noise(2_000, Number(each?.last)) }],
  }))

function noise(length: number, seed: number): Uint8Array {
  let state = seed
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 24
  })
}

async function write(db: Level, ...changes: Parameters<Storage['commit']>[0][]): Promise<void> {
  const storage = levelStorage(db)
  await storage.open()
  for (const change of changes) await storage.commit(change)
  await storage.close()
}

async function read(db: Level): Promise<StoredState> {
  const storage = levelStorage(db)
  try {
    return await storage.open()
  } finally {
    await storage.close()
  }
}

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'embedded-coord-'))
  try {
    await run(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

function faultyFixture(durable: boolean): StorageFixture {
  let db = new FaultyLevel()
  let storage: Storage | undefined
  return {
    storage() {
      storage = levelStorage(db, { durable })
      return storage
    },
    async crash() {
      const survivor = await db.afterCrash()
      await storage?.close()
      db = survivor
    },
  }
}

/** A directory in use. It crashes by being left as it is: what comes after is a copy made while the first is open. */
async function classicFixture(): Promise<StorageFixture> {
  const root = await mkdtemp(join(tmpdir(), 'embedded-coord-'))
  let directory = join(root, '0')
  let crashes = 0
  let storage: Storage | undefined
  return {
    storage() {
      storage = levelStorage(new ClassicLevel(directory))
      return storage
    },
    async crash() {
      crashes += 1
      const copy = join(root, String(crashes))
      await cp(directory, copy, { recursive: true })
      await storage?.close()
      directory = copy
    },
    dispose: () => rm(root, { recursive: true }),
  }
}

/** The file to which LevelDB writes first. */
async function writeAheadLog(directory: string): Promise<string> {
  const names = await readdir(directory)
  const logs = names.filter((name) => /^\d+\.log$/.test(name))
  assert.equal(logs.length, 1)
  return join(directory, logs[0] as string)
}

async function flipBit(directory: string, where: number): Promise<void> {
  await flipBitOf(await writeAheadLog(directory), where)
}

async function flipBitIn(directory: string, name: RegExp, where: number): Promise<void> {
  const names = (await readdir(directory)).filter((each) => name.test(each)).sort()
  await flipBitOf(join(directory, names[0] as string), where)
}

async function removeFiles(directory: string, name: RegExp): Promise<void> {
  for (const each of await readdir(directory)) if (name.test(each)) await rm(join(directory, each))
}

async function halve(directory: string, name: RegExp): Promise<void> {
  const names = (await readdir(directory)).filter((each) => name.test(each)).sort()
  const file = join(directory, names[0] as string)
  await truncate(file, (await readFile(file)).length >> 1)
}

async function flipBitOf(file: string, where: number): Promise<void> {
  const content = await readFile(file)
  const at = Math.floor(content.length * where)
  content[at] = (content[at] as number) ^ 0x10
  await writeFile(file, content)
}

async function cutTail(directory: string, bytesLost: number): Promise<void> {
  const file = await writeAheadLog(directory)
  const { length } = await readFile(file)
  await truncate(file, length - bytesLost)
}

const bytes = (...each: number[]): Uint8Array => Uint8Array.from(each)

const record = (zxid: number): LogRecord => ({ first: BigInt(zxid), last: BigInt(zxid), bytes: bytes(zxid % 256) })

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => assert.fail('it should have been rejected'),
    (error: Error) => error,
  )
}

const lesser = (a: string, b: string): string => (a < b ? a : b)
const greater = (a: string, b: string): string => (a > b ? a : b)
