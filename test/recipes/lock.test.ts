import { lockCases } from './cases/lock.ts'
import { openVirtualStage } from './virtual-stage.ts'

lockCases(openVirtualStage)
