/**
 * Every configuration in a log has voters, one of them a founder, and nobody twice; and none begins before the one before
 * it is settled.
 */
import { hasFounder, membersOf } from '../../../lib/core/zab/configuration.ts'
import type { PersistChange } from '../../../lib/core/zab/zab.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

export class SoundConfiguration implements Invariant {
  onPersist(_world: CoreWorld, member: SimMember, { append }: PersistChange): void {
    for (const request of append?.requests ?? []) {
      if (request.type !== 'reconfigure') continue
      const { configuration } = request
      const members = membersOf(configuration)
      const ids = new Set(members.map(({ id }) => id))
      const names = new Set(members.map(({ name }) => name))
      const isSound = configuration.voters.length > 0 && hasFounder(configuration)
      if (isSound && ids.size === members.length && names.size === members.length) continue
      throw new Violation('SoundConfiguration', `${member.name} has ${JSON.stringify(configuration)}`)
    }
  }
}
