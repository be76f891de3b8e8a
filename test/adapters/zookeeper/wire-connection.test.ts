import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { frame } from '../../../adapters/zookeeper/framing.ts'
import { connectResponse, replyHeader, watcherEvent } from '../../../adapters/zookeeper/records.ts'
import { WireConnection } from '../../../adapters/zookeeper/wire-connection.ts'
import { SystemClock } from '../../../lib/runtime/system-clock.ts'

/** The xid of what nobody asked for. */
const notification = -1

describe('a connection to a ZooKeeper server', () => {
  it('hands an event over when who awaited the reply before it has gone on, though they came in one piece', async () => {
    const clock = new SystemClock()
    const password = new Uint8Array(16)
    const server = createServer((socket) => {
      const opened = { protocolVersion: 0, timeoutMs: 4000, sessionId: 1n, password, readOnly: false }
      socket.once('data', () => {
        socket.write(frame((writer) => connectResponse.write(writer, opened)))
        socket.once('data', () => {
          const reply = frame((writer) => replyHeader.write(writer, { xid: 1, zxid: 7n, error: -101 }))
          const event = frame((writer) => {
            replyHeader.write(writer, { xid: notification, zxid: -1n, error: 0 })
            watcherEvent.write(writer, { type: 1, state: 3, path: '/a' })
          })
          socket.write(Buffer.concat([reply, event]))
        })
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      const connection: WireConnection = new WireConnection(
        {
          address: { host: '127.0.0.1', port },
          opening: { protocolVersion: 0, lastZxidSeen: 0n, timeoutMs: 4000, sessionId: 0n, password, readOnly: false },
          frameBytesMax: 1024,
          afterMicrotasks: (callback) => clock.afterMicrotasks(callback),
        },
        {
          opened: () => {
            const replied = new Promise<void>((done) => {
              connection.send('exists', { path: '/a', watch: true }, () => done())
            })
            void (async () => {
              for (const _ of Array(8)) await replied
              seen.push('reply')
            })()
          },
          event: ({ path }) => {
            seen.push(`event ${path}`)
            connection.close('done')
            resolve()
          },
          ended: () => undefined,
        },
      )
    })
    assert.deepEqual(seen, ['reply', 'event /a'])
    server.close()
    await once(server, 'close')
  })
})
