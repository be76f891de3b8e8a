/** The checks that several doors share. What is wrong is misuse: a TypeError or RangeError that names it. */
import { type AclEntry, aclLimits, arePermissions, isShort, isWhole } from '../core/tree/acl.ts'
import { CoordError } from '../errors.ts'

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** A value as an error names it: NaN, which is what a missing environment variable becomes as a number, is no null. */
export function textOf(value: unknown): string {
  return typeof value === 'number' || typeof value === 'bigint' ? `${value}` : (JSON.stringify(value) ?? typeof value)
}

export function requireText(name: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'string' || value === '') throw new TypeError(`${name} must be a text that is not empty`)
}

export function requireFlag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    throw new TypeError(`${name} must be true or false, not ${textOf(value)}`)
}

/** A day; more would be a mistake in the unit. */
const msMax = 86_400_000

export function requireMs(name: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw new TypeError(`${name} must be whole milliseconds, not ${textOf(value)}`)
  if (value < 1 || value > msMax) throw new RangeError(`${name} must be from 1 to ${msMax} milliseconds, not ${value}`)
}

/** More voters make every write slower and nothing safer. */
const seatsMax = 99

/** How many voters: odd, as an even number tolerates no more failures than the odd one below it. */
export function requireSeats(name: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw new TypeError(`${name} must be a whole number, not ${textOf(value)}`)
  if (value < 1 || value > seatsMax || value % 2 === 0)
    throw new RangeError(`${name} must be an odd number from 1 to ${seatsMax}, not ${value}`)
}

export function requireSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError('signal must be an AbortSignal')
}

/** The arguments of whatever writes or reads a snapshot file. */
export function checkSnapshotOptions(file: unknown, options: unknown): void {
  if (typeof file !== 'string' || file === '') throw new TypeError('file must be the path of a snapshot file')
  checkCallOptions(options)
  const onProgress = isObject(options) ? options['onProgress'] : undefined
  if (onProgress !== undefined && typeof onProgress !== 'function') throw new TypeError('onProgress must be a function')
}

/** An ACL as an application gives it: entries with permissions in the letters `cdrwa`. Whether it is valid, the tree says. */
export function checkAcl(acl: unknown): void {
  if (!Array.isArray(acl)) throw new TypeError('acl must be an array of { scheme, id, permissions }')
  for (const entry of acl as unknown[]) {
    const isEntry = isObject(entry) && ['scheme', 'id', 'permissions'].every((key) => typeof entry[key] === 'string')
    if (!isEntry) throw new TypeError('an entry of an ACL is { scheme, id, permissions }, all strings')
    if (!isWhole(entry as unknown as AclEntry))
      throw new TypeError('the scheme and the id of an ACL are texts of whole characters: here is half of a pair')
    const permissions = entry['permissions'] as string
    if (!arePermissions(permissions))
      throw new TypeError(`permissions are letters of 'cdrwa', each once, not ${JSON.stringify(permissions)}`)
  }
  const { entries, schemeLength, idLength } = aclLimits
  if (acl.length > entries) throw new CoordError('COORD_TOO_LARGE', `an ACL has at most ${entries} entries`)
  if (!(acl as AclEntry[]).every(isShort))
    throw new CoordError('COORD_TOO_LARGE', `a scheme has at most ${schemeLength} characters, an id ${idLength}`)
}

/** The last argument of every call. */
export function checkCallOptions(options: unknown): void {
  if (options === undefined) return
  if (!isObject(options)) throw new TypeError(`the options of a call must be an object, not a ${typeof options}`)
  requireSignal(options['signal'])
}
