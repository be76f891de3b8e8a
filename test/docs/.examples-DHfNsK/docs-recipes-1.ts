import { CoordError, joinEnsemble, type Session } from 'embedded-coord'

interface Lock {
  readonly path: string
  /** Greater for every later holder: the czxid of our node. */
  readonly token: bigint
  /** Aborts when the session is over, and the lock with it. */
  readonly signal: AbortSignal
  release(): Promise<void>
}

async function lock<V>(session: Session<V>, base: string): Promise<Lock> {
  const over = new AbortController()
  session.on('state', (next) => {
    if (next === 'lost' || next === 'closed') over.abort()
  })
  const mode = 'ephemeral-sequential'
  const { path, stat } = await session.createWithStat(`${base}/lock-`, undefined, { mode, parents: true })
  for (;;) {
    const { children } = await session.getChildren(base)
    const before = children[children.indexOf(path.slice(base.length + 1)) - 1]
    if (before === undefined) break
    await gone(session, `${base}/${before}`, over.signal)
  }
  return { path, token: stat.czxid, signal: over.signal, release: () => session.delete(path) }
}

/** Resolves when a node has changed or gone. A watch of a lost session never fires: then the signal must. */
function gone<V>(session: Session<V>, path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new CoordError('COORD_SESSION_EXPIRED'))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    const done = () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    session.getData(path, { watch: done }).catch((error) => {
      if (error.code === 'COORD_NO_NODE') done()
      else reject(error)
    })
  })
}

await using coord = await joinEnsemble({ valueEncoding: 'utf8' })
await coord.create('/ledger', '')

// One session for each lock: what happens to the session happens to the lock.
const one = await coord.openSession()
const other = await coord.openSession()

const first = await lock(one, '/locks/ledger')
const waiting = lock(other, '/locks/ledger')
await coord.multi([{ type: 'setData', path: '/ledger', data: 'first' }], { ifHeld: first })
await first.release()

const second = await waiting
console.log(second.token > first.token) // true
// The first holder has not noticed yet, say. It changes nothing any more:
const late = coord.multi([{ type: 'setData', path: '/ledger', data: 'late' }], { ifHeld: first })
console.log(await late.catch((error) => error.code)) // COORD_LOCK_LOST
await second.release()
