/** How failures of files become ours (storage-shared/finding.ts says what the codes are for). */
import { CoordError } from '../../lib/errors.ts'
import { Finding } from '../storage-shared/finding.ts'

/** What to do about it. */
const advice: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room',
  EDQUOT: 'the quota of the disk is used up: make room',
  EIO: 'the disk failed: look at the log of the host',
  EROFS: 'the file system is read-only: a host makes it so when the disk fails',
  EACCES: 'the process may not use the directory: look at its owner and mode',
  EPERM: 'the process may not use the directory: look at its owner and mode',
  EMFILE: 'the process has too many open files: raise the limit',
  ENFILE: 'the host has too many open files',
  ENOTDIR: 'that is no directory',
  EEXIST: 'that is no directory',
}

/** Translates whatever the store threw; `place` says where it is. */
export function asCoordError(error: unknown, place: string): CoordError {
  if (error instanceof CoordError) return error
  const details = { cause: error }
  if (error instanceof Finding) return new CoordError(error.code, `the store ${place} ${worded(error)}`, details)
  const message = error instanceof Error ? error.message : String(error)
  const { code } = (error ?? {}) as { readonly code?: unknown }
  const hint = typeof code === 'string' ? advice[code] : undefined
  const failed = `the store ${place} failed: ${message}`
  return new CoordError('COORD_STORE_FAILED', hint === undefined ? failed : `${failed} (${hint})`, details)
}

function worded({ code, message }: Finding): string {
  switch (code) {
    case 'COORD_STORE_DAMAGED':
      return `is damaged: ${message}`
    case 'COORD_STORE_LOCKED':
      return `is not ours any more: ${message}`
    default:
      return `cannot be used: ${message}`
  }
}
