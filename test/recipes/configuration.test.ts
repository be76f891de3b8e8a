import { configurationCases } from './cases/configuration.ts'
import { openVirtualStage } from './virtual-stage.ts'

configurationCases(openVirtualStage)
