/** The old bugs do not happen. That the exhibits would show them, `npm run mutants -- --museum` proves. */
import { exhibits } from './exhibits.ts'

describe('museum', () => {
  for (const { origin, title, play } of exhibits) it(`${origin}: ${title}`, play)
})
