/** What is left after a majority of members in memory ended at once: saved from the best survivor, and founded anew with. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Coord } from '../../lib/index.ts'
import { type Machine, World } from '../../lib/testing/world.ts'
import { rejectsWith } from '../join/fixture.ts'

/** Virtual time passes while files are read and written in real time. */
async function until<T>(world: World, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const note = (): void => {
    isSettled = true
  }
  promise.then(note, note)
  while (!isSettled) {
    await world.scheduler.advance(20)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return promise
}

describe('an ensemble of which a majority forgot', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coord-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('is founded anew with what its best survivor exports: as another one, with larger tokens', async () => {
    const file = join(folder, 'best.snapshot')
    const world = new World({
      seed: 1,
      network: { delayMs: { min: 0, max: 0 } },
      syncMs: 0,
      clockDrift: 0,
      join: { voters: 3, joinTimeoutMs: 30_000, valueEncoding: 'utf8' },
    })
    const machines = ['a', 'b', 'c', 'd'].map((name) => world.addMachine(name, false))
    const [a, b, c, d] = machines as [Machine, Machine, Machine, Machine]
    const founders = [a, b, c].map(({ address }) => address)
    const startAll = (restoring: Machine | undefined): Promise<Coord<unknown>[]> =>
      until(
        world,
        Promise.all(
          machines.map((machine) =>
            world.start(machine, founders, {
              joinTimeoutMs: 600_000,
              ...(machine === restoring ? { restoreFrom: file } : {}),
            }),
          ),
        ),
      )
    const [onA, onB, , onD] = (await startAll(undefined)) as [
      Coord<string>,
      Coord<string>,
      Coord<string>,
      Coord<string>,
    ]
    await until(world, onB.create('/kept', 'data'))
    const lock = await until(world, onB.lock('/lock'))
    // The founder that will be left lacks what the observer has.
    for (const one of [b, c, d]) world.network.block(one.name, a.name)
    await world.scheduler.advance(5000)
    await until(world, onB.create('/late'))
    await until(world, onD.sync())
    for (const machine of [b, c]) world.crash(machine)
    world.network.heal()
    const warnings: string[] = []
    onD.member.on('warning', (text) => warnings.push(text))
    const back = [b, c].map((machine) => world.start(machine, founders))
    for (const one of back) one.catch(() => {})
    for (const one of back) await rejectsWith('COORD_MAJORITY_LOST', until(world, one), /memory/)
    assert.match(warnings.join(), /majority of the voters/)
    const { clusterId, lastZxid } = onD.member
    assert.ok(lastZxid > onA.member.lastZxid, 'which one is best, lastZxid says')
    await until(world, onD.exportSnapshot(file))
    for (const machine of machines) world.crash(machine)

    const coords = (await startAll(a)) as Coord<string>[]
    for (const coord of coords) {
      assert.notEqual(coord.member.clusterId, clusterId)
      assert.equal(coord.member.clusterId, coords[0]?.member.clusterId)
      const { data } = await until(world, coord.getData('/kept', { consistency: 'linearizable' }))
      assert.equal(data, 'data')
      assert.ok((await coord.exists('/late')) !== undefined)
      assert.ok(coord.member.lastZxid > lastZxid)
    }
    const next = await until(world, (coords[1] as Coord<string>).lock('/lock'))
    assert.ok(next.token > lock.token, 'the lock is free, and its token is larger')
    await until(world, Promise.all(coords.map((coord) => coord.close())))
  })
})
