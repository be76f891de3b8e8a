/**
 * G16: of a fenced resource, the tokens that it accepts never go down, and whoever uses it in the belief to hold it is
 * alone in that belief.
 */
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function locks({ history }: Replay): void {
  const highest = new Map<string, bigint>()
  for (const { resource, holder, token, accepted, rivals, order } of history.fencedWrites) {
    const before = highest.get(resource) ?? 0n
    if (accepted && token < before)
      throw new Violation('G16', `${resource} accepted token ${token} of ${holder} after ${before}`, order)
    if (rivals.length > 0)
      throw new Violation('G16', `${holder} and ${rivals.join()} held ${resource} at the same time`, order)
    if (accepted) highest.set(resource, token)
  }
}
