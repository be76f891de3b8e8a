/** The application of the process tests, compiled once: a process of it starts in a third of the time. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export class CompiledApp implements Disposable {
  readonly script: string
  readonly #folders: string[] = []

  constructor() {
    const root = resolve(import.meta.dirname, '../..')
    const folder = this.#newFolder()
    const tsconfig = {
      extends: join(root, 'tsconfig.build.json'),
      compilerOptions: {
        rootDir: root,
        outDir: folder,
        noCheck: true,
        declaration: false,
        emitDeclarationOnly: false,
        isolatedDeclarations: false,
        sourceMap: false,
        inlineSources: false,
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: [join(root, 'lib'), join(root, 'adapters'), join(root, 'test/process/app.ts')],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { status } = spawnSync(process.execPath, [tsc, '-p', folder], { stdio: 'inherit' })
    if (status !== 0) throw new Error('the application does not compile')
    this.script = join(folder, 'test/process/app.js')
  }

  /** The script of another build, which differs in one place of one file (`lib/….js`). */
  variant(file: string, find: string, replace: string): string {
    const folder = this.#newFolder()
    cpSync(this.#folders[0] as string, folder, { recursive: true, verbatimSymlinks: true })
    const text = readFileSync(join(folder, file), 'utf8')
    if (text.split(find).length !== 2) throw new Error(`${file} has '${find}' not once`)
    writeFileSync(join(folder, file), text.replace(find, replace))
    return join(folder, 'test/process/app.js')
  }

  #newFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'embedded-coord-compiled-'))
    this.#folders.push(folder)
    return folder
  }

  [Symbol.dispose](): void {
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true })
  }
}
