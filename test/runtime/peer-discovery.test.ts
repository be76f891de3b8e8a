/** When a discovery is asked, and what becomes of its answers. */
import assert from 'node:assert/strict'
import { PeerDiscovery } from '../../lib/runtime/peer-discovery.ts'
import { VirtualProcess } from '../../lib/testing/process.ts'
import { Scheduler } from '../../lib/testing/scheduler.ts'

type Find = (signal: AbortSignal) => Promise<readonly string[]>

const limits = { lookingMs: 1000, servingMs: 30_000, timeoutMs: 10_000, addressesMax: 4 }

class Bench {
  readonly scheduler = new Scheduler()
  readonly found: string[] = []
  readonly warnings: string[] = []
  asked = 0
  isServing = false
  find: Find = async () => []
  readonly discovery: PeerDiscovery

  constructor() {
    const { clock } = new VirtualProcess('a', this.scheduler, { offsetMs: 0, rate: 1, timersFirst: true })
    const find: Find = (signal) => {
      this.asked += 1
      return this.find(signal)
    }
    this.discovery = new PeerDiscovery({ description: 'a test', find }, clock, limits, normalize, {
      found: (addresses) => this.found.push(addresses.join(' ')),
      warning: (message) => this.warnings.push(message),
      isServing: () => this.isServing,
    })
  }
}

function normalize(address: string): string {
  if (!/^[a-z]+$/.test(address)) throw new TypeError(`not an address: ${String(address)}`)
  return `ws:${address}`
}

describe('a discovery', () => {
  it('is asked every second while looking, seldom while serving, and at once when that ends', async () => {
    const bench = new Bench()
    bench.find = async () => ['b', 'a', 'b']
    bench.discovery.ask()
    await bench.scheduler.advance(0)
    assert.deepEqual(bench.found, ['ws:a ws:b'])
    await bench.scheduler.advance(4500)
    assert.equal(bench.asked, 5)
    assert.deepEqual(bench.found, ['ws:a ws:b'], 'the same is told once')
    bench.isServing = true
    await bench.scheduler.advance(31_000)
    assert.equal(bench.asked, 7)
    bench.isServing = false
    bench.find = async () => ['c']
    bench.discovery.ask()
    await bench.scheduler.advance(0)
    assert.deepEqual(bench.found, ['ws:a ws:b', 'ws:c'])
    bench.discovery.close()
    await bench.scheduler.advance(60_000)
    assert.equal(bench.asked, 8)
    assert.equal(bench.discovery.failure, undefined)
  })

  it('that fails is a warning, once, and is asked again; what was found before stays', async () => {
    const bench = new Bench()
    assert.match(bench.discovery.failure ?? '', /a test: no answer yet/)
    bench.find = () => Promise.reject(new Error('ENOTFOUND'))
    bench.discovery.ask()
    await bench.scheduler.advance(3000)
    assert.deepEqual(bench.warnings, ['discovery by a test: ENOTFOUND'])
    assert.equal(bench.discovery.failure, 'a test: ENOTFOUND')
    bench.find = async () => ['a']
    await bench.scheduler.advance(1000)
    assert.equal(bench.discovery.failure, undefined)
    for (const find of [async () => [], () => Promise.reject(new Error('ENOTFOUND'))] as Find[]) {
      bench.find = find
      await bench.scheduler.advance(2000)
    }
    assert.deepEqual(bench.found, ['ws:a'])
    assert.deepEqual(bench.warnings.slice(1), ['discovery by a test: no addresses', 'discovery by a test: ENOTFOUND'])
    assert.equal(bench.discovery.failure, undefined, 'somebody is known')
    bench.discovery.close()
  })

  it('that throws, or gives nonsense, is a warning', async () => {
    const bench = new Bench()
    const nonsense: Find[] = [
      () => {
        throw new Error('thrown')
      },
      async () => undefined as unknown as string[],
      async () => ['?', 7] as unknown as string[],
      async () => ['?', 'a'],
    ]
    for (const find of nonsense) {
      bench.find = find
      bench.discovery.ask()
      await bench.scheduler.advance(500)
    }
    assert.deepEqual(
      bench.warnings.map((text) => text.replace('discovery by a test: ', '')),
      ['thrown', 'did not give an array of addresses', 'not an address: ?'],
    )
    assert.deepEqual(bench.found, ['ws:a'], 'what is an address is one')
    bench.discovery.close()
  })

  it('that does not answer is given up, and asked again', async () => {
    const bench = new Bench()
    const signals: AbortSignal[] = []
    bench.find = (signal) => {
      signals.push(signal)
      return new Promise(() => {})
    }
    bench.discovery.ask()
    bench.discovery.ask()
    await bench.scheduler.advance(9_999)
    assert.equal(bench.asked, 1, 'one question at a time')
    await bench.scheduler.advance(1_500)
    assert.equal(bench.asked, 2)
    assert.equal(signals[0]?.aborted, true)
    assert.deepEqual(bench.warnings, ['discovery by a test: no answer within 10000 ms'])
    bench.discovery.close()
    assert.equal(signals[1]?.aborted, true)
    await bench.scheduler.advance(60_000)
    assert.equal(bench.asked, 2)
  })

  it('that gives too many addresses is believed in part', async () => {
    const bench = new Bench()
    bench.find = async () => ['f', 'e', 'd', 'c', 'b', 'a']
    bench.discovery.ask()
    await bench.scheduler.advance(0)
    assert.deepEqual(bench.found, ['ws:c ws:d ws:e ws:f'])
    bench.discovery.close()
  })
})
