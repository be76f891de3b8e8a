/** The discovery suite notices what it is for. */
import type { Discovery } from '../../lib/ports/index.ts'
import { type DiscoveryFixture, discoverySuite } from '../../lib/suites/index.ts'
import { expectKilled } from './run-suite.ts'

type Broken = (sound: Discovery) => Discovery['find']

const mutants: readonly (readonly [what: string, killer: string, broken: Broken])[] = [
  [
    'an answer that is kept',
    'gives what is there as of each question',
    (sound) => {
      let kept: Promise<readonly string[]> | undefined
      return (signal) => {
        kept ??= sound.find(signal)
        return kept
      }
    },
  ],
  [
    'a failure that is passed off as nobody',
    'rejects with an error where it cannot tell, and goes on once it can',
    (sound) => (signal) => sound.find(signal).catch(() => []),
  ],
  ['a signal that is not heeded', 'can be called off', (sound) => () => sound.find(new AbortController().signal)],
]

describe('the discovery suite notices', () => {
  for (const [what, killer, broken] of mutants) {
    it(what, async () => {
      const factory = (): DiscoveryFixture => {
        let addresses: readonly string[] | undefined
        const sound: Discovery = {
          description: 'a test',
          find: async (signal) => {
            signal.throwIfAborted()
            if (addresses === undefined) throw new Error('broken')
            return addresses
          },
        }
        return {
          discovery: { description: 'a test', find: broken(sound) },
          set: async (next) => {
            addresses = next
          },
          fail: async () => {
            addresses = undefined
          },
        }
      }
      await expectKilled((test) => discoverySuite({ test, factory }), killer)
    })
  }
})
