import { coordinationCases } from './cases/coordination.ts'
import { openVirtualStage } from './virtual-stage.ts'

coordinationCases(openVirtualStage)
