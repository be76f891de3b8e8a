/** The links of a member, as far as a transport sees them: what it is asked to dial. */
import assert from 'node:assert/strict'
import type { MemberRecord } from '../../lib/core/zab/configuration.ts'
import type { Transport } from '../../lib/ports/transport.ts'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { PeerLinks } from '../../lib/runtime/peer-links.ts'
import { VirtualProcess } from '../../lib/testing/process.ts'
import { Random } from '../../lib/testing/random.ts'
import { Scheduler } from '../../lib/testing/scheduler.ts'

/** Nobody answers it: what was dialed waits until it is given up. */
class SilentTransport {
  readonly signals: AbortSignal[] = []

  dial(_address: string, _limits: unknown, signal: AbortSignal): Promise<never> {
    this.signals.push(signal)
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  }
}

describe('the links of a member', () => {
  it('dial each address with a signal of its own, and give all of them up when they close', async () => {
    const transport = new SilentTransport()
    const process = new VirtualProcess('a', new Scheduler(), { offsetMs: 0, rate: 1, timersFirst: false })
    const links = new PeerLinks(
      {
        transport: transport as unknown as Transport,
        clock: process.clock,
        entropy: new Random(1, 'links'),
        secret: undefined as never,
        about: () => ({ cluster: undefined, features: [] }) as never,
        limits: defaultLimits.link,
        dialTimeoutMs: 1_000,
        redialMs: { first: 100, max: 1_000 },
      },
      { up: () => {}, down: () => {}, messages: () => {} },
    )
    const addresses = Array.from({ length: 12 }, (_, index) => `mem://${index}`)
    const found = links.findSelf(addresses, {} as MemberRecord)
    const probed = links.probe('b' as never, 'mem://b')
    links.want(addresses)
    assert.equal(new Set(transport.signals).size, 25)
    await links.close()
    assert.ok(transport.signals.every(({ aborted }) => aborted))
    assert.deepEqual(await Promise.all([found, probed]), [undefined, false])
    // What comes late is not begun at all.
    assert.equal(await links.probe('b' as never, 'mem://b'), false)
    assert.equal(transport.signals.length, 25)
  })
})
