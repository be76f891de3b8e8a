import assert from 'node:assert/strict'
import { StallWatch } from '../../lib/runtime/stall-watch.ts'
import { VirtualProcess } from '../../lib/testing/process.ts'
import { Scheduler } from '../../lib/testing/scheduler.ts'

function bench(): { scheduler: Scheduler; process: VirtualProcess; watch: StallWatch; heard: number[] } {
  const scheduler = new Scheduler()
  const process = new VirtualProcess('a', scheduler, { offsetMs: 0, rate: 1, timersFirst: true })
  const heard: number[] = []
  const watch = new StallWatch(process.clock, (ms) => heard.push(Math.round(ms)))
  return { scheduler, process, watch, heard }
}

/** A timer every 100 ms, as a member has some. */
function tick(watch: StallWatch): void {
  watch.clock.setTimer(100, () => tick(watch))
}

describe('a stall', () => {
  it('is noticed by the timers that are late, once, and forgotten in time', async () => {
    const { scheduler, process, watch, heard } = bench()
    tick(watch)
    watch.clock.setTimer(1500, () => {})
    await scheduler.advance(1000)
    assert.equal(watch.longest(10_000), 0)
    process.pause(4200)
    await scheduler.advance(4200)
    assert.equal(heard.length, 1)
    const [ms = 0] = heard
    assert.ok(ms >= 4000 && ms <= 4200, `${ms}`)
    assert.equal(Math.round(watch.longest(10_000)), ms)
    await scheduler.advance(5000)
    assert.equal(Math.round(watch.longest(10_000)), ms)
    assert.equal(watch.longest(1000), 0)
  })

  it('is noticed before its timers have fired', async () => {
    const { scheduler, process, watch } = bench()
    tick(watch)
    process.pause(3000)
    await scheduler.advance(2500)
    assert.ok(watch.longest(1000) >= 2300)
  })

  it('is not a timer that was cancelled, nor a busy moment', async () => {
    const { scheduler, process, watch, heard } = bench()
    tick(watch)
    watch.clock.setTimer(10, () => {}).cancel()
    process.pause(60)
    await scheduler.advance(1000)
    assert.equal(watch.longest(10_000), 0)
    assert.deepEqual(heard, [])
  })
})
