import assert from 'node:assert/strict'
import type { Clock } from '../../lib/ports/clock.ts'
import { LagAwareTimer } from '../../lib/runtime/lag-aware-timer.ts'

/** A clock that the test moves, and whose event loop it turns. */
class ManualClock implements Clock {
  time = 0
  timers: { at: number; callback: () => void; cancelled: boolean }[] = []
  deferred: (() => void)[] = []

  now(): number {
    return this.time
  }

  wallNow(): number {
    return this.time
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.time + delayMs, callback, cancelled: false }
    this.timers.push(timer)
    return {
      cancel: () => {
        timer.cancelled = true
      },
    }
  }

  defer(callback: () => void): void {
    this.deferred.push(callback)
  }

  afterMicrotasks(callback: () => void): void {
    this.defer(callback)
  }

  setRef(): void {}

  /** Timers that are due fire; what they deferred waits. */
  fire(): void {
    const due = this.timers.filter(({ at, cancelled }) => at <= this.time && !cancelled)
    this.timers = this.timers.filter((timer) => !due.includes(timer))
    for (const { callback } of due) callback()
  }

  endTurn(): void {
    const deferred = this.deferred
    this.deferred = []
    for (const callback of deferred) callback()
  }
}

describe('a lag-aware timer', () => {
  let clock: ManualClock
  let calls: number[]
  let timer: LagAwareTimer

  beforeEach(() => {
    clock = new ManualClock()
    calls = []
    timer = new LagAwareTimer(clock, (lateMs) => calls.push(lateMs))
  })

  it('is put off without another timer, and fires once, when it is due', () => {
    timer.set(100)
    for (const at of [110, 150, 200]) timer.set(at)
    assert.equal(clock.timers.length, 1)
    clock.time = 100
    clock.fire()
    assert.deepEqual([calls, clock.timers.length], [[], 1])
    timer.set(180)
    clock.time = 181
    clock.fire()
    clock.time = 300
    clock.fire()
    assert.deepEqual(calls, [0])
  })

  it('says how late it was after it was put off', () => {
    timer.set(100)
    timer.set(150)
    clock.time = 400
    clock.fire()
    assert.deepEqual(calls, [])
    clock.endTurn()
    assert.deepEqual(calls, [250])
  })

  it('fires in time, at once', () => {
    timer.set(100)
    clock.time = 101
    clock.fire()
    assert.deepEqual(calls, [0])
  })

  it('lets input be read first when it is late, and says how late it was', () => {
    timer.set(100)
    clock.time = 3_100
    clock.fire()
    assert.deepEqual(calls, [], 'what waits in the sockets comes first')
    clock.endTurn()
    assert.deepEqual(calls, [3_000])
  })

  it('does not fire when the input that was read first has set it anew', () => {
    timer.set(100)
    clock.time = 3_100
    clock.fire()
    timer.set(5_000)
    clock.endTurn()
    assert.deepEqual(calls, [])
    clock.time = 5_000
    clock.fire()
    assert.deepEqual(calls, [0])
  })

  it('can be set earlier, but not later by that', () => {
    timer.set(100)
    timer.setEarlier(200)
    timer.setEarlier(50)
    clock.time = 60
    clock.fire()
    assert.deepEqual(calls, [0])
  })

  it('is gone when it is cancelled', () => {
    timer.set(100)
    timer.cancel()
    clock.time = 200
    clock.fire()
    clock.endTurn()
    assert.deepEqual(calls, [])
  })
})
