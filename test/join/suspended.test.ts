/** Without a quorum: calls wait, then say whether they were sent; sessions that are lost renew themselves. */
import assert from 'node:assert/strict'
import { type Coord, type JoinOptions, joinEnsemble } from '../../lib/index.ts'
import { freePorts } from '../free-ports.ts'
import { addressAt, founders, leaderOf, rejectsWith, until, World } from './fixture.ts'
import { Gate } from './gate.ts'

/** One of three founders, whose others do not come. */
async function lonely(options: JoinOptions = {}): Promise<JoinOptions> {
  const ports = await freePorts(3)
  return { listen: { port: ports[0] as number }, peers: ports.map(addressAt), waitFor: 'start', ...options }
}

interface Gated {
  readonly coords: readonly Coord[]
  readonly leader: Coord
  readonly cutLeader: () => void
  readonly heal: () => void
}

/** Three members whose network can be cut. */
async function gated(world: World, options: JoinOptions): Promise<Gated> {
  const ports = await freePorts(3)
  const gates = ports.map((port) => new Gate(port))
  const joining = founders(ports, options).map((each, index) =>
    world.join({ ...each, listen: undefined, transport: gates[index] }),
  )
  const coords = await Promise.all(joining)
  const leader = await until('there is a leader', () => leaderOf(coords))
  const gate = gates[coords.indexOf(leader)] as Gate
  return { coords, leader, cutLeader: () => gate.cut(), heal: () => gate.heal() }
}

describe("waitFor: 'start'", () => {
  it('resolves at once, suspended; ready() waits for the quorum', async () => {
    await using world = new World()
    const [first, second, third] = founders(await freePorts(3)) as [JoinOptions, JoinOptions, JoinOptions]
    const coord = await world.join({ ...first, waitFor: 'start' })
    assert.equal(coord.state, 'suspended')
    assert.equal(coord.member.role, 'looking')
    const states: string[] = []
    coord.on('state', (next, previous) => states.push(`${previous} → ${next}`))
    const creating = coord.create('/early')
    await assert.rejects(coord.ready({ signal: AbortSignal.timeout(50) }), { name: 'AbortError', code: 'ABORT_ERR' })
    const ready = coord.ready()
    await Promise.all([world.join(second), world.join(third), ready])
    assert.equal(coord.state, 'connected')
    assert.equal(await creating, '/early')
    assert.deepEqual(states, ['suspended → connected'])
  })

  it('ends a ready() that waits when it is closed', async () => {
    const coord = await joinEnsemble((await lonely()) as object)
    const ready = rejectsWith('COORD_CLOSED', coord.ready())
    await coord.close({ timeoutMs: 100 })
    await ready
  })
})

describe('calls without a quorum', () => {
  it('wait for requestTimeoutMs, reads too; then they were certainly not sent', async () => {
    await using world = new World()
    const coord = await world.join(await lonely({ requestTimeoutMs: 200 }))
    const started = performance.now()
    const errors = await Promise.all([
      rejectsWith('COORD_NO_QUORUM', coord.create('/a')),
      rejectsWith('COORD_NO_QUORUM', coord.exists('/a')),
      rejectsWith('COORD_NO_QUORUM', coord.sync()),
    ])
    assert.ok(performance.now() - started >= 190)
    assert.ok(errors.every(({ retryable }) => retryable))
  })

  it('can be given up by their signal', async () => {
    await using world = new World()
    const coord = await world.join(await lonely())
    await assert.rejects(coord.create('/a', undefined, { signal: AbortSignal.timeout(20) }), { code: 'ABORT_ERR' })
    await assert.rejects(coord.openSession({ signal: AbortSignal.timeout(20) }), { code: 'ABORT_ERR' })
  })

  it('close in bounded time, and say so to what waits', async () => {
    const coord = await joinEnsemble((await lonely()) as object)
    const creating = coord.create('/a').catch((error: unknown) => error)
    const started = performance.now()
    await coord.close({ timeoutMs: 100 })
    assert.ok(performance.now() - started < 5000)
    assert.equal(coord.state, 'closed')
    assert.ok(['COORD_CLOSED', 'COORD_NO_QUORUM'].includes(((await creating) as { code: string }).code))
  })
})

describe('a leader that is cut off', () => {
  it('is suspended; what it had sent is COORD_CONNECTION_LOSS, what it had not COORD_NO_QUORUM', async () => {
    await using world = new World()
    const { leader, cutLeader, heal } = await gated(world, { requestTimeoutMs: 2500, sessionTimeoutMs: 30_000 })
    await leader.create('/a')
    cutLeader()
    const sent = leader.create('/sent')
    const lost = rejectsWith('COORD_CONNECTION_LOSS', sent)
    await until('it notices', () => leader.state === 'suspended')
    const unsent = leader.create('/unsent')
    const notSent = rejectsWith('COORD_NO_QUORUM', unsent)
    assert.equal((await lost).retryable, false)
    assert.equal((await notSent).retryable, true)
    heal()
    await until('it is back', () => leader.state === 'connected')
    assert.equal(await leader.exists('/unsent'), undefined)
    await leader.create('/after')
  })

  it('gets its session back in time, and everything it was asked is done once', async () => {
    await using world = new World()
    const { leader, cutLeader, heal, coords } = await gated(world, { sessionTimeoutMs: 30_000 })
    await leader.create('/a')
    const { id } = leader.session
    const states: string[] = []
    leader.on('state', (next) => states.push(next))
    cutLeader()
    const mode = { mode: 'persistent-sequential' } as const
    const before = Array.from({ length: 20 }, () => leader.create('/a/before-', undefined, mode))
    await until('it notices', () => leader.state === 'suspended')
    await until('another leads', () => coords.some((coord) => coord !== leader && coord.member.role === 'leader'))
    const after = Array.from({ length: 20 }, () => leader.create('/a/after-', undefined, mode))
    heal()
    const paths = await Promise.all([...before, ...after])
    assert.equal(leader.session.id, id)
    assert.deepEqual(states, ['suspended', 'connected'])
    assert.equal(new Set(paths).size, 40)
    const { children } = await leader.getChildren('/a', { consistency: 'linearizable' })
    assert.equal(children.length, 40)
    assert.deepEqual(
      paths.map((path) => Number(path.slice(-10))),
      [...Array(40).keys()],
      'in the order of the calls',
    )
  })

  it('loses its session after the timeout; its client opens another one by itself', async () => {
    await using world = new World()
    const { leader, cutLeader, heal, coords } = await gated(world, { sessionTimeoutMs: 1500, requestTimeoutMs: 20_000 })
    await leader.create('/here', undefined, { mode: 'ephemeral' })
    const own = await leader.openSession()
    const lostSession = leader.session
    const states: string[] = []
    leader.on('state', (next) => states.push(next))
    cutLeader()
    const sent = rejectsWith('COORD_CONNECTION_LOSS', leader.create('/sent'))
    await until('it is suspended', () => leader.state === 'suspended')
    const unsent = rejectsWith('COORD_NO_QUORUM', leader.create('/unsent'))
    await Promise.all([sent, unsent])
    await until('it is lost', () => states.includes('lost'))
    await until('the other session of this member, too', () => own.state === 'lost')
    await rejectsWith('COORD_SESSION_EXPIRED', own.exists('/'))
    const other = coords.find((coord) => coord !== leader) as Coord
    await until('the others gave its nodes away', async () => (await other.exists('/here')) === undefined)
    // A call of the client waits for the new session.
    const creating = leader.create('/new')
    heal()
    assert.equal(await creating, '/new')
    assert.deepEqual(states, ['suspended', 'lost', 'connected'])
    assert.notEqual(leader.session.id, lostSession.id)
    assert.equal(lostSession.state, 'lost')
    await rejectsWith('COORD_SESSION_EXPIRED', lostSession.exists('/'))
  })
})
