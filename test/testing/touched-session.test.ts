import assert from 'node:assert/strict'
import type { SessionItem } from '../../lib/ports/session-link.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('a session whose owner is somewhere else', () => {
  it('is vouched for while its owner is heard of, and expires when it is not', async () => {
    await using ensemble = await createTestEnsemble({ seed: 5 })
    const [a, b] = ensemble.coords
    const items: SessionItem[] = []
    const opening = { timeoutMs: 3000, requestTimeoutMs: 5000, whenTouched: true }
    const link = a.hosting.door.open(opening, (item) => items.push(item))
    link.call({
      kind: 'write',
      id: 1,
      operation: { type: 'create', path: '/e', data: undefined, mode: 'ephemeral' },
    })
    for (let elapsed = 0; elapsed < 30_000; elapsed += 500) {
      link.touch()
      await ensemble.advance(500)
    }
    const reply = items.find((item) => item.kind === 'reply')
    assert.equal(reply?.result.type, 'create')
    assert.ok(reply.zxid > 0n && reply.zxid <= a.member.lastZxid)
    assert.ok((await ensemble.until(b.exists('/e', { consistency: 'linearizable' }))) !== undefined)

    await ensemble.advance(2000)
    assert.ok((await ensemble.until(b.exists('/e', { consistency: 'linearizable' }))) !== undefined, 'not too early')
    await ensemble.advance(4000)
    assert.equal(await ensemble.until(b.exists('/e', { consistency: 'linearizable' })), undefined)
    assert.deepEqual(
      items.filter((item) => item.kind === 'state').map(({ state }) => state),
      ['connected', 'lost'],
    )
  })
})
