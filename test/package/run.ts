/**
 * What users get: packs the package, installs it into an empty folder, looks at what is in it, imports every entry
 * and runs one program per module system. Each program must end by itself.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { build } from 'esbuild'
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

/** As a single file elsewhere, without a package beside it. */
async function runBundled(format: 'esm' | 'cjs'): Promise<void> {
  const entry = join(folder, 'bundled.mjs')
  cpSync(join('test', 'package', 'bundled.mjs'), entry)
  const alone = mkdtempSync(join(tmpdir(), 'embedded-coord-'))
  const outfile = join(alone, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
  // In a module, the CommonJS packages in it want a require.
  const js = "import { createRequire as from } from 'node:module'; const require = from(import.meta.url);"
  const banner = format === 'esm' ? { banner: { js } } : {}
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format, ...banner, logLevel: 'error' })
  execFileSync(process.execPath, [outfile], { cwd: alone, stdio: 'inherit', timeout: 30_000 })
  rmSync(alone, { recursive: true })
  console.log(`bundled.mjs as one ${format} file`)
}

for (const format of ['esm', 'cjs'] as const) await runBundled(format)
rmSync(folder, { recursive: true })
