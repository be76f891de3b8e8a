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

/** No quorum, or the session ended meanwhile. It may work again later; whether it worked this time is not always known. */
export function isOutage(error: unknown): boolean {
  return hasCode(error, 'COORD_NO_QUORUM', 'COORD_CONNECTION_LOSS', 'COORD_SESSION_EXPIRED')
}
