import { electionCases } from './cases/election.ts'
import { openVirtualStage } from './virtual-stage.ts'

electionCases(openVirtualStage)
