/** A session over a link that the test answers. */
import assert from 'node:assert/strict'
import { Session } from '../../lib/api/session.ts'
import { codecOf, type ValueCodec } from '../../lib/api/values.ts'
import { zxidOf } from '../../lib/core/zab/zxid.ts'
import type { SessionCall, SessionDoor, SessionItem } from '../../lib/ports/session-link.ts'
import { SystemClock } from '../../lib/runtime/system-clock.ts'
import { SystemEntropy } from '../../lib/runtime/system-entropy.ts'

interface Opened {
  readonly session: Session<Uint8Array>
  readonly calls: SessionCall[]
  deliver(item: SessionItem): void
}

function open(): Opened {
  const calls: SessionCall[] = []
  let deliver: ((item: SessionItem) => void) | undefined
  const door: SessionDoor = {
    open: (_opening, to) => {
      deliver = to
      return {
        id: 1n as never,
        password: new Uint8Array(16),
        timeoutMs: 1_000,
        call: (call) => calls.push(call),
        touch: () => {},
        abandon: () => {},
      }
    },
  }
  const options = {
    door,
    clock: new SystemClock(),
    entropy: new SystemEntropy(),
    timeoutMs: 1_000,
    requestTimeoutMs: 1_000,
  }
  const session = new Session(options, codecOf('view') as ValueCodec<Uint8Array>)
  return { session, calls, deliver: (item) => deliver?.(item) }
}

const at = (counter: number) => zxidOf(1, counter)
const lost = (counter: number): SessionItem => ({ kind: 'state', state: 'lost', reason: 'test', seen: at(counter) })
const resumes = (calls: readonly SessionCall[]) =>
  calls.flatMap((call) => (call.kind === 'read' && call.read.type === 'resumeWatches' ? [call] : []))

/** What is delivered behind a reply waits for its microtasks. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a session that takes the place of a lost one', () => {
  it('goes on from what its listeners have heard, also where one in between was lost before it could', async () => {
    const first = open()
    const watching = first.session.exists('/n', { watch: () => {} })
    const [watch] = first.calls
    assert.ok(watch !== undefined)
    first.deliver({ kind: 'reply', id: watch.id, result: { type: 'stat', stat: undefined }, zxid: at(5) })
    assert.equal(await watching, undefined)
    await turn()
    first.deliver(lost(7))

    const second = open()
    second.session.inherit(first.session.legacy)
    const [resume] = resumes(second.calls)
    assert.deepEqual([resume?.patient, resume?.read.type === 'resumeWatches' && resume.read.seen], [true, at(7)])
    // It was open, and lost before the watches were taken up: what happened between 7 and 20 was told to nobody.
    second.deliver({ kind: 'state', state: 'connected', reason: 'test', seen: at(15) })
    second.deliver(lost(20))
    second.deliver({
      kind: 'reply',
      id: resume?.id ?? 0,
      result: { type: 'error', code: 'COORD_NO_QUORUM' },
      zxid: at(20),
    })
    await turn()
    assert.equal(second.session.legacy.seen, at(7))

    const third = open()
    third.session.inherit(second.session.legacy)
    const [again] = resumes(third.calls)
    assert.ok(again?.read.type === 'resumeWatches')
    assert.deepEqual([again.read.seen, again.read.watched.exists], [at(7), ['/n']])
    third.deliver({ kind: 'state', state: 'connected', reason: 'test', seen: at(25) })
    third.deliver({ kind: 'reply', id: again.id, result: { type: 'done' }, zxid: at(25) })
    await turn()
    third.deliver(lost(30))
    assert.equal(third.session.legacy.seen, at(30))
  })
})
