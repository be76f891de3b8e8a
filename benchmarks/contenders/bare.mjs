/** A process with nothing but what every process of a benchmark has: beside it a member is weighed. */
import { serveCommands } from './lanes.mjs'

serveCommands({ ready: () => true })
