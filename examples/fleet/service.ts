/**
 * One process of the fleet: a small HTTP service that embeds a member of the ensemble on its own HTTP server. This is the
 * file to copy from. `run.ts` starts three of them:
 *
 *   NAME=orders-1 PORT=7401 PEERS=ws://127.0.0.1:7401/embedded-coord,… COORD_SECRET=… npx tsx service.ts
 */
import { setTimeout as delay } from 'node:timers/promises'
import { joinEnsemble } from 'embedded-coord'
import { hasCode, isOutage } from './coord-errors.ts'
import { Election, type Term } from './election.ts'
import { type Answer, BadRequest, jsonServer, type Routes } from './json-server.ts'
import { LiveConfig } from './live-config.ts'
import { type Order, Orders } from './orders.ts'
import { Registry } from './registry.ts'

const name = requireEnv('NAME')
const port = Number(requireEnv('PORT'))
const url = `http://127.0.0.1:${port}`

interface Config {
  readonly itemsMax: number
}

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

// The member shares this server with the application. It may listen before the ensemble is there.
let routes: Routes | undefined
const server = jsonServer(() => routes)
server.listen(port, '127.0.0.1')

const coord = await joinEnsemble({
  name,
  listen: { server },
  peers: requireEnv('PEERS').split(','),
  // Others could reach the application's server: members prove to each other that they know this.
  secret: requireEnv('COORD_SECRET'),
  // How soon the leadership of a process that dies goes to another. Longer forgives longer pauses.
  sessionTimeoutMs: 2_000,
  valueEncoding: 'json',
  signal: stopping.signal,
})
stopping.signal.addEventListener('abort', () => {
  server.close()
  // Ends the session, so that others need not wait for its timeout. Without a quorum (where all end at once) that cannot
  // be, and it waits no longer than this.
  void coord.close({ timeoutMs: 500 })
})

for (const path of ['/election', '/services', '/job']) await createMissing(path, null)
await createMissing('/orders', 0)
await createMissing('/config', { itemsMax: 5 })

const election = new Election(coord, '/election', name)
const registry = new Registry(coord, '/services')
const orders = new Orders(coord, '/orders')
const config = new LiveConfig<Config>(coord, '/config', { itemsMax: 5 }, parseConfig)

routes = {
  'GET /status': getStatus,
  'GET /orders': async () => [200, await orders.list()],
  'POST /orders': postOrder,
  'PUT /config': async (body) => [200, await config.set(body)],
}

// All of them go on until the coord is closed.
await Promise.all([config.run(), registry.run({ name, url }), election.run(job)])
server.close()
// Every request has been answered by now; some customers keep a connection for the next.
setImmediate(() => server.closeAllConnections())
// Nobody asked for it: the member has failed, and whoever supervises this process should start it again.
if (!stopping.signal.aborted) process.exitCode = 1

/** What runs on exactly one process: here it only counts its beats, and says in whose term. */
async function job({ path, token, signal }: Term): Promise<void> {
  const { data } = await coord.getData('/job', { signal })
  let { beat } = (data ?? { beat: 0 }) as { beat: number }
  while (!signal.aborted) {
    beat += 1
    try {
      // Commits only while we lead: who is deposed without knowing it yet changes nothing any more.
      const operation = { type: 'setData', path: '/job', data: { beat, by: name, token: `${token}` } } as const
      await coord.multi([operation], { ifHeld: { path, token }, signal })
      await delay(200, undefined, { signal })
    } catch (error) {
      if (hasCode(error, 'COORD_LOCK_LOST')) return
      throw error
    }
  }
}

async function postOrder(body: unknown): Promise<Answer> {
  const order = parseOrder(body)
  const { itemsMax } = config.value
  if (order.items > itemsMax) return [422, { error: `at most ${itemsMax} items in one order` }]
  const isNew = await orders.count(order)
  return [isNew ? 201 : 200, { id: order.id, countedBefore: !isNew }]
}

/** Everything but `GET /orders` is read from the memory of this process. */
async function getStatus(): Promise<Answer> {
  const leader = await election.leader()
  const { data: lastBeat } = await coord.getData('/job')
  return [
    200,
    {
      name,
      pid: process.pid,
      state: coord.state,
      role: coord.member.role,
      leader: leader && { name: leader.name, token: `${leader.token}` },
      lastBeat,
      config: config.value,
      services: await registry.services(),
      members: coord.member.members.map((member) => member.name).sort(),
      orders: await orders.summary(),
    },
  ]
}

function parseOrder(body: unknown): Order {
  const { id, items } = (body ?? {}) as Partial<Order>
  if (typeof id !== 'string' || !/^[\w-]{1,64}$/.test(id))
    throw new BadRequest('an order has an id of letters and digits')
  if (!Number.isInteger(items) || Number(items) < 1) throw new BadRequest('an order has a whole number of items')
  return { id, items: Number(items) }
}

function parseConfig(data: unknown): Config {
  const { itemsMax } = (data ?? {}) as Partial<Config>
  if (!Number.isInteger(itemsMax) || Number(itemsMax) < 1) throw new BadRequest('itemsMax is a whole number above 0')
  return { itemsMax: Number(itemsMax) }
}

/** Whoever comes first creates it. */
async function createMissing(path: string, data: unknown): Promise<void> {
  for (;;) {
    try {
      await coord.create(path, data)
      return
    } catch (error) {
      if (hasCode(error, 'COORD_NODE_EXISTS')) return
      // Trying again does no harm, as only one creation succeeds.
      if (!isOutage(error)) throw error
    }
  }
}

function requireEnv(variable: string): string {
  const value = process.env[variable]
  if (value === undefined || value === '') throw new Error(`set the environment variable ${variable}`)
  return value
}
