/**
 * An application process that takes a lock again and again, and tells its parent of each term: its token, when it began,
 * and when it was last seen to be held, by the machine's monotonic clock, which all processes share.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { joinEnsemble } from '../../lib/index.ts'

/** `stay`: it keeps its third lock until that is lost. `block`: with its third lock it blocks its event loop for so long. */
export interface Contending {
  readonly name: string
  readonly port: number
  readonly peers: string[]
  readonly sessionTimeoutMs: number
  readonly stay?: boolean
  readonly blockMs?: number
}

export interface Term {
  readonly name: string
  readonly token: string
  readonly from: number
  readonly heldAt: number
  readonly third: boolean
  readonly lost: boolean
}

const tell = (message: object): void => {
  process.send?.(message)
}

/** In milliseconds; on one machine the same for every process. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

process.on('disconnect', () => process.exit())
process.once('message', (task: Contending) => {
  void contend(task).catch((error: unknown) => tell({ failed: `${task.name}: ${String(error)}` }))
})

async function contend({ name, port, peers, sessionTimeoutMs, stay = false, blockMs }: Contending): Promise<void> {
  const coord = await joinEnsemble({ name, listen: { port }, peers, sessionTimeoutMs })
  tell({ joined: name })
  for (let count = 1; ; count++) {
    const lock = await coord.lock('/lock')
    const third = count === 3
    const from = now()
    let heldAt = from
    // Read before the look: held at the look is held then, too.
    const look = (): boolean => {
      const before = now()
      if (!lock.held) return false
      heldAt = before
      return true
    }
    if (look()) {
      if (third && stay) tell({ staying: name })
      if (third && blockMs !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs)
      while (look() && third && stay) await sleep(5)
      await sleep(5)
      const lost = !look()
      tell({ term: { name, token: `${lock.token}`, from, heldAt, third, lost } satisfies Term })
    }
    await lock.release()
  }
}
