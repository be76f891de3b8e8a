/** When all have the same log, they have the same configuration, and no change of it is pending. */
import type { CoreWorld } from '../core-world.ts'
import { type Invariant, Violation } from './invariant.ts'

export class SameConfiguration implements Invariant {
  onEnd({ running }: CoreWorld): void {
    const described = running.map(({ peer }) => {
      const latest = peer?.zab.configurations.latest
      return `${latest?.zxid} ${latest?.configuration.voters.map(({ id }) => id).join(' ')}`
    })
    const different = described.find((one) => one !== described[0])
    if (different === undefined) return
    throw new Violation('SameConfiguration', `one has the configuration ${described[0]}, another one ${different}`)
  }
}
