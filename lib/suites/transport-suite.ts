/**
 * Proves a `Transport`, by connections between transports of one fixture: what arrives, how connections end, and what
 * dials and listeners do when they are given up or closed half-way.
 *
 * The limits are small, so that an adapter is tried at its limit as well.
 */
import assert from 'node:assert/strict'
import type { Connection, ConnectionHandlers, Listener, Transport, TransportLimits } from '../ports/index.ts'
import { eventually, settle, type TestFunction } from './runner.ts'

/** Where the transports of one test meet. */
export interface TransportFixture {
  /** A new transport that can listen, at an address of its own. The suite closes it. */
  transport(): Transport | Promise<Transport>
  /** A new transport that wants to listen where `other` does. Leave it out where that cannot happen. */
  rivalOf?(other: Listener): Transport | Promise<Transport>
  /** A new transport that only dials. Leave it out where there is none. */
  dialer?(): Transport | Promise<Transport>
  /** A well-formed address at which nobody listens. */
  readonly nowhere: string
  /** Runs when the transports have been closed. */
  dispose?(): Promise<void>
}

export interface TransportSuiteOptions {
  readonly test: TestFunction
  readonly factory: () => TransportFixture | Promise<TransportFixture>
}

export function transportSuite({ test, factory }: TransportSuiteOptions): void {
  const withNetwork = (name: string, run: (network: Network) => Promise<void>): unknown =>
    test(name, async () => {
      const network = new Network(await factory())
      try {
        await run(network)
      } finally {
        await network.dispose()
      }
    })
  addressTests(withNetwork)
  frameTests(withNetwork)
  closeTests(withNetwork)
  callbackTests(withNetwork)
  dialTests(withNetwork)
  listenerTests(withNetwork)
}

type WithNetwork = (name: string, run: (network: Network) => Promise<void>) => unknown

const limits: TransportLimits = { frameBytesMax: 256 * 1024, dialTimeoutMs: 5_000 }

function addressTests(test: WithNetwork): void {
  test('a listener’s address is in its normal form', async (network) => {
    const { transport, listener } = await network.listen()
    assert.equal(transport.normalize(listener.address), listener.address)
    const nowhere = transport.normalize(network.fixture.nowhere)
    assert.equal(transport.normalize(nowhere), nowhere)
    assert.notEqual(nowhere, listener.address)
  })

  test('what is no address is a TypeError', async (network) => {
    const transport = await network.transport()
    for (const nonsense of ['', ' ', 'two words']) {
      assert.throws(() => transport.normalize(nonsense), TypeError)
      await assert.rejects(transport.dial(nonsense, limits, new AbortController().signal), TypeError)
    }
  })
}

function frameTests(test: WithNetwork): void {
  test('frames arrive whole and in order, both ways at once', async (network) => {
    const [near, far] = await network.connect()
    const sizes = [0, 1, 2, 125, 126, 127, 65_535, 65_536, 65_537, limits.frameBytesMax]
    const frames = Array.from({ length: 400 }, (_, index) => pattern(sizes[index % sizes.length] ?? 0, index))
    for (const frame of frames) {
      near.connection.send(frame)
      far.connection.send(frame)
    }
    await Promise.all([near.receives(frames), far.receives(frames)])
  })

  test('frames over many turns arrive in order', async (network) => {
    const [near, far] = await network.connect()
    const frames = Array.from({ length: 200 }, (_, index) => pattern(100, index))
    for (const frame of frames) {
      near.connection.send(frame)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await far.receives(frames)
  })

  test('a frame of exactly the limit arrives', async (network) => {
    const [near, far] = await network.connect()
    const frame = pattern(limits.frameBytesMax, 1)
    near.connection.send(frame)
    far.connection.send(frame)
    await Promise.all([near.receives([frame]), far.receives([frame])])
  })

  for (const [name, from] of [
    ['the one who dialled', 0],
    ['the one who accepted', 1],
  ] as const) {
    test(`a frame over the limit from ${name} closes the connection`, async (network) => {
      const ends = await network.connect()
      const [sender, receiver] = from === 0 ? ends : ([ends[1], ends[0]] as const)
      sender.connection.send(pattern(limits.frameBytesMax + 1, 1))
      await Promise.all([sender.closes(), receiver.closes()])
      assert.equal(receiver.frames.length, 0)
    })
  }

  test('frames sent right after the dial arrive, whenever the acceptor opens in its turn', async (network) => {
    const far = new End()
    const { listener } = await network.listen((connection) => queueMicrotask(() => far.take(connection)))
    const near = await network.dial(listener)
    near.connection.send(pattern(10, 1))
    await far.receives([pattern(10, 1)])
  })

  test('frames that the acceptor sends at once arrive', async (network) => {
    const frames = [pattern(10, 1), pattern(1_000, 2)]
    const { listener } = await network.listen((connection) => {
      new End().take(connection)
      for (const frame of frames) connection.send(frame)
    })
    const near = await network.dial(listener)
    await near.receives(frames)
  })

  test('a frame belongs to the receiver, and stays the sender’s as well', async (network) => {
    const [near, far] = await network.connect()
    const frame = pattern(1_000, 1)
    near.connection.send(frame)
    near.connection.send(frame)
    await far.receives([frame, frame])
    far.frames[0]?.fill(0xff)
    assert.deepEqual([...(far.frames[1] ?? [])], [...pattern(1_000, 1)])
    assert.deepEqual([...frame], [...pattern(1_000, 1)])
  })

  test('a frame that is overwritten once that is allowed arrives as it was', async (network) => {
    const [near, far] = await network.connect()
    const frames = Array.from({ length: 40 }, (_, index) => pattern(limits.frameBytesMax - index, index))
    for (const frame of frames) {
      const sent = frame.slice()
      let isSending = true
      near.connection.send(sent, () => {
        assert(!isSending, '`written` is called inside of `send`')
        sent.fill(0xff)
      })
      isSending = false
      await new Promise((resolve) => setImmediate(resolve))
    }
    await far.receives(frames)
  })

  test('bufferedBytes falls to nothing once all is written', async (network) => {
    const [near, far] = await network.connect()
    assert.equal(near.connection.bufferedBytes, 0)
    for (let index = 0; index < 20; index += 1) near.connection.send(pattern(limits.frameBytesMax, index))
    assert(near.connection.bufferedBytes >= 0)
    await eventually('all frames arrive', () => far.frames.length === 20)
    await eventually('bufferedBytes is 0', () => near.connection.bufferedBytes === 0)
  })
}

function closeTests(test: WithNetwork): void {
  const ways: Record<string, (near: End, far: End) => void> = {
    'the one who dialled closes': (near) => near.connection.close('enough'),
    'the one who accepted closes': (_near, far) => far.connection.close('enough'),
    'both close at once': (near, far) => {
      near.connection.close()
      far.connection.close()
    },
    'one closes twice': (near) => {
      near.connection.close('enough')
      near.connection.close('once more')
    },
  }
  for (const [name, close] of Object.entries(ways)) {
    test(`${name}: each side hears it once, with a reason`, async (network) => {
      const [near, far] = await network.connect()
      close(near, far)
      await Promise.all([near.closes(), far.closes()])
      await settle()
      assert.deepEqual([near.reasons.length, far.reasons.length], [1, 1])
      near.connection.close()
      far.connection.close()
      await settle()
      assert.deepEqual([near.reasons.length, far.reasons.length], [1, 1])
    })
  }

  test('frames sent before a close still arrive', async (network) => {
    const [near, far] = await network.connect()
    const frames = Array.from({ length: 50 }, (_, index) => pattern(1_000, index))
    for (const frame of frames) near.connection.send(frame)
    near.connection.close()
    await far.receives(frames)
    await far.closes()
  })

  test('a connection closed as soon as it was dialled is closed on both sides', async (network) => {
    const far = new End()
    const { listener } = await network.listen((connection) => far.take(connection))
    const near = await network.dial(listener)
    near.connection.close()
    await Promise.all([near.closes(), far.closes()])
  })

  test('a connection that the acceptor closes at once is closed on both sides', async (network) => {
    const far = new End()
    const { listener } = await network.listen((connection) => {
      far.take(connection)
      connection.close('not you')
    })
    const near = await network.dial(listener)
    await Promise.all([near.closes(), far.closes()])
  })

  test('send after close is harmless', async (network) => {
    const [near, far] = await network.connect()
    near.connection.close()
    near.connection.send(pattern(10, 1))
    await Promise.all([near.closes(), far.closes()])
    near.connection.send(pattern(10, 2))
    far.connection.send(pattern(10, 3))
    await settle()
    assert.deepEqual([near.frames.length, far.frames.length], [0, 0])
  })

  test('nothing arrives after the close was told', async (network) => {
    const [near, far] = await network.connect()
    for (let index = 0; index < 100; index += 1) far.connection.send(pattern(1_000, index))
    near.connection.close()
    await near.closes()
    const { length } = near.frames
    await settle()
    assert.equal(near.frames.length, length)
  })
}

function callbackTests(test: WithNetwork): void {
  test('no callback runs inside send', async (network) => {
    const [near, far] = await network.connect()
    near.silent(() => {
      for (let index = 0; index < 10; index += 1) near.connection.send(pattern(100, index))
    })
    await eventually('the frames arrive', () => far.frames.length === 10)
  })

  test('no callback runs inside close', async (network) => {
    const [near, far] = await network.connect()
    near.silent(() => near.connection.close())
    await far.closes()
    await near.closes()
  })

  test('a handler may send and close', async (network) => {
    const [near, far] = await network.connect((end) => {
      end.connection.send(pattern(5, 2))
      end.silent(() => end.connection.close('answered'))
    })
    near.connection.send(pattern(5, 1))
    await near.receives([pattern(5, 2)])
    await Promise.all([near.closes(), far.closes()])
  })
}

function dialTests(test: WithNetwork): void {
  test('a dial to nobody rejects, and says why', async (network) => {
    const transport = await network.transport()
    const error = await rejection(transport.dial(network.fixture.nowhere, limits, new AbortController().signal))
    assert(error instanceof Error && error.message !== '')
  })

  test('a dial aborted before it begins rejects with the reason', async (network) => {
    const { listener } = await network.listen()
    const transport = await network.transport()
    const reason = new Error('not needed any more')
    assert.equal(await rejection(transport.dial(listener.address, limits, AbortSignal.abort(reason))), reason)
  })

  test('a dial aborted under way rejects with the reason, and leaves no connection', async (network) => {
    const ends: End[] = []
    const { listener } = await network.listen((connection) => ends.push(new End().take(connection)))
    const transport = await network.transport()
    const controller = new AbortController()
    const reason = new Error('not needed any more')
    const dialled = rejection(transport.dial(listener.address, limits, controller.signal))
    controller.abort(reason)
    assert.equal(await dialled, reason)
    await settle()
    await Promise.all(ends.map((end) => end.closes()))
  })

  test('aborting after the dial has succeeded changes nothing', async (network) => {
    const far = new End()
    const { listener } = await network.listen((connection) => far.take(connection))
    const controller = new AbortController()
    const near = await network.dial(listener, controller.signal)
    controller.abort()
    near.connection.send(pattern(10, 1))
    await far.receives([pattern(10, 1)])
  })

  test('two members that dial each other have two connections', async (network) => {
    const [a, b] = [new End(), new End()]
    const one = await network.listen((connection) => a.take(connection))
    const two = await network.listen((connection) => b.take(connection))
    const [toTwo, toOne] = await Promise.all([network.dialFrom(one, two.listener), network.dialFrom(two, one.listener)])
    toTwo.connection.send(pattern(10, 1))
    toOne.connection.send(pattern(10, 2))
    await Promise.all([b.receives([pattern(10, 1)]), a.receives([pattern(10, 2)])])
  })

  test('many dials at once are many connections', async (network) => {
    const accepted: End[] = []
    const { listener } = await network.listen((connection) => accepted.push(new End().take(connection)))
    const ends = await Promise.all(Array.from({ length: 20 }, () => network.dial(listener)))
    for (const [index, end] of ends.entries()) end.connection.send(pattern(8, index))
    await eventually('each acceptor has one frame', () => accepted.every((end) => end.frames.length === 1))
    assert.equal(new Set(accepted.map((end) => String(end.frames[0]))).size, 20)
  })
}

function listenerTests(test: WithNetwork): void {
  test('closing the listener closes what it accepted, and takes no more', async (network) => {
    const [near, far, listener] = await network.connect()
    await Promise.all([listener.close(), listener.close()])
    await Promise.all([near.closes(), far.closes()])
    await assert.rejects(network.dial(listener))
    await listener.close()
  })

  test('closing the transport closes every connection', async (network) => {
    const a = await network.listen()
    const far = new End()
    const b = await network.listen((connection) => far.take(connection))
    const near = await network.dialFrom(a, b.listener)
    await Promise.all([a.transport.close(), a.transport.close()])
    await Promise.all([near.closes(), far.closes()])
    assert.deepEqual([near.reasons.length, far.reasons.length], [1, 1])
  })

  test('a closed transport neither dials nor listens', async (network) => {
    const { listener } = await network.listen()
    const transport = await network.transport()
    await transport.close()
    await assert.rejects(transport.dial(listener.address, limits, new AbortController().signal))
    await assert.rejects(transport.listen(() => {}, limits))
  })

  test('closing the transport ends a dial under way', async (network) => {
    const { listener } = await network.listen((connection) => new End().take(connection))
    const transport = await network.transport()
    const dialled = rejection(transport.dial(listener.address, limits, new AbortController().signal))
    await transport.close()
    assert(await dialled)
  })

  test('an address in use is COORD_ADDRESS_IN_USE', async (network) => {
    const { listener } = await network.listen()
    const rival = await network.rivalOf(listener)
    if (rival === undefined) return
    await assert.rejects(
      rival.listen(() => {}, limits),
      { code: 'COORD_ADDRESS_IN_USE' },
    )
  })

  test('a transport without an address of its own resolves undefined, and dials', async (network) => {
    const dialer = await network.dialer()
    if (dialer === undefined) return
    assert.equal(await dialer.listen(() => {}, limits), undefined)
    const far = new End()
    const { listener } = await network.listen((connection) => far.take(connection))
    const near = new End().take(await dialer.dial(listener.address, limits, new AbortController().signal))
    near.connection.send(pattern(10, 1))
    await far.receives([pattern(10, 1)])
  })

  test('setRef changes nothing but who holds the process', async (network) => {
    const [near, far] = await network.connect()
    for (const transport of network.transports) transport.setRef(false)
    near.connection.send(pattern(10, 1))
    await far.receives([pattern(10, 1)])
    for (const transport of network.transports) transport.setRef(true)
    far.connection.send(pattern(10, 2))
    await near.receives([pattern(10, 2)])
  })
}

interface Listening {
  readonly transport: Transport
  readonly listener: Listener
}

/** A fixture in use: makes transports and remembers to close them. */
class Network {
  readonly fixture: TransportFixture
  readonly transports: Transport[] = []

  constructor(fixture: TransportFixture) {
    this.fixture = fixture
  }

  async transport(): Promise<Transport> {
    return this.#keep(await this.fixture.transport())
  }

  async rivalOf(listener: Listener): Promise<Transport | undefined> {
    return this.#keep(await this.fixture.rivalOf?.(listener))
  }

  async dialer(): Promise<Transport | undefined> {
    return this.#keep(await this.fixture.dialer?.())
  }

  #keep<T extends Transport | undefined>(transport: T): T {
    if (transport !== undefined) this.transports.push(transport)
    return transport
  }

  async listen(accept: (connection: Connection) => void = (each) => void new End().take(each)): Promise<Listening> {
    const transport = await this.transport()
    const listener = await transport.listen(accept, limits)
    assert(listener !== undefined, 'the fixture’s transport does not listen')
    return { transport, listener }
  }

  async dial(listener: Listener, signal: AbortSignal = new AbortController().signal): Promise<End> {
    const transport = await this.transport()
    return new End().take(await transport.dial(listener.address, limits, signal))
  }

  async dialFrom({ transport }: Listening, listener: Listener): Promise<End> {
    return new End().take(await transport.dial(listener.address, limits, new AbortController().signal))
  }

  /** Two ends of one connection: who dialled, who accepted. */
  async connect(onFarFrame: (end: End) => void = () => {}): Promise<[near: End, far: End, listener: Listener]> {
    const far = new End(onFarFrame)
    const { listener } = await this.listen((connection) => far.take(connection))
    const near = await this.dial(listener)
    await eventually('the connection is accepted', () => far.isTaken)
    return [near, far, listener]
  }

  async dispose(): Promise<void> {
    await Promise.all(this.transports.map((transport) => transport.close()))
    await this.fixture.dispose?.()
  }
}

/** One end of a connection, and all that it was told. */
class End implements ConnectionHandlers {
  readonly frames: Uint8Array[] = []
  readonly reasons: string[] = []
  readonly #onFrame: (end: End) => void
  #connection: Connection | undefined
  #isInsideCall = false

  constructor(onFrame: (end: End) => void = () => {}) {
    this.#onFrame = onFrame
  }

  get isTaken(): boolean {
    return this.#connection !== undefined
  }

  get connection(): Connection {
    assert(this.#connection !== undefined, 'there is no connection yet')
    return this.#connection
  }

  take(connection: Connection): this {
    assert.equal(typeof connection.remoteAddress, 'string')
    this.#connection = connection
    connection.open(this)
    return this
  }

  frame(bytes: Uint8Array): void {
    assert(!this.#isInsideCall, 'a frame was delivered inside a call')
    assert.equal(this.reasons.length, 0, 'a frame was delivered after the close')
    this.frames.push(bytes)
    this.#onFrame(this)
  }

  closed(reason: string): void {
    assert(!this.#isInsideCall, 'the close was told inside a call')
    assert(reason !== '', 'a close without a reason')
    this.reasons.push(reason)
  }

  /** Runs calls during which nothing may be told. */
  silent(calls: () => void): void {
    this.#isInsideCall = true
    calls()
    this.#isInsideCall = false
  }

  async receives(frames: readonly Uint8Array[]): Promise<void> {
    const arrived = (): boolean => this.frames.length >= frames.length
    await eventually(`${frames.length} frames arrive`, () => arrived() || this.reasons.length > 0)
    assert(arrived(), `closed after ${this.frames.length} of ${frames.length} frames: ${this.reasons[0]}`)
    assert.equal(this.frames.length, frames.length)
    for (const [index, frame] of frames.entries()) {
      assert(Buffer.compare(this.frames[index] ?? new Uint8Array(0), frame) === 0, `frame ${index} differs`)
    }
  }

  async closes(): Promise<void> {
    await eventually('the connection closes', () => this.reasons.length > 0)
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert.fail('it should have been rejected'),
    (error: unknown) => error,
  )
}

/** Bytes that tell one frame from another. */
function pattern(length: number, seed: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => (index * 7 + seed) % 256)
}
