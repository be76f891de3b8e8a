/**
 * ZooKeeper's path rules and the few helpers that cut a path up.
 *
 * A path is absolute, its segments are separated by single slashes, and `/` is the root. Characters are judged by
 * UTF-16 code unit, as ZooKeeper does: surrogates are refused and with them every character outside the basic plane.
 * A sequential create names only the beginning of its last segment, so it is judged as if a digit followed: `/a/` is
 * a legal path for it and for nothing else.
 *
 * The helpers below `assertPath` expect a path that has at least one slash; they do not judge it.
 */

const slash = 0x2f
const dot = 0x2e

/** Says what is wrong with a path; `undefined` when nothing is. */
export function validatePath(path: string): string | undefined {
  if (path.length === 0) return 'it is empty'
  if (path.charCodeAt(0) !== slash) return 'it must start with a slash'
  if (path.length === 1) return undefined
  if (path.charCodeAt(path.length - 1) === slash) return 'it must not end with a slash'
  return validateCharacters(path) ?? validateSegments(path)
}

/** The same for the path that a sequential create is given. */
export function validateSequentialPath(path: string): string | undefined {
  return validatePath(`${path}1`)
}

/** The check at the door of the API: a bad path is misuse, not an operational failure. */
export function assertPath(path: unknown, sequential: boolean = false): asserts path is string {
  if (typeof path !== 'string') throw new TypeError(`a path must be a string, not ${describeType(path)}`)
  const reason = sequential ? validateSequentialPath(path) : validatePath(path)
  if (reason !== undefined) throw new TypeError(`not a valid path: ${JSON.stringify(path)}: ${reason}`)
}

function describeType(value: unknown): string {
  return value === null ? 'null' : typeof value
}

function validateCharacters(path: string): string | undefined {
  for (let index = 1; index < path.length; index += 1) {
    if (isForbidden(path.charCodeAt(index))) return `the character at index ${index} is not allowed`
  }
  return undefined
}

function isForbidden(unit: number): boolean {
  if (unit < 0x7f) return unit <= 0x1f
  return unit <= 0x9f || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0
}

function validateSegments(path: string): string | undefined {
  for (let start = 1; start < path.length; ) {
    const end = segmentEnd(path, start)
    if (end === start) return `the segment at index ${start} is empty`
    if (isRelative(path, start, end)) return `the segment at index ${start} is relative`
    start = end + 1
  }
  return undefined
}

/** Exactly one or two dots: more of them are a name. */
function isRelative(path: string, start: number, end: number): boolean {
  return end - start <= 2 && path.charCodeAt(start) === dot && path.charCodeAt(end - 1) === dot
}

/** The index behind the segment that begins at `start`: walks a path without an array of its segments. */
export function segmentEnd(path: string, start: number): number {
  const end = path.indexOf('/', start)
  return end === -1 ? path.length : end
}

/** The path of the parent; of the root, the root. */
export function parentOf(path: string): string {
  const end = path.lastIndexOf('/')
  return end <= 0 ? '/' : path.substring(0, end)
}

/** The last segment; of the root, the empty string. */
export function nameOf(path: string): string {
  return path.substring(path.lastIndexOf('/') + 1)
}

/** The path of the child `name` of `parent`. */
export function joinPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`
}
