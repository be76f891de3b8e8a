import assert from 'node:assert/strict'
import { type Zxid, zxidOf } from '../../lib/core/zab/zxid.ts'
import type { SessionItem } from '../../lib/ports/session-link.ts'
import { HostedSession, type HostedSessionOptions, type SessionSurroundings } from '../../lib/runtime/hosted-session.ts'

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
