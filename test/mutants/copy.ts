/** Copies of the sources, with the changes of a mutant, in a temporary folder. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { applyEdit, type Mutant } from './mutant.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** What a simulated world is made of. */
const parts = [
  'package.json',
  'tsconfig.json',
  'lib',
  'adapters',
  'test/sim',
  'test/search',
  'test/museum',
  'test/world',
  'test/recipes/swarm',
  'test/core/tree/model.ts',
]

/** The changed texts by file, of the sources in a folder. Throws where an edit does not fit. */
export function changedFiles({ id, edits }: Mutant, folder: string = root): Map<string, string> {
  const texts = new Map<string, string>()
  for (const edit of edits) {
    texts.set(edit.file, applyEdit(id, edit, texts.get(edit.file) ?? readFileSync(join(folder, edit.file), 'utf8')))
  }
  return texts
}

/** The sources as they were when this began, and a changed copy of them for each mutant. */
export class Copies {
  readonly #folder = mkdtempSync(join(tmpdir(), 'embedded-coord-mutants-'))
  readonly #original = join(this.#folder, 'none')

  constructor() {
    for (const part of parts) cpSync(join(root, part), join(this.#original, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'), 'dir')
  }

  /** Makes a copy; returns its folder. */
  make(mutant: Mutant): string {
    const texts = changedFiles(mutant, this.#original)
    const folder = join(this.#folder, mutant.id)
    if (folder === this.#original) return folder
    cpSync(this.#original, folder, { recursive: true })
    for (const [file, text] of texts) writeFileSync(join(folder, file), text)
    return folder
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
