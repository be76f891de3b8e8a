/**
 * `npm start`: runs the fleet, sends it real requests, kills its leader, and prints what it saw. A line is printed only
 * after it was observed from outside; the exit code is 0 only if all were. `npm start -- --keep` leaves the fleet running.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Customers } from './runner/customers.ts'
import { Fleet } from './runner/fleet.ts'
import { Observer } from './runner/observer.ts'
import { Timeline } from './runner/timeline.ts'
import { Tour } from './runner/tour.ts'

const timeline = new Timeline()
const interruption = new AbortController()
const { signal } = interruption
process.once('SIGINT', () => interrupt('SIGINT', 130))
process.once('SIGTERM', () => interrupt('SIGTERM', 143))

const fleet = await Fleet.create(['orders-1', 'orders-2', 'orders-3'])
fleet.onUnexpectedEnd = ({ name }, how) => interruption.abort(new Error(`${name} ended by itself: ${how}`))
const urls = fleet.processes.map(({ url }) => url)

try {
  await new Tour(fleet, new Customers(urls, signal), new Observer(signal), timeline).run()
  if (process.argv.includes('--keep')) await keepRunning()
  else await stop()
} catch (error) {
  explain(error)
  process.exitCode ||= 1
} finally {
  await fleet.stop()
}

function interrupt(name: string, exitCode: number): void {
  process.exitCode = exitCode
  interruption.abort(new Error(`interrupted by ${name}`))
}

async function stop(): Promise<void> {
  const unclean = await fleet.stop()
  if (unclean.length > 0) throw new Error(`did not end well when told to: ${unclean.join(', ')}`)
  timeline.add('stop', 'SIGTERM: all three have closed and are gone')
  console.log('\nAll of this was observed from outside. `npm start -- --keep` leaves the fleet running for you to try.')
}

/** Until Ctrl+C. As a supervisor it starts again what you kill. */
async function keepRunning(): Promise<void> {
  fleet.onUnexpectedEnd = (ended, how) => {
    timeline.add('end', `${ended.name} ended (${how}); it is started again in 5 s`)
    if (ended.output !== '') console.error(ended.output)
    void delay(5_000, undefined, { signal }).then(
      () => {
        ended.start()
        timeline.add('start', `${ended.name}, process ${ended.pid}`)
      },
      () => {},
    )
  }
  console.log('\nThe fleet runs until you press Ctrl+C:\n')
  for (const { name, url, pid } of fleet.processes) console.log(`  ${name}  ${url}/status  process ${pid}`)
  const [one, two, three] = urls
  console.log(`
Try, in another terminal:

  curl ${one}/status
  curl -d '{"id":"mine-1","items":3}' ${two}/orders
  curl -d '{"id":"mine-1","items":3}' ${three}/orders        # the same order: counted before
  curl -X PUT -d '{"itemsMax":2}' ${one}/config
  kill -9 ${fleet.processes[0]?.pid}; sleep 3; curl ${two}/status
`)
  await once(signal, 'abort')
}

function explain(error: unknown): void {
  console.error(error instanceof Error ? `\n${error.message}` : error)
  if (process.exitCode !== undefined) return
  for (const { name, output } of fleet.processes) if (output !== '') console.error(`\n${name} wrote:\n${output}`)
}
