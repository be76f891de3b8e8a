import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Coord, CoordError } from 'embedded-coord'
import { createTestEnsemble } from 'embedded-coord/testing'

/** The service. Whoever has the node leads, and runs the job; the others wait until the node is gone. */
class Service {
  isRunning = false
  readonly #coord: Coord

  constructor(coord: Coord) {
    this.#coord = coord
    // "Lost" comes before the ensemble can have given the node away.
    coord.on('state', (next, previous) => {
      if (next === 'lost' || next === 'closed') this.isRunning = false
      if (next === 'connected' && previous === 'lost') void this.stand()
    })
  }

  async stand(): Promise<void> {
    try {
      await this.#coord.create('/leader', undefined, { mode: 'ephemeral' })
      this.isRunning = true
    } catch (error) {
      if (error instanceof CoordError && error.code === 'COORD_NODE_EXISTS') await this.#wait()
    }
  }

  async #wait(): Promise<void> {
    const leader = await this.#coord.exists('/leader', { watch: () => void this.stand() })
    if (leader === undefined) await this.stand()
  }
}

test('the job stops before another process starts it', async () => {
  await using ensemble = await createTestEnsemble({ size: 3, seed: 42 })
  const [a, b, c] = ensemble.coords
  const services = [new Service(a), new Service(b)] as const
  for (const service of services) await ensemble.until(service.stand())
  const running = () => services.map(({ isRunning }) => isRunning)
  assert.deepEqual(running(), [true, false])

  // Cut off from the others, a gives up, and b takes over: looked at every 50 ms, for 30 virtual seconds.
  ensemble.partition([a], [b, c])
  for (let ms = 0; ms < 30_000; ms += 50) {
    await ensemble.advance(50)
    assert.notDeepEqual(running(), [true, true], `two at once, ${ms} ms after the cut (seed ${ensemble.seed})`)
  }
  assert.deepEqual(running(), [false, true])

  // Back again, a waits its turn.
  ensemble.heal()
  await ensemble.advance(10_000)
  assert.deepEqual(running(), [false, true])
  ensemble.crash(b)
  await ensemble.advance(30_000)
  assert.equal(services[0].isRunning, true)
})
