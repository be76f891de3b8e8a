/** The tests of the recipes, over three servers of Apache ZooKeeper. */
import { configurationCases } from '../recipes/cases/configuration.ts'
import { coordinationCases } from '../recipes/cases/coordination.ts'
import { electionCases } from '../recipes/cases/election.ts'
import { lockCases } from '../recipes/cases/lock.ts'
import { presenceCases } from '../recipes/cases/presence.ts'
import { queueCases } from '../recipes/cases/queue.ts'
import { scheduleCases } from '../recipes/cases/schedule.ts'
import { workersCases } from '../recipes/cases/workers.ts'
import { startEnsemble, type ZooKeeperServer } from './server.ts'
import { stagesOn } from './zookeeper-stage.ts'

describe('over Apache ZooKeeper', function () {
  this.timeout(120_000)
  let servers: ZooKeeperServer[] = []

  before(async () => {
    servers = await startEnsemble(3, { reapIntervalMs: 500 })
  })

  after(async () => {
    for (const server of servers) await server.stop()
  })

  const open = stagesOn(() => servers)
  lockCases(open)
  electionCases(open)
  scheduleCases(open)
  queueCases(open)
  coordinationCases(open)
  configurationCases(open)
  presenceCases(open)
  workersCases(open)
})
