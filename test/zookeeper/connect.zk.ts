/** Our client over a real Apache ZooKeeper ensemble of three servers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectZooKeeper } from '../../adapters/zookeeper/index.ts'
import type { Client } from '../../lib/client.ts'
import { startEnsemble, type ZooKeeperServer } from './server.ts'

describe('our client over Apache ZooKeeper', function () {
  this.timeout(120_000)
  let servers: ZooKeeperServer[] = []
  let connectString: string
  const clients: Client<string>[] = []

  async function client(path = ''): Promise<Client<string>> {
    const one = await connectZooKeeper(`${connectString}${path}`, { valueEncoding: 'utf8' })
    clients.push(one)
    return one
  }

  before(async () => {
    servers = await startEnsemble(3, { reapIntervalMs: 500 })
    connectString = servers.map(({ port }) => `127.0.0.1:${port}`).join(',')
  })

  afterEach(async () => {
    for (const one of clients.splice(0)) await one.close()
  })

  after(async () => {
    for (const server of servers) await server.stop()
  })

  it('reads and writes', async () => {
    const one = await client()
    assert.equal(await one.create('/a/b', 'one', { parents: true }), '/a/b')
    const { data, stat } = await one.getData('/a/b')
    assert.equal(data, 'one')
    assert.equal(stat.version, 0)
    assert.equal((await one.setData('/a/b', 'two', { version: 0 })).version, 1)
    await assert.rejects(one.setData('/a/b', 'three', { version: 0 }), { code: 'COORD_BAD_VERSION' })
    await assert.rejects(one.getData('/none'), { code: 'COORD_NO_NODE', path: '/none' })
    assert.equal(await one.exists('/none'), undefined)
    await one.create('/a/null')
    assert.equal((await one.getData('/a/null')).data, undefined)
    assert.match(await one.create('/a/s-', '', { mode: 'persistent-sequential' }), /^\/a\/s-\d{10}$/)
    const { stat: ephemeral } = await one.createWithStat('/a/e', '', { mode: 'ephemeral' })
    assert.equal(ephemeral.ephemeralOwner, one.session.id)
    assert.deepEqual(await one.getEphemerals('/a'), ['/a/e'])
    assert.deepEqual((await one.getChildren('/a')).children.slice(0, 3), ['b', 'e', 'null'])
    await one.create('/a/ttl', '', { mode: 'persistent-ttl', ttlMs: 60_000 })
    await one.create('/a/container', '', { mode: 'container' })
    await assert.rejects(one.delete('/a'), { code: 'COORD_NOT_EMPTY' })
    await one.delete('/a', { recursive: true })
    assert.equal(await one.exists('/a'), undefined)
  })

  it('has transactions, with a stat of what they created', async () => {
    const one = await client()
    const results = await one
      .transaction()
      .create('/t', 'x')
      .setData('/t', 'y', 0)
      .check('/t', 1)
      .create('/t/u', 'z')
      .commit()
    const [created, set] = results as unknown as { stat: { czxid: bigint; version: number } }[]
    assert.ok((created?.stat.czxid ?? 0n) > 0n)
    assert.equal(set?.stat.version, 1)
    const failing = one.multi([
      { type: 'create', path: '/v' },
      { type: 'delete', path: '/none' },
    ])
    await assert.rejects(failing, { code: 'COORD_NO_NODE', index: 1 })
    assert.equal(await one.exists('/v'), undefined)
    const read = await one.multiRead([
      { type: 'getData', path: '/t' },
      { type: 'getData', path: '/none' },
    ])
    assert.equal(read.length, 2)
    await one.delete('/t', { recursive: true })
  })

  it('commits only while a node is held, as far as ZooKeeper can tell', async () => {
    const one = await client()
    const { stat } = await one.createWithStat('/held', 'x', { mode: 'ephemeral' })
    const ifHeld = { path: '/held', token: stat.czxid }
    await one.multi([{ type: 'create', path: '/while-held' }], { ifHeld })
    const failing = one.multi([{ type: 'delete', path: '/none' }], { ifHeld })
    await assert.rejects(failing, { code: 'COORD_NO_NODE', index: 0 })
    await one.delete('/held')
    await assert.rejects(one.multi([], { ifHeld }), { code: 'COORD_LOCK_LOST' })
    await one.create('/held', 'x', { mode: 'ephemeral' })
    await assert.rejects(one.multi([], { ifHeld }), { code: 'COORD_LOCK_LOST' })
    await one.delete('/while-held')
  })

  it('refuses what ZooKeeper cannot do', async () => {
    const one = await client()
    const unimplemented = { code: 'COORD_UNIMPLEMENTED' }
    await assert.rejects(one.getData('/', { consistency: 'linearizable' }), unimplemented)
    const stream = one.watch('/')
    await assert.rejects(stream[Symbol.asyncIterator]().next(), unimplemented)
  })

  it('sees one tree through a chroot, in order, and carries causality', async () => {
    const [one, chrooted] = [await client(), await client('/app')]
    await one.create('/app')
    await chrooted.sync()
    assert.equal(await chrooted.create('/x', 'y'), '/x')
    const { stat } = await chrooted.getData('/x')
    await one.awaitZxid(stat.czxid)
    assert.equal((await one.getData('/app/x')).data, 'y')
    await one.delete('/app', { recursive: true })
  })

  it('hears of changes, once or as long as it likes', async () => {
    const [one, other] = [await client(), await client()]
    const heard: string[] = []
    const note =
      (who: string) =>
      (event: { type: string; path: string }): void => {
        heard.push(`${who} ${event.type} ${event.path}`)
      }
    await one.create('/w', '1')
    await one.getData('/w', { watch: note('once') })
    await one.addWatch('/w', 'persistent-recursive', note('always'))
    await other.awaitZxid((await one.getData('/w')).stat.mzxid)
    await other.setData('/w', '2')
    await other.create('/w/x')
    await other.delete('/w/x')
    await one.sync()
    assert.deepEqual(
      heard.filter((line) => line.startsWith('once')),
      ['once changed /w'],
    )
    await one.delete('/w', { recursive: true })
  })

  it('logs in, and others may not', async () => {
    const [one, other] = [await client(), await client()]
    await one.addAuth('digest', 'bob:secret')
    await one.create('/mine', 'x', { acl: [{ scheme: 'auth', id: '', permissions: 'cdrwa' }] })
    assert.ok((await one.whoAmI()).some(({ scheme, id }) => scheme === 'digest' && id === 'bob'))
    await other.sync()
    await assert.rejects(other.getData('/mine'), { code: 'COORD_NO_AUTH' })
    assert.equal((await one.getAcl('/mine')).acl[0]?.scheme, 'digest')
    await one.delete('/mine')
  })

  it('runs recipes: counters, queues, barriers, live configuration, groups', async () => {
    const all = [await client(), await client(), await client()]
    const [one, two] = all as [Client<string>, Client<string>, Client<string>]
    await Promise.all(all.map((each) => each.counter('/count').add(5)))
    // The others may have added at another server: ZooKeeper's reads are of one's own.
    await one.sync()
    assert.equal(Number(await one.counter('/count').get()), 15)
    await one.queue('/queue').put('task')
    const taken = await two.queue('/queue').take()
    assert.equal(taken.value, 'task')
    await taken.done()
    await one.create('/config', 'first')
    await two.sync()
    const cache = await two.cache('/config')
    assert.equal(cache.value, 'first')
    const changed = once(cache, 'change')
    await one.setData('/config', 'second')
    await changed
    assert.equal(cache.value, 'second')
    await cache.close()
    const both = all.slice(0, 2).map((each) => each.doubleBarrier('/double', 2))
    await Promise.all(both.map((barrier) => barrier.enter()))
    await Promise.all(both.map((barrier) => barrier.leave()))
  })

  it('takes and gives locks and leadership', async () => {
    const all = [await client(), await client(), await client()]
    let [inside, most] = [0, 0]
    await Promise.all(
      all.map(async (each) => {
        for (let turn = 0; turn < 3; turn += 1) {
          const lock = await each.lock('/locks/one')
          inside += 1
          most = Math.max(most, inside)
          await sleep(5)
          inside -= 1
          await lock.release()
        }
      }),
    )
    assert.equal(most, 1)
    const [one, two] = all as [Client<string>, Client<string>, Client<string>]
    const lock = await one.lock('/locks/two')
    assert.equal(lock.held, true)
    assert.equal(await two.tryLock('/locks/two'), undefined)
    await lock.release()
    const led: number[] = []
    const elections = all.map((each, index) => each.elect('/locks/leader', { onElected: () => void led.push(index) }))
    // A term lasts until it is given up: then the next in line is elected.
    for (let terms = 1; terms <= 3; terms += 1) {
      while (led.length < terms) await sleep(5)
      assert.equal(led.length, terms)
      await elections[led.at(-1) as number]?.close()
    }
    assert.deepEqual(new Set(led), new Set([0, 1, 2]))
  })

  it('goes on with its session when its server goes, and loses nothing but what was under way', async () => {
    const one = await client()
    await one.create('/stays', 'x', { mode: 'ephemeral' })
    const { id } = one.session
    const heard: string[] = []
    await one.getData('/stays', { watch: ({ type }) => heard.push(type) })
    const states: string[] = []
    one.on('state', (next) => states.push(next))
    // One after the other: whichever it is connected to is among them.
    await servers[0]?.kill()
    for (let waited = 0; waited < 200 && states.length === 0; waited += 1) await sleep(20)
    for (;;) {
      try {
        await one.setData('/stays', 'y')
        break
      } catch (error) {
        assert.ok(
          ['COORD_CONNECTION_LOSS', 'COORD_NO_QUORUM'].includes((error as { code: string }).code),
          String(error),
        )
      }
    }
    await one.sync()
    assert.equal(one.session.id, id)
    assert.equal((await one.exists('/stays'))?.ephemeralOwner, id)
    assert.deepEqual(heard, ['changed'])
    assert.ok(!states.includes('lost'))
  })

  it('knows of its end without a server, and says which calls certainly did not happen', async () => {
    const one = await connectZooKeeper(connectString, { sessionTimeoutMs: 2000, requestTimeoutMs: 500 })
    await one.create('/gone-soon', undefined, { mode: 'ephemeral' })
    const { session } = one
    const states: string[] = []
    session.on('state', (next) => states.push(next))
    const isOver = new Promise<void>((resolve) => {
      session.on('state', (next) => {
        if (next === 'lost') resolve()
      })
    })
    await Promise.all(servers.map((server) => server.kill()))
    await isOver
    assert.deepEqual(states, ['suspended', 'lost'])
    await assert.rejects(one.exists('/'), { code: 'COORD_NO_QUORUM' })
    await one.close()
    await assert.rejects(one.exists('/'), { code: 'COORD_CLOSED' })
  })
})

describe('connectZooKeeper', () => {
  it('says that nobody is there, and takes only connect strings', async () => {
    const start = performance.now()
    await assert.rejects(connectZooKeeper('127.0.0.1:1', { connectTimeoutMs: 300 }), { code: 'COORD_TIMEOUT' })
    assert.ok(performance.now() - start < 10_000)
    for (const wrong of ['', ' ', 'a:b', 'host:0', 'host:70000', ',', 'host:2181/bad/']) {
      await assert.rejects(connectZooKeeper(wrong), TypeError)
    }
    await assert.rejects(connectZooKeeper('127.0.0.1:1', { signal: AbortSignal.abort() }), { code: 'ABORT_ERR' })
  })
})
