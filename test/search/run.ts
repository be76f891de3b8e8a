/**
 * Searches small worlds exhaustively, and prints how much of them there is:
 *
 *     npm run search                                     what CI runs
 *     npm run search -- --members 3 --deviations 4 --states 2000000
 *     npm run search -- --members 2 --deviations all     everything in any order
 *
 * Ends with the events that lead to it where an invariant is violated.
 */
import { parseArgs } from 'node:util'
import { type Bounds, defaultBounds } from './bounds.ts'
import { search } from './search.ts'
import { suite } from './suite.ts'

const { values } = parseArgs({
  options: {
    members: { type: 'string' },
    entries: { type: 'string' },
    crashes: { type: 'string' },
    partitions: { type: 'string' },
    timeouts: { type: 'string' },
    deviations: { type: 'string' },
    states: { type: 'string' },
    tail: { type: 'string' },
  },
})

const numberOr = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : text === 'all' ? Number.POSITIVE_INFINITY : Number(text)

const own: Bounds = {
  members: numberOr(values.members, defaultBounds.members),
  entries: numberOr(values.entries, defaultBounds.entries),
  crashes: numberOr(values.crashes, defaultBounds.crashes),
  partitions: numberOr(values.partitions, defaultBounds.partitions),
  timeouts: numberOr(values.timeouts, defaultBounds.timeouts),
  deviations: numberOr(values.deviations, defaultBounds.deviations),
  states: numberOr(values.states, defaultBounds.states),
  tailEntries: numberOr(values.tail, defaultBounds.tailEntries),
}

const all: readonly Bounds[] = Object.values(values).some((value) => value !== undefined) ? [own] : suite
for (const bounds of all) {
  const begun = process.cpuUsage()
  const { found, ...result } = search(bounds)
  const { user, system } = process.cpuUsage(begun)
  const { members, entries, crashes, partitions, timeouts, tailEntries } = bounds
  const order =
    result.deviations < 0
      ? 'not one layer is complete'
      : bounds.deviations === Number.POSITIVE_INFINITY
        ? 'in any order: complete'
        : `complete through ${result.deviations} deviations`
  console.log(
    `${members} members, ${entries} entries, ${crashes} crashes, ${partitions} partitions, ${timeouts} timeouts, tail ${tailEntries}: ` +
      `${result.states} states, ${result.transitions} transitions, depth ${result.depth}, ${order}, ` +
      `${result.atRest} at rest, ${result.processes} states of processes, ${((user + system) / 1e6).toFixed(1)} s CPU`,
  )
  if (found !== undefined) {
    process.exitCode = 1
    console.log(`${found.check}: ${found.message}\n  ${found.events.join('\n  ')}`)
  }
}
