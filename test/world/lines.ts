/**
 * The lines in which those stand who wait for what one may have at a time: each watches the one before it alone. (Readers of
 * a shared lock stand otherwise.)
 */
const lines = ['/locks/r', '/recipes/leased/line', '/recipes/election'] as const

/** Whether a path is one of the lines, or a place in one. */
export function isOfLine(path: string): boolean {
  return lines.some((line) => path === line) || lineOf(path) !== undefined
}

/** The line that a path is a place in. */
export function lineOf(path: string): string | undefined {
  const parent = path.slice(0, path.lastIndexOf('/'))
  return (lines as readonly string[]).includes(parent) ? parent : undefined
}
