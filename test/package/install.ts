import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const npm = (cwd: string, ...args: string[]): void => {
  execFileSync('npm', [...args, '--loglevel=error'], { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
}

/**
 * Packs the package as it would be published, installs the tarball and `others` into a new folder, as an application
 * would, and returns that folder. To be run from the root of the project.
 */
export function installPacked(...others: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'embedded-coord-'))
  npm('.', 'pack', '--pack-destination', folder)
  const tarballs = readdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  npm(folder, 'install', ...tarballs.map((name) => `./${name}`), ...others)
  return folder
}
