/** What holds a process, and what lets it go: an open coord holds it, as a server does, and a closed one leaves nothing. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { portOf, rejectsWith, World } from './fixture.ts'

const script = fileURLToPath(new URL('./holder.ts', import.meta.url))

class Holder {
  readonly #process
  #output = ''

  constructor(...args: string[]) {
    this.#process = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#process.stdout.on('data', (chunk: Buffer) => {
      this.#output += String(chunk)
    })
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Waits for its first line. */
  async line(): Promise<string> {
    while (!this.#output.includes('\n')) {
      await once(this.#process.stdout, 'data', { signal: AbortSignal.timeout(15_000) })
    }
    return this.#output.trim()
  }

  /** Waits until it ends by itself; what it said. */
  async ended(): Promise<string> {
    if (this.isRunning) await once(this.#process, 'exit', { signal: AbortSignal.timeout(15_000) })
    assert.equal(this.#process.exitCode, 0)
    return this.#output.trim()
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }
}

async function withHolder(args: readonly string[], test: (holder: Holder) => Promise<void>): Promise<void> {
  const holder = new Holder(...args)
  try {
    await test(holder)
  } finally {
    await holder.kill()
  }
}

describe('a process', () => {
  it('whose coord is unref()ed ends by itself', () =>
    withHolder(['unref'], async (holder) => assert.equal(await holder.ended(), 'joined')))

  it('that has closed its coord ends by itself', async () => {
    await using world = new World()
    await withHolder(['close', world.folder()], async (holder) => assert.equal(await holder.ended(), 'joined'))
  })

  it('whose joining was refused ends by itself', async () => {
    const server = createServer()
    const port = await portOf(server)
    try {
      await withHolder(['refused', `${port}`], async (holder) => {
        assert.equal(await holder.ended(), 'COORD_ADDRESS_IN_USE')
      })
    } finally {
      server.close()
    }
  })

  it('whose joining timed out ends by itself', () =>
    withHolder(['timeout'], async (holder) => assert.equal(await holder.ended(), 'COORD_TIMEOUT')))

  it('with an open coord stays, also where that has no socket', () =>
    withHolder(['hold'], async (holder) => {
      assert.equal(await holder.line(), 'joined')
      await new Promise((resolve) => setTimeout(resolve, 300))
      assert.ok(holder.isRunning)
    }))
})

describe('a store that another process uses', () => {
  it('is COORD_STORE_LOCKED, and free once that process is gone', async () => {
    const { ClassicLevel } = await import('classic-level')
    await using world = new World()
    const folder = world.folder()
    await withHolder(['hold', folder], async (holder) => {
      assert.equal(await holder.line(), 'joined')
      const error = await rejectsWith('COORD_STORE_LOCKED', world.join({ storage: new ClassicLevel(folder) }))
      assert.ok(error.message.includes(folder), error.message)
    })
    const coord = await world.join({ storage: new ClassicLevel(folder) })
    await coord.create('/a')
  })
})
