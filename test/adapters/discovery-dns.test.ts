/** DNS, with a resolver of the test; and the system's own, as far as it needs no network. */
import assert from 'node:assert/strict'
import { type DnsDiscoveryOptions, type DnsResolver, dnsDiscovery } from '../../adapters/discovery-dns/index.ts'
import { discoverySuite } from '../../lib/suites/index.ts'

const { signal } = new AbortController()

const refused = (): Promise<never> => Promise.reject(new Error('queryA ESERVFAIL orders.example'))

const never: DnsResolver = { lookup: () => new Promise(() => {}), resolveSrv: () => new Promise(() => {}) }

describe('discovery by SRV records', () => {
  discoverySuite({
    test: it,
    factory: () => {
      let answer: DnsResolver['resolveSrv'] = refused
      const resolver: DnsResolver = { lookup: refused, resolveSrv: (name) => answer(name) }
      return {
        discovery: dnsDiscovery({ name: '_coord._tcp.orders.example', resolver }),
        set: async (addresses) => {
          const records = addresses.map((address) => new URL(address)).map(({ hostname, port }) => ({ hostname, port }))
          answer = async () => records.map(({ hostname, port }) => ({ name: hostname, port: Number(port) }))
        },
        fail: async () => {
          answer = refused
        },
      }
    },
  })

  it('takes host and port of each record, and nobody from the record that says so', async () => {
    let records = [
      { name: 'orders-0.orders.example.', port: 7400 },
      { name: 'orders-1.orders.example', port: 7401 },
    ]
    const asked: string[] = []
    const resolver: DnsResolver = {
      lookup: refused,
      resolveSrv: async (name) => {
        asked.push(name)
        return records
      },
    }
    const discovery = dnsDiscovery({ name: '_coord._tcp.orders.example', scheme: 'wss', path: '/coord', resolver })
    assert.deepEqual(await discovery.find(signal), [
      'wss://orders-0.orders.example:7400/coord',
      'wss://orders-1.orders.example:7401/coord',
    ])
    records = [{ name: '.', port: 0 }]
    assert.deepEqual(await discovery.find(signal), [])
    assert.deepEqual(asked, ['_coord._tcp.orders.example', '_coord._tcp.orders.example'])
  })
})

describe('discovery by the addresses of a name', () => {
  it('asks anew each time, for both families', async () => {
    let found = [{ address: '10.0.0.5', family: 4 }]
    const resolver: DnsResolver = { lookup: async () => found, resolveSrv: refused }
    const discovery = dnsDiscovery({ name: 'orders.example', port: 7400, resolver })
    assert.deepEqual(await discovery.find(signal), ['ws://10.0.0.5:7400'])
    found = [...found, { address: 'fd00::5', family: 6 }]
    assert.deepEqual(await discovery.find(signal), ['ws://10.0.0.5:7400', 'ws://[fd00::5]:7400'])
  })

  it('takes what the system says', async () => {
    const found = await dnsDiscovery({ name: 'localhost', port: 7400 }).find(signal)
    assert.ok(found.includes('ws://127.0.0.1:7400') || found.includes('ws://[::1]:7400'), found.join())
  })

  it('stops waiting for an answer when it is called off', async () => {
    for (const port of [7400, undefined]) {
      const controller = new AbortController()
      const asked = dnsDiscovery({ name: 'orders.example', port, resolver: never }).find(controller.signal)
      controller.abort(new Error('enough'))
      await assert.rejects(asked, /enough/)
    }
  })

  it('refuses what cannot be meant', () => {
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ name: '' }, /dns must be the name/],
      [{ name: 7 }, /dns must be the name/],
      [{ name: 'a', port: 0 }, /port must be a whole number from 1 to 65535, not 0/],
      [{ name: 'a', port: '7400' }, /not 7400/],
      [{ name: 'a', scheme: 'http' }, /scheme must be 'ws' or 'wss', not http/],
      [{ name: 'a', path: 'coord' }, /path must begin with a slash: coord/],
    ]
    for (const [options, text] of wrong) {
      assert.throws(
        () => dnsDiscovery(options as DnsDiscoveryOptions),
        (error: Error) => error instanceof TypeError && text.test(error.message),
      )
    }
  })
})
