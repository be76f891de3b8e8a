/**
 * The same random plans on Apache ZooKeeper 3.8 and on a member in memory behind the gateway, through the same client:
 * results, error codes, stats (zxids by their order, times apart), children and the order of events are equal, but for
 * what `deviations.ts` lists. PLANS, SEED and SUBJECT narrow a run down.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { serveZooKeeper, type ZooKeeperGateway } from '../../adapters/zookeeper/index.ts'
import { type Coord, joinEnsemble } from '../../lib/index.ts'
import { compare, describeDifference, shrink } from './differential.ts'
import { plans, type Subject } from './plan.ts'
import { startZooKeeper, superDigest, type ZooKeeperServer } from './server.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000_000)
const total = Number(process.env['PLANS'] ?? 2000)
const stepsPerPlan = 50
const parallel = 8

/** How the plans are shared out: few wait for a session to expire. */
const shares: Readonly<Record<Subject, number>> = { watches: 0.45, acls: 0.3, quotas: 0.21, expiry: 0.04 }

describe(`the same plans on ZooKeeper 3.8 and here (SEED=${seed})`, () => {
  let zookeeper: ZooKeeperServer
  let coord: Coord
  let gateway: ZooKeeperGateway

  before(async function () {
    this.timeout(120_000)
    zookeeper = await startZooKeeper()
    coord = await joinEnsemble()
    gateway = await serveZooKeeper(coord, {
      port: 0,
      superDigest,
      connectionsPerAddressMax: 1000,
      sessionTimeoutMinMs: 1000,
      sessionTimeoutMaxMs: 10_000,
    })
  })

  after(async () => {
    await gateway?.close()
    await coord?.close()
    await zookeeper?.stop()
  })

  for (const [subject, share] of Object.entries(shares) as [Subject, number][]) {
    if (process.env['SUBJECT'] !== undefined && process.env['SUBJECT'] !== subject) continue
    const count = Math.ceil(total * share)
    it(`${subject}: ${count} plans of ${stepsPerPlan} steps`, async function () {
      this.timeout(1_200_000)
      const systems = { theirs: zookeeper.port, ours: gateway.port }
      const all = fc.sample(plans(subject, stepsPerPlan), { seed, numRuns: count })
      let next = 0
      let failed: number | undefined
      const work = async (): Promise<void> => {
        while (next < all.length && failed === undefined) {
          const index = next
          next += 1
          if ((await compare(systems, all[index] as (typeof all)[number])) !== undefined) failed ??= index
        }
      }
      await Promise.all(Array.from({ length: parallel }, work))
      if (failed === undefined) return
      const { plan, difference } = await shrink(systems, all[failed] as (typeof all)[number])
      assert.fail(`SEED=${seed}, plan ${failed}, ${describeDifference(plan, difference)}`)
    })
  }
})
