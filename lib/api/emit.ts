/**
 * Calling the application. A listener that throws is the application's bug, not ours: the error is rethrown on a fresh
 * tick, as Node would report it, and our own work goes on.
 */
import type { EventEmitter } from 'node:events'

export function callListener<A extends readonly unknown[]>(listener: (...args: A) => void, ...args: A): void {
  try {
    listener(...args)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

/** Whatever was thrown, as a text. Not everything has one. */
export function textOfError(error: unknown): string {
  try {
    return String(error)
  } catch {
    return `a ${typeof error} without a text`
  }
}

/** The same function, called as a listener is. */
export function asListener<A extends readonly unknown[]>(
  callback: ((...args: A) => void) | undefined,
): ((...args: A) => void) | undefined {
  return callback === undefined ? undefined : (...args) => callListener(callback, ...args)
}

/**
 * Emits `failed`: what the application's own code has thrown. Where nobody listens, the process prints a warning, or the
 * error would be lost. That something held is lost, or was aborted, is no error of the application: it says nothing then.
 */
export function emitFailure(emitter: EventEmitter, what: string, error: unknown, ...args: readonly unknown[]): void {
  if (emitter.listenerCount('failed') > 0) {
    emitSafely(emitter, 'failed', error, ...args)
    return
  }
  const { code } = (error ?? {}) as { readonly code?: unknown }
  if (code === 'COORD_LOCK_LOST' || code === 'ABORT_ERR') return
  warnOf(`${what} failed, and nobody listens to its event 'failed'`, error)
}

/** Tells people of an error that nobody else can be told of. */
export function warnOf(what: string, error: unknown): void {
  const detail = error instanceof Error && typeof error.stack === 'string' ? error.stack : textOfError(error)
  process.emitWarning(what, { type: 'EmbeddedCoordWarning', detail })
}

/** Emits to each listener on its own. */
export function emitSafely(emitter: EventEmitter, event: string, ...args: readonly unknown[]): void {
  for (const listener of emitter.rawListeners(event)) callListener(() => Reflect.apply(listener, emitter, [...args]))
}
