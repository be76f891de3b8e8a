/** The whole museum. */
import { durabilities } from './durability.ts'
import { elections } from './election.ts'
import type { Exhibit } from './exhibit.ts'
import { memberships } from './memberships.ts'
import { ownExhibits } from './own.ts'
import { sessionExhibits } from './sessions.ts'
import { synchronizations } from './synchronization.ts'

export const exhibits: readonly Exhibit[] = [
  ...elections,
  ...synchronizations,
  ...durabilities,
  ...memberships,
  ...sessionExhibits,
  ...ownExhibits,
]
