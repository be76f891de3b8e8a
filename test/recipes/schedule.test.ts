import { scheduleCases } from './cases/schedule.ts'
import { openVirtualStage } from './virtual-stage.ts'

scheduleCases(openVirtualStage)
