import assert from 'node:assert/strict'
import { SessionTracker } from '../../lib/core/session-tracker.ts'
import { sessionIdFrom } from '../../lib/core/tree/session-id.ts'

const one = sessionIdFrom(1n)
const two = sessionIdFrom(2n)

describe('session tracker', () => {
  it('names a session once its timeout has passed, and once only', () => {
    const tracker = new SessionTracker()
    tracker.touch(two, 100, 0)
    tracker.touch(one, 100, 0)
    assert.equal(tracker.nextDeadline, 100)
    assert.deepEqual(tracker.takeOverdue(99), [])
    assert.deepEqual(tracker.takeOverdue(100), [one, two])
    assert.deepEqual(tracker.takeOverdue(1000), [])
    assert.ok(tracker.isEnding(one))
    assert.equal(tracker.nextDeadline, Number.POSITIVE_INFINITY)
  })

  it('starts the timeout anew with each heartbeat', () => {
    const tracker = new SessionTracker()
    tracker.touch(one, 100, 0)
    tracker.touch(one, 100, 60)
    assert.deepEqual(tracker.takeOverdue(159), [])
    assert.equal(tracker.nextDeadline, 160)
    assert.deepEqual(tracker.takeOverdue(160), [one])
  })

  it('adds a stall of the leader to all', () => {
    const tracker = new SessionTracker()
    tracker.touch(one, 100, 0)
    tracker.touch(two, 300, 0)
    tracker.postpone(1000)
    assert.deepEqual(tracker.takeOverdue(1099), [])
    assert.deepEqual(tracker.takeOverdue(1100), [one])
    assert.equal(tracker.nextDeadline, 1300)
  })

  it('does not vouch for a session whose end is in the log, until that came to nothing', () => {
    const tracker = new SessionTracker()
    tracker.touch(one, 100, 0)
    tracker.noteEnding(one)
    assert.ok(tracker.isEnding(one))
    tracker.noteVoidClose(one)
    tracker.touch(one, 100, 50)
    assert.ok(!tracker.isEnding(one))
    assert.deepEqual(tracker.takeOverdue(150), [one])
  })

  it('forgets sessions that are over, and everything with a term', () => {
    const tracker = new SessionTracker()
    tracker.touch(one, 100, 0)
    tracker.touch(two, 100, 0)
    tracker.forget(one)
    assert.deepEqual(tracker.takeOverdue(100), [two])
    tracker.clear()
    assert.ok(!tracker.isEnding(two))
    assert.equal(tracker.nextDeadline, Number.POSITIVE_INFINITY)
  })
})
