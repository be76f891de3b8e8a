/** Durable stores: what was acknowledged is there after a restart, and what is damaged says so. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import { FileStorage } from '../../adapters/storage-file/index.ts'
import type { Coord, JoinOptions } from '../../lib/index.ts'
import { freePorts } from '../free-ports.ts'
import { addressAt, founders, rejectsWith, until, World } from './fixture.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('a durable member', () => {
  it('has everything after a restart, under the id that it had', async () => {
    await using world = new World()
    const folder = world.folder()
    const first = await world.join({ name: 'one', storage: new ClassicLevel(folder) })
    const { id, clusterId, epoch } = first.member
    await first.create('/a', text('x'))
    await first.create('/gone', undefined, { mode: 'ephemeral' })
    await first.close()
    const second = await world.join({ name: 'one', storage: new ClassicLevel(folder) })
    assert.deepEqual((await second.getData('/a')).data, text('x'))
    assert.equal(await second.exists('/gone'), undefined)
    assert.equal(second.member.id, id)
    assert.equal(second.member.clusterId, clusterId)
    assert.ok(second.member.epoch > epoch)
  })

  it('says how many entries it has written, and in how many commits', async () => {
    await using world = new World()
    const coord = await world.join({ name: 'one', storage: new ClassicLevel(world.folder()) })
    const before = coord.member.written
    await Promise.all(Array.from({ length: 100 }, (_, index) => coord.create(`/n-${index}`)))
    const { commits, entries } = coord.member.written
    assert.equal(entries - before.entries, 100)
    assert.ok(commits - before.commits >= 1 && commits - before.commits < 50, `${commits - before.commits} commits`)
    const inMemory = await world.join({ name: 'two' })
    await inMemory.create('/a')
    assert.deepEqual(inMemory.member.written, { commits: 0, entries: 0 })
  })

  it('takes another port after a restart, where it is alone', async () => {
    await using world = new World()
    const folder = world.folder()
    for (const port of await freePorts(2)) {
      const storage = new ClassicLevel(folder)
      const coord = await world.join({ name: 'one', listen: { port }, storage, joinTimeoutMs: 3000 })
      await coord.create('/n-', undefined, { mode: 'persistent-sequential' })
      await coord.close()
    }
  })

  it('whose store is damaged says so, and what to do', async () => {
    await using world = new World()
    const folder = world.folder()
    const coord = await world.join({ name: 'one', storage: new ClassicLevel(folder) })
    for (let index = 0; index < 10; index++) await coord.create(`/n-${index}`, text('x'.repeat(100)))
    await coord.close()
    await damage(folder)
    await rejectsWith('COORD_STORE_DAMAGED', world.join({ name: 'one', storage: new ClassicLevel(folder) }), /damaged/)
    // A refused store is closed again: the operator can look at it.
    const store = new ClassicLevel(folder)
    await store.open()
    await store.close()
  })

  it('whose database lost its file CURRENT says that it is damaged, and leaves the rest alone', async () => {
    await using world = new World()
    const folder = world.folder()
    const coord = await world.join({ name: 'one', storage: new ClassicLevel(folder) })
    await coord.create('/a', text('x'))
    await coord.close()
    const saved = readFileSync(join(folder, 'CURRENT'))
    rmSync(join(folder, 'CURRENT'))
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const again = world.join({ name: 'one', storage: new ClassicLevel(folder) })
      await rejectsWith('COORD_STORE_DAMAGED', again, /CURRENT is missing/)
    }
    writeFileSync(join(folder, 'CURRENT'), saved)
    const back = await world.join({ name: 'one', storage: new ClassicLevel(folder) })
    assert.deepEqual((await back.getData('/a')).data, text('x'))
  })

  for (const lost of [/^CURRENT$/, /^MANIFEST-/, /^\d+\.(?:log|ldb)$/]) {
    it(`that lost the files ${lost} of its database is repaired by the others under a fresh id`, async () => {
      await expectRepaired(
        (folder) => new ClassicLevel(folder),
        (folder) => {
          for (const file of readdirSync(folder)) if (lost.test(file)) rmSync(join(folder, file))
        },
      )
    }).timeout(120_000)
  }

  it('that has a flipped bit in its files is repaired by the others under a fresh id', async () => {
    await expectRepaired(
      (folder) => new FileStorage(folder, { segmentBytes: 0x1_0000 }),
      (folder) => {
        const file = join(folder, 'journal-0000000001')
        const bytes = readFileSync(file)
        bytes[4200] = (bytes[4200] as number) ^ 1
        writeFileSync(file, bytes)
      },
    )
  }).timeout(120_000)

  it('whose database lost the end of its log, which had been synced, is told by the others, and begins anew', async () => {
    await using world = new World()
    const options = founders(await freePorts(3)).map((one) => ({ ...one, folder: world.folder() }))
    const start = ({ folder, ...one }: (typeof options)[number]): Promise<Coord> =>
      world.join({ ...one, storage: new ClassicLevel(folder) })
    const coords = await Promise.all(options.map(start))
    for (let index = 0; index < 30; index += 1) await coords[0]?.create(`/n-${index}`, text('x'.repeat(200)))
    const [one] = options as [(typeof options)[number]]
    const before = (coords[0] as Coord).member.id
    await coords[0]?.close()
    const [log] = readdirSync(one.folder).filter((file) => /^\d+\.log$/.test(file)) as [string]
    const file = join(one.folder, log)
    // What is left is sound by itself: an earlier moment.
    truncateSync(file, Math.floor(statSync(file).size / 2))
    const back = await start(one)
    await until('a fresh id', () => back.member.id !== before && back.state === 'connected', 60_000)
    await until('its seat', () => back.member.members.some(({ id, voter }) => id === back.member.id && voter), 60_000)
    await back.sync()
    assert.equal((await back.getChildren('/')).children.length, 31)
  }).timeout(120_000)

  it('is refused the store of a member of another name', async () => {
    await using world = new World()
    const folder = world.folder()
    const coord = await world.join({ name: 'one', storage: new ClassicLevel(folder) })
    await coord.close()
    await rejectsWith('COORD_STORE_FOREIGN', world.join({ name: 'two', storage: new ClassicLevel(folder) }), /'one'/)
    await (await world.join({ name: 'one', storage: new ClassicLevel(folder) })).close()
  })

  it('that was alone takes others in later', async () => {
    await using world = new World()
    const folder = world.folder()
    const alone = await world.join({ name: 'one', storage: new ClassicLevel(folder) })
    await alone.create('/before', text('x'))
    await alone.close()
    const [one, two] = (await freePorts(2)) as [number, number]
    const peers = [addressAt(one)]
    await world.join({ name: 'one', listen: { port: one }, peers, storage: new ClassicLevel(folder) })
    const other = await world.join({ name: 'two', listen: { port: two }, peers })
    assert.deepEqual((await other.getData('/before', { consistency: 'linearizable' })).data, text('x'))
  })
})

describe('a durable member of another ensemble', () => {
  it('does not join: it says which ensembles they are', async () => {
    await using world = new World()
    const [one, two, three] = await freePorts(3)
    const folder = world.folder()
    const peers = [one, two].map((port) => addressAt(port as number))
    const first = await Promise.all([
      world.join({ name: 'one', listen: { port: one as number }, peers, storage: new ClassicLevel(folder) }),
      world.join({ name: 'two', listen: { port: two as number }, peers }),
    ])
    const { clusterId } = first[0].member
    // In this order: the one without a disk would give its seat up, and leave the other one alone in office.
    for (const coord of first) await coord.close()
    const other = await world.join({ name: 'three', listen: { port: three as number } })
    const astray = {
      name: 'one',
      listen: { port: one as number },
      peers: [addressAt(three as number)],
      storage: new ClassicLevel(folder),
      joinTimeoutMs: 3000,
    }
    const error = await rejectsWith('COORD_CLUSTER_DIFFERS', world.join(astray), new RegExp(clusterId))
    assert.ok(error.message.includes(other.member.clusterId))
    await other.create('/served')
  })
})

describe('a member over a database that forgets', () => {
  it('opens and closes it, and writes nothing: nobody would ever read it', async () => {
    await using world = new World()
    const storage = new MemoryLevel<string, string>()
    let batches = 0
    const batch = storage.batch.bind(storage) as (...given: unknown[]) => never
    storage.batch = ((...given: unknown[]) => {
      batches += 1
      return batch(...given)
    }) as never
    const coord = await world.join({ storage })
    assert.equal(storage.status, 'open')
    await coord.create('/a', text('x'))
    assert.deepEqual((await coord.getData('/a')).data, text('x'))
    assert.equal(batches, 0)
    await coord.close()
    assert.equal(storage.status, 'closed')
  })
})

/** One of three loses what `damage` takes while it is down: it comes back as another one, with everything, and stays so. */
async function expectRepaired(
  storageIn: (folder: string) => JoinOptions['storage'],
  damage: (folder: string) => void,
): Promise<void> {
  await using world = new World()
  const options = founders(await freePorts(3)).map((one) => ({ ...one, folder: world.folder() }))
  const start = ({ folder, ...one }: (typeof options)[number]): Promise<Coord> =>
    world.join({ ...one, storage: storageIn(folder) })
  const coords = await Promise.all(options.map(start))
  for (let index = 0; index < 5; index += 1) await coords[0]?.create(`/n-${index}`, text('x'))
  const [first] = options as [(typeof options)[number]]
  const before = (coords[0] as Coord).member.id
  await coords[0]?.close()
  damage(first.folder)
  const back = await start(first)
  assert.notEqual(back.member.id, before)
  await back.sync()
  assert.equal((await back.getChildren('/')).children.length, 6)
  await until('its seat', () => back.member.members.some(({ id, voter }) => id === back.member.id && voter), 60_000)
  // Its store is whole again: it starts from it.
  const { id } = back.member
  await back.close()
  const again = await start(first)
  assert.equal(again.member.id, id)
}

/** Changes a byte in the middle of the largest entry. */
async function damage(folder: string): Promise<void> {
  const store = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' })
  let largest: [Uint8Array, Uint8Array] | undefined
  for await (const [key, value] of store.iterator()) {
    if (largest === undefined || value.length > largest[1].length) largest = [key, value]
  }
  const [key, value] = largest as [Uint8Array, Uint8Array]
  const changed = value.slice()
  changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1
  await store.put(key, changed)
  await store.close()
}
