/** Disks, memory and who remembers. */
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

export const durabilities: readonly Exhibit[] = [
  {
    origin: 'Jepsen: NATS 2.12.1; etcd#14370',
    title: 'what was acknowledged survives a power cut of all at once',
    mutants: ['M29a', 'X11'],
    play() {
      for (let seed = 1; seed <= 12; seed += 1) {
        const world = worldOf(durable(3), { seed, diskMs: 6 })
        startAndServe(world)
        for (const member of world.members) submitAt(world, member, 5)
        world.runFor(seed * 2)
        for (const member of world.members) member.crash()
        world.startAll()
        settle(world)
      }
    },
  },
  {
    origin: 'Jepsen: NATS 2.12.1',
    title: 'a crash of one voter and a partition of another lose nothing and split nothing',
    mutants: ['M9', 'M38'],
    play() {
      for (let seed = 1; seed <= 4; seed += 1) {
        const world = worldOf(durable(4), { seed, diskMs: 4 })
        const leader = startAndServe(world)
        const [crashed, cut, last] = others(world, leader) as [SimMember, SimMember, SimMember]
        writeAt(world, last, 2)
        crashed.crash()
        isolate(world, cut)
        submitAt(world, leader, 4)
        world.runFor(6000)
        assert.equal(world.leader, undefined)
        isolate(world, leader)
        world.runFor(1000)
        crashed.start()
        world.runFor(6000)
        world.network.heal()
        settle(world)
      }
    },
  },
  {
    origin: 'PostgreSQL fsyncgate; ATC 2020',
    title: 'a member whose sync fails acknowledges nothing of it, and stops',
    mutants: ['M29a', 'M29b'],
    play() {
      for (let seed = 1; seed <= 8; seed += 1) {
        const world = worldOf(durable(3), { seed, diskMs: 5 })
        const leader = startAndServe(world)
        const victim = seed % 2 === 0 ? leader : (others(world, leader)[0] as SimMember)
        writeAt(world, leader, 2)
        victim.failNextCommit()
        submitAt(world, leader, 4)
        world.runFor(3000, () => !victim.isUp)
        for (const member of world.members) member.crash()
        world.startAll()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-4882',
    title: 'after a disk error the log has no hole: the member starts over from its disk',
    mutants: ['M29a', 'M18b'],
    play() {
      for (let seed = 1; seed <= 8; seed += 1) {
        const world = worldOf(durable(3), { seed, diskMs: 3 })
        const leader = startAndServe(world)
        const [victim, other] = others(world, leader) as [SimMember, SimMember]
        victim.failNextCommit()
        submitAt(world, other, 5)
        world.runFor(2000, () => !victim.isUp)
        victim.start()
        writeAt(world, other, 3)
        leader.crash()
        world.runFor(1000)
        leader.start()
        isolate(world, leader)
        submitAt(world, leader, 2)
        world.runFor(3000)
        world.network.heal()
        world.leader?.crash()
        world.startAll()
        settle(world)
      }
      // And once with a tail that is to be cut.
      const world = worldOf(durable(3))
      const old = startAndServe(world)
      writeAt(world, old, 1)
      isolate(world, old)
      submitAt(world, old, 2)
      world.runFor(500)
      old.crash()
      world.network.heal()
      assert.ok(world.runFor(5000, () => world.leader !== undefined))
      writeAt(world, world.leader as SimMember, 2)
      old.start()
      settle(world)
    },
  },
  {
    origin: 'TigerBeetle, recovering; DISC 2017',
    title: 'a voter that forgot, and a voter that has not heard of it, do not elect without those who remember',
    mutants: ['M46'],
    play() {
      const specs: MemberSpec[] = volatile(3).map((spec) => ({ ...spec, isDurable: spec.name === 'a' }))
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(specs, { seed })
        startAndServe(world)
        const [a, b, c] = world.members as [SimMember, SimMember, SimMember]
        isolate(world, c)
        world.runFor(5000)
        writeAt(world, a, 3)
        b.crash()
        a.crash()
        b.start()
        world.network.heal()
        assert.ok(!world.runFor(20_000, () => world.leader !== undefined), 'no leader')
        a.start()
        settle(world)
        assert.ok(votersOf(a).includes(b.id))
      }
    },
  },
  {
    origin: 'Vespa, rolling restarts',
    title: 'members that forget may be restarted one after the other, under load',
    mutants: [],
    play() {
      const world = worldOf(volatile(3), { latencyMs: 5, isChoppy: true })
      startAndServe(world)
      for (const member of world.members) {
        const [other] = others(world, member) as [SimMember]
        submitAt(world, other, 4)
        const before = member.id
        member.crash()
        world.runFor(30)
        member.start()
        const isSeated = (): boolean => {
          const voters = votersOf(world.leader ?? member)
          return world.isServing() && voters.includes(member.id) && !voters.includes(before)
        }
        assert.ok(world.runFor(15_000, isSeated))
        submitAt(world, other, 2)
        world.runFor(500)
      }
      settle(world)
    },
  },
  {
    origin: 'control of the two before',
    title: 'a voter that was only stopped for minutes is the same one',
    mutants: [],
    play() {
      const world = worldOf(volatile(3))
      const leader = startAndServe(world)
      const [stopped, other] = others(world, leader) as [SimMember, SimMember]
      const { id } = stopped
      stopped.pause()
      world.runFor(600_000)
      writeAt(world, other, 2)
      stopped.resume()
      settle(world)
      assert.equal(stopped.id, id)
      assert.ok(votersOf(leader).includes(id))
    },
  },
]
