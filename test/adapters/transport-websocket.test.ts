import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type RequestListener, type Server } from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket, WebSocketServer } from 'ws'
import {
  type WebSocketTransport,
  type WebSocketTransportOptions,
  webSocketTransport,
} from '../../adapters/transport-websocket/index.ts'
import type { Connection, Listener, Transport, TransportLimits } from '../../lib/ports/index.ts'
import { type TransportFixture, transportSuite } from '../../lib/suites/index.ts'
import { memberTls, strangerTls } from './certificates.ts'

const limits: TransportLimits = { frameBytesMax: 64 * 1024, dialTimeoutMs: 2_000 }
const never = new AbortController().signal

describe('transport-websocket', () => {
  describe('on a port of its own', () => {
    transportSuite({ test: it, factory: ownPortFixture })
  })

  describe('on the application’s http server', () => {
    transportSuite({ test: it, factory: sharedServerFixture })
  })

  describe('over TLS', () => {
    transportSuite({ test: it, factory: tlsFixture })
    tlsTests()
  })

  describe('addresses', addressTests)
  describe('who may come in', entranceTests)
  describe('a connection', connectionTests)
  describe('a shared server', sharedServerTests)
  describe('a dial says why it failed', dialTests)
  describe('listening', listenTests)
})

function addressTests(): void {
  const normalize = (address: string): string => webSocketTransport().normalize(address)
  const spellings: [string, string][] = [
    ['ws://Example.ORG:7400', 'ws://example.org:7400/embedded-coord'],
    ['ws://example.org', 'ws://example.org:80/embedded-coord'],
    ['wss://example.org/', 'wss://example.org:443/embedded-coord'],
    ['WSS://example.org:443/a/b//', 'wss://example.org:443/a/b'],
    ['ws://[::1]:7400', 'ws://[::1]:7400/embedded-coord'],
  ]
  for (const [address, normal] of spellings) {
    it(`${address} is ${normal}`, () => {
      assert.equal(normalize(address), normal)
      assert.equal(normalize(normal), normal)
    })
  }

  const nonsense = [
    '',
    'localhost:7400',
    '10.0.0.5:7400',
    'http://localhost:7400',
    'ws://',
    'ws://a:99999',
    'ws://a:0',
    'ws://a/?b=c',
    'ws://a/#b',
  ]
  for (const address of nonsense) {
    it(`${JSON.stringify(address)} is none`, () => {
      assert.throws(() => normalize(address), TypeError)
      assert.throws(() => webSocketTransport({ advertise: address }), TypeError)
    })
  }

  it('a refused address does not give away a password', () => {
    assert.throws(
      () => normalize('ws://me:secret@a:1'),
      (error: Error) => !error.message.includes('secret'),
    )
  })

  const exposures: [WebSocketTransportOptions, boolean][] = [
    [{}, false],
    [{ listen: { port: 0 } }, false],
    [{ listen: { port: 0, host: 'localhost' } }, false],
    [{ listen: { port: 0, host: '127.8.9.1' } }, false],
    [{ listen: { port: 0, host: '::1' } }, false],
    [{ listen: { port: 0, host: '0.0.0.0' } }, true],
    [{ listen: { port: 0, host: '::' } }, true],
    [{ listen: { port: 0, host: '10.0.0.5' } }, true],
    [{ listen: { port: 0, host: '127.evil.example' } }, true],
  ]
  for (const [options, exposed] of exposures) {
    it(`${JSON.stringify(options)} is ${exposed ? 'exposed' : 'not exposed'}`, () => {
      assert.equal(webSocketTransport(options).exposed, exposed)
    })
  }

  it('a shared server is always exposed: it may stand behind a proxy', () => {
    assert.equal(webSocketTransport({ listen: { server: createServer() } }).exposed, true)
  })

  it('what is advertised is the listener’s address', async () => {
    const options = { listen: { port: 0 }, advertise: 'ws://Coord.example:7400' }
    await withTransport(options, async (transport) => {
      const listener = await transport.listen(() => {}, limits)
      assert.equal(listener?.address, 'ws://coord.example:7400/embedded-coord')
    })
  })

  it('bound to all addresses, the default is one that others can dial', async () => {
    await withTransport({ listen: { port: 0, host: '0.0.0.0' } }, async (transport) => {
      const listener = await transport.listen(() => {}, limits)
      assert(listener !== undefined && !listener.address.includes('0.0.0.0'))
      assert.match(listener.address, /^ws:\/\/[^/]+:\d+\/embedded-coord$/)
    })
  })
}

function entranceTests(): void {
  it('no request with an Origin, whatever it says', async () => {
    await withListener(async ({ address }, accepted) => {
      for (const origin of ['https://evil.example', new URL(address).origin, 'null']) {
        assert.equal(await statusOf(address, ['embedded-coord'], { origin }), 403)
      }
      assert.equal(accepted.length, 0)
    })
  })

  it('nobody without the subprotocol', async () => {
    await withListener(async ({ address }, accepted) => {
      assert.equal(await statusOf(address, []), 400)
      assert.equal(await statusOf(address, ['mqtt']), 400)
      assert.equal(await statusOf(address, ['embedded-coord-2']), 400)
      assert.equal(accepted.length, 0)
    })
  })

  it('nobody on another path', async () => {
    await withListener(async ({ address }) => {
      assert.equal(await statusOf(`${address}/x`, ['embedded-coord']), 404)
      assert.equal(await statusOf(address.replace('/embedded-coord', '/'), ['embedded-coord']), 404)
    })
  })

  it('a plain request learns what the port is', async () => {
    await withListener(async ({ address }) => {
      const { status, body } = await httpGet(address.replace('ws:', 'http:'))
      assert.equal(status, 426)
      assert.match(body, /embedded-coord/)
    })
  })

  for (const [name, garbage] of [
    ['garbage', Buffer.from([0, 1, 2, 3, 0xff, 10, 13, 10])],
    ['a TLS hello', Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0])],
    ['an upgrade without a key', Buffer.from(upgradeRequest({ 'Sec-WebSocket-Protocol': 'embedded-coord' }))],
    ['headers without end', Buffer.from(`GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`)],
  ] as const) {
    it(`${name} closes the socket, and the listener goes on`, async () => {
      await withListener(async (listener, accepted) => {
        const socket = tcpConnect(listener)
        socket.end(garbage)
        await once(socket, 'close')
        assert.equal(accepted.length, 0)
        await withTransport({}, async (transport) => {
          await transport.dial(listener.address, limits, never)
        })
      })
    })
  }

  it('who connects and says nothing is closed in time', async () => {
    await withListener(
      async (listener) => {
        const socket = tcpConnect(listener)
        await once(socket, 'close')
      },
      { ...limits, dialTimeoutMs: 100 },
    )
  })

  it('garbage after the handshake closes the connection', async () => {
    await withListener(async (listener, accepted) => {
      const socket = tcpConnect(listener)
      socket.write(
        upgradeRequest({
          'Sec-WebSocket-Protocol': 'embedded-coord',
          'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        }),
      )
      await once(socket, 'data')
      socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
      await once(socket, 'close')
      await until(() => accepted[0]?.reason !== undefined)
      assert.match(accepted[0]?.reason ?? '', /RSV/)
    })
  })

  it('no compression is agreed on', async () => {
    await withListener(async ({ address }) => {
      const client = new WebSocket(address, ['embedded-coord'], { perMessageDeflate: true })
      await once(client, 'open')
      assert.equal(client.extensions, '')
      client.terminate()
    })
  })
}

function connectionTests(): void {
  it('a text frame closes it', async () => {
    await withListener(async ({ address }, accepted) => {
      const client = new WebSocket(address, ['embedded-coord'])
      await once(client, 'open')
      client.send('text')
      client.send(Buffer.from('too late'))
      const [code] = await once(client, 'close')
      assert.equal(code, 1003)
      await until(() => accepted[0]?.reason !== undefined)
      assert.deepEqual(accepted[0]?.frames, [])
      assert.equal(accepted[0]?.reason, 'the other side sent a text frame')
    })
  })

  it('an oversized frame closes it before it is read', async () => {
    await withListener(async ({ address }, accepted) => {
      const client = new WebSocket(address, ['embedded-coord'])
      await once(client, 'open')
      client.send(new Uint8Array(limits.frameBytesMax + 1))
      const [code] = await once(client, 'close')
      assert.equal(code, 1009)
      await until(() => accepted[0]?.reason !== undefined)
      assert.match(accepted[0]?.reason ?? '', /Max payload size exceeded/)
    })
  })

  it('a frame in a thousand fragments closes it', async () => {
    await withListener(async ({ address }, accepted) => {
      const client = new WebSocket(address, ['embedded-coord'])
      await once(client, 'open')
      for (let index = 0; index < 1_000; index += 1) client.send(new Uint8Array(1), { fin: false })
      const [code] = await once(client, 'close')
      assert.equal(code, 1008)
      assert.deepEqual(accepted[0]?.frames, [])
    })
  })

  it('a broken socket is told as such', async () => {
    await withListener(async ({ address }, accepted) => {
      const client = new WebSocket(address, ['embedded-coord'])
      await once(client, 'open')
      client.terminate()
      await until(() => accepted[0]?.reason !== undefined)
      assert.equal(accepted[0]?.reason, 'the connection broke')
    })
  })

  it('the other side’s reason is told, without control characters', async () => {
    await withListener(async ({ address }, accepted) => {
      const client = new WebSocket(address, ['embedded-coord'])
      await once(client, 'open')
      client.close(1000, 'no\u001b[31m more\n')
      await until(() => accepted[0]?.reason !== undefined)
      assert.equal(accepted[0]?.reason, 'closed by the other side: no [31m more ')
    })
  })

  it('a long reason is cut at a whole character', async () => {
    await withListener(async ({ address }, accepted) => {
      await withTransport({}, async (transport) => {
        const connection = await transport.dial(address, limits, never)
        connection.open({ frame() {}, closed() {} })
        connection.close(`x${'é'.repeat(200)}`)
        await until(() => accepted[0]?.reason !== undefined)
      })
      assert.equal(accepted[0]?.reason, `closed by the other side: x${'é'.repeat(61)}`)
    })
  })

  it('a side that does not take leave is not waited for', async () => {
    await withListener(async ({ address }, accepted) => {
      const client = new WebSocket(address, ['embedded-coord'])
      await once(client, 'open')
      client.pause()
      await until(() => accepted.length === 1)
      accepted[0]?.connection.close()
      await until(() => accepted[0]?.reason !== undefined)
      client.terminate()
    })
  })

  it('a side that does not read is dropped', async () => {
    const options = { bufferedBytesMax: 1024 * 1024 }
    await withListener(
      async ({ address }, accepted) => {
        const client = new WebSocket(address, ['embedded-coord'])
        await once(client, 'open')
        client.pause()
        await until(() => accepted.length === 1)
        const { connection } = accepted[0] as Accepted
        for (let sent = 0; sent < 1_000 && accepted[0]?.reason === undefined; sent += 1) {
          connection.send(new Uint8Array(limits.frameBytesMax))
          await new Promise((resolve) => setImmediate(resolve))
        }
        assert.match(accepted[0]?.reason ?? '', /left \d+ bytes unread/)
        client.terminate()
      },
      limits,
      options,
    )
  })

  it('a ping is answered', async () => {
    await withListener(async ({ address }) => {
      const client = new WebSocket(address, ['embedded-coord'])
      await once(client, 'open')
      client.ping()
      await once(client, 'pong')
      client.terminate()
    })
  })
}

function sharedServerTests(): void {
  it('serves the application’s requests beside', async () => {
    await withSharedServer(async ({ server, listener }) => {
      const { status, body } = await httpGet(`http://127.0.0.1:${portOf(server)}/hello?x=1`)
      assert.deepEqual([status, body], [200, 'application: /hello?x=1'])
      await withTransport({}, async (transport) => {
        await transport.dial(listener.address, limits, never)
      })
    })
  })

  it('leaves the upgrades of the application to it', async () => {
    await withSharedServer(async ({ server, listener }) => {
      const theirs = new WebSocketServer({ noServer: true })
      server.on('upgrade', (request, socket, head) => {
        if (request.url !== '/chat') return
        theirs.handleUpgrade(request, socket, head, (client) => client.send('welcome'))
      })
      const chat = new WebSocket(`ws://127.0.0.1:${portOf(server)}/chat`, { origin: 'https://application.example' })
      const [greeting] = await once(chat, 'message')
      assert.equal(String(greeting), 'welcome')
      chat.terminate()
      await withTransport({}, async (transport) => {
        await transport.dial(listener.address, limits, never)
      })
    })
  })

  it('answers 404 for other paths where nobody else takes upgrades', async () => {
    await withSharedServer(async ({ server }) => {
      assert.equal(await statusOf(`ws://127.0.0.1:${portOf(server)}/chat`, []), 404)
    })
  })

  it('survives an application that takes every upgrade, also ours', async () => {
    const server = createServer()
    const greedy = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request, socket, head) => {
      greedy.handleUpgrade(request, socket, head, (client) => client.close())
    })
    await withSharedServer(async ({ listener }) => {
      const client = new WebSocket(listener.address, ['embedded-coord'])
      await once(client, 'close')
    }, server)
  })

  it('two ensembles share one server by their paths', async () => {
    const server = createServer()
    await listenOn(server)
    const transports = ['/one', '/two/'].map((path) => webSocketTransport({ listen: { server, path } }))
    const accepted: string[] = []
    for (const transport of transports) {
      const listener = (await transport.listen((connection) => {
        connection.open({ frame() {}, closed() {} })
        accepted.push(listener.address)
      }, limits)) as Listener
    }
    await withTransport({}, async (transport) => {
      for (const path of ['one', 'two']) await transport.dial(`ws://127.0.0.1:${portOf(server)}/${path}`, limits, never)
    })
    assert.deepEqual(
      accepted.map((address) => new URL(address).pathname),
      ['/one', '/two'],
    )
    await Promise.all(transports.map((transport) => transport.close()))
    await closeServer(server)
  })

  it('may begin to listen later', async () => {
    const server = createServer()
    await withTransport({ listen: { server } }, async (transport) => {
      const listening = transport.listen(() => {}, limits)
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal(transport.waitingFor, 'your server is not listening yet')
      await listenOn(server)
      const listener = await listening
      assert.equal(listener?.address, `ws://127.0.0.1:${portOf(server)}/embedded-coord`)
      assert.equal(transport.waitingFor, undefined)
    })
    await closeServer(server)
  })

  it('may be given up while it does not listen', async () => {
    const server = createServer()
    const listeners = (): number[] => ['upgrade', 'listening'].map((event) => server.listenerCount(event))
    const before = listeners()
    const transport = webSocketTransport({ listen: { server } })
    const listening = assert.rejects(
      transport.listen(() => {}, limits),
      { code: 'COORD_CLOSED' },
    )
    await transport.close()
    await listening
    assert.deepEqual(listeners(), before)
  })

  it('is not closed by us, nor are its errors caught', async () => {
    await withSharedServer(async ({ server, transport }) => {
      assert.equal(server.listenerCount('error'), 0)
      await transport.close()
      assert.equal(server.listening, true)
      assert.equal(server.listenerCount('upgrade'), 0)
    })
  })

  it('that listens on no port needs `advertise`', async () => {
    const server = createServer()
    server.listen(join(tmpdir(), `embedded-coord-${process.pid}.sock`))
    await once(server, 'listening')
    await withTransport({ listen: { server } }, async (transport) => {
      await assert.rejects(
        transport.listen(() => {}, limits),
        /needs `advertise`/,
      )
    })
    await closeServer(server)
  })

  it('needs a path that begins with a slash', async () => {
    const transport = webSocketTransport({ listen: { server: createServer(), path: 'coord' } })
    await assert.rejects(
      transport.listen(() => {}, limits),
      TypeError,
    )
  })
}

function dialTests(): void {
  it('nothing listens', async () => {
    assert.equal(await whyNot('ws://127.0.0.1:1'), 'nothing listens at ws://127.0.0.1:1/embedded-coord')
    assert.match(await whyNot('ws://localhost:1'), /^nothing listens at /)
  })

  it('no such host', async () => {
    assert.match(await whyNot('ws://no-such-host.invalid:1'), /host name/)
  })

  for (const [status, text] of [
    [404, /is a web server without embedded-coord at this path \(HTTP status 404\)$/],
    [403, /refuses this connection \(HTTP status 403\)$/],
    [200, /speaks HTTP, but not embedded-coord \(HTTP status 200\)$/],
    [302, /speaks HTTP, but not embedded-coord \(HTTP status 302\)$/],
  ] as const) {
    it(`a web server that answers ${status}`, async () => {
      const server = createServer((_request, response) => response.writeHead(status, { Location: '/x' }).end())
      await listenOn(server)
      assert.match(await whyNot(`ws://127.0.0.1:${portOf(server)}`), text)
      await closeServer(server)
    })
  }

  it('a WebSocket server of somebody else', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => false })
    await once(server, 'listening')
    const why = await whyNot(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
    assert.match(why, /is a WebSocket server, but not embedded-coord$/)
    await new Promise((resolve) => server.close(resolve))
  })

  it('a server that does not speak HTTP', async () => {
    await withTcpServer(
      (socket) => socket.end('220 mail.example ESMTP\r\n'),
      async (address) => assert.match(await whyNot(address), /does not speak HTTP$/),
    )
  })

  it('a server that hangs up', async () => {
    await withTcpServer(
      (socket) => socket.destroy(),
      async (address) =>
        assert.match(await whyNot(address), /^cannot connect to .*: (socket hang up|read ECONNRESET)$/),
    )
  })

  it('a server that never answers, or a letter at a time', async () => {
    await withTcpServer(
      () => {},
      async (address) => assert.match(await whyNot(address, 100), /did not answer within 100 ms$/),
    )
    await withTcpServer(
      (socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nX: ')
        const timer = setInterval(() => socket.write('x'), 10)
        socket.on('close', () => clearInterval(timer))
      },
      async (address) => assert.match(await whyNot(address, 100), /did not answer within 100 ms$/),
    )
  })

  it('an abort in the middle of the handshake closes the socket', async () => {
    await withTcpServer(
      () => {},
      async (address, server) => {
        const controller = new AbortController()
        const transport = webSocketTransport()
        const dialled = assert.rejects(transport.dial(address, limits, controller.signal), { name: 'AbortError' })
        const [socket] = await once(server, 'connection')
        controller.abort()
        await dialled
        if (!socket.destroyed) await once(socket, 'close')
        await transport.close()
      },
    )
  })
}

function tlsTests(): void {
  it('the address is wss', async () => {
    await withTlsListener(async ({ address }) => assert.match(address, /^wss:/))
  })

  it('who has no certificate of the ensemble stays out', async () => {
    await withTlsListener(async ({ address }, accepted) => {
      assert.match(await whyNot(address), /^cannot connect to wss:/)
      const withoutOne = { ca: memberTls.ca, key: '', cert: '' }
      for (const tls of [strangerTls, withoutOne]) {
        await withTransport({ tls }, async (transport) => {
          await assert.rejects(transport.dial(address, limits, never), /^Error: cannot connect to wss:/)
        })
      }
      assert.equal(accepted.length, 0)
    })
  })

  it('a listener with a certificate of somebody else is not talked to', async () => {
    await withTransport({ listen: { port: 0 }, tls: strangerTls }, async (stranger) => {
      const listener = (await stranger.listen(() => assert.fail('accepted'), limits)) as Listener
      await withTransport({ tls: memberTls }, async (transport) => {
        await assert.rejects(transport.dial(listener.address, limits, never), /self-signed certificate/)
      })
    })
  })

  it('ws does not reach a wss listener', async () => {
    await withTlsListener(async ({ address }) => {
      assert.match(await whyNot(address.replace('wss:', 'ws:')), /^cannot connect to ws:/)
    })
  })
}

function listenTests(): void {
  it('an address in use names itself', async () => {
    await withListener(async ({ address }) => {
      const { port } = new URL(address)
      const transport = webSocketTransport({ listen: { port: Number(port) } })
      await assert.rejects(
        transport.listen(() => {}, limits),
        { code: 'COORD_ADDRESS_IN_USE', message: `another process listens on 127.0.0.1:${port}` },
      )
      await transport.close()
    })
  })

  it('an address of another host is an error that says so', async () => {
    const transport = webSocketTransport({ listen: { port: 0, host: '192.0.2.1' } })
    await assert.rejects(
      transport.listen(() => {}, limits),
      /^Error: cannot listen on 192\.0\.2\.1:0: /,
    )
    await transport.close()
  })

  it('closed while the port opens, nothing stays open', async () => {
    const transport = webSocketTransport({ listen: { port: 0, host: 'localhost' } })
    const listening = transport.listen(() => {}, limits)
    await transport.close()
    const listener = await listening
    assert.match(await whyNot(listener?.address ?? ''), /nothing listens/)
  })

  it('let go, neither listener nor connections hold the process', async () => {
    const holders = (): string[] => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'))
    assert.deepEqual(holders(), [])
    await withTransport({ listen: { port: 0 } }, async (transport) => {
      transport.setRef(false)
      const accept = (connection: Connection): void => connection.open({ frame() {}, closed() {} })
      const { address } = (await transport.listen(accept, limits)) as Listener
      const connection = await transport.dial(address, limits, never)
      connection.open({ frame() {}, closed() {} })
      assert.deepEqual(holders(), [])
      transport.setRef(true)
      assert.deepEqual(holders().sort(), ['TCPServerWrap', 'TCPSocketWrap', 'TCPSocketWrap'])
    })
    assert.deepEqual(holders(), [])
  })
}

interface Accepted {
  readonly connection: Connection
  readonly frames: Uint8Array[]
  reason: string | undefined
}

async function withTransport(
  options: WebSocketTransportOptions,
  run: (transport: WebSocketTransport) => Promise<void>,
): Promise<void> {
  const transport = webSocketTransport(options)
  try {
    await run(transport)
  } finally {
    await transport.close()
  }
}

async function withListener(
  run: (listener: Listener, accepted: Accepted[]) => Promise<void>,
  withLimits: TransportLimits = limits,
  options: WebSocketTransportOptions = {},
): Promise<void> {
  await withTransport({ ...options, listen: { port: 0 } }, async (transport) => {
    const accepted: Accepted[] = []
    const listener = await transport.listen((connection) => {
      const each: Accepted = { connection, frames: [], reason: undefined }
      accepted.push(each)
      connection.open({
        frame: (frame) => each.frames.push(frame),
        closed(reason) {
          each.reason = reason
        },
      })
    }, withLimits)
    await run(listener as Listener, accepted)
  })
}

interface Shared {
  readonly server: Server
  readonly transport: Transport
  readonly listener: Listener
}

async function withSharedServer(run: (shared: Shared) => Promise<void>, server = applicationServer()): Promise<void> {
  await listenOn(server)
  try {
    await withTransport({ listen: { server } }, async (transport) => {
      const listener = await transport.listen((connection) => connection.open({ frame() {}, closed() {} }), limits)
      await run({ server, transport, listener: listener as Listener })
    })
  } finally {
    await closeServer(server)
  }
}

/** Like an Express application: one function that answers whatever comes. */
const application: RequestListener = (request, response) => {
  response.end(`application: ${request.url}`)
}

const applicationServer = (): Server => createServer(application)

function ownPortFixture(): TransportFixture {
  return {
    transport: () => webSocketTransport({ listen: { port: 0 } }),
    rivalOf: ({ address }) => webSocketTransport({ listen: { port: Number(new URL(address).port) } }),
    dialer: () => webSocketTransport(),
    nowhere: 'ws://127.0.0.1:1',
  }
}

function tlsFixture(): TransportFixture {
  return {
    transport: () => webSocketTransport({ listen: { port: 0 }, tls: memberTls }),
    dialer: () => webSocketTransport({ tls: memberTls }),
    nowhere: 'wss://127.0.0.1:1',
  }
}

function withTlsListener(run: (listener: Listener, accepted: Accepted[]) => Promise<void>): Promise<void> {
  return withListener(run, limits, { tls: memberTls })
}

function sharedServerFixture(): TransportFixture {
  const servers: Server[] = []
  return {
    async transport() {
      const server = applicationServer()
      servers.push(server)
      await listenOn(server)
      return webSocketTransport({ listen: { server, path: '/internal/coord' } })
    },
    nowhere: 'ws://127.0.0.1:1/internal/coord',
    async dispose() {
      await Promise.all(servers.map(closeServer))
    },
  }
}

async function listenOn(server: Server | TcpServer): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
}

const portOf = (server: Server | TcpServer): number => (server.address() as AddressInfo).port

/** Without `closeAllConnections`: what an adapter leaves open hangs the test. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
}

async function withTcpServer(
  onConnection: (socket: Socket) => void,
  run: (address: string, server: TcpServer) => Promise<void>,
): Promise<void> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.resume()
    onConnection(socket)
  })
  await listenOn(server)
  await run(`ws://127.0.0.1:${portOf(server)}`, server)
  await new Promise((resolve) => server.close(resolve))
}

/** The message with which a dial fails. */
async function whyNot(address: string, dialTimeoutMs = limits.dialTimeoutMs): Promise<string> {
  const transport = webSocketTransport()
  const error = await transport.dial(address, { ...limits, dialTimeoutMs }, never).then(
    () => assert.fail('it should not connect'),
    (reason: Error) => reason,
  )
  await transport.close()
  return error.message
}

/** The HTTP status with which an upgrade is refused. */
async function statusOf(address: string, protocols: string[], options = {}): Promise<number | undefined> {
  const client = new WebSocket(address, protocols, options)
  client.on('error', () => {})
  const [, response] = await once(client, 'unexpected-response')
  client.terminate()
  return response.statusCode
}

async function httpGet(url: string): Promise<{ status: number | undefined; body: string }> {
  const [response] = await once(get(url), 'response')
  let body = ''
  for await (const chunk of response) body += chunk
  return { status: response.statusCode, body }
}

function tcpConnect({ address }: Listener): Socket {
  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  return socket
}

function upgradeRequest(headers: Record<string, string>): string {
  const all = {
    Host: 'a',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return ['GET /embedded-coord HTTP/1.1', ...lines, '', ''].join('\r\n')
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
