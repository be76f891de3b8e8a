import { presenceCases } from './cases/presence.ts'
import { openVirtualStage } from './virtual-stage.ts'

presenceCases(openVirtualStage)
