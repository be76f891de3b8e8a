/** Snapshot files: what `exportSnapshot` writes, `verifySnapshot` proves, and `restoreFrom` founds an ensemble with. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ClassicLevel } from 'classic-level'
import { type Coord, type JoinOptions, joinEnsemble, verifySnapshot } from '../../lib/index.ts'
import { freePorts } from '../free-ports.ts'
import { founders, refusesMisuse, rejectsWith, until, World } from './fixture.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A tree with something of everything in it, and a file of it. */
async function backup(world: World, count = 20): Promise<{ readonly coord: Coord; readonly file: string }> {
  const coord = await world.join({ name: 'old' })
  await coord.create('/app', text('root'))
  for (let index = 0; index < count; index += 1) await coord.create(`/app/n-${index}`, text(`value ${index}`))
  await coord.setData('/app/n-0', text('changed'))
  await coord.create('/app/empty', new Uint8Array())
  await coord.create('/app/nothing')
  await coord.create('/app/jobs', undefined, { mode: 'container' })
  await coord.create('/app/short', undefined, { mode: 'persistent-ttl', ttlMs: 3_600_000 })
  await coord.create('/app/line-', undefined, { mode: 'ephemeral-sequential' })
  await coord.create('/lock', undefined, { mode: 'ephemeral' })
  await coord.setQuota('/app', { count: 1_000 })
  const file = join(world.folder(), 'tree.snapshot')
  await coord.exportSnapshot(file)
  return { coord, file }
}

describe('exportSnapshot', () => {
  it('writes the tree at one zxid, and says what it wrote', async () => {
    await using world = new World()
    const { coord, file } = await backup(world)
    const seen: number[] = []
    const info = await coord.exportSnapshot(file, { onProgress: ({ records }) => seen.push(records) })
    assert.equal(info.clusterId, coord.member.clusterId)
    assert.equal(info.zxid, coord.member.lastZxid)
    assert.equal(info.bytes, (await readFile(file)).length)
    assert.ok(info.takenAt <= Date.now() && info.takenAt > Date.now() - 60_000)
    assert.ok((seen.at(-1) ?? 0) > 25)
    assert.deepEqual({ ...(await verifySnapshot(file)) }, { ...info })
    assert.equal(JSON.parse(JSON.stringify(info)).zxid, `${info.zxid}`)
  })

  it('holds what was there when it was called, whatever is written meanwhile', async () => {
    await using world = new World()
    const coord = await world.join()
    for (let index = 0; index < 600; index += 1) void coord.create(`/before-${index}`, text('x'))
    await coord.sync()
    const file = join(world.folder(), 'tree.snapshot')
    const later: Promise<unknown>[] = []
    const info = await coord.exportSnapshot(file, {
      onProgress: ({ records }) => {
        later.push(coord.create(`/during-${records}`), coord.setData('/before-599', text('y')))
        if (later.length === 2) later.push(coord.delete('/before-598'))
      },
    })
    await Promise.all(later)
    assert.ok(later.length > 2)
    const restored = await world.join({ restoreFrom: file })
    assert.deepEqual((await restored.getData('/before-599')).data, text('x'))
    assert.ok(await restored.exists('/before-598'))
    const { children } = await restored.getChildren('/')
    assert.deepEqual(
      children.filter((name) => name.startsWith('during')),
      [],
    )
    assert.equal(info.zxid < coord.member.lastZxid, true)
  })

  it('leaves what was there before, and nothing beside it, where it fails or is aborted', async () => {
    await using world = new World()
    const { coord, file } = await backup(world, 600)
    const before = await readFile(file)
    const cut = new AbortController()
    const aborted = coord.exportSnapshot(file, { signal: cut.signal, onProgress: () => cut.abort() })
    await assert.rejects(aborted, { name: 'AbortError', code: 'ABORT_ERR' })
    await rejectsWith('COORD_SNAPSHOT_FAILED', coord.exportSnapshot(join(file, 'below')), /below/)
    assert.deepEqual(await readFile(file), before)
    assert.deepEqual(readdirSync(join(file, '..')), ['tree.snapshot'])
    await refusesMisuse(/path of a snapshot file/, coord.exportSnapshot(''))
    await refusesMisuse(/onProgress/, coord.exportSnapshot(file, { onProgress: 1 } as never))
    await coord.close()
    await rejectsWith('COORD_CLOSED', coord.exportSnapshot(file))
  })

  it('never stops the event loop for long', async () => {
    await using world = new World()
    const coord = await world.join()
    const data = new Uint8Array(1_000)
    const created = Array.from({ length: 5_000 }, (_, index) => coord.create(`/n-${index}`, data))
    await Promise.all(created)
    let turns = 0
    let isDone = false
    const count = (): void => {
      turns += 1
      if (!isDone) setImmediate(count)
    }
    count()
    let slices = 0
    await coord.exportSnapshot(join(world.folder(), 'tree.snapshot'), {
      onProgress: () => {
        slices += 1
      },
    })
    isDone = true
    // Between any two slices others have their turn.
    assert.ok(slices >= 20 && turns >= slices, `${turns} turns of the loop for ${slices} slices`)
  })
})

describe('verifySnapshot', () => {
  it('finds a changed byte, wherever it is, and a file that is cut short or too long', async () => {
    await using world = new World()
    const { file } = await backup(world)
    const sound = await readFile(file)
    const other = `${file}.other`
    // Every byte of the beginning and of the end, and one in some between.
    for (let at = 0; at < sound.length; at += at < 120 || at > sound.length - 60 ? 1 : 23) {
      const changed = Buffer.from(sound)
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      await writeFile(other, changed)
      await rejectsWith('COORD_SNAPSHOT_DAMAGED', verifySnapshot(other))
    }
    for (const length of [0, 1, 15, 16, 20, 24, 60, sound.length >> 1, sound.length - 1]) {
      await writeFile(other, sound.subarray(0, length))
      await rejectsWith('COORD_SNAPSHOT_DAMAGED', verifySnapshot(other))
    }
    await writeFile(other, Buffer.concat([sound, Buffer.of(0)]))
    await rejectsWith('COORD_SNAPSHOT_DAMAGED', verifySnapshot(other))
    await writeFile(other, 'something else altogether')
    await rejectsWith('COORD_SNAPSHOT_DAMAGED', verifySnapshot(other), /none/)
  }).timeout(60_000)

  it('tells a later format from damage, and a file that cannot be read from both', async () => {
    await using world = new World()
    const { file } = await backup(world)
    const later = await readFile(file)
    later.writeUInt16BE(2, 8)
    later.writeUInt32BE(crc32(later.subarray(0, 12)), 12)
    await writeFile(file, later)
    await rejectsWith('COORD_SNAPSHOT_UNKNOWN', verifySnapshot(file), /format 2/)
    await rejectsWith('COORD_SNAPSHOT_UNKNOWN', joinEnsemble({ restoreFrom: file }))
    await rejectsWith('COORD_SNAPSHOT_FAILED', verifySnapshot(`${file}.gone`), /gone/)
    await rejectsWith('COORD_SNAPSHOT_FAILED', joinEnsemble({ restoreFrom: `${file}.gone` }))
    await assert.rejects(verifySnapshot(file, { signal: AbortSignal.abort() }), { name: 'AbortError' })
    await refusesMisuse(/restoreFrom/, joinEnsemble({ restoreFrom: '' }))
  })
})

describe('restoreFrom', () => {
  it('founds with the tree as it was: data, versions, zxids; later zxids; no session and nothing of theirs', async () => {
    await using world = new World()
    const { coord: old, file } = await backup(world)
    const last = old.member.lastZxid
    const coord = await world.join({ name: 'new', restoreFrom: file })
    assert.notEqual(coord.member.clusterId, old.member.clusterId)
    for (const path of ['/app', '/app/n-0', '/app/n-19', '/app/empty', '/app/nothing', '/app/jobs', '/app/short']) {
      const [was, is] = await Promise.all([old.getData(path), coord.getData(path)])
      assert.deepEqual(is.data, was.data, path)
      // Its ephemeral child is gone.
      const ofChildren = path === '/app' ? { cversion: 0, numChildren: 0 } : {}
      assert.deepEqual({ ...is.stat, ...ofChildren }, { ...was.stat, ...ofChildren }, path)
      assert.deepEqual(await old.getMode(path).then(({ mode, ttlMs }) => ({ mode, ttlMs })), {
        mode: (await coord.getMode(path)).mode,
        ttlMs: (await coord.getMode(path)).ttlMs,
      })
    }
    assert.deepEqual((await coord.getQuota('/app'))?.count, 1_000)
    assert.equal(await coord.exists('/lock'), undefined)
    const { children } = await coord.getChildren('/app')
    assert.deepEqual(
      children.filter((name) => name.startsWith('line')),
      [],
    )
    // The number of the line that was there is not given again, and every token is larger than all in the file.
    const next = await coord.createWithStat('/app/line-', undefined, { mode: 'ephemeral-sequential' })
    assert.ok(next.path > '/app/line-0000000000' && (next.stat.czxid as bigint) > last)
    assert.ok(next.stat.czxid >> 32n > last >> 32n)
    // The configuration in the tree is that of now.
    const config = new TextDecoder().decode((await coord.getData('/zookeeper/config')).data)
    assert.match(config, /participant/)
    assert.deepEqual(
      coord.hosting.sessions().map(({ id }) => id),
      [coord.session.id],
    )
  })

  it('restores an ensemble of three; only one of them needs the file', async () => {
    await using world = new World()
    const { coord: old, file } = await backup(world)
    const [a, b, c] = founders(await freePorts(3)) as [JoinOptions, JoinOptions, JoinOptions]
    const coords = await Promise.all([
      world.join({ ...a }),
      world.join({ ...b, restoreFrom: file, storage: new ClassicLevel(world.folder()) }),
      world.join({ ...c, storage: new ClassicLevel(world.folder()) }),
    ])
    for (const coord of coords) {
      await coord.sync()
      assert.deepEqual((await coord.getData('/app/n-0')).data, text('changed'))
      assert.equal(await coord.exists('/lock'), undefined)
    }
    const created = await coords[0].createWithStat('/after')
    assert.ok((created.stat.czxid as bigint) > old.member.lastZxid)
    // All take their seats: with the one that restored gone, the two others are a quorum.
    await until(
      'three voters',
      () => coords.every(({ member }) => member.members.filter((m) => m.voter).length === 3),
      60_000,
    )
    await coords[1].close()
    await coords[2].create('/still', undefined)
    assert.deepEqual((await coords[0].getData('/app/n-3', { consistency: 'linearizable' })).data, text('value 3'))
  }).timeout(120_000)

  it('of all founders with the same file founds one ensemble; with different files none', async () => {
    await using world = new World()
    const { coord: old, file } = await backup(world)
    const options = founders(await freePorts(3), { restoreFrom: file })
    const coords = await Promise.all(options.map((one) => world.join(one)))
    assert.equal(new Set(coords.map(({ member }) => member.clusterId)).size, 1)
    // One of them forgets everything, and is started again as it was.
    await until('seats', () => coords.every(({ member }) => member.members.filter((m) => m.voter).length === 3), 60_000)
    await coords[0]?.close()
    const back = await world.join(options[0])
    assert.equal(back.member.clusterId, coords[1]?.member.clusterId)
    await old.create('/later')
    const other = `${file}.other`
    await old.exportSnapshot(other)
    const different = founders(await freePorts(2)).map((one, index) => ({ ...one, restoreFrom: index ? file : other }))
    const attempts = await Promise.allSettled(different.map((one) => world.join(one)))
    for (const attempt of attempts) assert.equal(attempt.status, 'rejected')
    const codes = attempts.map((attempt) => (attempt.status === 'rejected' ? attempt.reason.code : ''))
    assert.ok(codes.includes('COORD_FOUNDERS_DIFFER'), codes.join())
  }).timeout(60_000)

  it('may stay: a restart, or a founder that forgot, finds the ensemble that began with this file', async () => {
    await using world = new World()
    const { file } = await backup(world)
    const folder = world.folder()
    const first = await world.join({ name: 'one', restoreFrom: file, storage: new ClassicLevel(folder) })
    await first.setData('/app', text('newer'))
    await first.close()
    const second = await world.join({ name: 'one', restoreFrom: file, storage: new ClassicLevel(folder) })
    assert.equal(second.member.clusterId, first.member.clusterId)
    assert.deepEqual((await second.getData('/app')).data, text('newer'))
    // From a copy of the file, too: what counts is what is in it.
    await second.close()
    await copyFile(file, `${file}.copy`)
    await (await world.join({ restoreFrom: `${file}.copy`, name: 'one', storage: new ClassicLevel(folder) })).close()
  })

  it('is refused where there is an ensemble already, in the store or among the peers', async () => {
    await using world = new World()
    const { file } = await backup(world)
    const folder = world.folder()
    const alone = await world.join({ name: 'one', storage: new ClassicLevel(folder) })
    await alone.create('/mine')
    await alone.close()
    const again = (): JoinOptions => ({ name: 'one', storage: new ClassicLevel(folder) })
    await rejectsWith('COORD_NOT_RESTORED', world.join({ ...again(), restoreFrom: file }), /store belongs/)
    assert.ok(await (await world.join(again())).exists('/mine'))

    const options = founders(await freePorts(3))
    const coords = await Promise.all(options.map((one) => world.join(one)))
    const leaving = coords.find(({ member }) => member.role !== 'leader') as Coord
    const mine = options[coords.indexOf(leaving)] as JoinOptions
    await leaving.close()
    await rejectsWith('COORD_NOT_RESTORED', world.join({ ...mine, restoreFrom: file }), /lives already/)
    await (coords.find((coord) => coord !== leaving) as Coord).create('/goes-on')
  }).timeout(60_000)

  it('from a damaged file founds nothing', async () => {
    await using world = new World()
    const { file } = await backup(world)
    const bytes = await readFile(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
    await writeFile(file, bytes)
    const folder = world.folder()
    const storage = new ClassicLevel(folder)
    await rejectsWith('COORD_SNAPSHOT_DAMAGED', world.join({ restoreFrom: file, storage }))
    // The store is closed again, and nothing is in it.
    const coord = await world.join({ storage: new ClassicLevel(folder) })
    assert.deepEqual((await coord.getChildren('/')).children, ['zookeeper'])
  })
})
