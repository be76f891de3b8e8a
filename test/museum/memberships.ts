/** Who is a member, and whose vote counts. */
import assert from 'node:assert/strict'
import { settle } from '../sim/run-seed.ts'
import type { MemberSpec, SimMember } from '../sim/sim-member.ts'
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

const namesake = (name: string, alias: string): MemberSpec => ({
  name,
  alias,
  address: `host-${name}:1`,
  isDurable: true,
  founders: [],
})

export const memberships: readonly Exhibit[] = [
  {
    origin: 'raft-dev 2015',
    title: 'two successors of one voter never have quorums that do not meet',
    mutants: [],
    play() {
      for (let seed = 1; seed <= 8; seed += 1) {
        const world = worldOf([...durable(3), namesake('x', 'c'), namesake('y', 'c')], { seed })
        const [a, b, c, x, y] = world.members as [SimMember, SimMember, SimMember, SimMember, SimMember]
        for (const member of [a, b, c]) member.start()
        assert.ok(world.runFor(5000, () => world.isServing([a, b, c])))
        const leader = world.leader as SimMember
        const spare = [a, b].find((member) => member !== leader) as SimMember
        c.crash()
        // The leader changes the seat of c alone with x; the others elect and change it with y.
        x.start()
        isolate(world, x, [spare, y])
        world.network.hold(leader, spare, 'propose')
        world.runFor(2500)
        isolate(world, leader, [spare, y])
        y.start()
        world.runFor(6000)
        submitAt(world, spare, 2)
        world.runFor(2000)
        world.network.release(leader, spare)
        world.network.heal()
        c.start()
        world.runFor(2000)
        settle(world)
      }
    },
  },
  {
    origin: 'hashicorp/raft#476, #477, #526',
    title: 'the promise of a process that is no voter counts for nothing',
    mutants: ['M51'],
    play() {
      const world = worldOf([...durable(3), namesake('x', 'x'), namesake('y', 'y')])
      const old = startAndServe(world)
      const [a, b] = world.members.slice(0, 3).filter((member) => member !== old) as [SimMember, SimMember]
      writeAt(world, a, 2)
      old.crash()
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const)
        world.network.hold(from, to, 'ackEpoch')
      assert.ok(world.runFor(3000, () => world.network.isHolding(a, b) || world.network.isHolding(b, a)))
      world.runFor(1500)
      const isBeyond = (member: SimMember): boolean => {
        const role = member.peer?.zab.role
        return role?.name === 'leading' && role.phase !== 'discovery'
      }
      assert.ok(!world.members.some(isBeyond))
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const)
        world.network.release(from, to)
      assert.ok(world.runFor(5000, () => world.leader !== undefined))
      old.start()
      settle(world)
    },
  },
  {
    origin: 'etcd#20995',
    title: 'a voter that was replaced while it was away learns that, and commits nothing with those it knew',
    mutants: [],
    play() {
      const world = worldOf([...durable(3), namesake('x', 'c')])
      const [a, b, c, x] = world.members as [SimMember, SimMember, SimMember, SimMember]
      for (const member of [a, b, c]) member.start()
      assert.ok(world.runFor(5000, () => world.isServing([a, b, c])))
      writeAt(world, a, 2)
      isolate(world, c, [a, b, x])
      assert.ok(world.runFor(5000, () => world.isServing([a, b])))
      x.start()
      assert.ok(world.runFor(10_000, () => votersOf(a).includes(x.id) && !votersOf(b).includes(c.id)))
      writeAt(world, b, 2)
      // The one that was replaced sees one of those it knew, and no other.
      world.network.heal()
      isolate(world, c, [a, x])
      isolate(world, b, [a, x])
      submitAt(world, b, 1)
      world.runFor(6000)
      assert.notEqual(world.leader, c)
      assert.notEqual(world.leader, b)
      world.network.heal()
      settle(world)
    },
  },
  {
    origin: 'etcd#10998; ZOOKEEPER-2865',
    title: 'who crashes while its seat changes hands is with the old or the new configuration, and catches up',
    mutants: [],
    play() {
      for (let ms = 0; ms < 60; ms += 4) {
        const tail = ms % 8 === 0 ? { entries: 0, bytes: 0 } : { entries: 1000, bytes: 1 << 20 }
        const world = worldOf(
          volatile(3).map((spec) => ({ ...spec, isDurable: spec.name !== 'c' })),
          {
            seed: ms + 1,
            tail,
            diskMs: 3,
          },
        )
        startAndServe(world)
        const [a, b, c] = world.members as [SimMember, SimMember, SimMember]
        writeAt(world, a, 2)
        c.crash()
        world.runFor(20)
        c.start()
        world.runFor(60 + ms)
        const victim = world.leader === a ? b : a
        victim.crash()
        world.runFor(30)
        victim.start()
        world.runFor(1000)
        settle(world)
        assert.ok(votersOf(a).includes(c.id))
      }
    },
  },
  {
    origin: 'hashicorp/raft: membership',
    title: 'a configuration that was never committed is taken back with the log that it stood in',
    mutants: ['X4'],
    play() {
      for (let seed = 1; seed <= 4; seed += 1) {
        const world = worldOf([...durable(3), namesake('x', 'c')], { seed })
        const [a, b, c, x] = world.members as [SimMember, SimMember, SimMember, SimMember]
        for (const member of [a, b, c]) member.start()
        assert.ok(world.runFor(5000, () => world.isServing([a, b, c])))
        const leader = world.leader as SimMember
        const mates = [a, b, c].filter((member) => member !== leader) as [SimMember, SimMember]
        const gone = leader === c ? undefined : c
        if (gone === undefined) continue
        const spare = mates.find((member) => member !== gone) as SimMember
        writeAt(world, leader, 2)
        gone.crash()
        world.network.hold(leader, spare, 'propose')
        world.runFor(50)
        x.start()
        // The change is in the log of the leader alone when it dies.
        const isPending = (): boolean => leader.peer?.zab.configurations.pending !== undefined
        const reached = world.runFor(6000, isPending)
        leader.crash()
        x.crash()
        world.network.release(leader, spare)
        gone.start()
        assert.ok(world.runFor(8000, () => world.isServing([spare, gone])))
        writeAt(world, spare, 2)
        leader.start()
        assert.ok(world.runFor(5000, () => world.isServing([spare, gone, leader])))
        assert.deepEqual([...votersOf(leader)], [...votersOf(spare)])
        if (reached) assert.ok(world.marks.has('sync.truncated'))
        x.start()
        world.runFor(3000)
        gone.crash()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-2184, ZOOKEEPER-2164',
    title: 'the same address with another id is another member: it waits until its predecessor is certainly gone',
    mutants: ['X28'],
    play() {
      const world = worldOf([...durable(3), namesake('x', 'c')])
      const [a, b, c, x] = world.members as [SimMember, SimMember, SimMember, SimMember]
      for (const member of [a, b, c]) member.start()
      assert.ok(world.runFor(5000, () => world.isServing([a, b, c])))
      const leader = world.leader as SimMember
      const voters = [...votersOf(leader)]
      // The link breaks again and again, and the member is alive.
      x.start()
      for (let round = 0; round < 20; round += 1) {
        if (leader !== c) world.network.reset(leader, c)
        world.runFor(35)
      }
      assert.deepEqual([...votersOf(leader)], voters)
      x.crash()
      settle(world)
    },
  },
  {
    origin: 'ZooKeeper, two bootstraps',
    title: 'founders found one ensemble, wherever one of them crashes meanwhile',
    mutants: ['X39'],
    play() {
      for (let steps = 1; steps <= 24; steps += 1) {
        const world = worldOf(durable(3), { seed: steps, diskMs: 4, isChoppy: true })
        world.startAll()
        const victim = world.members[steps % 3] as SimMember
        victim.crashAfterSteps = steps
        world.runFor(300)
        victim.crashAfterSteps = undefined
        victim.start()
        settle(world)
        assert.equal(new Set(world.members.map(({ peer }) => peer?.zab.belonging.cluster)).size, 1)
      }
    },
  },
  {
    origin: 'embedded-coord, seed 30956',
    title: 'two voters that are both to lose their seats do not pass leadership to each other for ever',
    mutants: ['X74', 'X75'],
    play() {
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const leader = startAndServe(world)
        const [other, third] = others(world, leader) as [SimMember, SimMember]
        // So that neither has anybody else to hand over to.
        if (seed % 2 === 0) third.crash()
        const codes: (string | undefined)[] = []
        for (const member of [leader, other]) {
          const add = [{ name: member.name, role: 'observer' as const }]
          member.ask({ kind: 'change', add, remove: [], seats: undefined }, ({ code }) => codes.push(code))
        }
        assert.ok(
          world.runFor(8000, () => codes.length === 2),
          `seed ${seed}: both are answered`,
        )
        // Without the third one nobody would vote any more.
        const isAlone = !third.isUp
        assert.deepEqual(codes.filter(Boolean), isAlone ? ['COORD_NEW_CONFIG_NO_QUORUM'] : [])
        assert.deepEqual([...votersOf(leader)], [isAlone ? leader.id : third.id])
        assert.ok(world.history.terms <= 6, `${world.history.terms} terms`)
        third.start()
        settle(world)
      }
    },
  },
]
