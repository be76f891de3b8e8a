/**
 * How the failures of a database become ours. abstract-level wraps what a database says into errors of its own, so the
 * whole chain of causes is looked through for the code that decides.
 *
 * What the codes are for: storage-shared/finding.ts.
 */
import { CoordError } from '../../lib/errors.ts'
import { Finding } from '../storage-shared/finding.ts'

/** Translates whatever a read of the store threw; `place` says where the store is. */
export function asCoordError(error: unknown, place: string): CoordError {
  const details = { cause: error }
  if (error instanceof Finding) {
    const verb = error.code === 'COORD_STORE_DAMAGED' ? 'is damaged' : 'cannot be used'
    return new CoordError(error.code, `the store ${place} ${verb}: ${error.message}`, details)
  }
  const codes = codesOf(error)
  if (codes.has('LEVEL_LOCKED')) {
    return new CoordError('COORD_STORE_LOCKED', `another process uses the store ${place}`, details)
  }
  if (codes.has('LEVEL_CORRUPTION') || isCutShort(error)) {
    return new CoordError('COORD_STORE_DAMAGED', `the store ${place} is damaged: ${deepestMessage(error)}`, details)
  }
  return new CoordError('COORD_STORE_FAILED', `the store ${place} failed: ${deepestMessage(error)}`, details)
}

/** LevelDB maps its tables into memory: that it would have to read behind the end of one, it calls an invalid argument. */
function isCutShort(error: unknown): boolean {
  return causes(error).some(({ message }) => /\.(?:ldb|sst): Invalid argument$/.test(message))
}

function codesOf(error: unknown): Set<unknown> {
  const codes = new Set<unknown>()
  for (const each of causes(error)) if ('code' in each) codes.add(each.code)
  return codes
}

/** The cause at the bottom speaks of the disk; those above it only say that the database is not open. */
function deepestMessage(error: unknown): string {
  return causes(error).at(-1)?.message ?? String(error)
}

function causes(error: unknown): Error[] {
  const chain: Error[] = []
  for (let each = error; each instanceof Error && !chain.includes(each); each = each.cause) chain.push(each)
  return chain
}
