/** A load in Java: one source file, compiled once; a line for each command. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endProcess, scratchFolder, watched } from '../processes.ts'
import type { Sample } from './contender.ts'

const compiled = new Map<string, string>()

/** The folder of its classes. */
function compile(name: string, classPath: string): string {
  const known = compiled.get(name)
  if (known !== undefined) return known
  const folder = scratchFolder('java')
  const source = fileURLToPath(new URL(`./${name}.java`, import.meta.url))
  const { status, stderr } = spawnSync('javac', ['-cp', classPath, '-d', folder, source], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`javac: ${stderr}`)
  compiled.set(name, folder)
  return folder
}

export class JavaLoad {
  readonly child: ChildProcess
  readonly #name: string
  readonly #lines: AsyncIterator<string>

  private constructor(name: string, child: ChildProcess) {
    this.#name = name
    this.child = child
    this.#lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  }

  static async start(name: string, classPath: string, args: readonly string[] = []): Promise<JavaLoad> {
    const all = ['-cp', `${classPath}:${compile(name, classPath)}`, '-Xmx512m', name, ...args]
    const load = new JavaLoad(name, watched(spawn('java', all, { stdio: ['pipe', 'pipe', 'ignore'] })))
    await load.#lines.next()
    return load
  }

  get pid(): number {
    return this.child.pid as number
  }

  async ask(...words: readonly (string | number)[]): Promise<string> {
    this.child.stdin?.write(`${words.map((word) => `${word}`.replaceAll(' ', '-')).join(' ')}\n`)
    const { value = 'error it ended' } = (await this.#lines.next()) as { value?: string }
    if (!value.startsWith('ok')) throw new Error(`${this.#name}: ${words[0]}: ${value}`)
    return value.slice('ok '.length)
  }

  /** Of a command that answers with a count, failures, seconds, and latencies in microseconds. */
  async sample(...words: readonly (string | number)[]): Promise<Sample> {
    const [count = 0, failed = 0, seconds = 0, ...micros] = (await this.ask(...words)).split(' ').map(Number)
    return { count, failed, seconds, latenciesMs: micros.map((one) => one / 1000) }
  }

  stop(): Promise<void> {
    return endProcess(this.child)
  }
}
