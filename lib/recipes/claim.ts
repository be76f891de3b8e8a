/**
 * Claims: of all who claim a key, exactly one gets it, once. What other schedulers need to run a job on one process only:
 * claim the job's name and the time of its firing, and run it if you got the claim.
 */
import { absolutePath, createIn, hasCode, openSession, type RecipeHost, toJson } from './host.ts'

/** A claim is forgotten after so long by default: a day. */
const keptMsDefault = 86_400_000

export interface ClaimOptions {
  /**
   * How long the claim is remembered, milliseconds; longer than the clocks of those who claim may differ, and than any of
   * them may be late. Default: a day.
   */
  readonly keptMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Whether this process got the claim, under `/claims`. Rejects when that cannot be known (no quorum, or an outcome that
 * was lost): then do not run, since another one may.
 */
export async function claim(host: RecipeHost, key: string, { keptMs, signal }: ClaimOptions = {}): Promise<boolean> {
  if (typeof key !== 'string' || key === '') throw new TypeError('a key is a text that is not empty')
  const ttlMs = keptMs ?? keptMsDefault
  const owner = toJson({ name: host.memberName })
  try {
    const options = { mode: 'persistent-ttl', ttlMs, signal } as const
    await createIn(openSession(host), absolutePath(host, '/claims'), encodeURIComponent(key), owner, options)
    return true
  } catch (error) {
    if (hasCode(error, 'COORD_NODE_EXISTS')) return false
    throw error
  }
}
