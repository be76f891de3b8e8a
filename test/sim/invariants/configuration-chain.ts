/**
 * Configurations form a chain: each change is committed by a quorum of the configuration before it and by one of its own,
 * and none begins before the one before it is committed. What is in force is reckoned here from the committed log, and not
 * asked of the core.
 */
import type { Batch } from '../../../lib/core/zab/batch.ts'
import type { Configuration } from '../../../lib/core/zab/configuration.ts'
import { foundedConfigurations, type PersistChange } from '../../../lib/core/zab/zab.ts'
import { formatZxid } from '../../../lib/core/zab/zxid.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'
import { holders, isTrueQuorum } from './quorum.ts'

export class ConfigurationChain implements Invariant {
  onCommitted(world: CoreWorld, _member: SimMember, batch: Batch, index: number): void {
    if (index !== world.history.committed.length) return
    let before = world.history.configuration ?? foundedIn(world)
    for (const after of changesOf(batch)) {
      const holds = holders(world, batch)
      const chain = before === undefined ? [after] : [before, after]
      if (!isTrueQuorum(chain, (id) => holds.get(id) !== false)) {
        const text = `the change at ${formatZxid(batch.first)} is committed without a quorum of the voters before it, or after it`
        throw new Violation('ConfigurationChain', text)
      }
      before = after
    }
  }

  onPersist({ history }: CoreWorld, member: SimMember, { append }: PersistChange): void {
    if (append === undefined || changesOf(append).length === 0 || member.peer?.zab.role.name !== 'leading') return
    const last = member.log.findLastIndex((batch) => changesOf(batch).length > 0)
    if (last < history.committed.length) return
    throw new Violation('ConfigurationChain', `${member.name} begins a change before the one before it is committed`)
  }
}

function changesOf({ requests }: Batch): Configuration[] {
  return requests.flatMap((request) => (request.type === 'reconfigure' ? [request.configuration] : []))
}

/** What the founders began with, while anybody knows it. */
function foundedIn({ members }: CoreWorld): Configuration | undefined {
  for (const { peer } of members) {
    const [founded] = peer === undefined ? [] : foundedConfigurations(peer.zab.belonging)
    if (founded !== undefined) return founded.configuration
  }
  return undefined
}
