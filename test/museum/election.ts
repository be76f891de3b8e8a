/** Elections and epochs. */
import assert from 'node:assert/strict'
import { settle } from '../sim/run-seed.ts'
import type { SimMember } from '../sim/sim-member.ts'
import { specsOf } from '../sim/specs.ts'
import { durable, epochIn, isolate, others, startAndServe, submitAt, worldOf, writeAt } from '../sim/stage.ts'
import type { Exhibit } from './exhibit.ts'

export const elections: readonly Exhibit[] = [
  {
    origin: 'ZOOKEEPER-1154, ZOOKEEPER-917',
    title: 'of two voters the one with the longer log leads, and the tail is kept',
    mutants: ['X61'],
    play() {
      for (let seed = 1; seed <= 8; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const leader = startAndServe(world)
        const [long, short] = others(world, leader) as [SimMember, SimMember]
        writeAt(world, long, 2)
        isolate(world, short)
        world.runFor(3000)
        writeAt(world, long, 3)
        leader.crash()
        world.network.heal()
        assert.ok(world.runFor(5000, () => world.isServing([long, short])))
        assert.equal(world.leader, long)
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-2307',
    title: 'a promise of an epoch survives the crash of whoever gave it',
    mutants: ['M1'],
    play() {
      for (let steps = 1; steps <= 20; steps += 2) {
        const world = worldOf(durable(3), { seed: steps, diskMs: 20 })
        const leader = startAndServe(world)
        const [voter] = others(world, leader) as [SimMember]
        leader.crash()
        voter.crashAfterSteps = steps
        world.runFor(300)
        voter.crashAfterSteps = undefined
        voter.start()
        leader.start()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-4269',
    title: 'a voter that crashes while its epochs are written comes back with the ones before or the ones after',
    mutants: [],
    play() {
      for (let ms = 0; ms < 40; ms += 2) {
        const world = worldOf(durable(3), { seed: ms + 1, diskMs: 10, isChoppy: true })
        const leader = startAndServe(world)
        const [writer, voter] = others(world, leader) as [SimMember, SimMember]
        voter.crash()
        writeAt(world, writer, 5)
        voter.start()
        world.runFor(ms)
        voter.crash()
        const { epochs } = voter.disk.image
        assert.ok((epochs?.accepted ?? 0) >= (epochs?.current ?? 0))
        voter.start()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-3109, ZOOKEEPER-3537',
    title: 'voters whose links come and go while they elect agree within two election timeouts',
    mutants: ['M13a'],
    play() {
      for (let seed = 1; seed <= 10; seed += 1) {
        const world = worldOf(durable(5), { seed, latencyMs: 20 })
        const leader = startAndServe(world)
        leader.crash()
        const rest = others(world, leader)
        for (let round = 0; round < 6; round += 1) {
          const [a, b] = world.random('network', 'exhibit').shuffled(rest) as [SimMember, SimMember]
          world.network.reset(a, b)
          world.runFor(15)
        }
        assert.ok(world.runFor(2 * world.options.timing.syncLimitMs, () => world.isServing(rest)))
        leader.start()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-764, ZOOKEEPER-2959, hashicorp/raft#308',
    title: 'a member without a vote is not counted, whatever it acknowledges',
    mutants: ['M8'],
    play() {
      const world = worldOf(specsOf(3, 2, () => true))
      const old = startAndServe(world)
      const [a, b] = others(world, old).slice(0, 2) as [SimMember, SimMember]
      writeAt(world, a, 3)
      old.crash()
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const)
        world.network.hold(from, to, 'ackNewLeader')
      assert.ok(world.runFor(3000, () => world.network.isHolding(a, b) || world.network.isHolding(b, a)))
      world.runFor(1500)
      assert.equal(world.leader, undefined)
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
    origin: 'Cloudflare 2020-11-02, hashicorp/raft#530',
    title: 'a voter that sees one peer and not the leader does not depose the leader',
    mutants: ['M13a'],
    play() {
      const world = worldOf(durable(3))
      const leader = startAndServe(world)
      const epoch = epochIn(world)
      const [cut, linked] = others(world, leader) as [SimMember, SimMember]
      isolate(world, cut, [leader])
      world.runFor(20_000)
      writeAt(world, linked, 3)
      assert.equal(world.leader, leader)
      assert.equal(epochIn(world), epoch)
      world.network.heal()
      settle(world)
      assert.equal(epochIn(world), epoch)
    },
  },
  {
    origin: 'Raft, section 9.6 of the thesis',
    title: 'a voter that was alone for minutes returns without an election',
    mutants: ['M13a'],
    play() {
      const world = worldOf(durable(3))
      const leader = startAndServe(world)
      const epoch = epochIn(world)
      const [cut, linked] = others(world, leader) as [SimMember, SimMember]
      isolate(world, cut)
      world.runFor(600_000)
      writeAt(world, linked, 3)
      world.network.heal()
      settle(world)
      assert.equal(epochIn(world), epoch)
      assert.equal(world.leader, leader)
    },
  },
  {
    origin: 'ZooKeeper internals, leader activation',
    title: 'the epoch of a leader that died before NEWLEADER had a quorum is never used again',
    mutants: ['M7'],
    play() {
      for (let steps = 1; steps <= 30; steps += 1) {
        const world = worldOf(durable(3), { seed: steps })
        const leader = startAndServe(world)
        writeAt(world, leader, 2)
        for (const member of world.members) member.crash()
        world.startAll()
        const candidate = world.members.at(-1) as SimMember
        candidate.crashAfterSteps = steps
        world.runFor(500)
        candidate.crashAfterSteps = undefined
        candidate.start()
        settle(world)
        for (const ids of world.history.leaders.values()) assert.equal(ids.size, 1)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-1277',
    title: 'a leader goes to its next epoch before the counter of this one ends',
    mutants: ['X17', 'X9'],
    play() {
      const world = worldOf(durable(3), { counterLast: 5 })
      const leader = startAndServe(world)
      const epoch = epochIn(world)
      for (let round = 0; round < 6; round += 1) for (const member of world.members) writeAt(world, member, 3)
      // A follower may know that the last write is committed when its leader is on its way to the next epoch.
      settle(world)
      assert.equal(world.leader, leader)
      assert.ok(epochIn(world) > epoch + 2)
    },
  },
  {
    origin: 'Jepsen: etcd, Consul; ZOOKEEPER-1675',
    title: 'a leader without its quorum acknowledges nothing, answers no linearizable read, and steps down',
    mutants: ['M55', 'M12'],
    play() {
      const world = worldOf(durable(3))
      const leader = startAndServe(world)
      const [other] = others(world, leader) as [SimMember]
      writeAt(world, leader)
      isolate(world, leader)
      world.runFor(world.options.timing.syncLimitMs - 100)
      leader.host.read()
      world.runFor(50)
      assert.equal(leader.host.isWaiting, true)
      submitAt(world, leader, 1)
      assert.ok(world.runFor(5000, () => world.leader !== leader && world.leader !== undefined))
      assert.equal(leader.status?.serving, false)
      writeAt(world, other, 2)
      world.network.heal()
      settle(world)
    },
  },
  {
    origin: 'etcd#20418, RedisRaft#19',
    title: 'a leader that was stopped asks a quorum before it answers what it was asked then',
    mutants: ['M55', 'M55b'],
    play() {
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const leader = startAndServe(world)
        const [other] = others(world, leader) as [SimMember]
        writeAt(world, leader)
        isolate(world, leader)
        world.runFor(10)
        leader.pause()
        assert.ok(world.runFor(10_000, () => world.leader !== leader && world.leader !== undefined))
        writeAt(world, other, 3)
        leader.resume()
        leader.host.read()
        world.runFor(5)
        world.network.heal()
        settle(world)
      }
      // A quorum that confirms a round of before the question says nothing about it.
      const world = worldOf(durable(3), { isChoppy: true })
      const leader = startAndServe(world)
      const followers = others(world, leader)
      const [writer, third] = followers as [SimMember, SimMember]
      writeAt(world, writer)
      const before = leader.peer?.zab.role
      assert.ok(before?.name === 'leading')
      world.runFor(1000, () => before.round > before.confirmedRound)
      for (const follower of followers) world.network.hold(leader, follower, 'ping')
      leader.host.read()
      world.runFor(200)
      assert.equal(leader.host.isWaiting, true)
      for (const follower of followers) world.network.release(leader, follower)
      assert.ok(third.isUp)
      settle(world)
    },
  },
]
