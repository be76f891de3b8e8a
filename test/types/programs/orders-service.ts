/** A service behind its own HTTP server, as most applications have it: JSON values, a secret, a shared server. */
import { createServer } from 'node:http'
import { type Coord, CoordError, joinEnsemble, type Stat } from 'embedded-coord'

interface Order {
  readonly id: string
  readonly items: number
}

export async function main(): Promise<void> {
  const server = createServer()
  server.listen(8080)
  const coord = await joinEnsemble({
    name: 'orders-1',
    listen: { server },
    advertise: 'ws://10.0.0.5:8080',
    peers: ['ws://10.0.0.5:8080', 'ws://10.0.0.6:8080', 'ws://10.0.0.7:8080'],
    secret: process.env['COORD_SECRET'] ?? 'only for the example',
    valueEncoding: 'json',
    signal: AbortSignal.timeout(30_000),
  })
  const anything: Coord<unknown> = coord
  const orders = anything.namespace<Order>('/orders', { valueEncoding: 'json' })
  const path: string = await orders.create(
    '/o-',
    { id: 'a', items: 1 },
    { mode: 'persistent-sequential', parents: true },
  )
  const { data, stat } = await orders.getData(path)
  const items: number | undefined = data?.items
  const zxid: bigint = stat.mzxid
  // @ts-expect-error An order has items.
  await orders.create('/o-', { id: 'b' })
  // @ts-expect-error There is no such mode.
  await orders.create('/o-', { id: 'b', items: 2 }, { mode: 'forever' })
  try {
    const next: Stat = await orders.setData(path, { id: 'a', items: (items ?? 0) + 1 }, { version: stat.version })
    console.log(JSON.stringify(next), zxid)
  } catch (error) {
    if (error instanceof CoordError && error.code === 'COORD_BAD_VERSION') console.log(error.zkCode, error.retryable)
    else throw error
  }
  coord.on('state', (next, previous, reason) => console.log(next.toUpperCase(), previous, reason))
  coord.member.on('role', (next) => console.log(next === 'leader'))
  await coord.close({ timeoutMs: 1000 })
}
