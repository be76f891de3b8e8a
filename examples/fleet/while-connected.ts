/**
 * What an application needs most often around a session. Watches and ephemeral nodes belong to a session: when it is
 * lost they are gone, and all of them have to be made anew in the next one.
 */
import { once } from 'node:events'
import type { Coord, WatchListener } from 'embedded-coord'

/**
 * Does `work` whenever a quorum serves this process, until the coord is closed. The signal aborts as soon as none does
 * (suspended) or the session is over (lost); when there is a quorum again, `work` begins anew. An error while all is well
 * ends it.
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
    coord.once('state', () => connection.abort())
    try {
      await work(connection.signal)
    } catch (error) {
      if (coord.state === 'connected' && !connection.signal.aborted) throw error
    }
    if (!connection.signal.aborted) await once(connection.signal, 'abort')
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
