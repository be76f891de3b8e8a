/** Two builds side by side: a deploy of a version that evaluates more, and of one that speaks another protocol. */
import assert from 'node:assert/strict'
import { CompiledApp } from '../process/compiled.ts'
import { type App, Fleet } from '../process/fleet.ts'

describe('two versions side by side', () => {
  let app: CompiledApp
  /** Evaluates at the next level, too. */
  let newer: string
  /** Speaks what the others cannot read. */
  let foreign: string

  before(() => {
    app = new CompiledApp()
    newer = app.variant('lib/core/zab/features.js', 'featureLevel = 1', 'featureLevel = 2')
    foreign = app.variant('lib/wire/handshake.js', 'protocolVersion = 1', 'protocolVersion = 2')
  })
  after(() => app[Symbol.dispose]())

  async function replace(fleet: Fleet, index: number, build: string): Promise<void> {
    await fleet.apps[index]?.end()
    const back = await fleet.launch(index, build)
    await back.ask('write')
    await fleet.progress(10)
    await fleet.leader()
  }

  it('serve together and may be rolled back, until all voters know the higher level; then the old one is refused', async () => {
    const fleet = new Fleet('none', 3, app.script)
    try {
      await fleet.start()
      await Promise.all(fleet.running().map((each) => each.ask('write')))
      await fleet.leader()
      await replace(fleet, 0, newer)
      await replace(fleet, 1, newer)
      await replace(fleet, 1, app.script)
      await replace(fleet, 1, newer)
      await replace(fleet, 2, newer)
      // The leader raises the level when it has seen all of them; until then an old one may still come back.
      const refusal = await fleet.eventually(async () => {
        await (fleet.apps[2] as App).end()
        const refused = await fleet.launch(2, app.script).then(
          (late) => late.end(),
          (error: unknown) => String(error),
        )
        const back = await fleet.launch(2, newer)
        await back.ask('write')
        await fleet.progress(10)
        await fleet.leader()
        return refused ?? undefined
      }, 120_000)
      assert.match(refusal, /level 2.*knows 1: deploy a newer version/)
      await fleet.check()
    } finally {
      await fleet.dispose()
    }
  })

  it('do not talk to each other where the protocol differs: the newcomer says so, the others serve on', async () => {
    const fleet = new Fleet('none', 3, app.script)
    try {
      await fleet.start()
      await Promise.all(fleet.running().map((each) => each.ask('write')))
      await fleet.leader()
      await fleet.apps[2]?.end()
      await assert.rejects(fleet.launch(2, foreign, 5000), /speaks version [12] of the protocol, not [12]/)
      await fleet.progress(10)
      await replace(fleet, 2, app.script)
      await fleet.check()
    } finally {
      await fleet.dispose()
    }
  })

  it('do not share a store: what was written at a higher level is not opened by a version that does not know it', async () => {
    const fleet = new Fleet('level', 1, newer)
    try {
      await fleet.start()
      await fleet.apps[0]?.ask('write')
      await fleet.progress(10)
      await fleet.apps[0]?.end()
      await assert.rejects(fleet.launch(0, app.script), /level 2.*knows 1: deploy a newer version/)
      const back = await fleet.launch(0, newer)
      await back.ask('write')
      await fleet.progress(10)
      await fleet.check()
    } finally {
      await fleet.dispose()
    }
  })
})
