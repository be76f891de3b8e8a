/**
 * What may be done to an ensemble that must survive it: members that remember have to be a quorum of every configuration
 * that anybody knows. Whoever has a disk remembers, also while it is down; whoever has none remembers while it lives.
 */

import type { Configuration, MemberId } from '../../lib/core/zab/configuration.ts'
import { isQuorum } from '../../lib/core/zab/quorum.ts'
import type { Machine } from '../../lib/testing/world.ts'

/** The ids under which machines with disks were last known: their stores keep them. */
export type KnownIds = Map<Machine, MemberId>

/** `leaving`: machines that are about to forget, too. */
export function mayForget(
  machines: readonly Machine[],
  ids: KnownIds,
  leaving: ReadonlySet<Machine>,
  forgetting: Machine,
): boolean {
  const configurations = new Set<Configuration>()
  const rememberers = new Set<MemberId>()
  for (const machine of machines) {
    const { member, disk } = machine
    const zab = machine.isUp ? member?.peer?.zab : undefined
    for (const configuration of zab?.configurations.active ?? []) configurations.add(configuration)
    if (machine === forgetting || leaving.has(machine)) continue
    const id = zab === undefined ? undefined : member?.self.id
    const known = id ?? (disk.durable ? ids.get(machine) : undefined)
    if (known !== undefined) rememberers.add(known)
  }
  if (configurations.size === 0) return false
  return [...configurations].every((configuration) => isQuorum([configuration], (id) => rememberers.has(id)))
}
