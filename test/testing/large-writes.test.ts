import assert from 'node:assert/strict'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('large writes that are made together', () => {
  for (const role of ['leader', 'follower']) {
    it(`go through at a ${role}, although they are more than a frame`, async () => {
      await using ensemble = await createTestEnsemble({ size: 3, seed: 31, networkDelayMs: { min: 1, max: 2 } })
      const coord = ensemble.coords.find(({ member }) => member.role === role)
      assert.ok(coord !== undefined)
      await ensemble.until(coord.create('/n'))
      const data = new Uint8Array(1_000_000)
      const writes = Array.from({ length: 12 }, () => coord.setData('/n', data))
      const stats = await ensemble.until(Promise.all(writes), 5_000)
      assert.deepEqual(
        stats.map(({ version }) => version),
        writes.map((_, index) => index + 1),
      )
    })
  }
})
