/**
 * The documentation is true: its lists equal those of the code, its links lead somewhere, the tests that it names exist,
 * and its examples compile and run.
 *
 * A block of code is run if the word `runnable` follows its language; `processes=3` runs it in so many processes at once,
 * which found an ensemble, until each has printed a line. Such a program then has to end when it gets SIGTERM. What the
 * comment behind a `console.log` says has to be what it prints.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { dataBytesMax, errorCodes } from 'embedded-coord'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { freePorts } from '../free-ports.ts'

const root = join(import.meta.dirname, '../..')
const pages = readdirSync(root, { encoding: 'utf8' })
  .concat(readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`))
  .filter((name) => name.endsWith('.md'))
  .map((name) => name.replaceAll('\\', '/'))
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8')

/** The cells of the rows of all tables of a page whose first cell is a name in code. */
function rowsOf(page: string): Map<string, readonly string[]> {
  const rows = new Map<string, readonly string[]>()
  for (const [line, name] of textOf(page).matchAll(/^\| `([^`]+)` +\|.*$/gm)) {
    assert.ok(line.startsWith('| `timing.') || !rows.has(name as string), `${page} has ${name} twice`)
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    rows.set(name as string, cells.slice(2, -1))
  }
  return rows
}

describe('docs/ERRORS.md', () => {
  it('has every code, with its number and whether it was certainly not applied', () => {
    const documented = [...rowsOf('docs/ERRORS.md')].filter(([code]) => code.startsWith('COORD_'))
    const told = documented.map(([code, [zk, notApplied]]) => `${code} ${zk} ${notApplied}`)
    const real = Object.entries(errorCodes).map(
      ([code, { zk, retryable }]) => `${code} ${zk} ${retryable ? 'yes' : 'no'}`,
    )
    assert.deepEqual(told.sort(), real.sort())
  })

  it('says what each means, and what to do where it is raised', () => {
    for (const [code, [, , meaning, remedy]] of rowsOf('docs/ERRORS.md')) {
      if (!code.startsWith('COORD_')) continue
      assert.ok(meaning, code)
      assert.equal(
        remedy === '',
        !isRaised(code),
        `${code}: ${remedy === '' ? 'raised, without a remedy' : 'not raised'}`,
      )
    }
  })
})

const sources = ['lib', 'adapters'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== 'errors.ts')
    .map((name) => readFileSync(join(root, folder, name), 'utf8')),
)

const isRaised = (code: string): boolean => sources.some((text) => new RegExp(`'${code}'`).test(text))

describe('docs/LIMITS.md', () => {
  it('has every limit of the runtime, with its default', () => {
    const documented = rowsOf('docs/LIMITS.md')
    const real = flat(defaultLimits)
    for (const [name, value] of real) {
      assert.equal(documented.get(name)?.[0]?.replaceAll(',', ''), `${value}`, name)
      documented.delete(name)
    }
    const options = ['sessionTimeoutMs', 'requestTimeoutMs', 'joinTimeoutMs', 'voters']
    assert.deepEqual([...documented.keys()].sort(), options.sort())
  })

  it('has the size of a znode', () => {
    assert.ok(textOf('docs/LIMITS.md').includes(`${dataBytesMax.toLocaleString('en')} bytes (\`dataBytesMax\`)`))
  })
})

/** The numbers in an object, by their path. */
function flat(limits: object, prefix = ''): [name: string, value: number][] {
  return Object.entries(limits).flatMap(([key, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null
      ? flat(value, `${prefix}${key}.`)
      : [[`${prefix}${key}`, Number(value)]],
  )
}

describe('links', () => {
  for (const page of pages) {
    it(`of ${page} lead somewhere`, () => {
      const dead = [...textOf(page).matchAll(/\]\((?!\w+:|#)(?<target>[^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(({ groups }) => groups?.['target'] ?? '')
        .filter((target) => !existsSync(join(root, posix.dirname(page), target)))
      assert.deepEqual(dead, [])
    })
  }

  it('name tests that there are, for every fault of a disk, of synchronization and of members', () => {
    const ids = new Set<string>()
    const rows = textOf('docs/TESTING.md').matchAll(
      /^\| (?<id>(?:LG|SY|VO|MB)\d+) +\| [^|]+ \| \[[^\]]+\]\(\.\.\/(?<file>[^)]+)\): (?<title>[^|]+?) *\|$/gm,
    )
    for (const [, id = '', file = '', title = ''] of rows) {
      ids.add(id)
      assert.ok(textOf(file).includes(title), `${id}: ${file} has no test '${title}'`)
    }
    // VO8, a process that is cloned with its memory, is beyond what is assumed (docs/GUARANTEES.md).
    const voters = range('VO', 9).filter((id) => id !== 'VO8')
    const expected = [...range('LG', 19), ...range('SY', 19), ...voters, ...range('MB', 15)]
    assert.deepEqual([...ids], expected)
  })

  it('of docs/GUARANTEES.md name tests that exist', () => {
    let count = 0
    for (const [, file, titles] of textOf('docs/GUARANTEES.md').matchAll(
      /\]\(\.\.\/(test\/[^)]+\.ts)\)((?:,? “[^”]+”)+)/g,
    )) {
      const text = textOf(file as string)
      for (const [, title] of (titles as string).matchAll(/“([^”]+)”/g)) {
        assert.ok(text.includes(`'${title}'`), `${file} has no test "${title}"`)
        count += 1
      }
    }
    assert.ok(count >= 15, `${count} tests are named`)
  })
})

interface Example {
  readonly name: string
  readonly code: string
  readonly processes: number
}

const examples = pages.flatMap((page): Example[] =>
  [...textOf(page).matchAll(/^```(?:ts|js) runnable(?: processes=(?<processes>\d))?\n(?<code>.*?)^```$/gms)].map(
    ({ groups }, index) => ({
      name: `${page.replaceAll('/', '-').replace('.md', '').toLowerCase()}-${index + 1}`,
      code: groups?.['code'] ?? '',
      processes: Number(groups?.['processes'] ?? 1),
    }),
  ),
)

describe('examples', function () {
  // Most take well under a second; a machine that is busy with something else may take its time.
  this.timeout(60_000)
  let folder = ''

  before(() => {
    folder = mkdtempSync(join(root, 'test/docs/.examples-'))
    for (const { name, code } of examples) writeFileSync(join(folder, `${name}.ts`), code)
    // As an application is compiled, and not as strictly as this library.
    const compilerOptions = {
      noPropertyAccessFromIndexSignature: false,
      noUnusedLocals: false,
      noImplicitReturns: false,
      isolatedDeclarations: false,
    }
    const tsconfig = { extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  it('are there', () => assert.ok(examples.length >= 6, `${examples.length}`))

  it('compile', async () => {
    const { code, output } = await ended(start('node_modules/typescript/bin/tsc', ['-p', folder]))
    assert.equal(code, 0, output)
  })

  for (const { name, code: program, processes } of examples) {
    it(`${name} runs`, async () => {
      const directory = join(folder, name)
      mkdirSync(directory)
      if (processes === 1) {
        const { code, output } = await ended(run(join(folder, `${name}.ts`), { COORD_DIR: directory }))
        assert.equal(code, 0, output)
        const lines = output.split('\n')
        for (const [, said] of program.matchAll(/^\s*console\.log\(.*\) \/\/ (.+)$/gm))
          assert.ok(lines.includes(said ?? ''), output)
      } else {
        await runTogether(join(folder, `${name}.ts`), processes)
      }
    })
  }
})

/** Starts the processes of an ensemble, waits until each has said something, and ends them. */
async function runTogether(file: string, processes: number): Promise<void> {
  const ports = await freePorts(processes)
  const PEERS = ports.map((port) => `ws://127.0.0.1:${port}`).join()
  const members = ports.map((port, index) =>
    run(file, { NAME: `member-${index + 1}`, PORT: `${port}`, PEERS, COORD_SECRET: 'of the test of the docs' }),
  )
  const ends = members.map((member) => ended(member))
  await Promise.all(members.map((member, index) => Promise.race([once(member.stdout ?? member, 'data'), ends[index]])))
  for (const member of members) member.kill('SIGTERM')
  for (const { code, output } of await Promise.all(ends)) {
    assert.equal(code, 0, output)
    assert.match(output, /member-\d is (leader|follower)/)
  }
}

function run(file: string, env: Record<string, string>): ChildProcess {
  return start('--import', ['tsx', file], env)
}

function start(first: string, rest: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [first, ...rest], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 45_000,
    killSignal: 'SIGKILL',
  })
}

/** Its exit code, once it has ended, and everything that it wrote. */
async function ended(child: ChildProcess): Promise<{ code: unknown; output: string }> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (part) => (output += part))
  const [code, signal] = await once(child, 'close')
  return { code: code ?? signal, output }
}

const range = (name: string, last: number): string[] =>
  Array.from({ length: last }, (_, index) => `${name}${index + 1}`)
