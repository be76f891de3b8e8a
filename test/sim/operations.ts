/** What clients do to the tree: few paths, so that they meet, and every kind of operation. */
import type { Operation, SubOperation } from '../../lib/core/tree/operation.ts'
import type { Prng } from './prng.ts'

const paths = ['/a', '/b', '/c', '/a/x', '/a/y', '/b/z']

export function anyOperation(random: Prng): Operation {
  if (random.chance(0.85)) return anySubOperation(random)
  const operations = Array.from({ length: random.between(1, 4) }, () => anySubOperation(random))
  return { type: 'multi', operations: random.chance(0.6) ? operations.filter(isLikely) : operations }
}

/** What fails seldom: so that some transactions go through. */
function isLikely(operation: SubOperation): boolean {
  return operation.type === 'create'
    ? operation.path.endsWith('-')
    : !('version' in operation) || operation.version === -1
}

export function anySubOperation(random: Prng): SubOperation {
  const path = random.pick(paths)
  const data = new Uint8Array([random.between(0, 255)])
  const version = random.chance(0.5) ? -1 : random.between(0, 3)
  const dice = random.random()
  if (dice < 0.25)
    return { type: 'create', path, data, mode: 'persistent', ...(random.chance(0.2) ? { parents: true } : {}) }
  if (dice < 0.35) return { type: 'create', path, data, mode: 'ephemeral' }
  if (dice < 0.45) return { type: 'create', path: '/a/n-', data, mode: 'ephemeral-sequential' }
  if (dice < 0.5) return { type: 'create', path: '/b/s-', data, mode: 'persistent-sequential' }
  if (dice < 0.75) return { type: 'setData', path, data, version }
  if (dice < 0.92) return { type: 'delete', path, version, ...(random.chance(0.3) ? { recursive: true } : {}) }
  return { type: 'check', path, version }
}
