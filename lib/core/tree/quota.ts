/**
 * Quotas: how many nodes and how many bytes of data a subtree may hold. They are kept in the tree itself, laid out as
 * ZooKeeper lays them out: `/zookeeper/quota<path>/zookeeper_limits` is written by whoever sets the quota, and
 * `…/zookeeper_stats` shows the usage. Both texts are ZooKeeper's.
 *
 * A node counts for its nearest enclosing quota alone, the quota's own node included. The usage is derived from the tree
 * and kept up to date with each change, inside a multi too, so that a hard limit holds for every operation of it
 * (ZooKeeper checks a multi against what was committed before).
 */
import { joinPath, parentOf } from './path.ts'

const quotaRoot = '/zookeeper/quota'
const belowQuotaRoot = `${quotaRoot}/`
const limitsName = 'zookeeper_limits'
const statsName = 'zookeeper_stats'

export const limitsPathOf = (path: string): string => joinPath(quotaRoot + path, limitsName)
export const statsPathOf = (path: string): string => joinPath(quotaRoot + path, statsName)

/** Limits of a quota; `undefined`: none. A hard limit refuses what would exceed it; a soft one warns. */
export interface QuotaLimits {
  readonly count?: number | undefined
  readonly bytes?: number | undefined
  readonly hardCount?: number | undefined
  readonly hardBytes?: number | undefined
}

export interface QuotaUsage {
  readonly count: number
  readonly bytes: number
}

/** A soft limit that an entry went over. */
export interface QuotaWarning {
  readonly path: string
  readonly kind: 'count' | 'bytes'
  readonly used: number
  readonly limit: number
}

/**
 * The quota that a path below `/zookeeper/quota` belongs to, and which of its two nodes it is. The nodes below `/zookeeper`
 * count for none: the stats of a quota would be among them.
 */
export function quotaNodeAt(path: string): { readonly path: string; readonly kind: 'limits' | 'stats' } | undefined {
  if (!path.startsWith(belowQuotaRoot)) return undefined
  const kind = path.endsWith(`/${limitsName}`) ? 'limits' : path.endsWith(`/${statsName}`) ? 'stats' : undefined
  const quota = parentOf(path).slice(quotaRoot.length)
  return kind === undefined || !mayHaveQuota(quota) ? undefined : { path: quota, kind }
}

/** Neither the root nor what is reserved. '' is the root, too. */
export function mayHaveQuota(path: string): boolean {
  return path !== '' && path !== '/' && path !== '/zookeeper' && !path.startsWith('/zookeeper/')
}

/** ZooKeeper's text; the `=` behind the soft bytes is for parsers of old, which read `count=…,bytes=…` alone. */
export function formatLimits({ count, bytes, hardCount, hardBytes }: QuotaLimits): string {
  const hard = [
    ...(hardBytes === undefined ? [] : [`byteHardLimit=${hardBytes}`]),
    ...(hardCount === undefined ? [] : [`countHardLimit=${hardCount}`]),
  ]
  const soft = `count=${count ?? -1},bytes=${bytes ?? -1}`
  return hard.length === 0 ? soft : `${soft}=;${hard.join(';')}`
}

const keysOfLimits: { readonly [K in keyof QuotaLimits]-?: string } = {
  count: 'count',
  bytes: 'bytes',
  hardCount: 'countHardLimit',
  hardBytes: 'byteHardLimit',
}

/** Reads what somebody wrote: what is no limit sets none. */
export function parseLimits(text: string): QuotaLimits {
  const values = new Map<string, number>()
  for (const part of text.split(/[,;]/)) {
    const match = /^(\w+)=(\d{1,15})=?$/.exec(part)
    if (match !== null) values.set(match[1] as string, Number(match[2]))
  }
  const limits: { -readonly [K in keyof QuotaLimits]: QuotaLimits[K] } = {}
  for (const [name, key] of Object.entries(keysOfLimits) as [keyof QuotaLimits, string][]) {
    const value = values.get(key)
    if (value !== undefined) limits[name] = value
  }
  return limits
}

export function formatUsage({ count, bytes }: QuotaUsage): string {
  return `count=${count},bytes=${bytes}`
}

/** The quotas of a tree and what is used of them. */
export class QuotaTable {
  readonly #quotas = new Map<string, Quota>()

  get isEmpty(): boolean {
    return this.#quotas.size === 0
  }

  get(path: string): Quota | undefined {
    return this.#quotas.get(path)
  }

  /** The nearest quota that `path` counts for. */
  enclosing(path: string): Quota | undefined {
    for (let at = path; this.#quotas.size > 0 && at !== '/'; at = parentOf(at)) {
      const quota = this.#quotas.get(at)
      if (quota !== undefined) return quota
    }
    return undefined
  }

  set(path: string, limits: QuotaLimits): Quota {
    const quota = this.#quotas.get(path) ?? new Quota(path)
    quota.limits = limits
    this.#quotas.set(path, quota)
    return quota
  }

  delete(path: string): void {
    this.#quotas.delete(path)
  }
}

export class Quota {
  readonly path: string
  limits: QuotaLimits = {}
  usage: QuotaUsage = { count: 0, bytes: 0 }

  constructor(path: string) {
    this.path = path
  }

  /** Whether so much more would break a hard limit. Nothing more is always allowed, also above the limit. */
  refuses(more: QuotaUsage): boolean {
    const { hardCount, hardBytes } = this.limits
    return (
      (more.count !== 0 && hardCount !== undefined && this.usage.count + more.count > hardCount) ||
      (more.bytes !== 0 && hardBytes !== undefined && this.usage.bytes + more.bytes > hardBytes)
    )
  }

  /** The soft limits that the usage is above; a hard limit of a kind stands for its soft one. */
  warnings(): QuotaWarning[] {
    const { count, bytes, hardCount, hardBytes } = this.limits
    const warnings: QuotaWarning[] = []
    const warn = (kind: QuotaWarning['kind'], limit: number | undefined, hard: number | undefined): void => {
      const used = this.usage[kind]
      if (limit !== undefined && hard === undefined && used > limit)
        warnings.push({ path: this.path, kind, used, limit })
    }
    warn('count', count, hardCount)
    warn('bytes', bytes, hardBytes)
    return warnings
  }
}
