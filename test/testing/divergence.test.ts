/** A member whose state is not that of the others: what its application, its operator and its store see of it. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Coord } from '../../lib/index.ts'
import type { Member } from '../../lib/runtime/member.ts'
import { writeSnapshotFile } from '../../lib/runtime/snapshot-file.ts'
import { createTestEnsemble, type TestEnsemble } from '../../lib/testing/index.ts'

type Ensemble = TestEnsemble<number, string>

const inRole = (role: string, { coords }: Ensemble): Coord<string> =>
  coords.find((coord) => coord.member.role === role) as Coord<string>

/** The member evaluates the next write as the creation of `/wrong`: as if a bit had flipped where nobody looks. */
function diverge(ensemble: Ensemble, coord: Coord<string>): void {
  const state = ensemble.members().find(({ self }) => self.id === coord.member.id)?.peer?.state
  assert.ok(state !== undefined)
  const apply = state.apply.bind(state)
  state.apply = (stamp, request) => {
    if (request.type !== 'write' || request.operation.type === 'closeSession') return apply(stamp, request)
    state.apply = apply
    const operation = { type: 'create', path: '/wrong', data: undefined, mode: 'persistent' } as const
    return apply(stamp, { ...request, operation })
  }
}

const create = (seed: number, size = 3, durable = false): Promise<Ensemble> =>
  createTestEnsemble({ size, seed, durable, valueEncoding: 'utf8' }) as Promise<Ensemble>

describe('a member whose state is not that of the others', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'divergence-'))
  })
  after(async () => {
    await rm(folder, { recursive: true })
  })

  for (const role of ['follower', 'leader']) {
    it(`is told, serves nobody, is repaired, and goes on with its sessions and watches: a ${role}`, async () => {
      await using ensemble = await create(71)
      const wrong = inRole(role, ensemble)
      const sound = ensemble.coords.find((coord) => coord !== wrong) as Coord<string>
      await ensemble.until(sound.create('/a', 'before'))
      await ensemble.until(wrong.sync())
      const [states, warnings, events]: [string[], string[], string[]] = [[], [], []]
      wrong.on('state', (next) => states.push(next))
      wrong.member.on('warning', (text) => warnings.push(text))
      const { id } = wrong.session
      const watch = wrong.watch('/a', { recursive: true })
      const heard = (async () => {
        for await (const event of watch) {
          events.push('path' in event ? `${event.type} ${event.path}` : event.type)
          if (events.at(-1) === 'created /a/last') return
        }
      })()
      await ensemble.advance(50)
      diverge(ensemble, wrong)
      await ensemble.until(sound.create('/a/missed', ''))
      await ensemble.advance(2000)
      await ensemble.until(sound.create('/a/last', ''))
      await ensemble.until(heard)
      assert.match(warnings.join(), /the state of this member is not that of the others/)
      assert.deepEqual(states.slice(0, 2), ['suspended', 'connected'])
      assert.equal(wrong.session.id, id)
      assert.equal(await wrong.exists('/wrong'), undefined)
      assert.ok(await wrong.exists('/a/missed'))
      // It was not told when it should have been, but when it had the others' state.
      assert.ok(events.includes('created /a/missed') || events.includes('gap'), events.join())
      const digests = new Set(ensemble.members().map(({ state }) => state.digest()))
      assert.equal(digests.size, 1)
    })
  }

  it('says so while it lasts, and is settled by a voter that comes back', async () => {
    await using ensemble = await create(72)
    const wrong = inRole('follower', ensemble)
    const others = ensemble.coords.filter((coord) => coord !== wrong)
    // The third one is gone: one against one.
    const gone = others.find((coord) => coord.member.role === 'follower') as Coord<string>
    const leader = inRole('leader', ensemble)
    ensemble.partition([gone], [wrong, leader])
    await ensemble.advance(3000)
    diverge(ensemble, wrong)
    await ensemble.until(leader.create('/a', ''))
    await ensemble.advance(2000)
    for (const coord of [wrong, leader]) {
      const { serving, noLeader, reason } = coord.explain()
      assert.deepEqual([serving, noLeader], [false, 'doubtful'])
      assert.match(reason, /the states of the voters differ/)
    }
    // It knows whose is right.
    ensemble.heal()
    await ensemble.advance(5000)
    for (const coord of ensemble.coords) assert.equal(coord.explain().noLeader, undefined)
    assert.equal(await wrong.exists('/wrong'), undefined)
    assert.ok(await gone.exists('/a'))
  })

  it('exports no snapshot of it', async () => {
    await using ensemble = await create(73)
    const wrong = inRole('follower', ensemble)
    const member = ensemble.members().find(({ self }) => self.id === wrong.member.id) as Member
    const file = join(folder, 'wrong.snapshot')
    const source = await member.snapshotSource(undefined)
    const told = new Promise((resolve) => {
      wrong.member.on('warning', (text) => {
        if (text.includes('not that of the others')) resolve(source.isSound())
      })
    })
    diverge(ensemble, wrong)
    await ensemble.until(inRole('leader', ensemble).create('/a', ''))
    await ensemble.advance(2000)
    assert.equal(await told, false)
    await assert.rejects(writeSnapshotFile(file, { ...source, isSound: () => false }), {
      code: 'COORD_SNAPSHOT_FAILED',
      message: /turned out not to be that of the others/,
    })
    assert.deepEqual(await readdir(folder), [])
    const { nodes } = await wrong.exportSnapshot(file)
    assert.equal(nodes, member.state.tree.nodeCount)
  })

  it('does not find the wrong state in its own store again', async () => {
    await using ensemble = await create(74, 3, true)
    const wrong = inRole('follower', ensemble)
    const checkpoints: unknown[] = []
    const note = (message: unknown): void => {
      const { member, type } = message as { readonly member: { readonly id: string }; readonly type: string }
      if (type === 'checkpoint') checkpoints.push(member.id)
    }
    subscribe('embedded-coord:storage', note)
    await ensemble.until(wrong.create('/before', ''))
    diverge(ensemble, wrong)
    await ensemble.until(inRole('leader', ensemble).create('/a', ''))
    await ensemble.advance(2000)
    assert.equal(await wrong.exists('/wrong'), undefined)
    unsubscribe('embedded-coord:storage', note)
    assert.deepEqual(checkpoints, [wrong.member.id])
    ensemble.crash(wrong)
    const back = await ensemble.restart(wrong)
    assert.equal(back.member.id, wrong.member.id)
    await ensemble.until(back.sync())
    assert.equal(await back.exists('/wrong'), undefined)
    assert.ok(await back.exists('/a'))
    const member = ensemble.members().find(({ self }) => self.id === back.member.id)
    assert.equal(member?.status?.standing, 'sound')
  })
})
