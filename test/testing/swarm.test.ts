/**
 * The whole library on the virtual world, under random faults: members, sessions, promises and all. Each seed draws its
 * own size, durability and faults. Writers count with compare-and-set and queue with sequential creates; afterwards
 * everything heals, and then every acknowledged write must be there, exactly once, and all replicas must be equal.
 *
 * SEEDS=1000 START=1 runs more.
 */
import assert from 'node:assert/strict'
import { type Coord, CoordError } from '../../lib/index.ts'
import { createTestEnsemble, type TestEnsemble } from '../../lib/testing/index.ts'
import { Random } from '../../lib/testing/random.ts'

const seeds = Number(process.env['SEEDS'] ?? 60)
const start = Number(process.env['START'] ?? 1)

interface Ledger {
  /** Order ids whose create was acknowledged, with the path it got. */
  readonly acknowledged: Map<string, string>
  readonly counted: { value: number; unknown: number }
}

describe('the library under random faults', () => {
  for (let seed = start; seed < start + seeds; seed++) {
    it(`seed ${seed}`, async () => {
      await runSeed(seed)
    }).timeout(60_000)
  }
})

async function runSeed(seed: number): Promise<void> {
  const random = new Random(seed, 'swarm')
  const size = random.pick([1, 2, 3, 3, 3, 5])
  const durable = random.chance(0.5)
  const networkDelayMs = random.pick([
    { min: 0, max: 0 },
    { min: 1, max: 5 },
    { min: 1, max: 80 },
  ])
  await using ensemble = await createTestEnsemble<number, 'utf8'>({
    size,
    seed,
    durable,
    networkDelayMs,
    syncMs: random.pick([0, 1, 10]),
    clockDrift: random.pick([0, 0.0005]),
    valueEncoding: 'utf8',
  })
  const coords: Coord<string>[] = [...ensemble.coords]
  const first = coords[0] as Coord<string>
  await ensemble.until(Promise.all([first.create('/orders'), first.create('/count', '0')]))
  const ledger: Ledger = { acknowledged: new Map(), counted: { value: 0, unknown: 0 } }
  const chaos = { over: false }
  const writers = Array.from({ length: 3 }, (_, index) =>
    write(ensemble, coords, index, ledger, chaos, new Random(seed, `writer ${index}`)),
  )
  await disturb(ensemble, coords, durable, random)
  ensemble.heal()
  await ensemble.advance(30_000)
  chaos.over = true
  await ensemble.until(Promise.all(writers))
  await ensemble.advance(5_000)
  await check(ensemble, coords, ledger, seed)
}

/** One writer on whichever member it likes; it goes on after every kind of failure. */
async function write(
  ensemble: TestEnsemble<number, string>,
  coords: Coord<string>[],
  index: number,
  ledger: Ledger,
  chaos: { over: boolean },
  random: Random,
): Promise<void> {
  for (let number = 0; !chaos.over; number++) {
    const coord = coords[random.between(0, coords.length - 1)] as Coord<string>
    const id = `${index}-${number}`
    await ensemble.sleep(random.between(1, 300))
    try {
      if (random.chance(0.5)) {
        const creating = coord.create('/orders/o-', id, { mode: 'persistent-sequential' })
        ledger.acknowledged.set(id, await orGone(ensemble, creating))
      } else {
        await count(ensemble, coord, ledger)
      }
    } catch (error) {
      assert.ok(error instanceof CoordError, `${String(error)}`)
    }
  }
}

/** What a process was doing when it was killed is never answered: the outcome is unknown. */
async function orGone<T>(ensemble: TestEnsemble<number, string>, promise: Promise<T>): Promise<T> {
  const gone = ensemble.sleep(25_000).then(() => {
    throw new CoordError('COORD_CONNECTION_LOSS', 'the process is gone')
  })
  return Promise.race([promise, gone])
}

async function count(ensemble: TestEnsemble<number, string>, coord: Coord<string>, ledger: Ledger): Promise<void> {
  const { data, stat } = await orGone(ensemble, coord.getData('/count'))
  try {
    await orGone(ensemble, coord.setData('/count', `${Number(data) + 1}`, { version: stat.version }))
    ledger.counted.value += 1
  } catch (error) {
    if (error instanceof CoordError && !error.retryable) ledger.counted.unknown += 1
    throw error
  }
}

async function disturb(
  ensemble: TestEnsemble<number, string>,
  coords: Coord<string>[],
  durable: boolean,
  random: Random,
): Promise<void> {
  const faults = random.between(0, 8)
  for (let fault = 0; fault < faults; fault++) {
    await ensemble.advance(random.between(10, 4_000))
    const index = random.between(0, coords.length - 1)
    const victim = coords[index] as Coord<string>
    const others = coords.filter((coord) => coord !== victim)
    const kind = random.pick([
      'partition',
      'cut',
      'reset',
      'pause',
      'crash',
      'crash',
      'expire',
      'wall',
      'heal',
    ] as const)
    if (kind === 'partition') ensemble.partition([victim], others)
    else if (kind === 'cut' && others.length > 0) ensemble.cut(victim, random.pick(others))
    else if (kind === 'reset' && others.length > 0) ensemble.reset(victim, random.pick(others))
    else if (kind === 'pause') ensemble.pause(victim, random.between(100, 15_000))
    else if (kind === 'expire') ensemble.expireSession(victim)
    else if (kind === 'wall') ensemble.jumpWallClock(victim, random.between(-3_600_000, 3_600_000))
    else if (kind === 'heal') ensemble.heal()
    // A memory-only member may be lost only where the others are a quorum, and one at a time.
    else if (kind === 'crash' && (durable || coords.length >= 3)) {
      ensemble.heal()
      await ensemble.advance(20_000)
      ensemble.crash(victim, { loseUnsynced: random.chance(0.5) })
      await ensemble.advance(random.between(0, 3_000))
      coords[index] = await ensemble.restart(victim)
    }
  }
}

async function check(
  ensemble: TestEnsemble<number, string>,
  coords: Coord<string>[],
  ledger: Ledger,
  seed: number,
): Promise<void> {
  const what = `seed ${seed}`
  const leaders = coords.filter((coord) => coord.member.role === 'leader')
  assert.equal(leaders.length, 1, `${what}: one leader, not ${coords.map((coord) => coord.member.role).join()}`)
  await ensemble.until(Promise.all(coords.map((coord) => coord.sync())))
  const reader = coords[0] as Coord<string>
  const { children } = await ensemble.until(reader.getChildren('/orders'))
  const byId = new Map<string, string>()
  for (const child of children) {
    const { data } = await ensemble.until(reader.getData(`/orders/${child}`))
    assert.ok(!byId.has(data as string), `${what}: ${data} was created twice`)
    byId.set(data as string, `/orders/${child}`)
  }
  for (const [id, path] of ledger.acknowledged) assert.equal(byId.get(id), path, `${what}: acknowledged ${id} is lost`)
  const total = Number((await ensemble.until(reader.getData('/count'))).data)
  const { value, unknown } = ledger.counted
  assert.ok(total >= value && total <= value + unknown, `${what}: ${value} counted, ${unknown} unknown, ${total} there`)
  const digests = ensemble.members().map((member) => `${member.state.lastZxid} ${member.state.digest()}`)
  assert.equal(new Set(digests).size, 1, `${what}: replicas differ`)
  assert.ok(ledger.acknowledged.size > 0, `${what}: nothing was written`)
}
