/**
 * The seeded world gives the same traces on every version of Node: the same seeds on this one, twice, and on two others
 * that npm brings. Needs the registry.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const seeds = ['--seeds', '20', '--start', '500']

/** The trace hashes by seed, as one line. */
async function hashesOf(node: string): Promise<string> {
  const program = ['--import', 'tsx', 'test/world/run.ts', ...seeds, '--hashes', '--shrink', '0']
  const { stdout } = await run(node, program, { cwd: root, env: { ...process.env, NODE_OPTIONS: '' } })
  const line = stdout.split('\n').find((text) => text.startsWith('{"500"'))
  assert.ok(line !== undefined, stdout)
  return line
}

describe('the traces of the seeded world', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'world-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('are the same in two runs, and on Node 20, 22 and 24', async () => {
    const packages = ['node22@npm:node@22', 'node24@npm:node@24']
    await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder, ...packages])
    const others = ['node22', 'node24'].map((name) => join(folder, 'node_modules', name, 'bin', 'node'))
    const hashes = await Promise.all([process.execPath, process.execPath, ...others].map(hashesOf))
    const versions = await Promise.all(others.map(async (node) => (await run(node, ['-v'])).stdout.trim()))
    assert.match(versions.join(), /v22\..*v24\./)
    assert.deepEqual(new Set(hashes).size, 1, `traces differ between ${process.version}, ${versions.join()}`)
  })
})
