/** What others may do to a member over the network: it says what is wrong, and the application lives on. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import { inspect } from 'node:util'
import { WebSocket } from 'ws'
import type { Coord, JoinOptions } from '../../lib/index.ts'
import { linkTag, Secret } from '../../lib/runtime/handshake.ts'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { decodeHandshake, encodeHandshake, type Introduction, protocolVersion } from '../../lib/wire/handshake.ts'
import { freePorts } from '../free-ports.ts'
import { addressAt, founders, portOf, quick, rejectsWith, until, World } from './fixture.ts'

type Three<T> = readonly [T, T, T]

/** The options of a founder whose only other founder is at `port`. */
async function joining(port: number, options: JoinOptions = {}): Promise<JoinOptions> {
  const [own] = (await freePorts(1)) as [number]
  const peers = [own, port].map(addressAt)
  return { listen: { port: own }, peers, timing: quick, joinTimeoutMs: 700, ...options }
}

describe('joining where the peer', () => {
  it('does not listen: the time-out names it and says so', async () => {
    await using world = new World()
    const [port] = (await freePorts(1)) as [number]
    const error = await rejectsWith('COORD_TIMEOUT', world.join(await joining(port)), /within 700 ms/)
    assert.match(error.message, new RegExp(`ws://127\\.0\\.0\\.1:${port}[^ ]*: .*nothing listens`))
  })

  it('is a web server: the time-out says what it answered', async () => {
    await using world = new World()
    const server = createHttpServer((_request, response) => response.end('hello'))
    const port = await portOf(server)
    try {
      const error = await rejectsWith('COORD_TIMEOUT', world.join(await joining(port)))
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}[^ ]*: .*200`))
    } finally {
      server.close()
    }
  })

  it('speaks something else: the time-out names it', async () => {
    await using world = new World()
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end('220 mail.example ESMTP\r\n')
    })
    const port = await portOf(server)
    try {
      await rejectsWith('COORD_TIMEOUT', world.join(await joining(port)), new RegExp(`127\\.0\\.0\\.1:${port}[^ ]*: `))
    } finally {
      server.close()
    }
  })

  it('accepts and is silent: the time-out names it', async () => {
    await using world = new World()
    const server = createServer((socket) => socket.on('error', () => {}))
    const port = await portOf(server)
    try {
      await rejectsWith('COORD_TIMEOUT', world.join(await joining(port)), new RegExp(`127\\.0\\.0\\.1:${port}[^ ]*: `))
    } finally {
      server.close()
    }
  })

  it('has another secret: access is denied', async () => {
    await using world = new World()
    const [one, two] = founders(await freePorts(2), { joinTimeoutMs: 1500 }) as [JoinOptions, JoinOptions]
    await Promise.all([
      rejectsWith('COORD_ACCESS_DENIED', world.join({ ...one, secret: 'one' }), /secrets differ/),
      rejectsWith('COORD_ACCESS_DENIED', world.join({ ...two, secret: 'two' }), /secrets differ/),
    ])
  })

  it('has a secret, and this one none: access is denied', async () => {
    await using world = new World()
    const ports = await freePorts(4)
    await Promise.all(founders(ports.slice(0, 3), { secret: 'same' }).map((each) => world.join(each)))
    const peers = ports.slice(0, 3).map(addressAt)
    const options = { listen: { port: ports[3] as number }, peers, joinTimeoutMs: 700 }
    await rejectsWith('COORD_ACCESS_DENIED', world.join(options), /secrets differ/)
    await world.join({ ...options, secret: 'same', joinTimeoutMs: 10_000 })
  })

  it('shows its secret nowhere: neither what is printed, nor errors, warnings, explanations and diagnostics', async () => {
    await using world = new World()
    const secret = 'open sesame 4711'
    const shown: unknown[] = []
    const listen = (message: unknown): void => void shown.push(message)
    const channels = ['role', 'election', 'session', 'member', 'storage'].map((name) => `embedded-coord:${name}`)
    for (const name of channels) subscribe(name, listen)
    const given = founders(await freePorts(3), { secret, joinTimeoutMs: 30_000 })
    const coords = await Promise.all(given.map((each) => world.join(each)))
    for (const { member } of coords) member.on('warning', listen)
    const [first] = coords as [Coord]
    const peers = given[0]?.peers
    const [port] = (await freePorts(1)) as [number]
    const stranger = { listen: { port }, peers, secret: `${secret} not`, joinTimeoutMs: 1500 }
    shown.push(await rejectsWith('COORD_ACCESS_DENIED', world.join(stranger), /secrets differ/))
    const config = await first.getData('/zookeeper/config')
    shown.push(coords, first.explain(), Buffer.from(config.data as Uint8Array).toString())
    for (const name of channels) unsubscribe(name, listen)
    assert.ok(shown.length > 4)
    for (const one of shown) {
      const text = inspect(one, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null })
      assert.ok(!text.includes('sesame'), text)
    }
    assert.ok(!JSON.stringify(first.explain()).includes('sesame'))
  })

  it('lists other founders: both say which lists differ', async () => {
    await using world = new World()
    const ports = (await freePorts(3)) as unknown as Three<number>
    const [one, two] = founders(ports.slice(0, 2)) as [JoinOptions, JoinOptions]
    const peers = ports.map(addressAt)
    const differ = new RegExp(`lists \\[.*${ports[2]}.*same peers`)
    await Promise.all([
      rejectsWith('COORD_FOUNDERS_DIFFER', world.join(one), differ),
      rejectsWith('COORD_FOUNDERS_DIFFER', world.join({ ...two, peers }), differ),
    ])
  })
})

describe('a join that is under way', () => {
  it('ends with its signal, and leaves nothing behind', async () => {
    await using world = new World()
    const [free] = (await freePorts(1)) as [number]
    const options = await joining(free, { joinTimeoutMs: 60_000 })
    const abort = new AbortController()
    const reason = new Error('shutting down')
    const join = world.join({ ...options, signal: abort.signal })
    setTimeout(() => abort.abort(reason), 50)
    await assert.rejects(join, (error: Error & { code?: string }) => {
      assert.equal(error.name, 'AbortError')
      assert.equal(error.code, 'ABORT_ERR')
      assert.equal(error.cause, reason)
      return true
    })
    const server = createServer().listen((options.listen as { port: number }).port, '127.0.0.1')
    await once(server, 'listening')
    server.close()
  })
})

describe("the application's own server", () => {
  it('may begin to listen later: joining waits for it', async () => {
    await using world = new World()
    const server = createHttpServer((_request, response) => response.end('of the application'))
    const [port] = (await freePorts(1)) as [number]
    const path = '/coord'
    const options = { listen: { server, path }, secret: 's', peers: [`ws://127.0.0.1:${port}${path}`] }
    const joining = world.join({ ...options, joinTimeoutMs: 10_000 })
    setTimeout(() => server.listen(port, '127.0.0.1'), 50)
    try {
      const coord = await joining
      await coord.create('/a')
      assert.equal(coord.member.address, `ws://127.0.0.1:${port}${path}`)
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'of the application')
      await coord.close()
      assert.ok(server.listening, 'a guest does not close the house')
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })

  it('that never listens is named by the time-out', async () => {
    await using world = new World()
    const server = createHttpServer()
    const options = { listen: { server }, secret: 's', peers: ['ws://127.0.0.1:7400'], joinTimeoutMs: 200 }
    await rejectsWith('COORD_TIMEOUT', world.join(options), /your server is not listening yet/)
  })
})

/** What a stranger with a raw socket sends. */
async function sendRaw(port: number, bytes: string | Uint8Array): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(bytes)
  setTimeout(() => socket.destroy(), 50)
  await once(socket, 'close')
}

const urlOf = (port: number): string => `${addressAt(port)}/embedded-coord`

/** A WebSocket to a member, upgraded as another member would be. */
async function upgrade(port: number): Promise<WebSocket> {
  const socket = new WebSocket(urlOf(port), 'embedded-coord')
  socket.on('error', () => {})
  await once(socket, 'open')
  return socket
}

const upgradeRequest = [
  'GET /embedded-coord HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==',
  'Sec-WebSocket-Protocol: embedded-coord',
  '',
  '',
].join('\r\n')

/** Resolves once the other side has closed. */
async function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close', { signal: AbortSignal.timeout(10_000) })
}

interface Greeting {
  readonly socket: WebSocket
  readonly self: Introduction
  readonly peer: Introduction
  /** The other side's. */
  readonly proof: Uint8Array
}

function introduce(): Introduction {
  return {
    version: protocolVersion,
    id: '00'.repeat(16) as Introduction['id'],
    name: 'stranger',
    address: 'ws://127.0.0.1:1/embedded-coord',
    cluster: '',
    features: 1,
    incarnation: crypto.getRandomValues(new Uint8Array(16)),
    nonce: crypto.getRandomValues(new Uint8Array(16)),
  }
}

/** Says hello, and waits for the welcome. */
async function hello(port: number, self = introduce()): Promise<Greeting> {
  const socket = await upgrade(port)
  socket.send(encodeHandshake({ type: 'hello', ...self }))
  const [bytes] = (await once(socket, 'message')) as [Buffer]
  const welcome = decodeHandshake(new Uint8Array(bytes))
  assert.equal(welcome.type, 'welcome')
  const { type: _, proof, ...peer } = welcome as Extract<typeof welcome, { type: 'welcome' }>
  return { socket, self, peer, proof }
}

/** Passes the handshake as a member would; what it sends then, a member sends. */
async function greet(port: number, secret = new Secret(undefined)): Promise<{ socket: WebSocket; tag: number }> {
  const { socket, self, peer } = await hello(port)
  socket.send(encodeHandshake({ type: 'proof', proof: secret.prove('dialer', self, peer) }))
  return { socket, tag: linkTag(self, peer) }
}

function frameOf(tag: number, sequence: number, ...bytes: number[]): Uint8Array {
  const frame = new Uint8Array(8 + bytes.length)
  new DataView(frame.buffer).setUint32(0, tag)
  new DataView(frame.buffer).setUint32(4, sequence)
  frame.set(bytes, 8)
  return frame
}

describe('members keep serving when a stranger', () => {
  const attacks: readonly (readonly [what: string, attack: (port: number) => Promise<void>])[] = [
    [
      'asks in HTTP',
      async (port) => {
        const response = await fetch(`http://127.0.0.1:${port}/`)
        assert.equal(response.status, 426)
        assert.match(await response.text(), /embedded-coord/)
      },
    ],
    ['sends garbage', (port) => sendRaw(port, crypto.getRandomValues(new Uint8Array(4096)))],
    ['sends half a request', (port) => sendRaw(port, 'GET /embedded-coord HTTP/1.1\r\nUpgr')],
    [
      'upgrades without the subprotocol',
      async (port) => {
        const socket = new WebSocket(urlOf(port))
        const [error] = (await once(socket, 'error')) as [Error]
        assert.match(error.message, /400/)
      },
    ],
    [
      'sends no handshake after the upgrade but garbage',
      async (port) => {
        const socket = await upgrade(port)
        socket.send(crypto.getRandomValues(new Uint8Array(1000)))
        await closed(socket)
      },
    ],
    [
      'sends text after the upgrade',
      async (port) => {
        const socket = await upgrade(port)
        socket.send('hello')
        await closed(socket)
      },
    ],
    [
      'sends a handshake that is too long',
      async (port) => {
        const socket = await upgrade(port)
        socket.send(new Uint8Array(5000))
        await closed(socket)
      },
    ],
    [
      'sends a frame that is too large',
      async (port) => {
        const socket = await upgrade(port)
        socket.send(new Uint8Array(9 * 1024 * 1024))
        await closed(socket)
      },
    ],
    [
      'proves another secret',
      async (port) => {
        const { socket } = await greet(port, new Secret('guessed'))
        await closed(socket)
      },
    ],
    [
      'proves what somebody proved on another connection',
      async (port) => {
        const first = await hello(port)
        const proof = new Secret(undefined).prove('dialer', first.self, first.peer)
        first.socket.close()
        const { socket } = await hello(port, first.self)
        socket.send(encodeHandshake({ type: 'proof', proof }))
        await closed(socket)
      },
    ],
    [
      'proves what the other side has just proved',
      async (port) => {
        const { socket, proof } = await hello(port)
        socket.send(encodeHandshake({ type: 'proof', proof }))
        await closed(socket)
      },
    ],
    [
      'says that it is of another ensemble than in its proof',
      async (port) => {
        const { socket, self, peer } = await hello(port)
        const proof = new Secret(undefined).prove('dialer', { ...self, cluster: 'another' }, peer)
        socket.send(encodeHandshake({ type: 'proof', proof }))
        await closed(socket)
      },
    ],
    [
      'is a browser',
      async (port) => {
        const socket = new WebSocket(urlOf(port), 'embedded-coord', { origin: 'http://localhost' })
        const [error] = (await once(socket, 'error')) as [Error]
        assert.match(error.message, /403/)
      },
    ],
    [
      'begins a frame of 8 MiB and sends on and on, without a proof',
      async (port) => {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => {})
        await once(socket, 'connect')
        socket.write(upgradeRequest)
        await once(socket, 'data')
        socket.write(Uint8Array.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x80, 0, 0, 1, 2, 3, 4]))
        // In pieces, so that it would be seen how much is read.
        const timer = setInterval(() => socket.write(new Uint8Array(8192)), 1)
        await once(socket, 'close', { signal: AbortSignal.timeout(10_000) })
        clearInterval(timer)
        assert.ok(socket.bytesWritten < 4 * 1024 * 1024, `read ${socket.bytesWritten} bytes`)
      },
    ],
    [
      'passes the handshake and sends a frame without a header',
      async (port) => {
        const { socket } = await greet(port)
        socket.send(new Uint8Array(3))
        await closed(socket)
      },
    ],
    [
      'passes the handshake and sends a frame of another link',
      async (port) => {
        const { socket, tag } = await greet(port)
        socket.send(frameOf(tag ^ 1, 0))
        await closed(socket)
      },
    ],
    [
      'passes the handshake and leaves out a frame',
      async (port) => {
        const { socket, tag } = await greet(port)
        socket.send(frameOf(tag, 0))
        socket.send(frameOf(tag, 2))
        await closed(socket)
      },
    ],
    [
      'passes the handshake and sends a message that cannot be read',
      async (port) => {
        const { socket, tag } = await greet(port)
        socket.send(frameOf(tag, 0, 0xff, 0xff, 0xff))
        await closed(socket)
      },
    ],
    [
      'passes the handshake and sends a frame that is too large',
      async (port) => {
        const { socket, tag } = await greet(port)
        socket.send(frameOf(tag, 0))
        socket.send(new Uint8Array(9 * 1024 * 1024))
        await closed(socket)
      },
    ],
  ]

  it('does any of these', async () => {
    await using world = new World()
    const ports = await freePorts(3)
    const coords = (await Promise.all(founders(ports).map((each) => world.join(each)))) as unknown as Three<Coord>
    const states: string[] = []
    for (const coord of coords) coord.on('state', (next) => states.push(next))
    await coords[0].create('/count')
    for (const [what, attack] of attacks) {
      for (const port of ports) {
        await attack(port).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`))
      }
      await coords[1].setData('/count', undefined)
    }
    await until('everybody has seen all', async () => (await coords[2].exists('/count'))?.version === attacks.length)
    // A busy machine may suspend a member for a moment, but no stranger ends a session.
    assert.ok(!states.includes('lost'), states.join())
  })

  it('opens one connection after the other and says nothing: honest handshakes get through', async () => {
    await using world = new World()
    const [port] = (await freePorts(1)) as [number]
    const coord = await world.join({ listen: { port } })
    const silent: WebSocket[] = []
    for (let count = 0; count < 200; count++) silent.push(await upgrade(port))
    const open = (): number => silent.filter(({ readyState }) => readyState === WebSocket.OPEN).length
    await until('those that came first are dropped', () => open() <= defaultLimits.link.unprovenPerAddressMax)
    const { socket, tag } = await greet(port)
    socket.send(frameOf(tag, 0))
    await coord.create('/served')
    assert.equal(socket.readyState, WebSocket.OPEN)
    for (const one of [...silent, socket]) one.terminate()
  })
})
