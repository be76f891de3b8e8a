import { queueCases } from './cases/queue.ts'
import { openVirtualStage } from './virtual-stage.ts'

queueCases(openVirtualStage)
