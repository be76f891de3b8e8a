/**
 * One collector: it registers as a worker and reads whichever sources are assigned to it, until they are taken back. Any
 * number of these may run; `run.ts` starts three of them:
 *
 *   NAME=collector-1 PORT=7401 PEERS=ws://127.0.0.1:7401,… COORD_SECRET=… npx tsx collector.ts
 */
import { open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { joinEnsemble } from 'embedded-coord'
import { type Collected, collectedPath, type Source, sourcesPath } from './model.ts'

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

const coord = await joinEnsemble({
  name: requireEnv('NAME'),
  listen: { port: Number(requireEnv('PORT')) },
  peers: requireEnv('PEERS').split(','),
  secret: requireEnv('COORD_SECRET'),
  sessionTimeoutMs: 2_000,
  valueEncoding: 'json',
  signal: stopping.signal,
})

const sources = coord.namespace<Source>('/')
const worker = await sources.workers(sourcesPath).work(
  async ({ name, file }, run) => {
    const path = `${collectedPath}/${name}`
    // Where the one before us stopped.
    let collected = (await coord.getData(path)).data as Collected
    while (!run.signal.aborted) {
      const lines = await linesFrom(file, collected.offset)
      if (lines.length > 0) {
        // Here they would be sent on. The offset moves only while the source is ours: no line is counted twice.
        collected = {
          offset: collected.offset + Buffer.byteLength(lines.join('')),
          lines: collected.lines + lines.length,
          by: coord.member.name,
        }
        await coord.multi([{ type: 'setData', path, data: collected }], { ifHeld: run })
        await run.report({ lines: collected.lines })
      }
      await delay(50, undefined, { signal: run.signal }).catch(() => {})
    }
  },
  { capacity: Number.POSITIVE_INFINITY },
)
// What ends a task, a lost source for example, is tried again: by us or by another collector.
worker.on('failed', (error, task) => console.error(`${task}: ${String(error)}`))

stopping.signal.addEventListener('abort', () => {
  // Gives the sources back, so that the others need not wait until the session of this process expires.
  void worker.close().then(() => coord.close({ timeoutMs: 500 }))
})

/** The whole lines of a file from an offset on. */
async function linesFrom(file: string, offset: number): Promise<string[]> {
  await using handle = await open(file)
  const { size } = await handle.stat()
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.max(0, size - offset)), 0, size - offset, offset)
  return buffer.subarray(0, bytesRead).toString().match(/.*\n/g) ?? []
}

function requireEnv(variable: string): string {
  const value = process.env[variable]
  if (value === undefined || value === '') throw new Error(`set the environment variable ${variable}`)
  return value
}
