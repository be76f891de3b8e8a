/**
 * What an application needs most often around a session. Watches and ephemeral nodes belong to a session: when it is
 * lost they are gone, and all of them have to be made anew in the next one.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Coord, WatchListener } from 'embedded-coord'
import { hasCode, isOutage } from './coord-errors.ts'

/**
 * Does `work` whenever a quorum serves this process, until the coord is closed. The signal aborts as soon as none does
 * (suspended) or the session is over (lost); when there is a quorum again, `work` begins anew. Any other error ends it.
 */
export async function whileConnected(
  coord: Coord<unknown>,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  while (coord.state !== 'closed') {
    if (coord.state !== 'connected') {
      await once(coord, 'state')
      continue
    }
    const connection = new AbortController()
    const abort = (): void => connection.abort()
    coord.once('state', abort)
    try {
      await work(connection.signal)
      if (!connection.signal.aborted) await once(connection.signal, 'abort')
    } catch (error) {
      if (connection.signal.aborted || hasCode(error, 'COORD_CLOSED')) continue
      if (!isOutage(error)) throw error
      // A call that fails with its session may say so just before the coord does.
      await delay(100)
    } finally {
      coord.off('state', abort)
      abort()
    }
  }
}

/** A one-shot watch to pass to a read, and a promise that resolves when it fires, or when the signal aborts. */
export function oneShotWatch(signal: AbortSignal): { watch: WatchListener; fired: Promise<void> } {
  let watch: WatchListener = () => {}
  const fired = new Promise<void>((resolve) => {
    const done = (): void => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
    watch = done
  })
  return { watch, fired }
}
