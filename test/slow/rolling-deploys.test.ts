/**
 * Deploys of members without a disk, under load: each process is replaced in turn by a new one of its name, which is waited
 * for as an orchestrator does, until it has joined. ROUNDS=20 for a long run, whose writers pause between two writes: all that they wrote is read back in the end.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type App, Fleet } from '../process/fleet.ts'
import { Prng } from '../sim/prng.ts'

const rounds = (short: number): number => Number(process.env['ROUNDS'] ?? short)
const paceMs = rounds(0) > 5 ? 10 : 0
const seed = Number(process.env['SEED'] ?? 1)

async function withFleet(size: number, run: (fleet: Fleet) => Promise<void>): Promise<void> {
  const fleet = new Fleet('none', size)
  try {
    await fleet.start()
    await Promise.all(fleet.running().map((app) => app.ask('write', { paceMs })))
    await fleet.progress(20)
    await run(fleet)
    await fleet.leader()
    await fleet.check()
    console.log(
      `      ${fleet.acknowledged.size} acknowledged writes, none lost; ${fleet.leaderChanges} changes of the leader; the longest gap between two writes ${Math.round(fleet.longestGapMs)} ms`,
    )
  } finally {
    await fleet.dispose()
  }
}

describe('a rolling deploy of members in memory', () => {
  it(`of three loses nothing, and changes the leader once at most for each, in ${rounds(2)} rounds`, () =>
    withFleet(3, async (fleet) => {
      for (let round = 0; round < rounds(2); round++) {
        for (let index = 0; index < fleet.size; index++) {
          await fleet.leader()
          const before = fleet.leaderChanges
          await (fleet.apps[index] as App).end()
          const back = await fleet.launch(index)
          await back.ask('write', { paceMs })
          await fleet.progress(10)
          await fleet.leader()
          const changes = fleet.leaderChanges - before
          assert.ok(changes <= 1, `round ${round}, member ${index}: ${changes} changes of the leader`)
        }
      }
    }))

  it(`of five loses nothing while one more is killed at any time, in ${rounds(1)} rounds`, () =>
    withFleet(5, async (fleet) => {
      const random = new Prng(seed, 'kills')
      for (let round = 0; round < rounds(1); round++) {
        for (let index = 0; index < fleet.size; index++) {
          await fleet.leader()
          // Two of five at once leave a quorum of those that remember.
          const victim = (index + random.between(1, fleet.size - 1)) % fleet.size
          const kill = async (): Promise<void> => {
            await sleep(random.between(0, 1500))
            await (fleet.apps[victim] as App).kill()
            const again = await fleet.launch(victim)
            await again.ask('write', { paceMs })
          }
          const replace = async (): Promise<void> => {
            await (fleet.apps[index] as App).end()
            const back = await fleet.launch(index)
            await back.ask('write', { paceMs })
          }
          await Promise.all(index % 2 === round % 2 ? [kill(), replace()] : [replace()])
          await fleet.progress(10)
        }
      }
    }))
})
