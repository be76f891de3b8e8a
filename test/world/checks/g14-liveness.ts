/** G14: once all is well, everything comes to pass within its time: a leader, every answer, equal replicas. */
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function liveness({ history }: Replay): void {
  for (const { what, tookMs, limitMs } of history.demands) {
    if (tookMs > limitMs) throw new Violation('G14', `not within ${limitMs} ms: ${what}`)
  }
}
