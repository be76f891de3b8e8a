import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type App, Fleet, type FleetStore } from './fleet.ts'

describe('real processes', () => {
  let fleet: Fleet

  async function begin(store: FleetStore): Promise<void> {
    fleet = new Fleet(store)
    await fleet.start()
    await Promise.all(fleet.running().map((app) => app.ask('write')))
    await fleet.progress(20)
  }

  afterEach(async () => {
    await fleet.dispose()
  })

  it('lose no acknowledged write when the leader, then a follower, is killed and comes back without memory', async () => {
    await begin('none')
    for (const victim of ['leader', 'follower']) {
      const leader = await fleet.leader()
      const index = victim === 'leader' ? leader : (leader + 1) % 3
      await (fleet.apps[index] as App).kill()
      await fleet.progress(20)
      const back = await fleet.launch(index)
      await back.ask('write')
      await fleet.leader()
      await fleet.progress(20)
    }
    await fleet.check()
  }).timeout(120_000)

  it('are unavailable and not wrong when a majority without memory is lost', async () => {
    await begin('none')
    const survivor = await fleet.leader()
    await Promise.all([0, 1, 2].filter((index) => index !== survivor).map((index) => (fleet.apps[index] as App).kill()))
    await fleet.eventually(async () => {
      const { state } = await (fleet.apps[survivor] as App).ask('role')
      return state === 'connected' ? undefined : true
    })
    const before = fleet.acknowledged.size
    await sleep(500)
    assert.equal(fleet.acknowledged.size, before, 'nothing is acknowledged without a quorum')
    // Two that come back without memory are no quorum of what was: they must not found anew beside the survivor.
    let joined = 0
    const back = [0, 1, 2].filter((index) => index !== survivor)
    const count = (): number => (joined += 1)
    for (const index of back) fleet.launch(index).then(count, () => {})
    await sleep(3000)
    assert.equal(joined, 0, 'nobody joins')
    assert.notEqual((await (fleet.apps[survivor] as App).ask('role')).state, 'connected')
    assert.equal(fleet.acknowledged.size, before, 'nothing is acknowledged by those who came back')
  }).timeout(120_000)

  it('have every acknowledged write on disk when all three are killed at once', async () => {
    await begin('level')
    await Promise.all(fleet.running().map((app) => app.kill()))
    await Promise.all([0, 1, 2].map((index) => fleet.launch(index)))
    await fleet.leader()
    await fleet.check()
  }).timeout(120_000)

  it('elect another leader while the leader is stopped, and take the old one back as a follower', async () => {
    await begin('none')
    const stopped = await fleet.leader()
    const app = fleet.apps[stopped] as App
    app.signal('SIGSTOP')
    fleet.apps[stopped] = undefined
    const next = await fleet.leader()
    assert.notEqual(next, stopped)
    await fleet.progress(20)
    app.signal('SIGCONT')
    fleet.apps[stopped] = app
    const final = await fleet.leader()
    assert.notEqual(final, stopped)
    await fleet.check()
  }).timeout(120_000)

  it('end by themselves when their coord is closed', async () => {
    await begin('none')
    await Promise.all(fleet.running().map((app) => app.ask('stop')))
    for (const app of fleet.running()) await app.end()
    assert.equal(fleet.running().length, 0)
  }).timeout(60_000)
})
