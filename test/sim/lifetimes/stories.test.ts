/** Named stories of whole ensembles: one that grows around its founder, and one that is founded anew with what is left. */
import assert from 'node:assert/strict'
import { sessionIdFrom } from '../../../lib/core/tree/session-id.ts'
import type { Restoration } from '../../../lib/core/zab/zab.ts'
import { epochOf, type Zxid } from '../../../lib/core/zab/zxid.ts'
import type { Place } from './place.ts'
import { isServing, specsOf } from './run-lifetimes.ts'
import { LifetimesWorld } from './world.ts'

/** Every so many steps of the growth the founder is restarted. `EVERY=1` for each. */
const every = Number(process.env['EVERY'] ?? 89)

/** One founder that is alone at first, and four that discover it. */
function lonely(seed: number, isDurable: boolean): { readonly world: LifetimesWorld; readonly begin: () => void } {
  const world = new LifetimesWorld(
    seed,
    specsOf(5, (index) => index === 0 && isDurable),
    5,
  )
  const contacts = world.places.map(({ spec }) => spec.address)
  const begin = (): void => {
    for (const [index, place] of world.places.entries())
      place.begin({ founders: index === 0 ? contacts.slice(0, 1) : [], contacts })
  }
  return { world, begin }
}

const votersOf = (place: Place): number => place.peer?.zab.configurations.latest?.configuration.voters.length ?? 0
const lastOf = (places: readonly Place[]): Zxid =>
  places.map(({ peer }) => peer?.state.lastZxid ?? (0n as Zxid)).reduce((a, b) => (a > b ? a : b))

function hasGrown(world: LifetimesWorld): boolean {
  return isServing(world.places) && world.places.every((place) => votersOf(place) === 5)
}

describe('an ensemble that grows around one founder', () => {
  for (const isDurable of [true, false]) {
    it(`is never two, whenever the founder restarts ${isDurable ? 'and remembers' : 'blank'}`, () => {
      let [restarts, continued] = [0, 0]
      const whole = lonely(1, isDurable)
      whole.world.begin()
      whole.begin()
      assert.ok(whole.world.runFor(60_000, () => hasGrown(whole.world)))
      for (let steps = 1; steps < whole.world.steps; steps += every) {
        const { world, begin } = lonely(steps, isDurable)
        const [founder] = world.places as [Place]
        world.begin()
        begin()
        world.at(5, () => founder.write())
        for (const at of [200, 500, 1000, 1500]) world.at(at, () => world.random.pick(world.places).write())
        world.runFor(60_000, () => world.steps >= steps)
        const last = lastOf(world.places)
        founder.crash()
        restarts += 1
        world.runFor(world.random.pick([1, 40, 400, 4000]))
        const [alive] = world.alive
        begin()
        // Who ended because of that is started again.
        for (let at = 500; at < 60_000; at += 500) world.at(world.now + at, begin)
        assert.ok(
          world.runFor(60_000, () => hasGrown(world)),
          `restarted at step ${steps}:\n${world.describe()}`,
        )
        if (alive === undefined) continue
        if (world.alive.at(-1) === alive) continued += 1
        else assert.ok(lastOf(world.places) > last, `its tokens are larger than those of the one before: step ${steps}`)
        if (isDurable) {
          assert.deepEqual(world.alive, [alive])
          for (const { session } of world.acknowledged)
            for (const { peer } of world.places) assert.ok(peer?.state.sessions.get(session) !== undefined)
        }
      }
      assert.ok(restarts > 5 && continued > 0 === isDurable, `${continued} of ${restarts} went on`)
    }).timeout(600_000)
  }
})

describe('an ensemble that lost a majority of its memory', () => {
  for (const survivor of ['a founder', 'an observer'] as const) {
    it(`waits, and says so, until it is founded anew with what is best of what is left: that of ${survivor}`, () => {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = new LifetimesWorld(
          seed,
          specsOf(4, () => false),
          3,
        )
        const [a, b, c, d] = world.places as [Place, Place, Place, Place]
        const contacts = world.places.map(({ spec }) => spec.address)
        const start = (place: Place, restoration?: Restoration): void =>
          place.begin({ founders: place === d ? [] : contacts.slice(0, 3), contacts, restoration })
        world.begin()
        for (const place of world.places) start(place)
        assert.ok(world.runFor(20_000, () => isServing(world.places)))
        const [cluster] = world.alive
        create(world, a, '/kept')
        assert.ok(world.runFor(5000, () => isServing(world.places)))
        // One of the two that will be left falls behind.
        const [best, behind] = survivor === 'a founder' ? [a, d] : [d, a]
        for (const other of world.places) {
          if (other === behind) continue
          world.cut(other, behind)
          world.cut(behind, other)
        }
        world.runFor(5000)
        create(world, b, '/late')
        assert.ok(world.runFor(10_000, () => isServing([best, b, c]) && has(best, '/late')))
        assert.ok(!has(behind, '/late'))
        const last = lastOf(world.places)
        for (const place of [b, c]) place.crash()
        world.heal()
        for (const place of [b, c]) start(place)
        world.runFor(60_000)
        assert.ok(world.places.every(({ peer }) => peer?.status.serving === false))
        assert.ok(world.places.every(({ peer }) => peer?.status.majorityLost === true))
        assert.deepEqual(world.alive, [cluster])

        const restoration = restorationOf(best)
        assert.ok(epochOf(restoration.zxid) > 0)
        for (const place of world.places) place.crash()
        for (const place of world.places) start(place, place === b ? restoration : undefined)
        assert.ok(world.runFor(60_000, () => isServing(world.places)))
        assert.equal(world.alive.length, 2)
        for (const place of world.places) {
          assert.ok(has(place, '/kept') && has(place, '/late'))
          assert.ok(place.cluster !== cluster && place.cluster.endsWith(restoration.id))
          assert.equal(place.peer?.state.sessions.list().length, 0)
        }
        create(world, c, '/new')
        assert.ok(world.runFor(10_000, () => world.places.every((place) => has(place, '/new'))))
        assert.ok((a.peer?.state.tree.find('/new')?.czxid ?? 0n) > last, 'its tokens are larger')
      }
    })
  }
})

function has(place: Place, path: string): boolean {
  return place.peer?.state.tree.find(path) !== undefined
}

let sessions = 1_000_000n

/** By a session of its own. */
function create(world: LifetimesWorld, place: Place, path: string): void {
  sessions += 1n
  const session = sessionIdFrom(sessions)
  const operation = { type: 'create', path, data: undefined, mode: 'persistent' } as const
  place.receive({
    type: 'request',
    requests: [
      { type: 'createSession', session, passwordHash: new Uint8Array([1]), timeoutMs: 3_600_000 },
      { type: 'write', session, generation: 1, cxid: 1, answeredThrough: 0, operation },
    ],
  })
  assert.ok(world.runFor(10_000, () => has(place, path)))
}

/** What a backup of this member holds. */
function restorationOf({ peer, name }: Place): Restoration {
  const state = peer?.state.freeze()
  assert.ok(state !== undefined)
  const records = state.take(Number.POSITIVE_INFINITY).filter(({ kind }) => kind === 'header' || kind === 'node')
  state.release()
  return { id: `of-${name}`, zxid: state.zxid, records }
}
