/** Quotas as an application sets them: by the nodes below `/zookeeper/quota` in which ZooKeeper keeps them. */
import { anyVersion, type SubOperation } from '../core/tree/operation.ts'
import { parentOf } from '../core/tree/path.ts'
import {
  formatLimits,
  limitsPathOf,
  mayHaveQuota,
  parseLimits,
  type QuotaLimits,
  statsPathOf,
} from '../core/tree/quota.ts'
import { CoordError } from '../errors.ts'
import { isObject } from './checks.ts'

export type { QuotaLimits }

/** The limits of a quota, and what is used of it. */
export interface Quota extends QuotaLimits {
  readonly used: { readonly count: number; readonly bytes: number }
}

/** What is done with nodes by absolute paths. */
export interface QuotaNodes {
  /** The data of nodes at one moment; `undefined` for those that there are not. */
  read(paths: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>
  write(operations: readonly SubOperation[]): Promise<void>
}

const limitNames: readonly (keyof QuotaLimits)[] = ['count', 'bytes', 'hardCount', 'hardBytes']

export async function getQuota(nodes: QuotaNodes, path: string): Promise<Quota | undefined> {
  const [limits, stats] = await nodes.read([limitsPathOf(path), statsPathOf(path)])
  if (limits === undefined) return undefined
  const used = parseLimits(textOf(stats))
  return { ...parseLimits(textOf(limits)), used: { count: used.count ?? 0, bytes: used.bytes ?? 0 } }
}

export async function setQuota(nodes: QuotaNodes, path: string, limits: QuotaLimits): Promise<void> {
  checkLimits(path, limits)
  const data = new TextEncoder().encode(formatLimits(limits))
  const limitsPath = limitsPathOf(path)
  const created = { type: 'create', mode: 'persistent', parents: true } as const
  try {
    await nodes.write([
      { type: 'check', path, version: anyVersion },
      { ...created, path: limitsPath, data },
      { ...created, path: statsPathOf(path), data: new Uint8Array(0) },
    ])
  } catch (error) {
    if (!(error instanceof CoordError) || error.code !== 'COORD_NODE_EXISTS') throw error
    await nodes.write([{ type: 'setData', path: limitsPath, data, version: anyVersion }])
  }
}

export async function deleteQuota(nodes: QuotaNodes, path: string): Promise<void> {
  const remove = (at: string): SubOperation => ({ type: 'delete', path: at, version: anyVersion })
  await nodes.write([remove(limitsPathOf(path)), remove(statsPathOf(path))])
  // The empty nodes above are left to nobody; where there is another quota below or beside, they stay.
  for (let at = parentOf(limitsPathOf(path)); at !== '/zookeeper/quota'; at = parentOf(at)) {
    try {
      await nodes.write([remove(at)])
    } catch {
      return
    }
  }
}

function checkLimits(path: string, limits: unknown): void {
  if (!mayHaveQuota(path)) throw new TypeError(`${path} cannot have a quota`)
  if (!isObject(limits)) throw new TypeError('the limits of a quota are { count?, bytes?, hardCount?, hardBytes? }')
  for (const [name, value] of Object.entries(limits) as [string, QuotaLimits[keyof QuotaLimits]][]) {
    if (!limitNames.includes(name as keyof QuotaLimits)) throw new TypeError(`a quota has no limit '${name}'`)
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0))
      throw new TypeError(`${name} must be a whole number from 0, not ${String(value)}`)
  }
  if (limitNames.every((name) => limits[name] === undefined))
    throw new TypeError('a quota needs at least one limit: deleteQuota ends it')
}

function textOf(data: Uint8Array | undefined): string {
  return new TextDecoder().decode(data)
}
