/** The application of the process tests, compiled once: a process of it starts in a third of the time. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export class CompiledApp implements Disposable {
  readonly script: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'embedded-coord-compiled-'))

  constructor() {
    const root = resolve(import.meta.dirname, '../..')
    const tsconfig = {
      extends: join(root, 'tsconfig.build.json'),
      compilerOptions: {
        rootDir: root,
        outDir: this.#folder,
        noCheck: true,
        declaration: false,
        isolatedDeclarations: false,
        sourceMap: false,
        inlineSources: false,
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: [join(root, 'lib'), join(root, 'adapters'), join(root, 'test/process/app.ts')],
    }
    writeFileSync(join(this.#folder, 'tsconfig.json'), JSON.stringify(tsconfig))
    writeFileSync(join(this.#folder, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'), 'junction')
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { status } = spawnSync(process.execPath, [tsc, '-p', this.#folder], { stdio: 'inherit' })
    if (status !== 0) throw new Error('the application does not compile')
    this.script = join(this.#folder, 'test/process/app.js')
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
