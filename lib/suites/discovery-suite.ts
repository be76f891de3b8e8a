/**
 * Proves a `Discovery`: it gives what is there as of each question, says why where it cannot tell, and can be called off.
 */
import assert from 'node:assert/strict'
import type { Discovery } from '../ports/index.ts'
import type { TestFunction } from './runner.ts'

/** One source of addresses, such as a file. */
export interface DiscoveryFixture {
  readonly discovery: Discovery
  /** From now on members are at these addresses, which are all of the form `ws://127.0.0.1:port`. Never none. */
  set(addresses: readonly string[]): Promise<void>
  /** From now on the source cannot be asked: it is gone, or broken. */
  fail(): Promise<void>
  dispose?(): Promise<void>
}

export interface DiscoverySuiteOptions {
  readonly test: TestFunction
  readonly factory: () => DiscoveryFixture | Promise<DiscoveryFixture>
}

const one = ['ws://127.0.0.1:7400']
const three = ['ws://127.0.0.1:7400', 'ws://127.0.0.1:7401', 'ws://127.0.0.1:7402']

export function discoverySuite({ test, factory }: DiscoverySuiteOptions): void {
  const withFixture = (name: string, run: (fixture: DiscoveryFixture) => Promise<void>): unknown =>
    test(name, async () => {
      const fixture = await factory()
      try {
        await run(fixture)
      } finally {
        await fixture.dispose?.()
      }
    })

  withFixture('gives what is there as of each question', async (fixture) => {
    for (const addresses of [three, one, three]) {
      await fixture.set(addresses)
      assert.deepEqual(await find(fixture), addresses)
    }
  })

  withFixture('rejects with an error where it cannot tell, and goes on once it can', async (fixture) => {
    await fixture.fail()
    await assert.rejects(find(fixture), Error)
    await fixture.set(one)
    assert.deepEqual(await find(fixture), one)
  })

  withFixture('can be called off', async (fixture) => {
    await fixture.set(one)
    await assert.rejects(fixture.discovery.find(AbortSignal.abort(new Error('enough'))))
    const controller = new AbortController()
    const asked = fixture.discovery.find(controller.signal)
    controller.abort(new Error('enough'))
    // The answer may have been there already.
    await asked.catch((error: unknown) => assert(error instanceof Error))
    assert.deepEqual(await find(fixture), one)
  })

  withFixture('describes itself', async ({ discovery }) => {
    assert.equal(typeof discovery.description, 'string')
    assert.notEqual(discovery.description, '')
  })
}

async function find({ discovery }: DiscoveryFixture): Promise<readonly string[]> {
  return [...(await discovery.find(new AbortController().signal))].sort()
}
