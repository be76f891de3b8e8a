/**
 * kill -9 again and again, of members with a disk and under load: one of three, two, or all at once. Several ensembles side
 * by side, as each mostly waits: half of them on LevelDB, half on files. CYCLES=1000 for a long run, SEED for another one.
 */
import { CompiledApp } from '../process/compiled.ts'
import { type App, Fleet } from '../process/fleet.ts'
import { Prng } from '../sim/prng.ts'

const cycles = Number(process.env['CYCLES'] ?? 200)
const seed = Number(process.env['SEED'] ?? 1)
const ensembles = 4
/** Between two writes of one process: the load leaves room for the others. */
const paceMs = 5

async function kill(script: string, ensemble: number, count: number): Promise<Fleet> {
  const random = new Prng(seed, `kills ${ensemble}`)
  const fleet = new Fleet(ensemble % 2 === 0 ? 'level' : 'file', 3, script)
  try {
    await fleet.start()
    await Promise.all(fleet.running().map((app) => app.ask('write', { paceMs })))
    for (let cycle = 0; cycle < count; cycle++) {
      await fleet.progress(10)
      const first = random.between(0, 2)
      const victims = [0, 1, 2].map((index) => (first + index) % 3).slice(0, random.pick([1, 1, 1, 2, 3]))
      await Promise.all(victims.map((index) => (fleet.apps[index] as App).kill()))
      const back = await Promise.all(victims.map((index) => fleet.launch(index)))
      await Promise.all(back.map((app) => app.ask('write', { paceMs })))
    }
    await fleet.leader()
    await fleet.check()
    return fleet
  } finally {
    await fleet.dispose()
  }
}

describe('durable members under kill -9', () => {
  it(`lose no acknowledged write in ${cycles} cycles`, async () => {
    using app = new CompiledApp()
    const shares = Array.from({ length: ensembles }, (_, index) => Math.floor((cycles + index) / ensembles))
    const fleets = await Promise.all(shares.map((count, index) => kill(app.script, index, count)))
    const acknowledged = fleets.reduce((sum, fleet) => sum + fleet.acknowledged.size, 0)
    console.log(`      ${acknowledged} acknowledged writes, none lost`)
  }).timeout(1_800_000)
})
