/** Application processes over real sockets, three by default, and what their parent knows of the writes that they had acknowledged. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../free-ports.ts'

interface Answer {
  readonly done?: string
  readonly error?: string
  readonly acknowledged?: string
  readonly path?: string
  readonly role?: string
  readonly state?: string
  readonly entries?: [string, string][]
  readonly leads?: { readonly id: string; readonly epoch: number }
}

const script = fileURLToPath(new URL('./app.ts', import.meta.url))

export class App {
  readonly #child: ChildProcess
  readonly #fleet: Fleet
  readonly #waiting: { readonly type: string; resolve(answer: Answer): void }[] = []

  constructor(fleet: Fleet, script: string) {
    this.#fleet = fleet
    const execArgv = script.endsWith('.ts') ? ['--import', 'tsx'] : []
    this.#child = fork(script, { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (answer: Answer) => {
      if (answer.acknowledged !== undefined) fleet.noteAcknowledged(answer.acknowledged, answer.path as string)
      if (answer.leads !== undefined) fleet.leaders.set(answer.leads.epoch, answer.leads.id)
      const index = this.#waiting.findIndex(({ type }) => type === answer.done)
      if (index !== -1) this.#waiting.splice(index, 1)[0]?.resolve(answer)
    })
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async ask(type: string, more: object = {}): Promise<Answer> {
    this.#child.send({ type, ...more })
    const answer = await new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${type}`)), 60_000)
      this.#waiting.push({
        type,
        resolve: (found) => {
          clearTimeout(timer)
          resolve(found)
        },
      })
    })
    assert.equal(answer.error, undefined, `${type}: ${answer.error}`)
    return answer
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name)
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  /** As an application ends: it closes, and the process has nothing left to do. */
  async end(): Promise<void> {
    if (!this.isRunning) return
    await this.ask('close')
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
    this.#fleet.apps[this.#fleet.apps.indexOf(this)] = undefined
  }
}

/** Where a fleet keeps what it must not forget: nowhere, in LevelDB, or in files. */
export type FleetStore = 'none' | 'level' | 'file'

export class Fleet {
  readonly acknowledged: Map<string, string> = new Map()
  readonly apps: (App | undefined)[] = []
  /** Who led each epoch, as its own process said. */
  readonly leaders: Map<number, string> = new Map()
  /** The longest time between two acknowledged writes, milliseconds. */
  longestGapMs = 0
  readonly #store: FleetStore
  readonly #size: number
  #acknowledgedAt: number | undefined
  readonly #directory = mkdtempSync(join(tmpdir(), 'embedded-coord-fleet-'))
  #ports: number[] = []

  /** What its processes run: `CompiledApp` has one that starts sooner. */
  readonly script: string

  constructor(store: FleetStore, size = 3, appScript: string = script) {
    this.#store = store
    this.#size = size
    this.script = appScript
  }

  get size(): number {
    return this.#size
  }

  noteAcknowledged(value: string, path: string): void {
    this.acknowledged.set(value, path)
    const now = performance.now()
    if (this.#acknowledgedAt !== undefined) this.longestGapMs = Math.max(this.longestGapMs, now - this.#acknowledgedAt)
    this.#acknowledgedAt = now
  }

  /** How often leadership has passed from one process to another. */
  get leaderChanges(): number {
    const ids = [...this.leaders].sort(([a], [b]) => a - b).map(([, id]) => id)
    return ids.filter((id, index) => index > 0 && id !== ids[index - 1]).length
  }

  async start(): Promise<void> {
    if (this.#ports.length === 0) this.#ports = await freePorts(this.#size)
    await Promise.all(this.#ports.map((_, index) => this.launch(index)))
  }

  /** `build`: the script of another one than this fleet's. Rejects where it cannot join; then the process is gone. */
  async launch(index: number, build: string = this.script, joinTimeoutMs?: number): Promise<App> {
    const app = new App(this, build)
    this.apps[index] = app
    const peers = this.#ports.map((port) => `ws://127.0.0.1:${port}`)
    const store = this.#store
    const dir = store === 'none' ? {} : { store, dir: join(this.#directory, `${index}`) }
    try {
      await app.ask('join', { name: `app-${index}`, port: this.#ports[index], peers, joinTimeoutMs, ...dir })
    } catch (error) {
      await app.kill()
      throw error
    }
    return app
  }

  running(): App[] {
    return this.apps.filter((app): app is App => app?.isRunning === true)
  }

  /** The index of the member that leads; waits until all that run agree that one does. */
  async leader(): Promise<number> {
    return this.eventually(async () => {
      const running = this.running()
      const roles = await Promise.all(running.map((app) => app.ask('role')))
      const leading = running.filter((_, index) => roles[index]?.role === 'leader')
      const settled = roles.every(({ state, role }) => state === 'connected' && role !== 'looking')
      return leading.length === 1 && settled ? this.apps.indexOf(leading[0]) : undefined
    })
  }

  /** Waits for a number of acknowledged writes beyond what there is. */
  async progress(count: number): Promise<void> {
    const target = this.acknowledged.size + count
    await this.eventually(async () => (this.acknowledged.size >= target ? true : undefined))
  }

  async eventually<T>(attempt: () => Promise<T | undefined>, limitMs = 60_000): Promise<T> {
    const limit = Date.now() + limitMs
    for (;;) {
      const found = await attempt()
      if (found !== undefined) return found
      assert.ok(Date.now() < limit, `not within ${limitMs} ms`)
      await sleep(20)
    }
  }

  /** Every acknowledged write is there, once, at its path. */
  async check(): Promise<void> {
    await Promise.all(this.running().map((app) => app.ask('stop')))
    const [app] = this.running()
    assert.ok(app !== undefined)
    let failure: unknown
    const list = (): Promise<Answer | undefined> =>
      app.ask('list').catch((error: unknown) => {
        failure = error
        return undefined
      })
    const listed = this.eventually(list)
    const { entries = [] } = await listed.catch(() => assert.fail(`the writes cannot be listed: ${String(failure)}`))
    const paths = new Map<string, string>()
    for (const [path, value] of entries) {
      assert.ok(!paths.has(value), `${value} is there twice`)
      paths.set(value, path)
    }
    for (const [value, path] of this.acknowledged) assert.equal(paths.get(value), path, `acknowledged ${value} is lost`)
    assert.ok(this.acknowledged.size > 0)
  }

  async dispose(): Promise<void> {
    await Promise.all(this.running().map((app) => app.kill()))
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
