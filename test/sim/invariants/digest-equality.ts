/** Members that delivered the same entries have the same state: sampled at each zxid, and in full at the end. */
import { formatZxid, type Zxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

/** One zxid in so many is compared, on all members alike. */
const sampling = 29n

export class DigestEquality implements Invariant {
  readonly #digests = new Map<Zxid, string>()
  readonly #last = new Map<string, Zxid>()

  onStep(_world: CoreWorld, member: SimMember): void {
    const { peer } = member
    if (peer === undefined) return
    const { lastZxid } = peer.state
    if (lastZxid % sampling !== 0n || this.#last.get(member.id) === lastZxid || member.isDiverged) return
    this.#last.set(member.id, lastZxid)
    this.#compare(member, lastZxid, peer.state.digest())
  }

  onEnd(world: CoreWorld): void {
    for (const member of world.members) {
      if (member.peer !== undefined) this.#compare(member, member.peer.state.lastZxid, member.peer.state.digest())
    }
  }

  #compare(member: SimMember, zxid: Zxid, digest: string): void {
    const known = this.#digests.get(zxid)
    this.#digests.set(zxid, known ?? digest)
    if (known === undefined || known === digest) return
    throw new Violation('DigestEquality', `${member.name} differs at ${formatZxid(zxid)}: ${digest}, not ${known}`)
  }
}
