/** Sessions, their ephemeral nodes and the answers to their writes. */
import assert from 'node:assert/strict'
import { settle } from '../sim/run-seed.ts'
import type { SimMember } from '../sim/sim-member.ts'
import { durable, isolate, others, startAndServe, submitAt, worldOf, writeAt } from '../sim/stage.ts'
import type { Exhibit } from './exhibit.ts'

const data = undefined

export const sessionExhibits: readonly Exhibit[] = [
  {
    origin: 'Curator, protected creation',
    title: 'a create whose answer was lost is sent again, and has made one node',
    mutants: ['M63b', 'M63a'],
    play() {
      for (let ms = 0; ms < 40; ms += 2) {
        const world = worldOf(durable(3), {
          seed: ms + 1,
          latencyMs: 4,
          tail: { entries: ms % 4 === 0 ? 0 : 100, bytes: 1 << 20 },
        })
        const leader = startAndServe(world)
        const [member, other] = others(world, leader) as [SimMember, SimMember]
        writeAt(world, member, 1)
        submitAt(world, member, 3)
        world.runFor(ms / 2)
        world.network.reset(member, leader)
        if (ms % 3 === 0) {
          isolate(world, member)
          writeAt(world, other, 3)
          world.network.heal()
        }
        settle(world)
        const names = member.peer?.state.tree.getChildren('/')?.children.filter((name) => name.startsWith('s-'))
        assert.equal(names?.length, ms % 3 === 0 ? 7 : 4)
      }
    },
  },
  {
    origin: 'Zab; Curator',
    title: 'a leader that dies between commit and answer leaves the answer to be had from the next one',
    mutants: [],
    play() {
      for (let ms = 0; ms < 24; ms += 2) {
        const world = worldOf(durable(3), { seed: ms + 1, latencyMs: 4 })
        const leader = startAndServe(world)
        const [member] = others(world, leader) as [SimMember]
        writeAt(world, member, 1)
        submitAt(world, member, 3)
        world.runFor(ms)
        leader.crash()
        assert.ok(world.runFor(8000, () => !member.host.isWaiting))
        leader.start()
        settle(world)
        const { nodeCount } = member.peer?.state.tree ?? { nodeCount: 0 }
        assert.equal(nodeCount, 4 + 4)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-1496, ZOOKEEPER-1208',
    title: 'what is written after the end of a session fails, and leaves no ephemeral node behind',
    mutants: ['X22', 'X63'],
    play() {
      const world = worldOf(durable(3), { latencyMs: 10 })
      const leader = startAndServe(world)
      const [a, b] = others(world, leader) as [SimMember, SimMember]
      writeAt(world, a, 1)
      const session = world.sessions[0]
      assert.ok(session !== undefined)
      a.host.write({ type: 'create', path: '/e', data, mode: 'ephemeral' })
      assert.ok(world.runFor(3000, () => !a.host.isWaiting))
      // A late write of the session, on its way past its end.
      const late = {
        type: 'write',
        session: session.id,
        generation: session.generation,
        cxid: session.nextCxid + 1,
        answeredThrough: 0,
        operation: { type: 'create', path: '/late', data, mode: 'ephemeral' },
      } as const
      a.host.write({ type: 'closeSession' })
      world.runFor(5)
      assert.ok(world.runFor(3000, () => !a.host.isWaiting))
      b.receive({ type: 'request', requests: [late] })
      world.runFor(500)
      settle(world)
      for (const { peer } of world.members) {
        assert.equal(peer?.state.tree.find('/e'), undefined)
        assert.equal(peer?.state.tree.find('/late'), undefined)
        assert.deepEqual(peer?.state.tree.getEphemerals(session.id), [])
      }
    },
  },
  {
    origin: 'ZOOKEEPER-2355, ZOOKEEPER-919',
    title: 'a follower that was down when a session ended has none of its nodes afterwards',
    mutants: ['X22'],
    play() {
      for (const entries of [0, 1000]) {
        const world = worldOf(durable(3), { tail: { entries, bytes: 1 << 20 } })
        const leader = startAndServe(world)
        const [down, owner] = others(world, leader) as [SimMember, SimMember]
        writeAt(world, owner, 1)
        owner.host.write({ type: 'create', path: '/e', data, mode: 'ephemeral' })
        assert.ok(world.runFor(3000, () => !owner.host.isWaiting))
        down.crash()
        owner.host.write({ type: 'closeSession' })
        assert.ok(world.runFor(3000, () => !owner.host.isWaiting))
        down.start()
        settle(world)
        assert.equal(down.peer?.state.tree.find('/e'), undefined)
      }
    },
  },
  {
    origin: 'ZOOKEEPER-1367, ZOOKEEPER-2919',
    title: 'when all restart, the sessions whose clients are gone expire, and their nodes go with them',
    mutants: ['X18b', 'X48'],
    play() {
      const world = worldOf(durable(3), { sessionTimeoutsMs: [2000] })
      startAndServe(world)
      const [a] = world.members as [SimMember]
      a.host.openSession(2000)
      assert.ok(world.runFor(3000, () => !a.host.isWaiting))
      a.host.write({ type: 'create', path: '/e', data, mode: 'ephemeral' })
      assert.ok(world.runFor(3000, () => !a.host.isWaiting))
      for (const member of world.members) member.crash()
      world.startAll()
      settle(world)
      assert.equal(a.peer?.state.tree.find('/e'), undefined)
    },
  },
  {
    origin: 'ZOOKEEPER-710, ZOOKEEPER-2886',
    title: 'a session that has moved is where it moved to, whatever its old host still sends',
    mutants: ['X19', 'X20'],
    play() {
      const world = worldOf(durable(3), { latencyMs: 2 })
      const leader = startAndServe(world)
      const [a, b] = others(world, leader) as [SimMember, SimMember]
      writeAt(world, a, 1)
      world.network.hold(a, leader, 'request')
      const session = world.sessions[0]
      assert.ok(session !== undefined)
      const { id, passwordHash, timeoutMs } = session
      // The old host says once more that the session is here, and writes; both arrive after the move.
      a.receive({
        type: 'request',
        requests: [{ type: 'attachSession', session: id, passwordHash, timeoutMs, generation: 1 }],
      })
      submitAt(world, a, 1)
      world.runFor(20)
      b.host.act({ at: 0, member: 'b', do: 'move', session: 0 })
      assert.ok(world.runFor(3000, () => session.state === 'open' && session.host === b.host && !b.host.isWaiting))
      world.network.release(a, leader)
      world.runFor(50)
      submitAt(world, b, 2)
      assert.ok(world.runFor(5000, () => !b.host.isWaiting))
      assert.equal(session.state, 'open')
      assert.equal(leader.peer?.state.sessions.get(id)?.generation, 2)
      settle(world)
    },
  },
  {
    origin: 'etcd#17425',
    title: 'a deposed leader that wakes up with expiries due ends no session',
    mutants: [],
    play() {
      const world = worldOf(durable(3), { sessionTimeoutsMs: [3000] })
      const leader = startAndServe(world)
      const [a] = others(world, leader) as [SimMember]
      a.host.openSession(3000)
      assert.ok(world.runFor(3000, () => !a.host.isWaiting))
      const session = world.sessions[0]
      leader.pause()
      isolate(world, leader)
      world.runFor(9000)
      leader.resume()
      world.runFor(30)
      world.network.heal()
      world.runFor(4000)
      assert.equal(session?.state, 'open')
      settle(world)
    },
  },
  {
    origin: 'kafkajs#1616',
    title: 'a leader whose process stood still blames no session for it: what was on its way counts',
    mutants: ['M66'],
    play() {
      for (let seed = 1; seed <= 6; seed += 1) {
        const world = worldOf(durable(3), { seed, sessionTimeoutsMs: [1000] })
        const leader = startAndServe(world)
        const [a] = others(world, leader) as [SimMember]
        for (const member of [a, leader]) {
          member.host.openSession(1000)
          assert.ok(world.runFor(3000, () => !member.host.isWaiting))
        }
        world.runFor(seed * 61)
        world.network.hold(a, leader, 'heartbeat')
        leader.pause()
        world.runFor(1500)
        leader.resume()
        world.runFor(20)
        world.network.release(a, leader)
        world.runFor(2000)
        for (const { state } of world.sessions) assert.equal(state, 'open')
        settle(world)
      }
    },
  },
  {
    origin: 'etcd#20616',
    title: 'who asks to keep a session alive whose end is in the log is told that it ends',
    mutants: ['X46'],
    play() {
      const world = worldOf(durable(3), { latencyMs: 1, sessionTimeoutsMs: [1000] })
      const leader = startAndServe(world)
      const [slowA, slowB] = others(world, leader) as [SimMember, SimMember]
      slowA.host.openSession(1000)
      assert.ok(world.runFor(3000, () => !slowA.host.isWaiting))
      const session = world.sessions[0]
      assert.ok(session !== undefined)
      session.isSilent = true
      for (const member of [slowA, slowB]) member.diskStalledUntil = world.now + 3500
      // The expiry is proposed, and cannot be committed yet.
      const isProposed = (): boolean =>
        leader.log.some(({ requests }) => requests.some(({ type }) => type === 'expireSession'))
      assert.ok(world.runFor(3000, isProposed))
      session.isSilent = false
      world.runFor(700)
      const confirmed = world.sessions[0]?.state
      settle(world)
      assert.ok(confirmed !== undefined)
      assert.equal(session.state, 'over')
    },
  },
  {
    origin: 'ZooKeeper, rollbackPendingChanges',
    title: 'a multi that fails leaves nothing behind: no node, no counter, no data',
    mutants: ['M42', 'M42b'],
    play() {
      const world = worldOf(durable(3))
      startAndServe(world)
      const [a] = world.members as [SimMember]
      writeAt(world, a, 1)
      const bytes = new Uint8Array([1])
      a.host.write({ type: 'create', path: '/m', data: bytes, mode: 'persistent' })
      a.host.write({
        type: 'multi',
        operations: [
          { type: 'create', path: '/m/x-', data: bytes, mode: 'persistent-sequential' },
          { type: 'setData', path: '/m', data: bytes, version: 0 },
          { type: 'setData', path: '/m', data: bytes, version: 1 },
          { type: 'delete', path: '/nowhere', version: -1 },
        ],
      })
      a.host.write({ type: 'create', path: '/m/x-', data: bytes, mode: 'persistent-sequential' })
      assert.ok(world.runFor(3000, () => !a.host.isWaiting))
      settle(world)
      assert.deepEqual(a.peer?.state.tree.getChildren('/m')?.children, ['x-0000000000'])
      assert.equal(a.peer?.state.tree.stat('/m')?.version, 0)
    },
  },
]
