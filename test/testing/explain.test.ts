/** What a member says of itself: why nobody leads, who is missing, who lags, why a session was lost; and its diagnostics. */
import assert from 'node:assert/strict'
import { type Channel, channel } from 'node:diagnostics_channel'
import type { Coord, Diagnostics } from '../../lib/index.ts'
import { joinEnsemble } from '../../lib/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { freePorts } from '../free-ports.ts'
import { addressAt, until } from '../join/fixture.ts'

/** `name: why` of each who is missing, sorted. */
const missingOf = (coord: Pick<Coord, 'explain'>): string[] =>
  coord
    .explain()
    .missing.map(({ name, why }) => `${name}: ${why}`)
    .sort()

describe('explain()', () => {
  it('of an ensemble that is well says so, and can be sent', async () => {
    await using ensemble = await createTestEnsemble({ seed: 1 })
    for (const coord of ensemble.coords) {
      const { noLeader, missing, lagging, serving, state, lostSession, reason } = coord.explain()
      assert.deepEqual([noLeader, missing, lagging, serving, state], [undefined, [], [], true, 'connected'])
      assert.equal(lostSession, undefined)
      assert.equal(reason, 'a quorum serves this member')
      assert.doesNotThrow(() => JSON.stringify(coord.explain()))
    }
  })

  it('says who is missing, with and without a quorum', async () => {
    await using ensemble = await createTestEnsemble({ seed: 2 })
    const [a, b, c] = ensemble.coords
    ensemble.crash(c)
    await ensemble.advance(5000)
    assert.deepEqual(missingOf(a), ['c: unreachable'])
    assert.equal(a.explain().noLeader, undefined)
    ensemble.crash(b)
    await ensemble.advance(5000)
    const { noLeader, reason, missing, role } = a.explain()
    assert.deepEqual([noLeader, role], ['noQuorum', 'looking'])
    assert.match(reason, /too few voters are reachable; voter b \(.*\) is not reachable: .*; voter c/)
    assert.ok(missing.every(({ isVoter, failure }) => isVoter && failure !== undefined))
  })

  it('tells a partition from a member that took leave, and from one that forgot', async () => {
    await using ensemble = await createTestEnsemble({ seed: 3 })
    const [a, b, c] = ensemble.coords
    ensemble.partition([a], [b, c])
    await ensemble.advance(5000)
    assert.deepEqual(missingOf(a), ['b: unreachable', 'c: unreachable'])
    ensemble.heal()
    await ensemble.advance(5000)
    await c.close()
    await ensemble.advance(200)
    assert.deepEqual(missingOf(a), ['c: left'])
    ensemble.crash(b)
    void ensemble.restart(b).catch(() => {})
    void ensemble.restart(c).catch(() => {})
    await ensemble.advance(10_000)
    assert.equal(a.explain().noLeader, 'majorityLost')
    assert.match(a.explain().reason, /came back without its memory/)
    assert.deepEqual(missingOf(a), ['b: lostMemory', 'c: lostMemory'])
  })

  it('says that every quorum includes a founder', async () => {
    await using ensemble = await createTestEnsemble<number>({ size: 1, seed: 4 })
    const [a] = ensemble.coords as [Coord]
    const b = await ensemble.join()
    const c = await ensemble.join()
    for (let round = 0; round < 100 && c.member.role !== 'follower'; round++) await ensemble.advance(200)
    ensemble.crash(a)
    await ensemble.advance(5000)
    assert.equal(b.explain().noLeader, 'noFounder')
  })

  it('says who lags', async () => {
    await using ensemble = await createTestEnsemble({ seed: 5, durable: true })
    const leader = ensemble.coords.find(({ member }) => member.role === 'leader') as (typeof ensemble.coords)[0]
    const slow = ensemble.coords.find((coord) => coord !== leader) as typeof leader
    ensemble.slowDisk(slow, 1500)
    await leader.create('/a')
    await Promise.all(Array.from({ length: 9 }, () => leader.setData('/a', new Uint8Array(1))))
    await ensemble.advance(300)
    const [lag, ...more] = leader.explain().lagging
    assert.deepEqual(more, [])
    assert.deepEqual([lag?.name, lag?.why], [slow.member.name, 'behind'])
    assert.ok((lag?.entries ?? 0) >= 9, `${lag?.entries}`)
    await ensemble.advance(10_000)
    assert.deepEqual(leader.explain().lagging, [])
  })

  it('of a founder alone names the others; of a coord that is closed says that', async () => {
    const ports = await freePorts(2)
    const [port] = ports as [number, number]
    const coord = await joinEnsemble({ listen: { port }, peers: ports.map(addressAt), waitFor: 'start' })
    await until('the dial has failed', () => coord.explain().missing[0]?.failure !== undefined, 60_000)
    const { noLeader, missing, reason } = coord.explain()
    assert.equal(noLeader, 'noEnsemble')
    assert.equal(missing[0]?.name, undefined)
    assert.match(reason, /the founder at ws:.* is not reachable: /)
    await coord.close()
    assert.equal(coord.explain().noLeader, 'closed')
  })
})

describe('a session that was lost', () => {
  it('by a stall says how long its process stood still', async () => {
    await using ensemble = await createTestEnsemble({ seed: 6, sessionTimeoutMs: 3000 })
    const stalled = ensemble.coords.find(({ member }) => member.role === 'follower') as (typeof ensemble.coords)[0]
    const { id } = stalled.session
    const warnings: string[] = []
    stalled.member.on('warning', (message) => warnings.push(message))
    await ensemble.advance(1)
    // What was to be told before is not what this is about.
    warnings.length = 0
    const reasons: string[] = []
    stalled.on('state', (next, _previous, reason) => {
      if (next === 'lost') reasons.push(reason)
    })
    ensemble.pause(stalled, 4200)
    await ensemble.advance(15_000)
    const { lostSession } = stalled.explain()
    assert.equal(lostSession?.cause, 'stall')
    assert.equal(lostSession?.id, id)
    assert.ok((lostSession?.durationMs ?? 0) > 3000 && (lostSession?.durationMs ?? 0) <= 4200)
    assert.equal(reasons.length, 1)
    assert.match(reasons[0] ?? '', /this process stood still for [34]\.\d s/)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /stood still for [34]\.\d s/)
    assert.ok(JSON.stringify(stalled.explain()).includes(`"${id}"`))
  })

  it('by a partition says for how long no quorum served it', async () => {
    await using ensemble = await createTestEnsemble({ seed: 7, sessionTimeoutMs: 3000 })
    const [a, b, c] = ensemble.coords
    const { session } = a
    ensemble.partition([a], [b, c])
    await ensemble.advance(15_000)
    const { lostSession } = a.explain()
    assert.equal(lostSession?.cause, 'partition')
    assert.equal(lostSession?.by, 'host')
    assert.ok((lostSession?.durationMs ?? 0) > 500, `${lostSession?.durationMs}`)
    assert.deepEqual(session.loss?.cause, 'partition')
  })

  it('by the leader alone says that', async () => {
    await using ensemble = await createTestEnsemble({ seed: 8 })
    const [a] = ensemble.coords
    ensemble.expireSession(a)
    await ensemble.advance(1000)
    const { cause, by, durationMs } = a.explain().lostSession ?? {}
    assert.deepEqual([cause, by, durationMs], ['expired', 'leader', undefined])
  })

  it('to somebody else says that', async () => {
    await using ensemble = await createTestEnsemble({ seed: 9 })
    const [a, b] = ensemble.coords
    const session = await a.openSession()
    const { id, password } = session
    await ensemble.until(b.openSession({ attach: { id, password } }))
    await ensemble.advance(1000)
    assert.equal(session.loss?.cause, 'takenOver')
  })
})

/** Gathers what a channel tells, of members in this process. */
class Tap<N extends keyof Diagnostics> {
  readonly messages: Diagnostics[N][] = []
  readonly #channel: Channel
  readonly #onMessage = (message: unknown): void => void this.messages.push(message as Diagnostics[N])

  constructor(name: N) {
    this.#channel = channel(name)
    this.#channel.subscribe(this.#onMessage)
  }

  [Symbol.dispose](): void {
    this.#channel.unsubscribe(this.#onMessage)
  }
}

describe('diagnostics', () => {
  it('tell of roles, elections, sessions, members and stores', async () => {
    using roles = new Tap('embedded-coord:role')
    using elections = new Tap('embedded-coord:election')
    using sessions = new Tap('embedded-coord:session')
    using members = new Tap('embedded-coord:member')
    using storage = new Tap('embedded-coord:storage')
    await using ensemble = await createTestEnsemble({ seed: 10, durable: true, sessionTimeoutMs: 3000 })
    const leader = ensemble.coords.find(({ member }) => member.role === 'leader') as (typeof ensemble.coords)[0]
    const [one, two] = ensemble.coords.filter((coord) => coord !== leader) as [typeof leader, typeof leader]
    const { name: leaderName } = leader.member
    assert.deepEqual(roles.messages.map(({ role, previous }) => `${previous} ${role}`).sort(), [
      'looking follower',
      'looking follower',
      'looking leader',
    ])
    assert.equal(storage.messages.filter(({ type }) => type === 'opened').length, 3)
    const ended = elections.messages.filter((message) => message.type === 'ended')
    assert.equal(ended.length, 3)
    for (const message of ended) {
      assert.equal(message.leader.name, leaderName)
      assert.equal(message.epoch, leader.member.epoch)
      assert.ok(message.tookMs >= 0)
    }
    assert.ok(members.messages.some(({ type }) => type === 'linked'))
    const known = members.messages.findLast(({ type }) => type === 'members')
    assert.equal(known?.type === 'members' && known.voters.length, 3)
    assert.ok(sessions.messages.some(({ type }) => type === 'connected'))

    ensemble.crash(leader)
    await ensemble.advance(5000)
    const began = elections.messages.filter(({ type }) => type === 'began').map(({ member }) => member.name)
    assert.deepEqual(new Set(began), new Set([one.member.name, two.member.name]))
    assert.ok(members.messages.some(({ type, member }) => type === 'unlinked' && member.name === one.member.name))
    assert.ok(sessions.messages.some(({ type }) => type === 'suspended'))

    ensemble.failNextCommit(one)
    one.create('/x').catch(() => {})
    await ensemble.advance(5000)
    assert.ok(storage.messages.some(({ type, member }) => type === 'failed' && member.name === one.member.name))

    ensemble.expireSession(two)
    await ensemble.advance(1000)
    const lost = sessions.messages.find(({ type }) => type === 'lost')
    assert.equal(lost?.type === 'lost' && lost.loss.cause, 'expired')
    assert.doesNotThrow(() => JSON.stringify([roles, elections, sessions, members, storage].map((tap) => tap.messages)))
  })

  it('make no message where nobody subscribes', async () => {
    await using ensemble = await createTestEnsemble({ seed: 11 })
    assert.equal(channel('embedded-coord:role').hasSubscribers, false)
    await ensemble.coords[0].create('/x')
  })
})
