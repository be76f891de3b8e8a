/**
 * What the tests of `joinEnsemble` share: free ports, ensembles of real members over real sockets in this process, and
 * waiting for conditions instead of for time.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import type { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Coord, CoordError, type ErrorCode, type JoinOptions, joinEnsemble } from '../../lib/index.ts'
import { freePorts } from '../free-ports.ts'

/** Begins to listen on loopback; the port that it got. */
export function portOf(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}

export const addressAt = (port: number): string => `ws://127.0.0.1:${port}`

/** Polls until the condition holds; what it gave. Fails with the text, never hangs. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value
    assert.ok(performance.now() < deadline, `within ${timeoutMs} ms: ${what}`)
    await sleep(10)
  }
}

/** How fast the tests want failures to be noticed. */
export const quick = { pingIntervalMs: 100, syncLimitMs: 600 } as const

/** The options with which each of `ports` founds an ensemble with the others. */
export function founders(ports: readonly number[], options: JoinOptions = {}): JoinOptions[] {
  return ports.map((port, index) => ({
    name: `member-${index + 1}`,
    listen: { port },
    peers: ports.map(addressAt),
    timing: quick,
    joinTimeoutMs: 15_000,
    ...options,
  }))
}

/** Coords and folders that go when the test is over, whatever became of it. */
export class World implements AsyncDisposable {
  readonly #coords: Coord<unknown>[] = []
  readonly #folders: string[] = []

  async join(options?: JoinOptions): Promise<Coord> {
    const coord = await joinEnsemble(options as undefined)
    this.#coords.push(coord as Coord<unknown>)
    return coord
  }

  /** `count` members that found together. */
  async found(count: number, options?: JoinOptions): Promise<Coord[]> {
    return Promise.all(founders(await freePorts(count), options).map((each) => this.join(each)))
  }

  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'embedded-coord-'))
    this.#folders.push(folder)
    return folder
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#coords.map((coord) => coord.close({ timeoutMs: 200 })))
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true })
  }
}

/** Waits for a rejection with this code and returns it. */
export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>, text?: RegExp): Promise<CoordError> {
  const error = await promise.then(
    () => assert.fail(`did not reject with ${code}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof CoordError, `not a CoordError: ${String(error)}`)
  assert.equal(error.code, code, error.message)
  if (text !== undefined) assert.match(error.message, text)
  return error
}

/** Waits for a TypeError, or another error of misuse, that says what is wrong. */
export async function refusesMisuse(
  text: RegExp,
  promise: Promise<unknown>,
  kind: typeof TypeError | typeof RangeError = TypeError,
): Promise<void> {
  const error = await promise.then(
    () => assert.fail(`did not reject with ${text}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof kind, `not a ${kind.name}: ${String(error)}`)
  assert.match(error.message, text)
}

export function leaderOf(coords: readonly Coord[]): Coord | undefined {
  return coords.find(({ member }) => member.role === 'leader')
}

export function followersOf(coords: readonly Coord[]): Coord[] {
  return coords.filter(({ member }) => member.role === 'follower')
}
