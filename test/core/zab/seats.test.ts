/** Who gets a seat and who loses one, over random configurations and whoever may be there. */
import assert from 'node:assert/strict'
import {
  type Configuration,
  hasFounder,
  type MemberId,
  type MemberRecord,
  memberIdFrom,
  membersOf,
} from '../../../lib/core/zab/configuration.ts'
import type { Wish } from '../../../lib/core/zab/message.ts'
import { type Attendance, nextSeating, withoutVoter } from '../../../lib/core/zab/seats.ts'
import { Random } from '../../../lib/testing/random.ts'

type Presence = 'stable' | 'present' | 'absent' | 'failed'

interface Situation {
  readonly configuration: Configuration
  readonly attendance: Attendance
  readonly presence: ReadonlyMap<MemberId, Presence>
}

const letters = 'abcdefghi'.split('')

/** One to nine members, some of them voters, some of those founders; the leader is the first voter. */
function situationOf(seed: number): Situation {
  const random = new Random(seed, 'seats')
  const count = random.between(1, letters.length)
  const members: MemberRecord[] = letters.slice(0, count).map((letter) => ({
    id: memberIdFrom(letter),
    name: letter,
    address: `host-${letter}`,
  }))
  const size = random.between(1, count)
  const founders = members.filter((_, index) => index === 0 || random.chance(0.4)).map(({ address }) => address)
  const pinned = members.filter(() => random.chance(0.1)).map(({ name }) => name)
  // The leader need not be the founder.
  const voters = random.chance(0.5) ? members.slice(0, size) : members.slice(0, size).reverse()
  const presence = new Map<MemberId, Presence>(
    members.map(({ id }) => [id, random.pick(['stable', 'stable', 'present', 'absent', 'failed'])]),
  )
  const leader = voters[0]?.id as MemberId
  presence.set(leader, 'stable')
  const wishes = new Map(
    members.map(({ id }) => [id, random.pick<Wish>(['auto', 'auto', 'voter', 'observer', 'leaving'])]),
  )
  const is = (id: MemberId, ...wanted: readonly Presence[]): boolean => wanted.includes(presence.get(id) as Presence)
  return {
    configuration: {
      voters,
      observers: members.slice(size),
      founders,
      seats: random.pick([1, 3, 5, 7]),
      features: 1,
      pinned,
      removed: [],
    },
    attendance: {
      leader,
      isPresent: (id) => is(id, 'stable', 'present'),
      isStable: (id) => is(id, 'stable'),
      hasFailed: (id) => is(id, 'failed'),
      wishOf: (id) => (is(id, 'stable', 'present') ? wishes.get(id) : undefined),
    },
    presence,
  }
}

const situations = Array.from({ length: 3000 }, (_, index) => situationOf(index + 1))
const without = (list: readonly MemberRecord[], other: readonly MemberRecord[]): MemberRecord[] =>
  list.filter((member) => !other.includes(member))

describe('the seats that an ensemble gives away by itself', () => {
  it('pass on one at a time, from one that failed, or to a founder; else they only fill', () => {
    let passed = 0
    let filled = 0
    for (const { configuration, attendance, presence } of situations) {
      const next = nextSeating(configuration, attendance)
      if (next === undefined) continue
      const lost = without(configuration.voters, next.voters)
      const gained = without(next.voters, configuration.voters)
      if (lost.length === 0) {
        filled += 1
        assert.equal(next.voters.length % 2, 1)
        assert.ok(next.voters.length <= configuration.seats)
        continue
      }
      passed += 1
      assert.deepEqual([lost.length, gained.length], [1, 1])
      const [[loser], [winner]] = [lost, gained] as [[MemberRecord], [MemberRecord]]
      const isForFounder =
        configuration.founders.includes(winner.address) && !configuration.founders.includes(loser.address)
      assert.ok(presence.get(loser.id) === 'failed' || isForFounder)
    }
    assert.ok(passed > 100 && filled > 100, `${passed} passed on, ${filled} filled`)
  })

  it('never become fewer, never leave the leader without its own, and a founder keeps one', () => {
    for (const { configuration, attendance } of situations) {
      const next = nextSeating(configuration, attendance)
      if (next === undefined) continue
      assert.ok(next.voters.length >= configuration.voters.length)
      assert.ok(next.voters.some(({ id }) => id === attendance.leader))
      if (hasFounder(configuration)) assert.ok(hasFounder(next))
      assert.deepEqual(idsOf(next), idsOf(configuration), 'nobody gets lost')
    }
  })

  it('go to those alone that are up to date, want one, and were not made observers', () => {
    for (const { configuration, attendance } of situations) {
      for (const { id, name } of without(nextSeating(configuration, attendance)?.voters ?? [], configuration.voters)) {
        assert.ok(attendance.isStable(id))
        assert.ok(['auto', 'voter'].includes(attendance.wishOf(id) as Wish))
        assert.ok(!configuration.pinned.includes(name))
      }
    }
  })

  it('come to rest while nobody comes or goes', () => {
    for (const { configuration, attendance } of situations) {
      let steps = 0
      for (let next: Configuration | undefined = configuration; next !== undefined; steps += 1)
        next = nextSeating(next, attendance)
      assert.ok(steps <= 2 * letters.length, `${steps} steps`)
    }
  })
})

describe('a seat that is given up', () => {
  it('goes to an observer, or the voters become an odd number', () => {
    for (const { configuration, attendance } of situations) {
      const leaver = configuration.voters.at(-1) as MemberRecord
      const next = withoutVoter(configuration, leaver.id, attendance)
      assert.ok(!idsOf(next).includes(leaver.id))
      assert.equal(idsOf(next).length, idsOf(configuration).length - 1)
      assert.ok(next.voters.length <= configuration.voters.length)
      assert.ok(next.voters.length === 0 || next.voters.length % 2 === 1)
    }
  })
})

function idsOf(configuration: Configuration): readonly MemberId[] {
  return membersOf(configuration)
    .map(({ id }) => id)
    .sort()
}
