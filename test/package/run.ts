/**
 * What users get: packs the package, installs it into an empty folder, looks at what is in it, imports every entry
 * and runs one program per module system. Each program must end by itself.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { installPacked } from './install.ts'

const folder = installPacked()
const installed = join(folder, 'node_modules', 'embedded-coord')

function run(...args: string[]): void {
  execFileSync(process.execPath, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'], timeout: 30_000 })
}

function checkFiles(): void {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(installed, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  const wanted = ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist/lib/index.js', 'dist/lib/index.d.ts']
  const missing = wanted.filter((file) => !files.includes(file))
  assert.deepEqual(missing, [], 'files that the package lacks')

  const fits = /^(dist\/(lib|adapters)\/.+\.(js|js\.map|d\.ts)|[^/]+\.(json|md)|LICENSE)$/
  const foreign = files.filter((file) => !fits.test(file) || file.includes('.test.'))
  assert.deepEqual(foreign, [], 'files that have no place in the package')

  // Applications do not install @types/ws.
  const leaks = files.filter(
    (file) => file.endsWith('.d.ts') && /(from |import\()['"]ws['"]/.test(readFileSync(join(installed, file), 'utf8')),
  )
  assert.deepEqual(leaks, [], 'declarations that name types of ws')
  console.log(`${files.length} files`)
}

function importEntries(): void {
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { exports: object }
  for (const entry of Object.keys(manifest.exports)) {
    if (entry === './package.json') continue
    const name = entry.replace('.', 'embedded-coord')
    run('--input-type=module', '--eval', `await import('${name}')`)
    console.log(`import ${name}`)
  }
}

checkFiles()
importEntries()
for (const program of ['program.mjs', 'program.cjs']) {
  cpSync(join('test', 'package', program), join(folder, program))
  run(program)
  console.log(program)
}
rmSync(folder, { recursive: true })
