/**
 * What LevelDB's own files tell before it is asked. Without its file CURRENT it takes a directory for a new one, and
 * deletes what is left of the old one; with a CURRENT that names a file which is not there it only says that it cannot
 * open that. Both are losses of what was there, and not a new store, nor one that just cannot be read now.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What is missing in the directory of a database, if that shows; nothing for what is no such directory. */
export function missingFile(directory: string): string | undefined {
  try {
    const files = readdirSync(directory)
    if (!files.includes('CURRENT')) return files.some(holdsData) ? 'CURRENT' : undefined
    const manifest = readFileSync(join(directory, 'CURRENT'), 'latin1').trim()
    return /^MANIFEST-\d+$/.test(manifest) && !files.includes(manifest) ? manifest : undefined
  } catch {
    // Not there, or not readable: the database says why.
    return undefined
  }
}

/** The first manifest comes before the first CURRENT: whoever crashed between them had written nothing. */
function holdsData(file: string): boolean {
  return /^\d+\.(?:ldb|sst|log)$/.test(file) || (/^MANIFEST-\d+$/.test(file) && file !== 'MANIFEST-000001')
}
