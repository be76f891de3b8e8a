import { CoordError, type ErrorCode } from 'embedded-coord'

/** Whether it is an operational error with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is CoordError {
  return error instanceof CoordError && codes.includes(error.code)
}

/** For `promise.catch(ignoring('COORD_NO_NODE'))`: resolves with `undefined` where that happens. */
export function ignoring(...codes: readonly ErrorCode[]): (error: unknown) => undefined {
  return (error) => {
    if (!hasCode(error, ...codes)) throw error
  }
}
