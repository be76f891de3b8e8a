/**
 * The result of an operation that failed as expected. Such a failure is a value, ordered with the successes and equal
 * on every member; only a broken invariant throws. A field without a value is left out, so that results compare equal
 * before and after they were encoded.
 */
import type { ErrorCode } from '../../errors.ts'
import type { ErrorResult } from './operation.ts'

export function failure(code: ErrorCode, path?: string): ErrorResult {
  return path === undefined ? { type: 'error', code } : { type: 'error', code, path }
}
