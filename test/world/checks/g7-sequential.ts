/** G7: under one parent, as long as it lives, each sequential name is later than all before it. */
import type { RequestResult, SubResult } from '../../../lib/core/tree/operation.ts'
import type { Entry } from '../history.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function sequential({ log }: Replay): void {
  const last = new Map<string, bigint>()
  for (const { entry, effect } of log) {
    for (const { type, path } of effect.changes) if (type === 'deleted') last.delete(path)
    // A repeated write is answered as the first time: nothing is created.
    for (const path of effect.isEvaluated ? sequentialPaths(entry) : []) {
      const parent = path.slice(0, path.lastIndexOf('/'))
      const number = BigInt(/\d+$/.exec(path)?.[0] ?? '-1')
      const before = last.get(parent)
      if (before !== undefined && number <= before)
        throw new Violation('G7', `${path} was created after number ${before}`, entry.order)
      last.set(parent, number)
    }
  }
}

function sequentialPaths({ request, result }: Entry): string[] {
  if (request.type !== 'write') return []
  const { operation } = request
  if (operation.type === 'multi') {
    const results = (result.type === 'multi' ? result.results : []) as readonly SubResult[]
    return operation.operations.flatMap((sub, index) => (isSequential(sub) ? madeBy(results[index]) : []))
  }
  return isSequential(operation) ? madeBy(result) : []
}

const isSequential = (operation: { readonly type: string; readonly mode?: string }): boolean =>
  operation.type === 'create' && operation.mode?.includes('sequential') === true

const madeBy = (result: RequestResult | SubResult | undefined): string[] =>
  result?.type === 'create' ? [result.path] : []
