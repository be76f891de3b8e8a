/**
 * A member whose state is not that of the others serves nobody, but for the moment that it takes to find out; and in the
 * end nobody has such a state. Where nobody evaluates anything otherwise, nobody is suspected of it.
 */
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class ServesSoundState implements Invariant {
  /** Since when it serves what is wrong, by its own clock. */
  readonly #since = new Map<string, number>()

  onStep({ options, members }: CoreWorld, member: SimMember): void {
    const { standing, reason, serving } = member.status ?? {}
    if (standing !== 'sound' && serving === true) {
      throw new Violation('ServesSoundState', `${member.name} serves, and knows that its state is ${standing}`)
    }
    if (standing !== 'sound' && standing !== undefined && members.every(({ mayDiverge }) => !mayDiverge)) {
      throw new Violation('ServesSoundState', `${member.name} is taken for ${standing}: ${reason}`)
    }
    if (!member.mayDiverge) return
    if (!member.isDiverged || member.status?.serving !== true) {
      this.#since.delete(member.name)
      return
    }
    const since = this.#since.get(member.name) ?? member.runningMs
    this.#since.set(member.name, since)
    // A leader that says nothing is followed for so long; and two rounds of pings, with what is slow, are a verdict.
    const { syncLimitMs, pingIntervalMs } = options.timing
    const servedMs = member.runningMs - since
    if (servedMs <= syncLimitMs + 6 * pingIntervalMs) return
    throw new Violation('ServesSoundState', `${member.name} serves a state of its own for ${servedMs.toFixed(0)} ms`)
  }

  onCrash(_world: CoreWorld, member: SimMember): void {
    this.#since.delete(member.name)
  }

  onEnd({ running }: CoreWorld): void {
    const diverged = running.find((member) => member.isDiverged)
    if (diverged !== undefined) throw new Violation('ServesSoundState', `${diverged.name} still has a state of its own`)
  }
}
