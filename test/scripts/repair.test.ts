/** A diverged follower that has concluded more than its leader has delivered is never sent back behind that. */
import assert from 'node:assert/strict'
import { perform } from './commands.ts'
import { ScriptWorld } from './world.ts'

describe('a repair', () => {
  it('waits for a leader that lags behind whom it repairs, also after their link broke', () => {
    const world = new ScriptWorld()
    const run = (...commands: string[]): void => {
      for (const command of commands) perform(world, command)
    }
    const drain = (from: string, to: string): void => {
      while (world.deliver(from, to));
    }
    run('slice 1', 'found a b c', 'settle', 'session a 1', 'settle', 'diverge a /y', 'create a 1 /x', 'settle')
    const { zab: a } = world.member('a').peer
    const { zab: c } = world.member('c').peer
    // Both answer a ping with what they came to; what a says stays on its way.
    run('read c', 'flush')
    drain('c', 'a')
    drain('c', 'b')
    drain('b', 'c')
    for (let number = 0; number < 6; number += 1) run(`create c 1 /p${number}`, 'flush')
    run('persist c 6')
    drain('c', 'a')
    run('persist a 6')
    for (let turn = 0; turn < 6; turn += 1) run('flush')
    assert.ok(a.machine.lastZxid > c.machine.lastZxid, 'it has concluded more than its leader knows')
    // The leader learns of the divergence, and the link breaks before it gets the ack. a comes back, and reports again.
    world.deliver('a', 'c')
    drain('c', 'a')
    run('unlink a c', 'link a c')
    let applied = a.machine.lastZxid
    let hasAsked = false
    for (let turn = 0; turn < 60; turn += 1) {
      drain('a', 'c')
      drain('c', 'a')
      while (world.persist('a') || world.persist('c'));
      drain('a', 'c')
      drain('c', 'a')
      const learner = c.role.name === 'leading' ? c.role.learners.get(a.id) : undefined
      if (learner?.state === 'synced' && !hasAsked) {
        hasAsked = true
        run('read c')
      }
      world.flush()
      assert.ok(a.machine.lastZxid >= applied, 'it is never sent back')
      applied = a.machine.lastZxid
    }
    run('advance 3000')
    assert.equal(a.standing, 'sound')
    assert.deepEqual(a.machine.history, c.machine.history)
  })
})
