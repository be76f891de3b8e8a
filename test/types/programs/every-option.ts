/** Options come from the environment: each may be undefined, and is given all the same. */
import { type AclEntry, type Client, type Coord, type CreateMode, type JoinOptions, joinEnsemble } from 'embedded-coord'
import { connectZooKeeper, serveZooKeeper } from 'embedded-coord/adapters/zookeeper'
import { type Lock, lock, queue } from 'embedded-coord/recipes'
import { createTestEnsemble } from 'embedded-coord/testing'

interface Order {
  readonly total: number
}

const text: string | undefined = process.env['TEXT']
const count: number | undefined = text === undefined ? undefined : Number(text)
const signal: AbortSignal | undefined = text === undefined ? undefined : AbortSignal.timeout(1000)
const flag: boolean | undefined = text === undefined ? undefined : true
const mode: CreateMode | undefined = text === undefined ? undefined : 'ephemeral'
const acl: readonly AclEntry[] | undefined = undefined

// Options that are put together elsewhere.
const options: JoinOptions = {
  name: text,
  listen: { port: 7400, host: text },
  advertise: text,
  peers: text?.split(',') ?? ['ws://127.0.0.1:7400'],
  storage: undefined,
  restoreFrom: text,
  transport: undefined,
  secret: text,
  tls: undefined,
  role: text === undefined ? undefined : 'observer',
  voters: count,
  sessionTimeoutMs: count,
  requestTimeoutMs: count,
  joinTimeoutMs: count,
  waitFor: undefined,
  namespace: text,
  valueEncoding: undefined,
  readOnly: flag,
  authSchemes: undefined,
  superDigest: text,
  onProgress: undefined,
  signal,
  timing: { pingIntervalMs: count, syncLimitMs: count },
}
const some: Coord<unknown> = await joinEnsemble(options)
await some.close({ timeoutMs: count })

const bytes: Coord = await joinEnsemble({ name: text })
const coord: Coord<unknown> = await joinEnsemble({ valueEncoding: 'json', secret: text })
const orders: Client<Order> = coord.namespace<Order>('/orders', { valueEncoding: 'json' })
const same: Client<Order> = orders.namespace('/new')
const plain: Client<Uint8Array> = bytes.namespace('/bytes', { valueEncoding: undefined })

await orders.create('/1', { total: 3 }, { mode, acl, ttlMs: count, parents: flag, signal })
await orders.delete('/1', { version: count, recursive: flag, signal })
await orders.exists('/1', { watch: undefined, consistency: undefined, signal })
const { data, stat } = await same.getData('/1', { watch: ({ zxid }) => zxid > 0n })
const total: number | undefined = data?.total
await same.setData('/1', undefined, { version: stat.version })
await same.setData('/1', { total: total ?? 0 }, { version: count })
await plain.getChildren('/', { limit: count, after: text })
await orders.setQuota('/1', { count, bytes: count, hardCount: count, hardBytes: count }, { signal })
// @ts-expect-error another value
await orders.create('/2', 'text')

const [created, , changed] = await orders.multi(
  [
    { type: 'create', path: '/3', data: { total: 1 }, mode, acl, ttlMs: count },
    { type: 'check', path: '/3', version: count },
    { type: 'setData', path: '/3', data: undefined, version: count },
    { type: 'delete', path: '/3', version: count },
  ],
  { ifHeld: undefined, signal },
)
const zxids: bigint[] = [created.stat.czxid, changed.stat.mzxid]
for (const result of await orders.transaction().create('/4', { total: 1 }).delete('/4').commit({ signal })) {
  if (result.type === 'create') zxids.push(result.stat.czxid)
  if (result.type === 'setData') zxids.push(result.stat.mzxid)
}

for await (const event of orders.watch('/', { recursive: flag, from: zxids[0], includeData: flag, signal })) {
  if (event.type === 'gap' || event.type === 'synced') continue
  const seen: number | undefined = event.data?.total
  console.log(event.path, seen, event.error?.code)
}

const session = await orders.openSession({ timeoutMs: count, attach: undefined, signal })
const item: Order = (await queue(session, '/jobs').take({ signal })).value
await queue(session, '/jobs').put(item, { priority: count, signal })
const held: Lock = await lock(session, '/lock', { timeoutMs: count, shared: flag, signal })
await orders.multi([{ type: 'check', path: '/1' }], { ifHeld: held })

const election = orders.elect('/leader', {
  data: total === undefined ? undefined : { total },
  onElected: async ({ signal: ended }) => void ended.aborted,
  onLeader: (leader) => console.log(leader?.data?.total, leader?.name, leader?.token),
})
election.once('failed', (error) => console.log(error)).on('ended', () => {})
// @ts-expect-error no such event
election.on('won', () => {})
orders.schedule('report', '0 3 * * *', ({ scheduledAt }) => scheduledAt.getTime(), {
  timeZone: text,
  missed: undefined,
})
await orders.services.register('api', { address: 'here', port: 1, meta: undefined, weight: count }, { signal })
const view = await orders.services.watch('api', { strategy: undefined, filter: undefined, reportedMs: count, signal })
using picked = await view.pick({ key: text, signal })
console.log(picked.address)
const group = await orders.group('/crew').join(item, { name: text, signal })
const totals: (number | undefined)[] = group.members.map((member) => member.data?.total)
const cache = await orders.cache('/1', { default: { total: 0 }, member: text, signal })
totals.push(cache.value.total)
const parsed = await coord.cache('/limit', { parse: (value: unknown) => Number(value), default: 5 })
parsed.on('change', (next: number, previous: number) => totals.push(next - previous))
const worker = await orders
  .workers('/w', { policy: undefined, attempts: count })
  .work(async (value, run) => run.report(value.total), { capacity: count, name: text, signal })
worker.on('failed', (error, task: string) => console.log(error, task))
await orders.names('/n').rebind('a', 'b', { from: text, signal })
orders.names('/n').ids({ block: count })
await coord.reconfigure({ add: undefined, remove: undefined, voters: count }, { signal })
await coord.exportSnapshot('file', { onProgress: undefined, signal })
coord.member.on('leader', (leader) => console.log(leader?.address))
coord.on('state', (next, previous, reason: string) => console.log(next, previous, reason))

const gateway = await serveZooKeeper(coord, { port: 0, host: text, superDigest: text, fourLetterWords: undefined })
const other: Client<string> = await connectZooKeeper(`127.0.0.1:${gateway.port}`, {
  valueEncoding: 'utf8',
  sessionTimeoutMs: count,
  signal,
})
await other.close()

await using ensemble = await createTestEnsemble({ size: 3, seed: count, voters: count, valueEncoding: 'json' })
const [a, b, c] = ensemble.coords
await Promise.all([a, b, c].map((one) => one.close()))
