/**
 * The `ws` package. By `require`: where Node imports a CommonJS package by `import`, it first starts a lexer that finds out
 * what the package exports, and that costs an application 50 ms of its start and 4 MiB of memory. In a bundle, where there
 * is no package to require, it is what the bundler put in the place of `import`.
 */
import { createRequire } from 'node:module'
import type * as Ws from 'ws'
import { assert } from '../../lib/errors.ts'

type Package = Pick<typeof Ws, 'WebSocket' | 'WebSocketServer'>

let found: Package | undefined

/** To be awaited, where it is a promise, before `ws` is called: it is one for the first time in a bundle. */
export function loadWs(): Promise<void> | undefined {
  try {
    found ??= createRequire(import.meta.url)('ws') as Package
    return undefined
  } catch {
    return importWs()
  }
}

async function importWs(): Promise<void> {
  found = await import('ws')
}

/** @internal The package, which is loaded. */
export function ws(): Package {
  assert(found !== undefined, 'ws is loaded before it is used')
  return found
}
