/** What a world knows and no member does: every proposal, every established leader, and what was ever committed. */

import type { LogRequest } from '../../lib/core/zab/batch.ts'
import { type Batch, lastOf } from '../../lib/core/zab/batch.ts'
import type { Configuration, MemberId } from '../../lib/core/zab/configuration.ts'
import { epochOf, formatZxid, type Zxid, zxidZero } from '../../lib/core/zab/zxid.ts'
import { Violation } from './invariants/invariant.ts'
import type { SimMember } from './sim-member.ts'

export class History {
  /** In order, since the founding. */
  readonly committed: Batch[] = []
  /** For each of them, the epoch in which it was first known to be committed: its own, or a later one that took it over. */
  readonly committedIn: number[] = []
  /** By epoch, in the order of proposing. */
  readonly proposals: Map<number, Batch[]> = new Map()
  readonly #proposed = new Set<Batch>()
  readonly #indexByEnd = new Map<Zxid, number>()
  /** Who was ever established in an epoch. */
  readonly leaders: Map<number, Set<MemberId>> = new Map()
  /** Those in which anything was ever committed. */
  readonly ensembles: Set<string> = new Set()
  /** What the last change of it that was committed says. */
  configuration: Configuration | undefined
  /** How often leadership began. */
  terms = 0
  /** The configurations in force where the last batch was committed. */
  active: readonly Configuration[] = []

  /** Another one with the same content: for a world that branches. */
  copy(): History {
    const copy = new History()
    copy.committed.push(...this.committed)
    copy.committedIn.push(...this.committedIn)
    for (const [epoch, batches] of this.proposals) copy.proposals.set(epoch, [...batches])
    for (const batch of this.#proposed) copy.#proposed.add(batch)
    for (const [end, index] of this.#indexByEnd) copy.#indexByEnd.set(end, index)
    for (const [epoch, ids] of this.leaders) copy.leaders.set(epoch, new Set(ids))
    for (const cluster of this.ensembles) copy.ensembles.add(cluster)
    copy.configuration = this.configuration
    copy.terms = this.terms
    copy.active = this.active
    return copy
  }

  notePropose(member: SimMember, batch: Batch): void {
    const epoch = epochOf(batch.first)
    const role = member.peer?.zab.role
    if (role?.name !== 'leading' || role.phase !== 'broadcast' || role.epoch !== epoch) {
      throw new Violation('Integrity', `${member.name} proposes ${formatZxid(batch.first)} without being established`)
    }
    const list = this.proposals.get(epoch) ?? []
    this.proposals.set(epoch, list)
    list.push(batch)
    this.#proposed.add(batch)
  }

  wasProposed(batch: Batch): boolean {
    return this.#proposed.has(batch)
  }

  noteEstablished(epoch: number, id: MemberId): void {
    const ids = this.leaders.get(epoch) ?? new Set()
    if (!ids.has(id)) this.terms += 1
    ids.add(id)
    this.leaders.set(epoch, ids)
  }

  noteCommitted(batch: Batch, index: number, epoch: number, active: readonly Configuration[]): void {
    if (index !== this.committed.length) return
    this.active = active
    this.committedIn.push(epoch)
    this.committed.push(batch)
    for (const request of batch.requests) if (request.type === 'reconfigure') this.configuration = request.configuration
    this.#indexByEnd.set(lastOf(batch), index)
  }

  get lastCommitted(): Zxid {
    const last = this.committed.at(-1)
    return last === undefined ? zxidZero : lastOf(last)
  }

  /** The committed batches through the one that ends here. */
  prefixThrough(zxid: Zxid): readonly Batch[] {
    if (zxid === zxidZero) return []
    const index = this.#indexByEnd.get(zxid)
    if (index === undefined)
      throw new Violation('Integrity', `a snapshot at ${formatZxid(zxid)}, which is not committed`)
    return this.committed.slice(0, index + 1)
  }

  isCommitted(batch: Batch, index: number): boolean {
    return this.committed[index] === batch
  }

  /** The committed request at a zxid. */
  requestAt(zxid: Zxid): LogRequest | undefined {
    let low = 0
    let high = this.committed.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (lastOf(this.committed[middle] as Batch) < zxid) low = middle + 1
      else high = middle
    }
    const batch = this.committed[low]
    return batch === undefined || batch.first > zxid ? undefined : batch.requests[Number(zxid - batch.first)]
  }
}
