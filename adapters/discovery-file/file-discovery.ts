/**
 * The `Discovery` port over a file of addresses, one a line; empty lines and what follows a `#` are left out. Each `find`
 * reads it anew, so it may be replaced, linked elsewhere (as Kubernetes does with a ConfigMap) or missing for a while. Who
 * writes it had better write another file and rename it: half of a file is half of the members.
 */
import { readFile } from 'node:fs/promises'
import type { Discovery } from '../../lib/ports/index.ts'

/** Finds members in the file at `path`. Throws a `TypeError` where that is no path. */
export function fileDiscovery(path: string): Discovery {
  if (typeof path !== 'string' || path === '') throw new TypeError('file must be the path of a file of addresses')
  return {
    description: `file ${path}`,
    find: async (signal) => {
      const text = await readFile(path, { encoding: 'utf8', signal })
      const lines = text.split(/\r?\n/).map((line) => line.replace(/#.*/, '').trim())
      return lines.filter((line) => line !== '')
    },
  }
}
