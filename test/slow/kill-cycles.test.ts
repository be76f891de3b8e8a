/** kill -9 again and again, on members with a disk and under load: CYCLES=200 for a long run. */
import { type App, Fleet } from '../process/fleet.ts'

const cycles = Number(process.env['CYCLES'] ?? 15)

describe('durable members under kill -9', () => {
  it(`lose no acknowledged write in ${cycles} cycles`, async () => {
    const fleet = new Fleet(true)
    try {
      await fleet.start()
      await Promise.all(fleet.running().map((app) => app.ask('write')))
      for (let cycle = 0; cycle < cycles; cycle++) {
        await fleet.progress(10)
        // One, two, or all of them.
        const victims = [0, 1, 2].filter((index) => (cycle + index) % 3 <= cycle % 4)
        await Promise.all(victims.map((index) => (fleet.apps[index] as App).kill()))
        const back = await Promise.all(victims.map((index) => fleet.launch(index)))
        await Promise.all(back.map((app) => app.ask('write')))
      }
      await fleet.leader()
      await fleet.check()
      console.log(`      ${fleet.acknowledged.size} acknowledged writes, none lost`)
    } finally {
      await fleet.dispose()
    }
  })
})
