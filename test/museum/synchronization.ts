/** Bringing a follower up to the leader: DIFF, TRUNC, SNAP, NEWLEADER. */
import assert from 'node:assert/strict'
import { zxidZero } from '../../lib/core/zab/zxid.ts'
import type { CoreWorld, WorldOptions } from '../sim/core-world.ts'
import { settle } from '../sim/run-seed.ts'
import type { SimMember } from '../sim/sim-member.ts'
import { specsOf } from '../sim/specs.ts'
import { durable, isolate, others, startAndServe, submitAt, worldOf, writeAt } from '../sim/stage.ts'
import type { Exhibit } from './exhibit.ts'

const noTail = { entries: 0, bytes: 0 }

/** A leader with entries that nobody else has, down; the others went on without it. Returns the two. */
function lostTail(world: CoreWorld): { readonly old: SimMember; readonly next: SimMember } {
  const old = startAndServe(world)
  writeAt(world, old, 2)
  isolate(world, old)
  submitAt(world, old, 4)
  world.runFor(600)
  old.crash()
  world.network.heal()
  assert.ok(world.runFor(5000, () => world.leader !== undefined && world.leader !== old))
  const next = world.leader as SimMember
  writeAt(world, next, 3)
  return { old, next }
}

/** One member down, the others write. Then it starts, and is as far as `until` says. */
function laggard(
  world: CoreWorld,
  writes = 12,
): { readonly leader: SimMember; readonly member: SimMember; readonly other: SimMember } {
  const leader = startAndServe(world)
  const [member, other] = others(world, leader) as [SimMember, SimMember]
  writeAt(world, other, 2)
  member.crash()
  writeAt(world, other, writes)
  return { leader, member, other }
}

function crashWhileItSyncs(step: number, more: Partial<WorldOptions>): void {
  for (let ms = 0; ms < 60; ms += step) {
    const world = worldOf(durable(3), { seed: ms + 1, isChoppy: true, ...more })
    const { member, other } = laggard(world)
    member.start()
    world.runFor(15 + ms)
    member.crash()
    world.runFor(20)
    member.start()
    writeAt(world, other, 1)
    settle(world)
  }
}

export const synchronizations: readonly Exhibit[] = [
  {
    origin: 'ZOOKEEPER-3023',
    title:
      'a follower that crashes at any moment of a DIFF has a prefix of its leader, and loses nothing that it acknowledged',
    mutants: ['M19', 'M21'],
    play() {
      crashWhileItSyncs(3, { diskMs: 3 })
    },
  },
  {
    origin: 'ZOOKEEPER-4394',
    title: 'what is proposed and committed between NEWLEADER and UPTODATE is applied once, in order',
    mutants: ['X12'],
    play() {
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const { leader, member, other } = laggard(world, 3)
        member.start()
        world.network.hold(member, leader, 'ackNewLeader')
        assert.ok(world.runFor(3000, () => world.network.isHolding(member, leader)))
        writeAt(world, other, 4)
        world.network.release(member, leader)
        writeAt(world, other, 2)
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-4643',
    title: 'the current epoch is durable only after the log that it vouches for',
    mutants: ['M35'],
    play() {
      for (let ms = 0; ms < 60; ms += 3) {
        const world = worldOf(durable(3), { seed: ms + 1, diskMs: 8, isChoppy: true })
        const { leader, member, other } = laggard(world)
        member.start()
        world.runFor(15 + ms)
        member.crash()
        leader.crash()
        member.start()
        world.runFor(2000)
        leader.start()
        writeAt(world, other, 1)
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-4646',
    title: 'NEWLEADER is acknowledged only when the log is durable: a power cut right after it loses nothing',
    mutants: ['M19'],
    play() {
      for (let ms = 0; ms < 60; ms += 4) {
        const world = worldOf(durable(3), { seed: ms + 1, diskMs: 8 })
        const { member } = laggard(world)
        member.start()
        world.runFor(15 + ms)
        for (const one of world.members) one.crash()
        world.runFor(10)
        world.startAll()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-3911',
    title: 'a new leader and its followers deliver its log when a quorum acknowledged NEWLEADER, not before',
    mutants: ['M11', 'M22'],
    play() {
      const world = worldOf(durable(3))
      const old = startAndServe(world)
      const [a, b] = others(world, old) as [SimMember, SimMember]
      writeAt(world, old, 2)
      world.network.hold(old, b, 'propose')
      world.network.hold(a, old, 'ack')
      world.network.hold(old, a, 'ack')
      submitAt(world, old, 3)
      world.runFor(50)
      const tail = a.peer?.zab.log.last ?? zxidZero
      old.crash()
      world.network.hold(b, a, 'ackNewLeader')
      assert.ok(world.runFor(3000, () => world.network.isHolding(b, a)))
      world.runFor(200)
      for (const { peer } of [a, b]) assert.ok((peer?.zab.committed ?? tail) < tail)
      assert.equal(world.leader, undefined)
      for (const member of [a, b]) member.crash()
      world.network.heal()
      world.startAll()
      settle(world)
    },
  },
  {
    origin: 'ZOOKEEPER-4685',
    title: 'an acknowledgement of entries before that of NEWLEADER neither counts nor confuses',
    mutants: ['X15'],
    play() {
      for (let seed = 1; seed <= 12; seed += 1) {
        const world = worldOf(durable(3), { seed, diskMs: 10, isChoppy: true, counterLast: 4 })
        const leader = startAndServe(world)
        const [a, b] = others(world, leader) as [SimMember, SimMember]
        submitAt(world, a, 5)
        submitAt(world, b, 5)
        world.runFor(seed * 3)
        world.network.reset(a, leader)
        submitAt(world, b, 3)
        settle(world)
      }
      // A learner that has not acknowledged NEWLEADER does not count, however long its log.
      const world = worldOf(durable(3))
      const leader = startAndServe(world)
      const [a, b] = others(world, leader) as [SimMember, SimMember]
      writeAt(world, leader, 2)
      world.network.reset(a, leader)
      world.network.hold(a, leader, 'ackNewLeader')
      assert.ok(world.runFor(3000, () => world.network.isHolding(a, leader)))
      const learner = (): unknown => {
        const role = leader.peer?.zab.role
        return role?.name === 'leading' ? role.learners.get(a.id)?.acked : undefined
      }
      assert.equal(learner(), 0n)
      leader.receive({
        type: 'message',
        from: a.id,
        message: { type: 'ack', lastZxid: leader.peer?.zab.log.last ?? (0n as never) },
      })
      world.runFor(5)
      assert.equal(learner(), 0n)
      assert.ok(b.isUp)
      world.network.release(a, leader)
      settle(world)
    },
  },
  {
    origin: 'ZOOKEEPER-4712, ZOOKEEPER-4541',
    title: 'a write that an earlier role asked for means nothing in the next one',
    mutants: [],
    play() {
      // A follower has NEWLEADER on its way to the disk when it loses its leader, and follows the same one again.
      for (let ms = 0; ms < 40; ms += 2) {
        const world = worldOf(durable(3), { seed: ms + 1, isChoppy: true })
        const { leader, member } = laggard(world, 4)
        member.start()
        const isTold = (): boolean => member.peer?.zab.epochs.current === leader.status?.epoch
        world.runFor(2000, () => member.peer?.zab.role.name === 'following' && isTold())
        member.diskStalledUntil = world.now + ms
        leader.receive({ type: 'stepDown' })
        world.runFor(ms / 2)
        world.network.reset(member, leader)
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-1489, ZOOKEEPER-1156',
    title: 'a tail that was never committed is cut from the disk, and gone after a restart',
    mutants: ['M16', 'M18b', 'M17'],
    play() {
      const world = worldOf(durable(3))
      const { old } = lostTail(world)
      old.start()
      assert.ok(world.runFor(5000, () => world.isServing()))
      assert.ok(world.marks.has('sync.truncated'))
      old.crash()
      old.start()
      settle(world)
    },
  },
  {
    origin: 'ZOOKEEPER-2845',
    title: 'a tail that was never committed is cut from memory: its owner does not serve or spread it',
    mutants: ['M18a', 'M16'],
    play() {
      const world = worldOf(durable(3))
      const old = startAndServe(world)
      writeAt(world, old, 2)
      isolate(world, old)
      submitAt(world, old, 4)
      assert.ok(world.runFor(6000, () => world.leader !== undefined && world.leader !== old))
      writeAt(world, world.leader as SimMember, 2)
      world.network.heal()
      assert.ok(world.runFor(5000, () => world.isServing()))
      world.leader?.crash()
      assert.ok(world.runFor(5000, () => world.leader !== undefined))
      writeAt(world, world.leader as SimMember, 2)
      world.startAll()
      settle(world)
    },
  },
  {
    origin: 'ZOOKEEPER-3701',
    title: 'a member whose disk fails in a truncation stops, and has cut or not when it is back',
    mutants: ['M18b'],
    play() {
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(durable(3), { seed, diskMs: 3 })
        const { old } = lostTail(world)
        old.start()
        world.runFor(2000, () => world.marks.has('sync.truncated'))
        old.failNextCommit()
        world.runFor(2000, () => !old.isUp)
        old.start()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-5094',
    title: 'a link that dies in the middle of a truncation leaves memory and disk alike',
    mutants: ['M18a', 'M18b'],
    play() {
      for (let ms = 0; ms < 24; ms += 2) {
        const world = worldOf(durable(3), { seed: ms + 1, diskMs: 3, isChoppy: true, latencyMs: 4 })
        const { old, next } = lostTail(world)
        old.start()
        world.runFor(2000, () => world.marks.has('sync.truncated'))
        world.runFor(ms / 2)
        world.network.reset(old, next)
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-2872',
    title: 'a snapshot that did not come to its end never counts',
    mutants: ['M25'],
    play() {
      crashWhileItSyncs(3, { tail: noTail, chunkBytesMax: 1, latencyMs: 3 })
      // Without a crash, too: what is in memory of it must not count either.
      for (let ms = 0; ms < 60; ms += 3) {
        const world = worldOf(durable(3), { seed: ms + 1, tail: noTail, chunkBytesMax: 1, latencyMs: 3 })
        const { leader, member, other } = laggard(world)
        member.start()
        world.runFor(15 + ms)
        world.network.reset(leader, member)
        world.runFor(5)
        leader.crash()
        world.runFor(3000, () => world.isServing([member, other]))
        leader.start()
        writeAt(world, other, 1)
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-3642, ZOOKEEPER-3104',
    title: 'a snapshot is durable before NEWLEADER is acknowledged, and what follows it fits',
    mutants: ['X62'],
    play() {
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(durable(3), { seed, tail: noTail, diskMs: 4 })
        const { leader, member } = laggard(world)
        member.start()
        assert.ok(world.runFor(3000, () => world.isServing()))
        leader.crash()
        world.runFor(2000, () => world.leader !== undefined)
        member.crash()
        member.start()
        leader.start()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-4925',
    title: 'whoever was synchronized while entries came in leads later without a hole',
    mutants: ['M21'],
    play() {
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(durable(3), { seed, latencyMs: 5, tail: { entries: 6, bytes: 1 << 20 } })
        const { leader, member, other } = laggard(world)
        member.start()
        submitAt(world, other, 5)
        assert.ok(world.runFor(5000, () => world.isServing() && !other.host.isWaiting))
        other.crash()
        writeAt(world, leader, 1)
        leader.crash()
        other.start()
        assert.ok(world.runFor(5000, () => world.isServing([member, other])))
        writeAt(world, other, 2)
        leader.start()
        settle(world)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-4352',
    title: 'a newcomer gets a snapshot where the log begins with one',
    mutants: ['M28'],
    play() {
      const world = worldOf(
        specsOf(3, 1, () => true),
        { tail: noTail, checkpointEvery: 5 },
      )
      const [a, b, c, joiner] = world.members as [SimMember, SimMember, SimMember, SimMember]
      for (const member of [a, b, c]) member.start()
      assert.ok(world.runFor(5000, () => world.isServing([a, b, c])))
      writeAt(world, a, 12)
      for (const member of [a, b, c]) member.crash()
      for (const member of [a, b, c]) member.start()
      assert.ok(world.runFor(5000, () => world.isServing([a, b, c])))
      c.crash()
      writeAt(world, a, 5)
      c.start()
      joiner.start()
      settle(world)
      assert.ok(world.marks.has('sync.snapshot'))
    },
  },
  {
    origin: 'ZOOKEEPER-2846, ZOOKEEPER-3526',
    title: 'where the first entry that a follower lacks is gone, it gets a snapshot and not a DIFF',
    mutants: ['M28'],
    play() {
      const world = worldOf(durable(3), { tail: { entries: 3, bytes: 1 << 20 } })
      const { member } = laggard(world)
      member.start()
      settle(world)
      assert.ok(world.marks.has('sync.snapshot'))
    },
  },
  {
    origin: 'ZOOKEEPER-962',
    title: 'a follower with entries of an epoch that its leader never saw is cut to what they share',
    mutants: ['M16', 'M18a'],
    play() {
      const world = worldOf(durable(5))
      const first = startAndServe(world)
      writeAt(world, first, 2)
      isolate(world, first)
      submitAt(world, first, 3)
      world.runFor(500)
      first.crash()
      assert.ok(world.runFor(5000, () => world.leader !== undefined && world.leader !== first))
      const second = world.leader as SimMember
      writeAt(world, second, 2)
      isolate(world, second)
      submitAt(world, second, 3)
      world.runFor(500)
      second.crash()
      assert.ok(world.runFor(5000, () => world.leader !== undefined && world.leader !== second))
      writeAt(world, world.leader as SimMember, 2)
      world.network.heal()
      world.startAll()
      settle(world)
    },
  },
  {
    origin: 'Zab.tla, issue 1',
    title: 'a follower that has promised gets every proposal from its synchronization on',
    mutants: ['X12'],
    play() {
      const world = worldOf(durable(3), { latencyMs: 10 })
      const { member, other } = laggard(world, 3)
      member.start()
      for (let round = 0; round < 20; round += 1) {
        submitAt(world, other, 1)
        world.runFor(7)
      }
      settle(world)
    },
  },
  {
    origin: 'Zab.tla, issue 3',
    title: 'UPTODATE carries what is committed, not what the follower acknowledged',
    mutants: ['X13'],
    play() {
      const world = worldOf(durable(5))
      const leader = startAndServe(world)
      const [late, ...mates] = others(world, leader) as [SimMember, ...SimMember[]]
      writeAt(world, leader, 2)
      late.crash()
      for (const mate of mates) world.network.hold(mate, leader, 'ack')
      submitAt(world, leader, 3)
      world.runFor(50)
      late.start()
      assert.ok(world.runFor(1500, () => late.status?.serving === true))
      assert.ok((late.peer?.zab.committed ?? zxidZero) < (leader.peer?.zab.log.last ?? zxidZero))
      for (const mate of mates) world.network.release(mate, leader)
      settle(world)
    },
  },
  {
    origin: 'ZOOKEEPER-3144, ZOOKEEPER-3249',
    title: 'the counters and times of nodes are the same after a snapshot as after the log',
    mutants: ['X55', 'X56', 'M44a'],
    play() {
      const world = worldOf(durable(3), { tail: noTail })
      const { leader, member, other } = laggard(world, 2)
      const write = (operation: Parameters<SimMember['host']['write']>[0]): void => {
        other.host.write(operation)
        assert.ok(world.runFor(3000, () => !other.host.isWaiting))
      }
      const data = new Uint8Array([1, 2, 3])
      write({ type: 'create', path: '/p', data, mode: 'persistent' })
      write({ type: 'create', path: '/p/q', data, mode: 'ephemeral' })
      write({ type: 'create', path: '/p/r', data, mode: 'persistent' })
      write({ type: 'delete', path: '/p/q', version: -1 })
      write({ type: 'setData', path: '/p/r', data, version: 0 })
      member.start()
      settle(world)
      assert.ok(world.marks.has('sync.snapshot'))
      const stat = member.peer?.state.tree.stat('/p')
      assert.deepEqual(stat, leader.peer?.state.tree.stat('/p'))
      assert.ok(stat !== undefined && stat.pzxid > stat.mzxid)
    },
  },
]
