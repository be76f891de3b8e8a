/** Bugs of this library itself that its own worlds have found, before anybody else could. */
import assert from 'node:assert/strict'
import type { MembershipOutcome } from '../../lib/core/zab/membership-request.ts'
import { settle } from '../sim/run-seed.ts'
import type { SimMember } from '../sim/sim-member.ts'
import { specsOf } from '../sim/specs.ts'
import {
  durable,
  isolate,
  others,
  startAndServe,
  submitAt,
  volatile,
  votersOf,
  worldOf,
  writeAt,
} from '../sim/stage.ts'
import type { Exhibit } from './exhibit.ts'

export const ownExhibits: readonly Exhibit[] = [
  {
    origin: 'found by the core simulation',
    title: 'nobody leads whose state has diverged, where somebody else has its log',
    mutants: ['Z13'],
    play() {
      let reached = 0
      for (let seed = 1; seed <= 12; seed += 1) {
        const world = worldOf(durable(3), { seed, diskMs: 0.1 })
        const leader = startAndServe(world)
        const [wrong, sound] = others(world, leader) as [SimMember, SimMember]
        writeAt(world, sound, 3)
        world.network.hold(leader, wrong, 'snapshot')
        wrong.diverge()
        writeAt(world, sound, 1)
        assert.ok(world.runFor(2000, () => wrong.status?.standing === 'diverged'))
        leader.crash()
        // It would win every tie.
        const hasTie = wrong.peer?.zab.log.last === sound.peer?.zab.log.last && wrong.id > sound.id
        assert.ok(world.runFor(10_000, () => world.leader !== undefined))
        if (hasTie && wrong.status?.standing === 'diverged') {
          reached += 1
          assert.equal(world.leader, sound)
        }
        leader.start()
        settle(world)
      }
      assert.ok(reached > 1, `${reached} ties`)
    },
  },
  {
    origin: 'found by the core simulation',
    title:
      'one against one, nobody knows who is right: both are told, and neither serves until somebody comes who does',
    mutants: ['Z16'],
    play() {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const leader = startAndServe(world)
        const [wrong, gone] = others(world, leader) as [SimMember, SimMember]
        writeAt(world, wrong, 2)
        gone.crash()
        world.runFor(100)
        wrong.diverge()
        writeAt(world, leader, 1)
        const inDoubt = [leader, wrong]
        assert.ok(world.runFor(3000, () => inDoubt.every(({ status }) => status?.standing === 'doubtful')))
        assert.deepEqual([leader.status?.serving, wrong.status?.serving], [false, false])
        gone.start()
        assert.ok(world.runFor(10_000, () => world.isServing(world.members)))
        settle(world)
      }
    },
  },
  {
    origin: 'found by the core simulation',
    title: 'who is known to have diverged does not count against the leader when another one differs from it',
    mutants: ['Z11'],
    play() {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const leader = startAndServe(world)
        const [first, second] = others(world, leader) as [SimMember, SimMember]
        writeAt(world, second, 2)
        world.network.hold(leader, first, 'snapshot')
        first.diverge()
        writeAt(world, second, 1)
        assert.ok(world.runFor(2000, () => first.status?.standing === 'diverged'))
        second.diverge()
        writeAt(world, leader, 1)
        // All three differ: nobody can know any more who is right, the leader least of all that it is not.
        assert.ok(world.runFor(3000, () => leader.status?.standing !== 'sound'))
        assert.equal(leader.status?.standing, 'doubtful')
      }
    },
  },
  {
    origin: 'found by the lifetimes of ensembles',
    title: 'a founder that knows of the founding alone is told that a majority lost its memory',
    mutants: ['X82'],
    play() {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = worldOf(
          specsOf(4, 0, (index) => index > 1),
          { seed },
        )
        const [a, b, c, d] = world.members as [SimMember, SimMember, SimMember, SimMember]
        world.startAll()
        assert.ok(world.runFor(5000, () => c.peer?.zab.belonging.presence === 'founded'))
        isolate(world, c)
        world.runFor(100)
        c.crash()
        assert.ok(world.runFor(10_000, () => world.isServing([a, b, d])))
        writeAt(world, d, 2)
        for (const forgetful of [a, b]) forgetful.crash()
        assert.ok(world.runFor(10_000, () => d.status?.serving === false))
        world.network.heal()
        for (const member of [a, b, c]) member.start()
        assert.ok(world.runFor(10_000, () => world.members.every(({ status }) => status?.majorityLost === true)))
        assert.equal(c.peer?.zab.belonging.presence, 'founded')
      }
    },
  },
  {
    origin: 'found by the lifetimes of ensembles',
    title: 'what a founder acknowledged in an ensemble that was given up does not count against it in the next one',
    mutants: ['X81'],
    play() {
      let reached = 0
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(
          specsOf(5, 0, (index) => index === 1),
          { seed },
        )
        const voter = world.members[1] as SimMember
        for (const from of others(world, voter))
          for (const to of others(world, from)) world.network.hold(from, to, 'ackNewLeader')
        world.startAll()
        const knowsWhatItHas = (member: SimMember): boolean => member.peer?.zab.marks.of(voter.id) !== undefined
        world.runFor(3000, () => others(world, voter).some(knowsWhatItHas))
        const leader = others(world, voter).find(knowsWhatItHas)
        if (leader === undefined) continue
        const before = voter.peer?.zab.belonging.cluster
        const forgetful = others(world, voter).filter((member) => member !== leader)
        for (const member of forgetful) member.crash()
        for (const from of world.members) for (const to of others(world, from)) world.network.release(from, to)
        world.runFor(100)
        for (const member of forgetful) member.start()
        const isOfNext = (): boolean => {
          const { belonging } = voter.disk.image
          return belonging?.presence === 'founded' && belonging.cluster !== before
        }
        if (!world.runFor(10_000, isOfNext)) continue
        reached += 1
        voter.crash()
        voter.start()
        settle(world)
      }
      assert.ok(reached > 1, `${reached} times`)
    },
  },
  {
    origin: 'found by the seeded world',
    title: 'the only voter can go, although it leads: one of those who stay gets a vote before',
    mutants: ['Y7'],
    play() {
      for (let seed = 1; seed <= 10; seed += 1) {
        const world = worldOf(volatile(3), { seed })
        const leader = startAndServe(world)
        writeAt(world, leader, 3)
        let answers = 0
        const answered = ({ code }: MembershipOutcome): void => {
          assert.equal(code, undefined)
          answers += 1
        }
        leader.ask({ kind: 'change', add: [], remove: [], seats: 1 }, answered)
        assert.ok(world.runFor(10_000, () => answers === 1 && votersOf(leader).length === 1))
        const voter = world.leader as SimMember
        assert.deepEqual(votersOf(voter), [voter.id])
        voter.ask({ kind: 'close' }, answered)
        assert.ok(world.runFor(10_000, () => answers === 2))
        voter.crash()
        const stay = others(world, voter)
        assert.ok(world.runFor(10_000, () => world.isServing(stay)))
        for (const member of stay) writeAt(world, member)
      }
    },
  },
  {
    origin: 'found by the seeded world',
    title: 'a leader whose store hangs does not leave those who are no quorum without it',
    mutants: ['X84'],
    play() {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const { leader, follower, gone } = withHangingStore(world)
        world.runFor(10_000)
        assert.equal(leader.status?.role, 'leading')
        assert.ok(world.isServing([leader, follower]))
        gone.start()
        // Now they can do without.
        assert.ok(world.runFor(10_000, () => world.isServing([follower, gone])))
        settle(world)
      }
    },
  },
  {
    origin: 'found by the seeded world',
    title: 'nor where an operator wants another one to lead: it is told that this takes too long',
    mutants: ['X84', 'X85'],
    play() {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const { leader, follower, gone } = withHangingStore(world)
        // The store counts as hanging from here on.
        world.runFor(3_000)
        let outcome: MembershipOutcome | undefined
        leader.ask({ kind: 'transfer', name: follower.name }, (answer) => {
          outcome = answer
        })
        assert.ok(world.runFor(10_000, () => outcome !== undefined))
        assert.equal(outcome?.code, 'COORD_TIMEOUT')
        assert.equal(leader.status?.role, 'leading')
        assert.ok(world.isServing([leader, follower]))
        gone.start()
        settle(world)
      }
    },
  },
]

/** Of three, one is down, and the store of the leader does not answer any more, with a write on its way to it. */
function withHangingStore(world: ReturnType<typeof worldOf>): Record<'leader' | 'follower' | 'gone', SimMember> {
  const leader = startAndServe(world)
  const [follower, gone] = others(world, leader) as [SimMember, SimMember]
  writeAt(world, leader)
  gone.crash()
  world.runFor(100)
  leader.diskStalledUntil = world.now + 30_000
  submitAt(world, leader, 1)
  return { leader, follower, gone }
}
