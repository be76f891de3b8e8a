import assert from 'node:assert/strict'
import { CoordError } from '../../lib/index.ts'
import { FenceGate, fenceHeaders, sqlGuard } from '../../lib/recipes/index.ts'

const held = { token: 42n, assertHeld: (): void => undefined }
const lost = {
  token: 42n,
  assertHeld: (): void => {
    throw new CoordError('COORD_LOCK_LOST')
  },
}

describe('guards', () => {
  it('sqlGuard makes a condition and an assignment', () => {
    assert.deepEqual(sqlGuard(held), { set: 'fence = 42', where: 'fence <= 42', token: '42' })
    assert.equal(sqlGuard(held, 'jobs.token').where, 'jobs.token <= 42')
    assert.throws(() => sqlGuard(held, 'x; drop table jobs'), TypeError)
    assert.throws(() => sqlGuard(lost), { code: 'COORD_LOCK_LOST' })
  })

  it('a gate admits tokens that do not go back', () => {
    const gate = new FenceGate()
    assert.ok(gate.admits(7n))
    assert.ok(gate.admits(fenceHeaders(held)['x-fence-token']))
    assert.ok(gate.admits('42'))
    for (const bad of ['41', 7n, undefined, '', 'x', '-1', '9'.repeat(30)]) assert.ok(!gate.admits(bad), String(bad))
    assert.equal(gate.largest, 42n)
    assert.throws(() => fenceHeaders(lost), { code: 'COORD_LOCK_LOST' })
  })
})
