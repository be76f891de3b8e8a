/**
 * What the suites need of a test runner, and how they wait.
 *
 * An adapter may take its time, so nothing is expected at once: what should happen is looked for until it has, with
 * patience for a slow machine; what should not happen gets a moment in which it would.
 */
import assert from 'node:assert/strict'

/** Registers one test: mocha's `it`, `test` of `node:test`, or alike. */
export type TestFunction = (name: string, run: () => Promise<void>) => unknown

const patienceMs = 5_000

/** Resolves as soon as `condition` holds, or fails saying what did not happen. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!condition()) {
    assert(performance.now() < deadline, `within ${patienceMs} ms: ${what}`)
    await pause(1)
  }
}

/** Long enough for what should not happen to happen. */
export function settle(): Promise<void> {
  return pause(25)
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}
