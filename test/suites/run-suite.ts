/**
 * Checks the checkers: runs one test of a suite, by its name, over an adapter that is broken on purpose, and tells
 * whether it noticed.
 */
import assert from 'node:assert/strict'
import type { TestFunction } from '../../lib/suites/index.ts'

export type Suite = (test: TestFunction) => void

/** Fails unless the test of that name fails. */
export async function expectKilled(suite: Suite, name: string): Promise<void> {
  const tests = new Map<string, () => Promise<void>>()
  suite((each, run) => tests.set(each, run))
  const run = tests.get(name)
  assert(run !== undefined, `the suite has no test "${name}"`)
  await assert.rejects(run(), `"${name}" did not notice`)
}
