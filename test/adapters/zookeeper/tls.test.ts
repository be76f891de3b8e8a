/** TLS on both sides of the protocol: who gets in, and what an unfinished handshake can do. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectZooKeeper, type ServeZooKeeperOptions, serveZooKeeper } from '../../../adapters/zookeeper/index.ts'
import { type Coord, joinEnsemble } from '../../../lib/index.ts'
import { memberTls, strangerTls } from '../certificates.ts'

const server = { key: memberTls.key, cert: memberTls.cert }
const { ca } = memberTls

async function served(
  options: Partial<ServeZooKeeperOptions>,
  run: (port: number, coord: Coord) => Promise<void>,
): Promise<void> {
  await using coord = await joinEnsemble()
  await using gateway = await serveZooKeeper(coord, { port: 0, ...options })
  await run(gateway.port, coord)
}

async function silent(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

const closed = (socket: Socket): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.resume().once('close', () => resolve()))

describe('a gateway with TLS', () => {
  it('serves clients that trust it, and no others', async () => {
    await served({ tls: server }, async (port, coord) => {
      const address = `127.0.0.1:${port}`
      await using client = await connectZooKeeper(address, { tls: { ca } })
      await client.create('/over-tls', new Uint8Array([1]))
      assert.deepEqual((await coord.getData('/over-tls')).data, new Uint8Array([1]))
      for (const tls of [{ ca: strangerTls.cert }, {}, undefined]) {
        await assert.rejects(connectZooKeeper(address, { tls, connectTimeoutMs: 400 }), { code: 'COORD_TIMEOUT' })
      }
      // What is in the clear is no handshake.
      const plain = await silent(port)
      plain.write('ruok, in the clear')
      await closed(plain)
      assert.ok(await client.exists('/over-tls'))
    })
  })

  it('lets only clients with a certificate in, where it demands one', async () => {
    await served({ tls: { ...server, ca, requestCert: true, rejectUnauthorized: true } }, async (port) => {
      const address = `127.0.0.1:${port}`
      await using client = await connectZooKeeper(address, { tls: memberTls })
      await client.create('/known')
      for (const tls of [{ ca }, { ...strangerTls, ca }]) {
        await assert.rejects(connectZooKeeper(address, { tls, connectTimeoutMs: 400 }), { code: 'COORD_TIMEOUT' })
      }
      assert.ok(await client.exists('/known'))
    })
  })

  it('takes a session that moves to another gateway', async () => {
    await using coord = await joinEnsemble()
    const gateways = [
      await serveZooKeeper(coord, { port: 0, tls: server }),
      await serveZooKeeper(coord, { port: 0, tls: server }),
    ]
    const servers = gateways.map(({ port }) => `127.0.0.1:${port}`).join(',')
    await using client = await connectZooKeeper(servers, { tls: { ca } })
    await client.create('/mine', undefined, { mode: 'ephemeral' })
    const { id } = client.session
    await gateways[0]?.close()
    await client.sync().catch(() => {})
    assert.equal((await client.exists('/mine'))?.ephemeralOwner, id)
    await client.close()
    await gateways[1]?.close()
  })

  it('counts handshakes that never come to their end, and ends them in time', async () => {
    await served({ tls: server, connectionsPerAddressMax: 3, handshakeTimeoutMs: 500 }, async (port) => {
      const halves = [await silent(port), await silent(port), await silent(port)]
      // A fourth one is cut at once.
      await closed(await silent(port))
      await Promise.all(halves.map(closed))
      await using client = await connectZooKeeper(`127.0.0.1:${port}`, { tls: { ca } })
      await client.create('/alive')
    })
  })

  it('closes though a handshake hangs', async () => {
    await using coord = await joinEnsemble()
    const gateway = await serveZooKeeper(coord, { port: 0, tls: server })
    const half = await silent(gateway.port)
    half.write(Buffer.from([22, 3, 1]))
    await sleep(20)
    await gateway.close()
    await closed(half)
  })
})
