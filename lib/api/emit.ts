/**
 * Calling the application. A listener that throws is the application's bug, not ours: the error is rethrown on a fresh
 * tick, as Node would report it, and our own work goes on.
 */
import type { EventEmitter } from 'node:events'

export function callListener(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

/** Emits to each listener on its own. */
export function emitSafely(emitter: EventEmitter, event: string, ...args: readonly unknown[]): void {
  for (const listener of emitter.rawListeners(event)) callListener(() => Reflect.apply(listener, emitter, [...args]))
}
