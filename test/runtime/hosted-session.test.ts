import assert from 'node:assert/strict'
import { type Zxid, zxidOf } from '../../lib/core/zab/zxid.ts'
import type { SessionItem } from '../../lib/ports/session-link.ts'
import { HostedSession, type HostedSessionOptions, type SessionSurroundings } from '../../lib/runtime/hosted-session.ts'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { type HostSurroundings, SessionHost } from '../../lib/runtime/session-host.ts'

describe('a hosted session', () => {
  it('asks again in a new term what a read must have seen: what it was told of may be gone with the old one', () => {
    const asked: ((zxid: Zxid) => void)[] = []
    const state = { lastZxid: zxidOf(1, 5) }
    const surroundings = {
      serving: true,
      outstanding: { count: 0 },
      state,
      lastZxid: zxidOf(1, 5),
      now: () => 0,
      submit: () => {},
      isBehind: () => {},
      ended: () => {},
      stateChanged: () => {},
      nextGeneration: () => 1,
      readIndex: (ready: (zxid: Zxid) => void) => asked.push(ready),
    }
    const options = { id: 1n, takesOver: false, outstandingCallsMax: 10, allOutstandingCallsMax: 10 }
    const items: SessionItem[] = []
    // Only what this way needs of both.
    const session = new HostedSession(
      options as unknown as HostedSessionOptions,
      surroundings as unknown as SessionSurroundings,
      (item) => items.push(item),
    )
    session.resume()
    session.onAttached({ type: 'attached', generation: 1, nextCxid: 1 } as never)
    items.length = 0
    session.call({ kind: 'sync', id: 1 })
    asked.shift()?.(zxidOf(1, 9))
    assert.deepEqual(items, [])

    session.suspend('no quorum')
    session.resume()
    assert.equal(asked.length, 1)
    asked.shift()?.(zxidOf(1, 5))
    assert.deepEqual(
      items.filter(({ kind }) => kind === 'reply'),
      [{ kind: 'reply', id: 1, result: { type: 'done' }, zxid: zxidOf(1, 5) }],
    )
  })
})

describe('a session host', () => {
  it('answers reads that wait for an entry of nobody', () => {
    const clock = { now: () => 0, wallNow: () => 0, defer: () => {}, setTimer: () => ({ cancel: () => {} }) }
    const state = { lastZxid: zxidOf(1, 1), sessions: { get: () => undefined } }
    const asked: number[] = []
    const host = new SessionHost({
      clock,
      entropy: { bytes: (count: number) => new Uint8Array(count).fill(7) },
      clockDriftMax: 0.001,
      limits: defaultLimits.session,
      source: () => ({ id: 'a', name: 'a' }),
      isSound: true,
      longestStall: () => 0,
      requestsWaiting: () => {},
      readIndex: (id: number) => asked.push(id),
      state,
      get lastZxid() {
        return state.lastZxid
      },
    } as unknown as HostSurroundings)
    host.resume()
    const items: SessionItem[] = []
    const opening = { timeoutMs: 6_000, requestTimeoutMs: 1_000 }
    const link = host.open(opening as never, (item) => items.push(item))
    for (const request of host.takeRequests()) {
      const result = { type: 'attached', generation: 1, nextCxid: 1 }
      host.onApplied({ stamp: { zxid: state.lastZxid }, request, result, changes: [], warnings: [] } as never)
    }
    link.call({ kind: 'sync', id: 1 })
    host.askForReads()
    host.onReadReady(asked[0] as number, zxidOf(1, 2))
    const isAnswered = (): boolean => items.some(({ kind }) => kind === 'reply')
    assert.equal(isAnswered(), false)
    // Of an entry that only moves the log on nobody else is told.
    state.lastZxid = zxidOf(1, 2)
    host.onStepped()
    assert.equal(isAnswered(), true)
  })
})
