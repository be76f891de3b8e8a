import { MemoryNetwork } from '../../adapters/transport-memory/index.ts'
import type { Connection, Listener, Transport, TransportLimits } from '../../lib/ports/index.ts'
import { type TransportFixture, transportSuite } from '../../lib/suites/index.ts'
import { expectKilled } from './run-suite.ts'

/** What is broken in each connection, the test that must notice, and how it is broken. */
const connectionMutants: [what: string, killer: string, mutate: (sound: Connection) => Partial<Connection>][] = [
  [
    'a lost frame',
    'frames sent before a close still arrive',
    (sound) => {
      let sent = 0
      return {
        send(frame) {
          sent += 1
          if (sent !== 7) sound.send(frame)
        },
      }
    },
  ],
  [
    'frames in another order',
    'frames over many turns arrive in order',
    (sound) => {
      let held: Uint8Array | undefined
      return {
        send(frame) {
          if (held === undefined) {
            held = frame
            return
          }
          sound.send(frame)
          sound.send(held)
          held = undefined
        },
      }
    },
  ],
  [
    'frames in pieces',
    'frames over many turns arrive in order',
    (sound) => ({
      send(frame) {
        sound.send(frame.subarray(0, 50))
        sound.send(frame.subarray(50))
      },
    }),
  ],
  [
    'a sender’s frame that is overwritten',
    'a frame belongs to the receiver, and stays the sender’s as well',
    (sound) => ({
      send(frame) {
        sound.send(frame)
        frame.fill(0)
      },
    }),
  ],
  [
    'a sender that is told too early that it may overwrite a frame',
    'a frame that is overwritten once that is allowed arrives as it was',
    (sound) => ({
      send(frame, written) {
        setImmediate(() => sound.send(frame))
        if (written !== undefined) queueMicrotask(written)
      },
    }),
  ],
  [
    'a close that is told twice',
    'the one who dialled closes: each side hears it once, with a reason',
    (sound) => ({
      open: (handlers) =>
        sound.open({
          frame: (frame) => handlers.frame(frame),
          closed(reason) {
            handlers.closed(reason)
            setImmediate(() => handlers.closed(reason))
          },
        }),
    }),
  ],
  [
    'a send that throws after close',
    'send after close is harmless',
    (sound) => {
      let isClosed = false
      return {
        send(frame) {
          if (isClosed) throw new Error('closed')
          sound.send(frame)
        },
        close(reason) {
          isClosed = true
          sound.close(reason)
        },
      }
    },
  ],
  [
    'a callback inside close',
    'no callback runs inside close',
    (sound) => {
      let onClosed: (reason: string) => void = () => {}
      return {
        open(handlers) {
          onClosed = (reason) => handlers.closed(reason)
          sound.open({ frame: (frame) => handlers.frame(frame), closed() {} })
        },
        close(reason) {
          sound.close(reason)
          onClosed('closed')
        },
      }
    },
  ],
]

/** What is broken in the transport itself. */
const transportMutants: [what: string, killer: string, mutate: (sound: Transport) => Partial<Transport>][] = [
  [
    'an abort that is ignored',
    'a dial aborted under way rejects with the reason, and leaves no connection',
    (sound) => ({ dial: (address, limits) => sound.dial(address, limits, new AbortController().signal) }),
  ],
  [
    'a limit that is not kept',
    'a frame over the limit from the one who dialled closes the connection',
    (sound) => {
      const larger = (limits: TransportLimits): TransportLimits => ({ ...limits, frameBytesMax: 1e9 })
      return {
        listen: (accept, limits) => sound.listen(accept, larger(limits)),
        dial: (address, limits, signal) => sound.dial(address, larger(limits), signal),
      }
    },
  ],
  [
    'a listener that only stops listening',
    'closing the listener closes what it accepted, and takes no more',
    (sound) => ({
      async listen(accept, limits) {
        const listener = (await sound.listen(accept, limits)) as Listener
        return { address: listener.address, close: async () => {} }
      },
    }),
  ],
  [
    'an address that is not in its normal form',
    'a listener’s address is in its normal form',
    (sound) => ({ normalize: (address) => `${sound.normalize(address)}/` }),
  ],
]

describe('the transport suite notices', () => {
  for (const [what, killer, mutate] of connectionMutants) {
    it(what, () =>
      expectKilled(
        suiteOver((sound) => withConnections(sound, mutate)),
        killer,
      ),
    )
  }
  for (const [what, killer, mutate] of transportMutants) {
    it(what, () => expectKilled(suiteOver(mutate), killer))
  }
})

type MutateTransport = (sound: Transport) => Partial<Transport>

const suiteOver =
  (mutate: MutateTransport) =>
  (test: Parameters<typeof transportSuite>[0]['test']): void =>
    transportSuite({ test, factory: () => fixture(mutate) })

function fixture(mutate: MutateTransport): TransportFixture {
  const network = new MemoryNetwork()
  let count = 0
  return {
    transport() {
      count += 1
      const sound = network.transport(`member-${count}`)
      return {
        exposed: sound.exposed,
        listen: (accept, limits) => sound.listen(accept, limits),
        dial: (address, limits, signal) => sound.dial(address, limits, signal),
        normalize: (address) => sound.normalize(address),
        setRef: (held) => sound.setRef(held),
        close: () => sound.close(),
        ...mutate(sound),
      }
    },
    nowhere: 'nowhere',
  }
}

function withConnections(sound: Transport, mutate: (sound: Connection) => Partial<Connection>): Partial<Transport> {
  return {
    listen: (accept, limits) => sound.listen((connection) => accept(mutant(connection, mutate)), limits),
    dial: async (address, limits, signal) => mutant(await sound.dial(address, limits, signal), mutate),
  }
}

function mutant(sound: Connection, mutate: (sound: Connection) => Partial<Connection>): Connection {
  return {
    remoteAddress: sound.remoteAddress,
    get bufferedBytes() {
      return sound.bufferedBytes
    },
    open: (handlers) => sound.open(handlers),
    send: (frame) => sound.send(frame),
    close: (reason) => sound.close(reason),
    ...mutate(sound),
  }
}
