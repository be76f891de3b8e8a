/** Each deliberate bug of test/recipes/mutants/table.ts is caught by the tests that it names, in a changed copy. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type RecipeMutant, recipeMutants } from '../recipes/mutants/table.ts'

const parts = [
  'package.json',
  'tsconfig.json',
  '.mocharc.json',
  'lib',
  'adapters',
  'test/recipes',
  'test/join/fixture.ts',
  'test/free-ports.ts',
  'test/uncaught.ts',
]

describe('a deliberate bug', () => {
  let folder = ''

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'embedded-coord-mutants-'))
    for (const part of parts) {
      mkdirSync(join(folder, part, '..'), { recursive: true })
      cpSync(part, join(folder, part), { recursive: true })
    }
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'), 'dir')
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const tests of new Set(recipeMutants.map(({ caughtBy }) => caughtBy))) {
    it(`is what is caught: without one, ${tests}.test.ts passes in the copy`, async () => {
      assert.ok(await passes(folder, tests))
    }).timeout(120_000)
  }

  for (const mutant of recipeMutants) {
    it(`of ${mutant.recipe} is caught: ${mutant.title}`, async () => {
      assert.ok(await isCaught(folder, mutant), `${mutant.caughtBy}.test.ts passes`)
    }).timeout(120_000)
  }
})

/** Whether the tests fail, or do not come to an end. */
async function isCaught(folder: string, { file, find, replace, caughtBy }: RecipeMutant): Promise<boolean> {
  const source = join(folder, `lib/recipes/${file}.ts`)
  const original = readFileSync(source, 'utf8')
  writeFileSync(
    source,
    original.replace(find, () => replace),
  )
  try {
    return !(await passes(folder, caughtBy))
  } finally {
    writeFileSync(source, original)
  }
}

async function passes(folder: string, tests: string): Promise<boolean> {
  const mocha = spawn(
    process.execPath,
    ['node_modules/mocha/bin/mocha.js', '--bail', `test/recipes/${tests}.test.ts`],
    {
      cwd: folder,
      stdio: 'ignore',
      timeout: 100_000,
      killSignal: 'SIGKILL',
    },
  )
  const [code] = await once(mocha, 'close')
  return code === 0
}
