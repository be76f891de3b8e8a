/** The processes of the fleet, as a supervisor sees them: it starts them, kills them, and notices when they end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from './free-ports.ts'

const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export class Fleet {
  readonly processes: readonly FleetProcess[]
  /** Called when a process ends that was not told to. */
  onUnexpectedEnd: (ended: FleetProcess, how: string) => void = () => {}

  private constructor(processes: readonly FleetProcess[]) {
    this.processes = processes
  }

  static async create(names: readonly string[]): Promise<Fleet> {
    const ports = await freePorts(names.length)
    const env = {
      PEERS: ports.map((port) => `ws://127.0.0.1:${port}/embedded-coord`).join(),
      // A demonstration needs no secrecy; your fleet does.
      COORD_SECRET: process.env['COORD_SECRET'] ?? 'a demonstration',
    }
    const fleet: Fleet = new Fleet(
      names.map(
        (name, index) =>
          new FleetProcess(name, ports[index] as number, env, (ended, how) => fleet.onUnexpectedEnd(ended, how)),
      ),
    )
    return fleet
  }

  get names(): string[] {
    return this.processes.map(({ name }) => name)
  }

  start(): void {
    for (const process of this.processes) process.start()
  }

  /** Asks all of them to end, and ends those that do not. Resolves with the names of the latter. */
  async stop(): Promise<string[]> {
    const unclean = await Promise.all(this.processes.map(async (one) => ((await one.stop()) ? [] : [one.name])))
    return unclean.flat()
  }
}

export class FleetProcess {
  readonly name: string
  readonly url: string
  readonly #env: Readonly<Record<string, string>>
  readonly #onUnexpectedEnd: (ended: FleetProcess, how: string) => void
  #child: ChildProcess | undefined
  #ended: Promise<string> = Promise.resolve('not started')
  #isToEnd = true
  #output = ''

  constructor(
    name: string,
    port: number,
    env: Readonly<Record<string, string>>,
    onUnexpectedEnd: (ended: FleetProcess, how: string) => void,
  ) {
    this.name = name
    this.url = `http://127.0.0.1:${port}`
    this.#env = { ...env, NAME: name, PORT: `${port}` }
    this.#onUnexpectedEnd = onUnexpectedEnd
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** What it has written since it was started, if anything. */
  get output(): string {
    return this.#output
  }

  start(): void {
    const args = ['--import', 'tsx', '--import', fileOf('with-runner.ts'), fileOf('../service.ts')]
    const child = spawn(process.execPath, args, {
      // Where tsconfig.json is: tsx finds `embedded-coord` by it.
      cwd: fileOf('../../..'),
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    this.#isToEnd = false
    this.#output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
      })
    }
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
    void this.#ended.then((how) => {
      if (!this.#isToEnd && this.#child === child) this.#onUnexpectedEnd(this, how)
    })
  }

  /** As the kernel does it when memory runs out: without a word. */
  async kill(): Promise<void> {
    this.#isToEnd = true
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  /** Asks it to end, and ends it if it does not within five seconds. Resolves with whether it ended well, or already had. */
  async stop(): Promise<boolean> {
    if (this.#isToEnd) return true
    this.#isToEnd = true
    this.#child?.kill('SIGTERM')
    const patience = new AbortController()
    const how = await Promise.race([this.#ended, delay(5_000, 'too late', { signal: patience.signal })])
    patience.abort()
    if (how === 'too late') await this.kill()
    return how === 'exit code 0'
  }
}
