/** What must happen in named situations, told with the world of the simulator. */
import assert from 'node:assert/strict'
import type { Following } from '../../lib/core/zab/roles.ts'
import { zxidPlus, zxidZero } from '../../lib/core/zab/zxid.ts'
import type { CoreWorld, WorldOptions } from './core-world.ts'
import { invariantNames } from './invariants/index.ts'
import { settle } from './run-seed.ts'
import type { MemberSpec, SimMember } from './sim-member.ts'
import { specsOf } from './specs.ts'
import {
  durable,
  epochIn,
  foundersOf,
  isolate,
  others,
  relist,
  startAndServe,
  startFounders,
  submitAt,
  volatile,
  votersOf,
  worldOf,
  writeAt,
} from './stage.ts'

describe('core scenarios', () => {
  describe('states that differ', () => {
    it('are compared of those alone that report a digest', () => {
      const world = worldOf(durable(3))
      const leader = startAndServe(world)
      const [wrong] = others(world, leader) as [SimMember]
      Object.defineProperty(wrong.peer?.state, 'history', { value: undefined })
      wrong.diverge()
      writeAt(world, leader, 3)
      world.runFor(2000)
      assert.ok(wrong.isDiverged)
      assert.ok(world.isServing())
      assert.equal(world.marks.get('divergence.diverged'), undefined)
    })
  })

  describe('founding', () => {
    it('takes three founders to their first write', () => {
      const world = worldOf(durable(3))
      startAndServe(world)
      for (const member of world.members) writeAt(world, member)
      settle(world)
    })

    it('survives a crash of each founder at each step', () => {
      for (const isDurable of [true, false]) {
        for (const name of ['a', 'b', 'c']) {
          for (let steps = 1; steps <= 30; steps += 1) {
            const world = worldOf(
              specsOf(3, 0, () => isDurable),
              { seed: steps },
            )
            world.startAll()
            world.member(name).crashAfterSteps = steps
            world.runFor(300, () => !world.member(name).isUp)
            if (world.member(name).isUp) break
            if (!isDurable && world.members.some(({ peer }) => peer?.zab.belonging.presence === 'member')) break
            world.runFor(100)
            world.member(name).start()
            settle(world)
          }
        }
      }
    })

    it('begins anew where all but one have forgotten', () => {
      let reached = 0
      for (let seed = 1; seed <= 20; seed += 1) {
        const world = worldOf(volatile(3), { seed, latencyMs: 20 })
        world.startAll()
        const survivor = world.members.find((_, index) => index === seed % 3) as SimMember
        world.runFor(3000, () => survivor.peer?.zab.belonging.presence === 'founded')
        const isEarly = world.members.every(({ peer }) => {
          const role = peer?.zab.role
          return role?.name !== 'leading' || role.phase === 'discovery'
        })
        if (!isEarly) continue
        reached += 1
        for (const other of others(world, survivor)) other.crash()
        world.runFor(50)
        for (const other of others(world, survivor)) other.start()
        settle(world)
      }
      assert.ok(reached > 5)
    })

    it('refuses founders with different lists', () => {
      const specs = durable(3).map((spec) =>
        spec.name === 'b'
          ? { ...spec, founders: spec.founders.filter((address) => !address.startsWith('host-c')) }
          : spec,
      )
      const world = worldOf(specs)
      world.startAll()
      assert.ok(!world.runFor(10_000, () => world.leader !== undefined))
      assert.ok(world.member('a').refusals.includes('COORD_FOUNDERS_DIFFER'))
    })
  })

  describe('election', () => {
    it('does not depose a leader in a partial partition', () => {
      const world = worldOf(durable(3))
      const leader = startAndServe(world)
      const epoch = epochIn(world)
      const [cut, linked] = others(world, leader) as [SimMember, SimMember]
      isolate(world, cut, [leader])
      world.runFor(10_000)
      writeAt(world, linked, 5)
      assert.equal(world.leader, leader)
      assert.equal(epochIn(world), epoch)
      assert.equal(cut.status?.serving, false)
      world.network.heal()
      settle(world)
      assert.equal(epochIn(world), epoch)
    })

    it('lets an isolated member return without a disturbance', () => {
      const world = worldOf(durable(3))
      const leader = startAndServe(world)
      const epoch = epochIn(world)
      const [cut, linked] = others(world, leader) as [SimMember, SimMember]
      isolate(world, cut)
      world.runFor(60_000)
      writeAt(world, linked, 5)
      world.network.heal()
      settle(world)
      assert.equal(world.leader, leader)
      assert.equal(epochIn(world), epoch)
    })

    it('makes an isolated leader step down, and acknowledge nothing', () => {
      const world = worldOf(durable(3))
      const leader = startAndServe(world)
      writeAt(world, leader)
      isolate(world, leader)
      const before = world.clients.acknowledgedCount
      submitAt(world, leader, 3)
      const { syncLimitMs } = world.options.timing
      world.runFor(syncLimitMs + 500)
      assert.equal(leader.status?.serving, false)
      assert.equal(world.clients.acknowledgedCount, before)
      world.runFor(3000)
      assert.notEqual(world.leader, undefined)
      assert.notEqual(world.leader, leader)
      world.network.heal()
      settle(world)
      assert.equal(world.clients.acknowledgedCount, before + 3)
    })

    it('is not blocked by a voter that is ahead and reaches no quorum', () => {
      const world = worldOf(durable(5))
      const leader = startAndServe(world)
      writeAt(world, leader)
      isolate(world, leader)
      submitAt(world, leader, 3)
      world.runFor(500)
      for (const member of world.members) member.crash()
      world.network.heal()
      const [friend, ...rest] = others(world, leader) as [SimMember, ...SimMember[]]
      isolate(world, leader, rest)
      world.startAll()
      assert.ok(world.runFor(10_000, () => world.isServing([friend, ...rest])))
      world.network.heal()
      settle(world)
    })

    it('burns the epoch of a leader that dies before it is established', () => {
      for (let steps = 1; steps <= 40; steps += 1) {
        const world = worldOf(durable(3), { seed: steps })
        const leader = startAndServe(world)
        writeAt(world, leader, 3)
        for (const member of world.members) member.crash()
        world.startAll()
        const best = world.members.at(-1) as SimMember
        best.crashAfterSteps = steps
        world.runFor(500)
        best.crashAfterSteps = undefined
        best.start()
        settle(world)
      }
    })

    it('refuses an epoch that it has promised to another leader', () => {
      const world = worldOf(durable(3), { isChoppy: true }, { without: ['PossibleMessages'] })
      const leader = startAndServe(world)
      const [follower] = others(world, leader) as [SimMember]
      follower.crash()
      follower.start()
      const roleOf = (): Following | undefined => {
        const role = follower.peer?.zab.role
        return role?.name === 'following' ? role : undefined
      }
      assert.ok(world.runFor(2000, () => roleOf() !== undefined))
      const { accepted } = follower.peer?.zab.epochs ?? { accepted: 0 }
      const message = { type: 'newEpoch', attempt: roleOf()?.attempt ?? 0, epoch: accepted - 1 } as const
      follower.receive({ type: 'message', from: leader.id, message })
      settle(world)
      assert.ok(world.marks.has('discovery.promisedElsewhere'))
      assert.equal(follower.peer?.zab.epochs.accepted, accepted)
    })

    it('goes to the next epoch in time, without an election', () => {
      const world = worldOf(durable(3), { counterLast: 5 })
      const leader = startAndServe(world)
      const epoch = epochIn(world)
      for (let round = 0; round < 10; round += 1) for (const member of world.members) writeAt(world, member, 3)
      assert.equal(world.leader, leader)
      assert.ok(epochIn(world) > epoch + 5)
      assert.equal(new Set([...world.history.leaders.values()].flatMap((ids) => [...ids])).size, 1)
      settle(world)
    })

    it('LG18: hands leadership over when the leader’s store hangs, and costs nothing when a follower’s does', () => {
      for (const victim of ['leader', 'follower']) {
        for (let seed = 1; seed <= 10; seed += 1) {
          const world = worldOf(durable(3), { seed })
          const leader = startAndServe(world)
          const [follower, other] = others(world, leader) as [SimMember, SimMember]
          writeAt(world, other)
          const slow = victim === 'leader' ? leader : follower
          slow.diskStalledUntil = world.now + 30_000
          const epoch = epochIn(world)
          if (victim === 'leader') {
            submitAt(world, leader, 1)
            assert.ok(world.runFor(10_000, () => leader.status?.role !== 'leading'))
            assert.ok(world.marks.has('transfer.storeHangs'))
          }
          const healthy = world.members.filter((member) => member !== slow)
          assert.ok(world.runFor(5000, () => world.isServing(healthy)))
          for (const member of healthy) writeAt(world, member, 3)
          world.runFor(10_000)
          assert.ok(world.isServing(healthy), 'nor does the member whose store hangs disturb')
          if (victim === 'follower') assert.equal(epochIn(world), epoch)
          assert.ok(slow.diskStalledUntil > world.now)
          settle(world)
        }
      }
    })

    it('LG18: goes on without a would-be leader whose store hangs', () => {
      for (let seed = 1; seed <= 10; seed += 1) {
        const world = worldOf(durable(3), { seed })
        const first = startAndServe(world)
        const [next, other] = others(world, first) as [SimMember, SimMember]
        for (const member of [next, other]) writeAt(world, member)
        first.crash()
        next.diskStalledUntil = world.now + 30_000
        first.start()
        assert.ok(world.runFor(20_000, () => world.isServing([first, other])))
        settle(world)
      }
    })
  })

  describe('synchronization', () => {
    const boundaries = 45

    /** The same story again and again, with a crash of one member after each of its steps. */
    function crashAtEachStep(
      mark: string,
      more: Partial<WorldOptions>,
      prepare: (world: CoreWorld, leader: SimMember) => SimMember,
    ): void {
      let reached = 0
      for (let steps = 1; steps <= boundaries; steps += 1) {
        const world = worldOf(durable(3), { seed: steps, isChoppy: true, ...more })
        const leader = startAndServe(world)
        const member = prepare(world, leader)
        member.start()
        member.crashAfterSteps = steps
        world.network.heal()
        world.runFor(2000, () => !member.isUp)
        member.crashAfterSteps = undefined
        member.start()
        settle(world)
        if (world.marks.has(mark)) reached += 1
      }
      assert.ok(reached > boundaries / 2, `${mark} was reached ${reached} times`)
    }

    it('survives a crash at each step of a DIFF', () => {
      crashAtEachStep('sync.diff', {}, (world, leader) => {
        const [follower, other] = others(world, leader) as [SimMember, SimMember]
        writeAt(world, other, 2)
        follower.crash()
        writeAt(world, other, 12)
        return follower
      })
    })

    it('survives a crash at each step of a TRUNC', () => {
      crashAtEachStep('sync.truncated', {}, (world, leader) => {
        writeAt(world, leader, 2)
        isolate(world, leader)
        submitAt(world, leader, 4)
        world.runFor(500)
        leader.crash()
        world.runFor(4000)
        writeAt(world, world.leader as SimMember, 4)
        return leader
      })
    })

    it('survives a crash at each step of a snapshot', () => {
      const tail = { entries: 0, bytes: 0 }
      crashAtEachStep('sync.snapshot', { tail, chunkBytesMax: 1 }, (world, leader) => {
        const [follower, other] = others(world, leader) as [SimMember, SimMember]
        writeAt(world, other, 2)
        follower.crash()
        writeAt(world, other, 12)
        return follower
      })
    })

    it('sends the rest of a snapshot to whoever comes back after its link was reset', () => {
      let resumed = 0
      for (let seed = 1; seed <= 20; seed += 1) {
        const tail = { entries: 0, bytes: 0 }
        const world = worldOf(durable(3), { seed, isChoppy: true, tail, chunkBytesMax: 1, latencyMs: 5 })
        const leader = startAndServe(world)
        const [follower, other] = others(world, leader) as [SimMember, SimMember]
        follower.crash()
        writeAt(world, other, 30)
        follower.start()
        const hasSome = (): boolean => (follower.peer?.zab.reception?.chunks ?? 0) >= seed
        assert.ok(world.runFor(2000, hasSome))
        world.network.reset(follower, leader)
        // What is written meanwhile is behind the snapshot.
        submitAt(world, other, 3)
        settle(world)
        if (world.marks.has('sync.snapshotResumed')) resumed += 1
      }
      assert.ok(resumed >= 10, `${resumed} of 20 went on where they were`)
    })

    it('sends one snapshot to several learners at once, and to who comes late the next one', () => {
      for (let seed = 1; seed <= 4; seed += 1) {
        const tail = { entries: 0, bytes: 0 }
        const world = worldOf(
          specsOf(3, 3, () => true),
          { seed, tail, chunkBytesMax: 1, latencyMs: 5 },
        )
        const leader = startFounders(world, 3)
        writeAt(world, leader, 150)
        const [late, ...early] = world.members.slice(3) as SimMember[]
        for (const member of early) member.start()
        world.runFor(2000, () => (leader.peer?.zab.stream?.dropped ?? 0) > 0)
        late?.start()
        world.network.reset(early[0] as SimMember, leader)
        submitAt(world, leader, 10)
        settle(world)
        assert.ok(world.marks.has('sync.snapshotAwaited'))
      }
    })

    it('does not wait for a learner that stands still in the middle of a snapshot', () => {
      const tail = { entries: 0, bytes: 0 }
      const world = worldOf(
        specsOf(3, 2, () => true),
        { tail, chunkBytesMax: 1, latencyMs: 5 },
      )
      const leader = startFounders(world, 3)
      writeAt(world, leader, 40)
      const [slow, other] = world.members.slice(3) as [SimMember, SimMember]
      slow.start()
      world.runFor(2000, () => (leader.peer?.zab.stream?.dropped ?? 0) > 0)
      slow.pause()
      other.start()
      assert.ok(world.runFor(10_000, () => other.peer?.status.serving === true))
      slow.resume()
      settle(world)
    })

    it('asks for a snapshot when a synchronization does not fit', () => {
      const world = worldOf(durable(3), { isChoppy: true }, { without: ['PossibleMessages'] })
      const leader = startAndServe(world)
      const [follower, other] = others(world, leader) as [SimMember, SimMember]
      follower.crash()
      writeAt(world, other, 3)
      follower.start()
      assert.ok(world.runFor(2000, () => follower.peer?.zab.role.name === 'following'))
      assert.ok(
        world.runFor(2000, () => {
          const role = follower.peer?.zab.role
          return role?.name === 'following' && role.epoch !== undefined
        }),
      )
      const after = zxidPlus(follower.peer?.zab.log.last ?? zxidZero, 1)
      follower.receive({ type: 'message', from: leader.id, message: { type: 'diff', after, entries: 0 } })
      settle(world)
      assert.ok(world.marks.has('sync.wantSnapshot'))
    })

    it('never applies a proposal after a gap', () => {
      const world = worldOf(durable(3), {}, { without: ['PossibleMessages'] })
      const leader = startAndServe(world)
      const [follower, other] = others(world, leader) as [SimMember, SimMember]
      writeAt(world, other, 3)
      const batch = leader.log.at(-1)
      assert.ok(batch !== undefined)
      const wrong = { ...batch, first: zxidPlus(batch.first, 2), previous: zxidPlus(batch.first, 1) }
      const message = { type: 'propose', batch: wrong, committed: wrong.first } as const
      follower.receive({ type: 'message', from: leader.id, message })
      world.runFor(100)
      assert.equal(world.marks.get('broadcast.hole'), 1)
      settle(world)
    })
  })

  describe('power cuts', () => {
    it('keeps what was acknowledged when all lose power at once', () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const world = worldOf(durable(3), { seed, diskMs: 5 })
        startAndServe(world)
        for (const member of world.members) submitAt(world, member, 5)
        world.runFor(seed)
        for (const member of world.members) member.crash()
        world.runFor(10)
        world.startAll()
        settle(world)
      }
    })
  })

  describe('members that forget', () => {
    it('does not elect without the voters that remember', () => {
      const specs = volatile(3).map((spec) => ({ ...spec, isDurable: spec.name === 'a' }))
      for (let seed = 1; seed <= 10; seed += 1) {
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
        assert.ok(!world.runFor(30_000, () => world.leader !== undefined), 'no leader')
        a.start()
        settle(world)
        assert.ok(votersOf(a).includes(b.id))
      }
    })

    it('seats a member that forgot in the place of its predecessor', () => {
      const world = worldOf(volatile(3))
      const leader = startAndServe(world)
      writeAt(world, leader, 3)
      for (const member of others(world, leader)) {
        const before = member.id
        member.crash()
        world.runFor(100)
        member.start()
        assert.notEqual(member.id, before)
        assert.ok(world.runFor(10_000, () => votersOf(leader).includes(member.id) && world.isServing()))
        assert.ok(!votersOf(leader).includes(before))
        world.runFor(1000)
      }
      settle(world)
    })

    it('refuses a newcomer whose name a live voter has, and seats it when that one is gone', () => {
      const founders = volatile(3)
      const newcomer: MemberSpec = { name: 'x', alias: 'c', address: 'host-x:1', isDurable: false, founders: [] }
      const world = worldOf([...founders, newcomer])
      const [a, b, c, x] = world.members as [SimMember, SimMember, SimMember, SimMember]
      for (const member of [a, b, c]) member.start()
      world.runFor(5000, () => world.isServing([a, b, c]))
      const voters = votersOf(a)
      x.start()
      assert.ok(world.runFor(10_000, () => x.refusals.includes('COORD_NAME_IN_USE')))
      assert.deepEqual(votersOf(a), voters)
      c.crash()
      assert.ok(world.runFor(20_000, () => votersOf(a).includes(x.id) && votersOf(b).includes(x.id)))
      assert.ok(!votersOf(a).includes(c.id))
    })

    it('never gives the seat of the last founder to another address', () => {
      const impostor: MemberSpec = { name: 'x', alias: 'a', address: 'host-x:1', isDurable: true, founders: [] }
      const second: MemberSpec = { name: 'y', alias: 'b', address: 'host-y:1', isDurable: true, founders: [] }
      const third: MemberSpec = { name: 'z', alias: 'c', address: 'host-z:1', isDurable: true, founders: [] }
      const world = worldOf([...durable(3), impostor, second, third])
      const [a, b, c, ...newcomers] = world.members as [SimMember, SimMember, SimMember, ...SimMember[]]
      for (const member of [a, b, c]) member.start()
      world.runFor(5000, () => world.isServing([a, b, c]))
      for (const newcomer of newcomers) newcomer.start()
      world.runFor(1000)
      for (const member of [c, b, a]) {
        member.crash()
        world.runFor(10_000)
      }
      const founders = world.members.filter(({ id }) => votersOf(newcomers[0] as SimMember).includes(id))
      assert.deepEqual(founders.filter((member) => member === a).length, 1)
      assert.equal(world.leader, undefined)
      a.start()
      assert.ok(world.runFor(10_000, () => world.leader !== undefined))
    })

    it('tells a newcomer that it has the name of the last founder', () => {
      const impostor: MemberSpec = { name: 'x', alias: 'a', address: 'host-x:1', isDurable: true, founders: [] }
      const world = worldOf([...durable(1), impostor])
      const [a, x] = world.members as [SimMember, SimMember]
      world.startAll()
      assert.ok(world.runFor(10_000, () => x.refusals.includes('COORD_NAME_IN_USE')))
      assert.deepEqual(votersOf(a), [a.id])
    })

    it('listens to nobody of another ensemble', () => {
      // Two ensembles of one founder each that see each other: what is true of one history is not of the other.
      const specs = durable(2).map((spec) => ({ ...spec, founders: [spec.address] }))
      const world = worldOf(specs, {}, { without: [...invariantNames(), 'Leadership'] })
      const [a, b] = world.members as [SimMember, SimMember]
      const serves = (member: SimMember): boolean => member.status?.serving === true
      world.startAll()
      assert.ok(world.runFor(5000, () => serves(a) && serves(b)))
      const { cluster } = b.status as { readonly cluster: string }
      for (const member of [b, a]) {
        member.crash()
        world.runFor(500)
        member.start()
        assert.ok(world.runFor(5000, () => serves(member)))
        world.runFor(1000)
        assert.equal(member.status?.leader?.id, member.id)
      }
      assert.equal(b.status?.cluster, cluster)
      assert.notEqual(a.status?.cluster, cluster)
    })

    it('lets a voter that was only paused go on as it was', () => {
      const world = worldOf(volatile(3))
      const leader = startAndServe(world)
      const [paused, other] = others(world, leader) as [SimMember, SimMember]
      paused.pause()
      world.runFor(3_600_000)
      writeAt(world, other, 3)
      paused.resume()
      settle(world)
      assert.ok(!world.marks.has('membership.replaced'))
    })
  })

  describe('changes of the configuration', () => {
    it('elects without a voter that is to lose its vote and is ahead', () => {
      let met = 0
      for (let seed = 1; seed <= 10; seed += 1) {
        const world = worldOf(
          specsOf(3, 1, () => true),
          { seed, seats: 3 },
        )
        const leader = startAndServe(world)
        const newcomer = world.member('d')
        const [keeper, loser] = others(world, leader).filter((member) => member !== newcomer) as [SimMember, SimMember]
        writeAt(world, leader)
        leader.ask({
          kind: 'change',
          add: [
            { name: loser.name, role: 'observer' },
            { name: 'd', role: 'voter' },
          ],
          remove: [],
          seats: undefined,
        })
        const isIn = (member: SimMember): boolean => votersOf(member).includes(newcomer.id)
        const isPendingAt = (member: SimMember): boolean =>
          isIn(member) && member.peer?.zab.configurations.pending !== undefined
        // Now and then the header comes in the same turn.
        if (!world.runFor(5000, () => isPendingAt(keeper))) continue
        // The next header reaches the one that loses its vote, and so does what comes after it.
        world.network.block(leader, keeper)
        world.network.block(leader, newcomer)
        const isSettled = (): boolean => isIn(loser) && !isPendingAt(loser)
        if (!world.runFor(1000, isSettled)) continue
        leader.crash()
        world.network.heal()
        assert.ok(
          world.runFor(10_000, () => world.isServing([keeper, loser, newcomer])),
          `seed ${seed}: they go on without the leader`,
        )
        met += world.marks.get('discovery.bystander') ?? 0
        leader.start()
        settle(world)
      }
      assert.ok(met > 0, 'with one that was ahead')
    })

    it('takes back a change whose new voters are gone before it is committed', () => {
      const world = worldOf(specsOf(1, 2, () => false).map((spec) => ({ ...spec, isDurable: spec.name === 'a' })))
      world.startAll()
      const [a, b, c] = world.members as [SimMember, SimMember, SimMember]
      const isGrowing = (): boolean => votersOf(a).length === 3 && a.peer?.zab.configurations.active.length === 2
      assert.ok(world.runFor(10_000, isGrowing))
      b.crash()
      c.crash()
      assert.ok(world.runFor(20_000, () => votersOf(a).length === 1 && world.isServing([a])))
      assert.equal(world.marks.get('membership.givenUp'), 1)
      writeAt(world, a)
      b.start()
      c.start()
      assert.ok(world.runFor(20_000, () => votersOf(a).length === 3))
      settle(world)
    })

    it('changes the list of founders, one address at a time', () => {
      const world = worldOf(
        specsOf(3, 1, () => true),
        { seats: 3 },
      )
      const [a, b, c, d] = world.members as [SimMember, SimMember, SimMember, SimMember]
      for (const member of [a, b, c]) member.start()
      assert.ok(world.runFor(5000, () => world.isServing([a, b, c])))
      const list = [b, c, d].map(({ spec }) => spec.address)
      for (const member of [b, c, d]) {
        relist(member, list)
        member.crash()
        member.start()
        assert.notDeepEqual(foundersOf(c), list)
        assert.ok(world.runFor(10_000, () => world.isServing()))
      }
      assert.ok(world.runFor(10_000, () => foundersOf(b).join() === list.join()))
      // Without the old one, and with the new one in its place, there is a quorum and a founder.
      a.crash()
      assert.ok(world.runFor(20_000, () => votersOf(b).includes(d.id)))
      for (const member of [b, c]) writeAt(world, member)
    })

    it('grows a list of one founder to three, and shrinks it again', () => {
      const world = worldOf(specsOf(1, 2, () => true))
      startAndServe(world)
      const [a, b, c] = world.members as [SimMember, SimMember, SimMember]
      for (const founders of [[a, b, c], [a]]) {
        const list = founders.map(({ spec }) => spec.address)
        for (const member of world.members) {
          if (founders.includes(member)) relist(member, list)
          member.crash()
          member.start()
          assert.ok(world.runFor(10_000, () => world.isServing()))
        }
        if (founders.length === 1) {
          a.crash()
          a.start()
        }
        assert.ok(
          world.runFor(10_000, () => world.isServing() && foundersOf(a).join() === list.join()),
          list.join(),
        )
      }
      settle(world)
    })

    it('makes a member of one version wait for the others before it evaluates as they cannot', () => {
      const specs = specsOf(3, 1, () => true).map((spec) => ({ ...spec, features: spec.name === 'c' ? 1 : 2 }))
      const world = worldOf(specs)
      const [a, b, c] = world.members as [SimMember, SimMember, SimMember]
      for (const member of [a, b, c]) member.start()
      assert.ok(world.runFor(5000, () => world.isServing([a, b, c])))
      const level = (): number | undefined => a.peer?.zab.configurations.latest?.configuration.features
      world.runFor(20_000)
      assert.equal(level(), 1)
      c.crash()
      Object.assign(c.spec, { features: 2 })
      c.start()
      assert.ok(world.runFor(10_000, () => level() === 2))
      // Who comes with the version of before is refused, and told why.
      const late = world.member('d')
      Object.assign(late.spec, { features: 1 })
      late.start()
      assert.ok(world.runFor(10_000, () => late.refusals.includes('COORD_PROTOCOL')))
      writeAt(world, b)
    })
  })
})
