import assert from 'node:assert/strict'
import { Dispatcher } from '../../lib/api/dispatcher.ts'
import { zxidZero } from '../../lib/core/zab/zxid.ts'
import type { SessionItem } from '../../lib/ports/session-link.ts'
import { SystemClock } from '../../lib/runtime/system-clock.ts'

const reply = (id: number): SessionItem => ({ kind: 'reply', id, result: { type: 'done' }, zxid: zxidZero })
const event = (path: string): SessionItem => ({ kind: 'event', event: { type: 'changed', path, zxid: zxidZero } })

describe('the dispatcher', () => {
  const clock = new SystemClock()

  /** Delivers items; a reply resolves a promise with a long chain of continuations, as applications have. */
  async function orderOf(items: readonly SessionItem[]): Promise<string[]> {
    const seen: string[] = []
    const deliver = (item: SessionItem): void => {
      if (item.kind === 'reply') {
        void Promise.resolve()
          .then(async () => {
            for (let hop = 0; hop < 10; hop++) await Promise.resolve()
          })
          .then(() => seen.push(`reply ${item.id}`))
      } else {
        seen.push(item.kind === 'event' ? `event ${item.event.path}` : item.kind === 'state' ? item.state : item.kind)
      }
    }
    const dispatcher = new Dispatcher(deliver, (callback) => clock.afterMicrotasks(callback))
    for (const item of items) dispatcher.push(item)
    await new Promise((resolve) => setImmediate(resolve))
    return seen
  }

  it('calls an event at once when nothing is under way', async () => {
    assert.deepEqual(await orderOf([event('/a'), reply(1)]), ['event /a', 'reply 1'])
  })

  it('lets the continuations of a reply run before the event behind it', async () => {
    assert.deepEqual(await orderOf([reply(1), event('/a'), reply(2), event('/b')]), [
      'reply 1',
      'event /a',
      'reply 2',
      'event /b',
    ])
  })

  it('keeps replies in their order, and a state behind them', async () => {
    const state: SessionItem = { kind: 'state', state: 'lost', reason: 'test', seen: zxidZero }
    assert.deepEqual(await orderOf([reply(1), reply(2), state]), ['reply 1', 'reply 2', 'lost'])
  })

  it('is not idle before the caller of a call that was answered goes on, and is soon after', async () => {
    let dispatcher: Dispatcher | undefined
    const seen: boolean[] = []
    const isIdle = (): void => void seen.push(dispatcher?.isIdle === true)
    let settle = (): void => undefined
    // The promise of a call, returned by a method of a session, returned by an async method of a client.
    const promise = new Promise<void>((resolve) => (settle = resolve))
    const ofClient = async (): Promise<void> => promise
    const caller = ofClient().then(() => seen.push(true))
    dispatcher = new Dispatcher(settle, (callback) => clock.afterMicrotasks(callback))
    dispatcher.push(reply(1))
    isIdle()
    await Promise.resolve().then(isIdle)
    await caller
    await Promise.resolve().then(isIdle)
    assert.deepEqual(seen, [false, false, true, true])
  })
})
