import assert from 'node:assert/strict'
import type { Clock, Timer } from '../../lib/ports/clock.ts'
import { Pacer } from '../../lib/runtime/pacer.ts'

/** Time passes only while somebody works, or waits for a timer, which fires so late. */
class WorkClock implements Clock {
  #now = 0
  lateMs = 0
  pauses = 0

  work(ms: number): void {
    this.#now += ms
  }

  now(): number {
    return this.#now
  }

  wallNow(): number {
    return 0
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    this.pauses += 1
    this.#now += delayMs + this.lateMs
    setImmediate(callback)
    return { cancel() {} }
  }

  defer(): void {}
  afterMicrotasks(): void {}
  setRef(): void {}
}

describe('a pacer', () => {
  let clock: WorkClock
  let pacer: Pacer

  beforeEach(() => {
    clock = new WorkClock()
    pacer = new Pacer(clock, { pauseMs: 2, share: 0.25, workMsMax: 4, restPerWrite: 8, restMsMax: 100 })
  })

  /** So many slices of one length; returns which share of the time was work. */
  async function run(slices: number, sliceMs: number): Promise<number> {
    const began = clock.now()
    for (let slice = 0; slice < slices; slice += 1) {
      clock.work(sliceMs)
      await pacer.pause(false)
    }
    return (slices * sliceMs) / (clock.now() - began)
  }

  it('pauses after each slice where nothing else is to be done', async () => {
    const share = await run(100, 0.5)
    assert.equal(clock.pauses, 100)
    assert.equal(share, 0.2)
  })

  it('works on where it gets its turn late, but never for long', async () => {
    clock.lateMs = 30
    const share = await run(80, 0.5)
    assert.equal(clock.pauses, 10, 'four milliseconds each')
    assert.ok(share > 0.1 && share < 0.12)
  })

  it('pauses after a slice that is longer than all it may work', async () => {
    clock.lateMs = 30
    await run(10, 20)
    assert.equal(clock.pauses, 10)
  })

  /** How long a pause takes that begins while a write of this length is under way. */
  async function pauseBehind(writeMs: number, outcome: 'written' | 'failed' = 'written'): Promise<number> {
    let end = (): void => {}
    const write = new Promise<void>((resolve, reject) => {
      end = outcome === 'written' ? resolve : () => reject(new Error('no space left'))
    })
    const attended = pacer.attend(write)
    const pause = pacer.pause(false)
    clock.work(writeMs)
    const ended = clock.now()
    end()
    await attended.catch(() => {})
    await pause
    return clock.now() - ended
  }

  it('rests behind a write, the longer the longer it took, and never for very long', async () => {
    assert.equal(await pauseBehind(3), 24)
    clock.work(10)
    assert.equal(await pauseBehind(0.1), 2, 'the least')
    clock.work(10)
    assert.equal(await pauseBehind(5000), 100)
  })

  it('rests once for each write', async () => {
    await pauseBehind(3)
    clock.work(10)
    const before = clock.now()
    await pacer.pause(false)
    assert.equal(clock.now() - before, 2)
  })

  it('does not wait for the disk where it is urgent', async () => {
    void pacer.attend(new Promise(() => {}))
    const before = clock.now()
    await pacer.pause(true)
    assert.equal(clock.now() - before, 2)
  })

  it('goes on behind a write that failed: that is for whoever writes to know', async () => {
    assert.equal(await pauseBehind(3, 'failed'), 24)
  })
})
