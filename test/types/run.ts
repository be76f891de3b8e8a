/**
 * The public types, as applications see them: compiles every program in `programs/` against the packed package, with
 * the oldest TypeScript that we promise and with our own. What must not compile says `@ts-expect-error`.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installPacked } from '../package/install.ts'

const compilers = ['typescript-5.9', 'typescript']

const tsconfig = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
  },
}

const programs = join('test', 'types', 'programs')
const names = readdirSync(programs).filter((name) => /\.c?ts$/.test(name))
if (names.length === 0) {
  console.log(`no programs in ${programs}`)
} else {
  const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    devDependencies: Record<string, string>
  }
  const beside = ['@types/node', 'classic-level'].map((name) => `${name}@${devDependencies[name]}`)
  const folder = installPacked(...beside)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  for (const name of names) cpSync(join(programs, name), join(folder, name))
  for (const compiler of compilers) {
    const tsc = join('node_modules', compiler, 'bin', 'tsc')
    const { status } = spawnSync(process.execPath, [tsc, '-p', folder], { stdio: 'inherit' })
    if (status !== 0) process.exitCode = 1
    console.log(`${status === 0 ? 'compiles' : 'does not compile'} with ${compiler}: ${names.join(', ')}`)
  }
  rmSync(folder, { recursive: true })
}
