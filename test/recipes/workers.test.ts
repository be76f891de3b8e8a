import { workersCases } from './cases/workers.ts'
import { openVirtualStage } from './virtual-stage.ts'

workersCases(openVirtualStage)
