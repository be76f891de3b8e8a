/** Members come and go, in named situations: seats, addresses, hosts that are replaced, members that are removed. */
import assert from 'node:assert/strict'
import { type Configuration, type MemberRecord, membersOf } from '../../lib/core/zab/configuration.ts'
import { epochOf } from '../../lib/core/zab/zxid.ts'
import type { CoreWorld } from './core-world.ts'
import { settle } from './run-seed.ts'
import type { SimMember } from './sim-member.ts'
import { specsOf } from './specs.ts'
import {
  epochIn,
  foundersOf,
  isolate,
  others,
  relist,
  startAndServe,
  startFounders,
  votersOf,
  worldOf,
  writeAt,
} from './stage.ts'

const always = (): boolean => true

describe('core scenarios of membership', () => {
  describe('seats', () => {
    it('of two voters that fail at once pass on one after the other, and come back in the same way', () => {
      for (let seed = 1; seed <= 2; seed += 1) {
        const { world, leader, voters } = fiveAndTwo(seed)
        const begun = changesIn(leader).length
        const [x, y] = voters.filter((member) => member !== leader) as [SimMember, SimMember]
        x.crash()
        y.crash()
        world.runFor(world.options.timing.seatFailedMs - 100)
        assert.equal(changesIn(leader).length, begun, 'they may come back')
        const isReplaced = (): boolean => ['f', 'g'].every((name) => votersOf(leader).includes(world.member(name).id))
        assert.ok(world.runFor(10_000, isReplaced))
        x.start()
        y.start()
        // Founders come first.
        assert.ok(world.runFor(20_000, () => voters.every(({ id }) => votersOf(leader).includes(id))))
        settle(world)
        assert.equal(world.leader, leader)
        for (const [before, after] of pairsOf(changesIn(leader).slice(begun - 1))) {
          assert.equal(after.voters.length, 5)
          assert.equal(idsOf(after.voters).filter((id) => !idsOf(before.voters).includes(id)).length, 1)
        }
        assert.equal(changesIn(leader).length, begun + 4)
      }
    })

    it('stay as they are without a quorum, however many observers are there', () => {
      for (let seed = 1; seed <= 2; seed += 1) {
        const { world, leader, voters } = fiveAndTwo(seed)
        const [x, y] = voters.filter((member) => member !== leader) as [SimMember, SimMember]
        const begun = changesIn(leader)
        for (const member of [leader, x, y]) member.crash()
        world.runFor(60_000)
        assert.equal(world.leader, undefined)
        for (const member of world.running) assert.deepEqual(changesIn(member), begun)
        // With one that is back there is one, and then the other two lose theirs.
        x.start()
        assert.ok(world.runFor(10_000, () => world.isServing()))
        const isReplaced = (): boolean => ['f', 'g'].every((name) => votersOf(x).includes(world.member(name).id))
        assert.ok(world.runFor(20_000, isReplaced))
        assert.equal(votersOf(x).length, 5)
        leader.start()
        y.start()
        settle(world)
      }
    })

    it('stay as they are on the side of fewer voters, although its leader has all observers', () => {
      for (let seed = 1; seed <= 2; seed += 1) {
        const { world, leader, voters } = fiveAndTwo(seed)
        const [friend, ...most] = voters.filter((member) => member !== leader) as [SimMember, ...SimMember[]]
        const few = world.members.filter((member) => !most.includes(member))
        const before = [...votersOf(leader)]
        for (const member of few) isolate(world, member, most)
        world.runFor(30_000)
        for (const member of world.members) assert.deepEqual([...votersOf(member)], before)
        assert.ok(world.isServing(most))
        assert.equal(friend.status?.serving, false)
        writeAt(world, most[0] as SimMember, 3)
        world.network.heal()
        settle(world)
        assert.deepEqual([...votersOf(leader)], before)
      }
    })
  })

  describe('a voter without a disk', () => {
    it('is no quorum when the two that have one are down, and serves with the first that is back', () => {
      const world = worldOf(specsOf(3, 0, (index) => index > 0))
      const [a, b, c] = world.members as [SimMember, SimMember, SimMember]
      startAndServe(world)
      writeAt(world, a, 2)
      for (const member of [b, c]) member.crash()
      assert.ok(!world.runFor(20_000, () => world.leader !== undefined))
      a.crash()
      a.start()
      assert.ok(!world.runFor(20_000, () => world.leader !== undefined))
      b.start()
      assert.ok(!world.runFor(5000, () => world.leader !== undefined), 'who forgot does not count')
      c.start()
      assert.ok(world.runFor(20_000, () => world.isServing() && votersOf(b).includes(a.id)))
      settle(world)
    })
  })

  describe('five that become one', () => {
    it('all four that leave at the same moment may go, the leader among them or not', () => {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = worldOf(
          specsOf(5, 0, () => seed % 2 === 0),
          { seed },
        )
        const leader = startAndServe(world)
        writeAt(world, leader, 2)
        const stays = world.members[seed - 1] as SimMember
        for (const member of others(world, stays))
          member.ask({ kind: 'leave' }, ({ code }) => {
            assert.equal(code, undefined)
            world.after(0, () => member.crash())
          })
        assert.ok(
          world.runFor(9000, () => world.running.length === 1),
          `seed ${seed}`,
        )
        assert.ok(world.runFor(5000, () => world.isServing()))
        assert.deepEqual([...votersOf(stays)], [stays.id])
        assert.equal(world.leader, stays)
        writeAt(world, stays)
        settle(world)
      }
    })

    it('by crashes serve nobody, and lose nothing', () => {
      const world = worldOf(specsOf(5, 0, always))
      const leader = startAndServe(world)
      writeAt(world, leader, 3)
      const begun = changesIn(leader)
      for (const member of others(world, leader)) member.crash()
      world.runFor(60_000)
      assert.equal(world.leader, undefined)
      assert.deepEqual(changesIn(leader), begun)
      world.startAll()
      settle(world)
    })
  })

  describe('addresses', () => {
    it('of a member change by one entry: it is the same one, with its seat', () => {
      for (const isDurable of [true, false]) {
        const world = worldOf(specsOf(3, 2, (index) => index < 3 || isDurable))
        const leader = startAndServe(world)
        const d = world.member('d')
        assert.ok(world.runFor(10_000, () => votersOf(leader).length === 5))
        world.runFor(2000)
        writeAt(world, d)
        const { id } = d
        const begun = changesIn(leader).length
        d.crash()
        move(d, 'host-x:1')
        d.start()
        assert.ok(world.runFor(10_000, () => recordOf(leader, 'd')?.address === 'host-x:1'))
        assert.equal(d.id === id, isDurable, 'whoever forgot is another member of the same name')
        assert.equal(changesIn(leader).length, begun + 1)
        assert.ok(votersOf(leader).includes(d.id) && votersOf(leader).length === 5)
        settle(world)
        // It is needed, and votes.
        const quorum = [leader, d, world.member('e')]
        for (const member of world.members) if (!quorum.includes(member)) member.crash()
        assert.ok(world.runFor(10_000, () => world.isServing()))
        writeAt(world, d)
      }
    })

    it('of a founder change together with the list', () => {
      const world = worldOf(specsOf(3, 0, always))
      const leader = startAndServe(world)
      const [a, b, c] = world.members as [SimMember, SimMember, SimMember]
      writeAt(world, leader)
      const list = ['host-a:1', 'host-c:1', 'host-x:1']
      for (const member of [b, c, a]) {
        member.crash()
        if (member === b) move(b, 'host-x:1')
        relist(member, list)
        member.start()
        assert.ok(world.runFor(10_000, () => world.isServing()))
        // It is no founder of the list of before, and no quorum is without one: so its seat stays with that address.
        if (member === b) assert.equal(recordOf(a, 'b')?.address, 'host-b:1')
      }
      assert.ok(world.runFor(10_000, () => foundersOf(a).join() === list.join()))
      assert.equal(recordOf(a, 'b')?.address, 'host-x:1')
      settle(world)
      a.crash()
      assert.ok(world.runFor(10_000, () => world.isServing()))
      for (const member of [b, c]) writeAt(world, member)
    })
  })

  describe('hosts', () => {
    for (const isDurable of [true, false]) {
      it(`are all replaced by new ones, one at a time, and nothing is lost: ${isDurable ? 'durable' : 'in memory'}`, () => {
        const world = worldOf(
          specsOf(3, 3, () => isDurable),
          { seats: 3 },
        )
        startFounders(world, 3)
        const olds = world.members.slice(0, 3)
        const news = world.members.slice(3)
        const cluster = olds[0]?.peer?.zab.belonging.cluster
        for (const [index, leaver] of olds.entries()) {
          const newcomer = news[index] as SimMember
          const listed = [...olds.slice(index + 1), ...news.slice(0, index + 1)]
          const list = listed.map(({ spec }) => spec.address)
          for (const member of listed) {
            writeAt(world, leaver)
            relist(member, list)
            member.crash()
            member.start()
            const hasSeat = (): boolean => member === newcomer || votersOf(leaver).includes(member.id)
            assert.ok(world.runFor(20_000, () => world.isServing() && hasSeat()))
          }
          assert.ok(world.runFor(20_000, () => foundersOf(newcomer).join() === list.join()))
          let code: string | undefined = 'none'
          leaver.ask({ kind: 'leave' }, (outcome) => {
            code = outcome.code
          })
          assert.ok(
            world.runFor(9000, () => code === undefined),
            `${leaver.name} leaves: ${code}`,
          )
          leaver.crash()
          const isSeated = (): boolean => listed.every(({ id }) => votersOf(newcomer).includes(id))
          assert.ok(world.runFor(20_000, () => isSeated() && world.isServing()))
        }
        settle(world)
        assert.deepEqual(new Set(votersOf(news[0] as SimMember)), new Set(idsOf(news)))
        for (const { peer } of news) assert.equal(peer?.zab.belonging.cluster, cluster)
      })
    }
  })

  describe('leadership', () => {
    it('that is asked for by two at the same moment goes to one after the other', () => {
      for (let seed = 1; seed <= 4; seed += 1) {
        const world = worldOf(specsOf(3, 0, always), { seed })
        const leader = startAndServe(world)
        const { terms } = world.history
        const led: (string | undefined)[] = []
        for (const member of others(world, leader))
          member.ask({ kind: 'transfer', name: member.name }, ({ code }) => {
            assert.equal(code, undefined)
            led.push(member.name)
          })
        assert.ok(world.runFor(9000, () => led.length === 2))
        settle(world)
        assert.equal(world.history.terms, terms + 2)
        assert.notEqual(world.leader, leader)
        assert.equal(world.leader?.name, led[1])
      }
    })
  })

  describe('a member that was removed', () => {
    it('while it was cut off learns that when it is back, and disturbs nobody, however often it comes', () => {
      for (let seed = 1; seed <= 3; seed += 1) {
        const { world, leader, gone } = threeAndOne(seed)
        isolate(world, gone)
        remove(world, leader, gone)
        world.runFor(10_000)
        const epoch = epochIn(world)
        // It sees a voter, and not the leader.
        const [friend] = others(world, leader).filter((member) => member !== gone) as [SimMember]
        world.network.heal()
        isolate(world, gone, [leader])
        world.runFor(10_000)
        assert.equal(world.leader, leader)
        world.network.heal()
        for (let round = 0; round < 3; round += 1) {
          assert.ok(world.runFor(10_000, () => !gone.isUp))
          assert.equal(gone.refusals.at(-1), 'COORD_REMOVED')
          gone.isRemoved = false
          gone.start()
        }
        writeAt(world, friend)
        assert.equal(world.leader, leader)
        assert.equal(epochIn(world), epoch)
      }
    })

    it('and leads hands over first, without an election', () => {
      for (let seed = 1; seed <= 3; seed += 1) {
        const { world, leader } = threeAndOne(seed)
        const [other] = others(world, leader) as [SimMember]
        const epoch = epochIn(world)
        const { terms } = world.history
        remove(world, leader, leader)
        assert.ok(world.runFor(10_000, () => !leader.isUp && world.isServing()))
        assert.equal(leader.refusals.at(-1), 'COORD_REMOVED')
        assert.ok(!idsOf(membersOf(changesIn(other).at(-1) as Configuration)).includes(leader.id))
        const change = other.log.findLast((batch) => configurationsIn(batch).length > 0)
        assert.ok(change !== undefined && epochOf(change.first) > epoch, 'its successor removed it')
        assert.equal(world.history.terms, terms + 1)
        assert.ok(world.marks.has('transfer.done'))
        writeAt(world, other, 3)
        settle(world)
      }
    })
  })
})

/** Five founders that vote, and two observers that could. */
function fiveAndTwo(seed: number): {
  readonly world: CoreWorld
  readonly leader: SimMember
  readonly voters: readonly SimMember[]
} {
  const world = worldOf(specsOf(5, 2, always), { seed })
  const leader = startAndServe(world)
  const isWhole = (): boolean => recordOf(leader, 'f') !== undefined && recordOf(leader, 'g') !== undefined
  assert.ok(world.runFor(5000, isWhole))
  world.runFor(2000)
  writeAt(world, leader)
  return { world, leader, voters: world.members.slice(0, 5) }
}

/** Three founders that vote, and an observer that takes the seat of one that goes. */
function threeAndOne(seed: number): {
  readonly world: CoreWorld
  readonly leader: SimMember
  /** Votes, and does not lead. */
  readonly gone: SimMember
} {
  const world = worldOf(specsOf(3, 1, always), { seed, seats: 3 })
  const leader = startAndServe(world)
  assert.ok(world.runFor(5000, () => changesIn(leader).length > 0))
  world.runFor(2000)
  writeAt(world, leader)
  const gone = world.members.slice(0, 3).findLast((member) => member !== leader) as SimMember
  return { world, leader, gone }
}

function remove(world: CoreWorld, at: SimMember, { name }: SimMember): void {
  let code: string | undefined = 'none'
  at.ask({ kind: 'change', add: [], remove: [name], seats: undefined }, (outcome) => {
    code = outcome.code
  })
  assert.ok(
    world.runFor(9000, () => code === undefined || !at.isUp),
    `${name} is removed: ${code}`,
  )
}

/** Has another address from its next start on. */
function move(member: SimMember, address: string): void {
  Object.assign(member.spec, { address })
}

function recordOf(member: SimMember, name: string): MemberRecord | undefined {
  const configuration = member.peer?.zab.configurations.latest?.configuration
  return configuration === undefined ? undefined : membersOf(configuration).find((one) => one.name === name)
}

/** The changes of the configuration in this member's log. */
function changesIn({ log }: SimMember): readonly Configuration[] {
  return log.flatMap(configurationsIn)
}

function configurationsIn({ requests }: SimMember['log'][number]): readonly Configuration[] {
  return requests.flatMap((request) => (request.type === 'reconfigure' ? [request.configuration] : []))
}

function pairsOf<T>(list: readonly T[]): readonly (readonly [T, T])[] {
  return list.slice(1).map((item, index) => [list[index] as T, item])
}

function idsOf(members: readonly Pick<MemberRecord, 'id'>[]): readonly string[] {
  return members.map(({ id }) => id)
}
