import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { frame } from '../../../adapters/zookeeper/framing.ts'
import { type ServeZooKeeperOptions, serveZooKeeper, type ZooKeeperGateway } from '../../../adapters/zookeeper/index.ts'
import { opcodes } from '../../../adapters/zookeeper/protocol.ts'
import { connectRequest, requestHeader } from '../../../adapters/zookeeper/records.ts'
import { type Coord, joinEnsemble } from '../../../lib/index.ts'
import type { Hosting } from '../../../lib/ports/hosting.ts'
import type { SessionCall, SessionDoor } from '../../../lib/ports/session-link.ts'
import { freePorts } from '../../free-ports.ts'
import { bytes, open, ZkClient } from './zk-client.ts'

const superDigest = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='

async function served(
  run: (gateway: ZooKeeperGateway, coord: Coord) => Promise<void>,
  options: Partial<ServeZooKeeperOptions> = {},
): Promise<void> {
  const coord = await joinEnsemble()
  const gateway = await serveZooKeeper(coord, { port: 0, superDigest, ...options })
  try {
    await run(gateway, coord)
  } finally {
    await gateway.close()
    await coord.close()
  }
}

/** A coord behind which the calls of all sessions are counted that are not answered yet. */
class CountedCalls {
  readonly coord: Coord
  most = 0
  #now = 0

  constructor(coord: Coord) {
    const { hosting } = coord as unknown as { readonly hosting: Hosting }
    const door: SessionDoor = {
      open: (opening, deliver) => {
        const link = hosting.door.open(opening, (item) => {
          if (item.kind === 'reply') this.#now -= 1
          deliver(item)
        })
        return instead(link, {
          call: (call: SessionCall) => {
            this.#now += 1
            this.most = Math.max(this.most, this.#now)
            link.call(call)
          },
        })
      },
    }
    this.coord = instead(coord, { hosting: instead(hosting, { door }) } as Partial<Coord>)
  }
}

/** An object with some of its members replaced. */
function instead<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (name in replaced) return Reflect.get(replaced, name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Waits for a condition that others bring about. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5)
}

/** Also where there is no room yet, or a busy machine takes longer than a handshake may. */
async function connected(port: number): Promise<ZkClient> {
  for (;;) {
    const client = await ZkClient.connect(port).catch(() => undefined)
    if (client !== undefined) return client
    await sleep(5)
  }
}

async function rawSocket(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** However it ends. */
const closed = (socket: Socket): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once('close', () => resolve()))

const opening = (timeoutMs = 10_000): Buffer =>
  frame((writer) =>
    connectRequest.write(writer, {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs,
      sessionId: 0n,
      password: undefined,
      readOnly: false,
    }),
  )

const request = (xid: number, opcode: number, body: Buffer = Buffer.alloc(0)): Buffer =>
  frame((writer) => {
    requestHeader.write(writer, { xid, opcode })
    for (const byte of body) writer.bool(byte !== 0)
  })

describe("ZooKeeper's clients at a member", () => {
  it('see the tree that the coord sees', async () => {
    await served(async (gateway, coord) => {
      const client = await ZkClient.connect(gateway.port)
      assert.equal(await client.create('/a', 'one'), '/a')
      assert.deepEqual((await coord.getData('/a')).data, bytes('one'))
      await coord.setData('/a', bytes('two'))
      const { data, stat } = await client.expect('getData', { path: '/a', watch: false })
      assert.equal(Buffer.from(data as Uint8Array).toString(), 'two')
      assert.equal(stat.version, 1)
      assert.equal((await client.request('delete', { path: '/a', version: 0 })).error, -103)
      assert.equal((await client.request('delete', { path: '/a', version: 1 })).error, 0)
      await client.close()
    })
  })

  it('tell null from empty data, and get a stat from create2', async () => {
    await served(async (gateway) => {
      const client = await ZkClient.connect(gateway.port)
      await client.create('/null', null)
      await client.create('/empty', '')
      assert.equal((await client.expect('getData', { path: '/null', watch: false })).data, undefined)
      assert.equal((await client.expect('getData', { path: '/empty', watch: false })).data?.length, 0)
      const created = await client.expect('create2', { path: '/s', data: undefined, acl: open, flags: 2 })
      assert.equal(created.path, '/s0000000002')
      assert.equal(created.stat.czxid, created.stat.mzxid)
      await client.close()
    })
  })

  it('hear of a change before they see it', async () => {
    await served(async (gateway) => {
      const [one, other] = [await ZkClient.connect(gateway.port), await ZkClient.connect(gateway.port)]
      assert.equal((await one.request('exists', { path: '/w', watch: true })).error, -101)
      await one.expect('getChildren', { path: '/', watch: true })
      await one.expect('addWatch', { path: '/', mode: 1 })
      await other.create('/w')
      await one.expect('sync', { path: '/' })
      assert.deepEqual(one.takeEvents(), ['created /w', 'children /'])
      await one.expect('removeWatches', { path: '/', type: 3 })
      assert.equal((await one.request('removeWatches', { path: '/', type: 3 })).error, -121)
      await other.create('/v')
      await one.expect('sync', { path: '/' })
      assert.deepEqual(one.takeEvents(), [])
      await Promise.all([one.close(), other.close()])
    })
  })

  it('get the answers in the order of their requests, with a zxid that never falls', async () => {
    await served(async (gateway) => {
      const client = await ZkClient.connect(gateway.port)
      const replies: [string, bigint][] = []
      const note = (name: string) => (reply: { zxid: bigint }) => replies.push([name, reply.zxid])
      const { connection } = client
      connection.send('create', { path: '/o', data: undefined, acl: open, flags: 0 }, note('create'))
      connection.send('exists', { path: '/o', watch: false }, note('exists'))
      connection.send('ping', undefined, note('ping'))
      connection.send('getData', { path: '/missing', watch: false }, note('getData'))
      connection.send('setData', { path: '/o', data: bytes('x'), version: 0 }, note('setData'))
      await client.expect('sync', { path: '/' })
      assert.deepEqual(
        replies.map(([name]) => name),
        ['create', 'exists', 'ping', 'getData', 'setData'],
      )
      for (const [index, [, zxid]] of replies.entries()) {
        assert.ok(zxid > 0n && zxid >= (replies[index - 1]?.[1] ?? 0n))
      }
      await client.close()
    })
  })

  it('get what a multi gives: a list, also when it fails', async () => {
    await served(async (gateway) => {
      const client = await ZkClient.connect(gateway.port)
      const create = (path: string) =>
        ({ type: 'create', request: { path, data: undefined, acl: open, flags: 0 } }) as const
      assert.deepEqual(
        await client.expect('multi', [create('/m'), { type: 'check', request: { path: '/m', version: 0 } }]),
        [{ type: 'create', path: '/m' }, { type: 'check' }],
      )
      const failed = await client.expect('multi', [
        create('/n'),
        { type: 'check', request: { path: '/missing', version: 0 } },
        create('/o'),
      ])
      assert.deepEqual(
        failed.map((result) => result.type === 'error' && result.error),
        [0, -101, -2],
      )
      assert.deepEqual(await client.expect('multi', []), [])
      assert.deepEqual(await client.expect('multiRead', [{ type: 'getChildren', request: { path: '/m' } }]), [
        { type: 'getChildren', children: [] },
      ])
      await client.close()
    })
  })

  it('log in, and are refused after a login that fails', async () => {
    await served(async (gateway) => {
      const client = await ZkClient.connect(gateway.port)
      await client.expect('auth', { type: 0, scheme: 'digest', auth: bytes('bob:pw') })
      const acl = [{ perms: 31, scheme: 'auth', id: '' }]
      await client.expect('create', { path: '/mine', data: undefined, acl, flags: 0 })
      assert.deepEqual((await client.expect('getACL', { path: '/mine' })).acl, [
        { perms: 31, scheme: 'digest', id: 'bob:ikIaKsbtGweaHnb/jKn7OHqbunM=' },
      ])
      const other = await ZkClient.connect(gateway.port)
      assert.equal((await other.request('getData', { path: '/mine', watch: false })).error, -102)
      await other.expect('auth', { type: 0, scheme: 'digest', auth: bytes('super:test') })
      assert.equal((await other.request('getData', { path: '/mine', watch: false })).error, 0)
      assert.equal((await other.request('reconfig', { joining: '', leaving: '', members: '', version: -1n })).error, -6)
      assert.equal(
        (await client.request('reconfig', { joining: '', leaving: '', members: '', version: -1n })).error,
        -102,
      )
      assert.equal((await other.request('auth', { type: 0, scheme: 'nonsense', auth: bytes('x') })).error, -115)
      await other.ended
      await client.close()
    })
  })

  it('may not mix up flags, modes and paths', async () => {
    await served(async (gateway) => {
      const client = await ZkClient.connect(gateway.port)
      const create = { data: undefined, acl: open }
      for (const [name, flags] of [
        ['create', 4],
        ['create', 5],
        ['create', 7],
        ['create', -1],
        ['createContainer', 0],
      ] as const) {
        assert.equal((await client.request(name, { path: '/x', ...create, flags })).error, -8, `${name} ${flags}`)
      }
      for (const ttlMs of [0, -1, 0x100_0000_0000]) {
        assert.equal((await client.request('createTTL', { path: '/x', ...create, flags: 5, ttlMs })).error, -8)
      }
      for (const path of ['/a//b', '/a/', '//', '/./a', '/\u0001', '/\ufff0', 'a', '']) {
        const { error } = await client.request('create', { path, ...create, flags: 0 })
        assert.ok(error === -8 || error === -101 || error === -110, `${JSON.stringify(path)}: ${error}`)
      }
      assert.equal((await client.request('addWatch', { path: '/x', mode: 2 })).error, -8)
      assert.equal((await client.request('exists', { path: `/${'x'.repeat(20_000)}`, watch: false })).error, -8)
      assert.equal((await client.expect('getChildren', { path: '/', watch: false })).children.length, 1)
      await client.close()
    })
  })
})

describe("a ZooKeeper client's session", () => {
  it('negotiates its timeout, has a random password, and an answer as long as the question', async () => {
    await served(async (gateway) => {
      const short = await ZkClient.connect(gateway.port, { timeoutMs: 1 })
      const long = await ZkClient.connect(gateway.port, { timeoutMs: 1_000_000, readOnly: undefined })
      assert.equal(short.opened.timeoutMs, 4000)
      assert.equal(short.opened.readOnly, false)
      assert.equal(long.opened.timeoutMs, 40_000)
      assert.equal(long.opened.readOnly, undefined)
      assert.notDeepEqual(short.opened.password, long.opened.password)
      await Promise.all([short.close(), long.close()])
    })
  })

  it('moves to the connection that shows its password, and takes its watches along', async () => {
    await served(async (gateway, coord) => {
      const first = await ZkClient.connect(gateway.port)
      await first.create('/e', '', 1)
      await first.expect('getData', { path: '/e', watch: true })
      const seen = first.connection.lastZxid
      const second = await ZkClient.connect(gateway.port, { ticket: first.ticket, lastZxidSeen: seen })
      assert.equal(second.opened.sessionId, first.opened.sessionId)
      await first.ended
      await coord.setData('/e', bytes('x'))
      const watches = { relativeZxid: seen, data: ['/e', '/gone'], exists: ['/e', '/new'], children: ['/'] }
      await second.expect('setWatches', watches)
      assert.deepEqual(second.takeEvents().sort(), ['changed /e', 'created /e', 'deleted /gone'])
      await coord.create('/new')
      await second.expect('sync', { path: '/' })
      assert.deepEqual(second.takeEvents(), ['created /new', 'children /'])
      await second.close()
      assert.equal(await coord.exists('/e'), undefined)
    })
  })

  it('is refused with a wrong password, and its owner is not disturbed', async () => {
    await served(async (gateway) => {
      const owner = await ZkClient.connect(gateway.port)
      const { id } = owner.ticket
      for (const ticket of [
        { id, password: new Uint8Array(16) },
        { id: 12345n, password: new Uint8Array(16) },
        { id: -1n, password: new Uint8Array(0) },
      ]) {
        const thief = await ZkClient.connect(gateway.port, { ticket })
        assert.equal(thief.opened.timeoutMs, 0)
        assert.equal(thief.opened.sessionId, 0n)
        await thief.ended
      }
      await owner.create('/still')
      await owner.close()
    })
  })

  it('is not opened for who has seen what is not here yet', async () => {
    await served(async (gateway) => {
      await assert.rejects(ZkClient.connect(gateway.port, { lastZxidSeen: 1n << 62n }))
    })
  })

  it('ends when it is closed, with its ephemeral nodes, before that is answered', async () => {
    await served(async (gateway, coord) => {
      const client = await ZkClient.connect(gateway.port)
      await client.create('/e', '', 1)
      assert.equal((await client.request('closeSession', undefined)).error, 0)
      assert.equal(await coord.exists('/e'), undefined)
      await client.ended
    })
  })

  it('expires when its client is silent, and lives as long as it pings', async () => {
    await served(
      async (gateway, coord) => {
        const [silent, pinging] = [
          await ZkClient.connect(gateway.port, { timeoutMs: 500 }),
          await ZkClient.connect(gateway.port, { timeoutMs: 500 }),
        ]
        await silent.create('/silent', '', 1)
        await pinging.create('/pinging', '', 1)
        await until(async () => {
          await pinging.request('ping', undefined)
          return (await coord.exists('/silent')) === undefined
        })
        await silent.ended
        assert.notEqual(await coord.exists('/pinging'), undefined)
        await pinging.close()
      },
      { sessionTimeoutMinMs: 500 },
    )
  })
})

describe('hostile bytes at the gateway', () => {
  it('end their own connection alone', async () => {
    await served(async (gateway) => {
      const good = await ZkClient.connect(gateway.port)
      const length = (value: number): Buffer => {
        const buffer = Buffer.alloc(4)
        buffer.writeInt32BE(value)
        return buffer
      }
      for (const hostile of [
        length(-1),
        length(0x7fff_ffff),
        length(0x10_0000),
        Buffer.concat([length(4), length(0)]),
        Buffer.concat([opening(), length(-5)]),
        Buffer.concat([opening(), frame((writer) => writer.int(1))]),
        Buffer.concat([opening(), request(1, 9999)]),
        Buffer.concat([opening(), request(1, opcodes.check, Buffer.alloc(8))]),
        Buffer.concat([opening(), request(1, -10, Buffer.alloc(8))]),
        Buffer.from('quux'),
      ]) {
        const socket = await rawSocket(gateway.port)
        socket.resume()
        socket.write(hostile)
        await closed(socket)
      }
      await good.create('/alive')
      await good.close()
    })
  })

  it('get an error where the packet is whole but the request is not, and the connection stays', async () => {
    await served(async (gateway) => {
      const client = await ZkClient.connect(gateway.port)
      for (const opcode of [1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 15, 18, 21, 22, 101, 105, 106]) {
        const socket = await rawSocket(gateway.port)
        socket.write(Buffer.concat([opening(), request(7, opcode, Buffer.alloc(3)), request(8, opcodes.ping)]))
        const chunks: Buffer[] = []
        socket.on('data', (chunk: Buffer) => chunks.push(chunk))
        const replies = (): Buffer => Buffer.concat(chunks).subarray(4 + 37)
        await until(() => replies().length >= 40)
        assert.equal(replies().readInt32BE(4), 7)
        assert.equal(replies().readInt32BE(16), -5, `operation ${opcode}`)
        assert.equal(replies().readInt32BE(24), 8)
        socket.destroy()
      }
      await client.close()
    })
  })

  it('may be anything', async () => {
    await served(async (gateway, coord) => {
      const anything = fc.oneof(
        fc.uint8Array({ maxLength: 200 }).map((data) => Buffer.from(data)),
        fc
          .tuple(fc.integer({ min: -3, max: 120 }), fc.integer(), fc.uint8Array({ maxLength: 100 }), fc.boolean())
          .map(([opcode, xid, body, isWhole]) => {
            const packet = frame((writer) => {
              requestHeader.write(writer, { xid, opcode })
              writer.buffer(body)
            })
            return Buffer.concat([opening(), isWhole ? packet : packet.subarray(0, packet.length - 1)])
          }),
      )
      await fc.assert(
        fc.asyncProperty(anything, async (data) => {
          const socket = await rawSocket(gateway.port)
          socket.resume()
          socket.write(data)
          socket.end()
          await closed(socket)
        }),
        { numRuns: 200 },
      )
      const client = await ZkClient.connect(gateway.port)
      await client.create('/alive')
      await client.close()
      assert.equal(coord.state, 'connected')
    })
  })

  it('wait neither for ever to begin nor to end', async () => {
    await served(
      async (gateway) => {
        const idle = await rawSocket(gateway.port)
        const slow = await rawSocket(gateway.port)
        const half = await rawSocket(gateway.port)
        slow.write(opening().subarray(0, 10))
        half.write(Buffer.concat([opening(), request(1, opcodes.exists).subarray(0, 6)]))
        for (const socket of [idle, slow, half]) socket.resume()
        await Promise.all([idle, slow, half].map(closed))
      },
      { handshakeTimeoutMs: 100, packetTimeoutMs: 100 },
    )
  })

  it('open so many connections and no more', async () => {
    await served(
      async (gateway) => {
        const [one, two] = [await ZkClient.connect(gateway.port), await ZkClient.connect(gateway.port)]
        await assert.rejects(ZkClient.connect(gateway.port))
        await one.close()
        await until(async () =>
          ZkClient.connect(gateway.port).then(
            (third) => third.close().then(() => true),
            () => false,
          ),
        )
        await two.close()
      },
      { connectionsPerAddressMax: 2 },
    )
  })

  it('count against all addresses together, too', async () => {
    await served(
      async (gateway) => {
        const sockets = [await rawSocket(gateway.port), await rawSocket(gateway.port, '127.0.0.2')]
        await closed(await rawSocket(gateway.port, '127.0.0.3'))
        for (const socket of sockets) socket.destroy()
        await (await connected(gateway.port)).close()
      },
      { connectionsMax: 2 },
    )
  })

  it('that come in a flood and say nothing, or half of something, keep nobody out who comes from elsewhere', async () => {
    await served(
      async (gateway, coord) => {
        const good = await connected(gateway.port)
        const flood = await Promise.all(
          Array.from({ length: 300 }, async (_, index) => {
            const socket = await rawSocket(gateway.port, '127.0.0.2')
            if (index % 3 === 1) socket.write(opening().subarray(0, 1 + (index % 30)))
            if (index % 3 === 2) socket.write(Buffer.concat([opening(), request(1, opcodes.exists).subarray(0, 6)]))
            return socket
          }),
        )
        const other = await connected(gateway.port)
        await Promise.all([good.create('/good'), other.create('/other')])
        assert.equal(coord.state, 'connected')
        // Those beyond the limit at once, the others when their time is over.
        for (const socket of flood) socket.resume()
        await Promise.all(flood.map(closed))
        await Promise.all([good.close(), other.close()])
      },
      { connectionsPerAddressMax: 50, handshakeTimeoutMs: 300, packetTimeoutMs: 300 },
    )
  })

  it('are read no further than their outstanding requests allow, and are all answered in the end', async () => {
    await using coord = await joinEnsemble()
    const counted = new CountedCalls(coord)
    await using gateway = await serveZooKeeper(counted.coord, { port: 0, outstandingMax: 4 })
    const client = await ZkClient.connect(gateway.port)
    const paths = Array.from({ length: 500 }, (_, index) => `/n${index}`)
    assert.deepEqual(await Promise.all(paths.map((path) => client.create(path))), paths)
    assert.equal(counted.most, 4)
    await client.close()
  })

  it('cannot make the gateway hold what they do not read', async () => {
    await served(
      async (gateway, coord) => {
        await coord.create('/big', new Uint8Array(500_000))
        const socket = await rawSocket(gateway.port)
        socket.pause()
        socket.write(opening())
        for (let xid = 1; xid <= 200; xid += 1) {
          const get = frame((writer) => {
            requestHeader.write(writer, { xid, opcode: opcodes.getData })
            writer.text('/big')
            writer.bool(false)
          })
          socket.write(get)
        }
        await closed(socket)
        const client = await ZkClient.connect(gateway.port)
        await client.create('/alive')
        await client.close()
      },
      { bufferedBytesMax: 2_000_000 },
    )
  })
})

describe('a gateway', () => {
  it('says that its port is taken', async () => {
    await served(async (gateway, coord) => {
      await assert.rejects(serveZooKeeper(coord, { port: gateway.port }), { code: 'COORD_ADDRESS_IN_USE' })
    })
  })

  it('closes with its coord, and cuts its clients then', async () => {
    const coord = await joinEnsemble()
    const gateway = await serveZooKeeper(coord, { port: 0 })
    const client = await ZkClient.connect(gateway.port)
    await coord.close()
    await client.ended
    await gateway.close()
    await assert.rejects(serveZooKeeper(coord, { port: 0 }), { code: 'COORD_CLOSED' })
  })

  it('does not begin where its coord closes meanwhile, and leaves nothing that listens', async () => {
    await using coord = await joinEnsemble()
    const { hosting } = coord as unknown as { readonly hosting: Hosting }
    for (const host of ['127.0.0.1', 'localhost']) {
      const [port = 0] = await freePorts(1)
      const closing = Object.assign(new EventEmitter(), { state: 'connected', hosting })
      const serving = assert.rejects(serveZooKeeper(closing, { port, host }), { code: 'COORD_CLOSED' })
      closing.emit('state', 'closed')
      await serving
      assert.equal(closing.listenerCount('state'), 0)
      await (await serveZooKeeper(coord, { port, host })).close()
    }
  })

  it('refuses limits that are none', async () => {
    await served(async (_gateway, coord) => {
      await assert.rejects(serveZooKeeper(coord, { port: 0, outstandingMax: 0 }), RangeError)
    })
  })
})
