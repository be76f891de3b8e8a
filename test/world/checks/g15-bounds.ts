/** G15: nothing grows beyond its bound. */
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function bounds({ history }: Replay): void {
  for (const { what, value, limit } of history.gauges) {
    if (value > limit) throw new Violation('G15', `${what}: ${value}, and the bound is ${limit}`)
  }
}
