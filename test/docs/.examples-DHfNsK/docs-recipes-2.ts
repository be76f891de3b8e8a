import { type Coord, CoordError } from 'embedded-coord'
import { createTestEnsemble } from 'embedded-coord/testing'

const base = '/election'

/** Queues up, and says whenever this process has become the leader, or is it no longer. Ends when the coord is closed. */
async function candidate(coord: Coord<string>, name: string, onTerm: (token: bigint | undefined) => void) {
  while (coord.state !== 'closed') {
    try {
      await using session = await coord.openSession()
      const ended = new Promise<void>((resolve) => {
        session.on('state', (next) => {
          if (next === 'lost' || next === 'closed') resolve()
        })
      })
      const mode = 'ephemeral-sequential'
      const { path, stat } = await session.createWithStat(`${base}/candidate-`, name, { mode, parents: true })
      let leads = false
      while (session.state !== 'lost' && session.state !== 'closed') {
        const change = new Promise<void>((resolve) => {
          // Simple: everybody watches the queue. With many candidates, watch only the one before, as the lock does.
          session.getChildren(base, { watch: () => resolve() }).then(
            ({ children }) => {
              if (!leads && `${base}/${children[0]}` === path) {
                leads = true
                onTerm(stat.czxid)
              }
            },
            () => resolve(),
          )
        })
        await Promise.race([change, ended])
      }
      if (leads) onTerm(undefined)
    } catch (error) {
      if (!(error instanceof CoordError)) throw error
      // The session ended, or no quorum answered: from the beginning.
    }
  }
}

async function leader(coord: Coord<string>): Promise<string | undefined> {
  const { children } = await coord.getChildren(base)
  return children[0] && (await coord.getData(`${base}/${children[0]}`)).data
}

await using ensemble = await createTestEnsemble({ size: 3, seed: 1, valueEncoding: 'utf8' })
const [a, b, c] = ensemble.coords
const terms: string[] = []
void candidate(a, 'a', (token) => terms.push(token ? 'a leads' : 'a no longer leads'))
await ensemble.advance(100)
void candidate(b, 'b', (token) => terms.push(token ? 'b leads' : 'b no longer leads'))
await ensemble.advance(100)
console.log(await leader(c)) // a

ensemble.partition([a], [b, c])
await ensemble.advance(30_000)
console.log(terms) // [ 'a leads', 'a no longer leads', 'b leads' ]
console.log(await leader(c)) // b
